/* Paths and queries, encoded so that nothing a caller passes can escape its
   segment or word. */
#include "path.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz"
                                 "0123456789-._~";

const char *raia_path_bad_id(const char *id, size_t length) {
  if (length == 0)
    return "is empty";
  if (length > RAIA_PATH_MAX)
    return "has more than 16,384 bytes";
  if ((length == 1 && id[0] == '.') || (length == 2 && !memcmp(id, "..", 2)))
    return "is '.' or '..', which would name another path";
  return NULL;
}

char *raia_path_encode(char *out, const char *text, size_t length) {
  static const char hex[] = "0123456789ABCDEF";
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c != '\0' && strchr(unreserved, c) != NULL) {
      *out++ = (char)c;
    } else {
      *out++ = '%';
      *out++ = hex[c >> 4];
      *out++ = hex[c & 15];
    }
  }
  return out;
}

/* The length of a leading dot, plain or as %2e, or 0. */
static size_t dot(const char *s) {
  return *s == '.' ? 1 : strncasecmp(s, "%2e", 3) == 0 ? 3 : 0;
}

/* Whether the first segment of `s` is "." or "..". */
static bool dots(const char *s) {
  size_t first = dot(s);
  if (first == 0)
    return false;
  s += first;
  s += dot(s);
  return *s == '/' || *s == '\0';
}

const char *raia_path_bad(const char *path, size_t length) {
  if (path[0] != '/' || strlen(path) != length)
    return "must start with '/' and contain no NUL";
  if (length > RAIA_PATH_MAX)
    return "has more than 16,384 bytes";
  for (const char *s = path; *s != '\0'; s++) {
    bool escape = *s == '%' && isxdigit((unsigned char)s[1]) &&
                  isxdigit((unsigned char)s[2]);
    if (!escape && strchr(unreserved, *s) == NULL &&
        strchr("/:@!$&'()*+,;=", *s) == NULL)
      return "contains a character that must be percent-encoded (a query goes "
             "into `query`)";
    if (*s == '/' && (dots(s + 1) || (s[1] == '/')))
      return "must not contain an empty segment, '.' or '..'";
  }
  return NULL;
}
