/* Secrets: found in text however they are quoted, and masked. */
#include "secrets.h"

#include "headers.h"

#include <stdlib.h>
#include <string.h>

enum {
  CUT_MIN = 4,    /* the least part of a truncated secret that is masked */
  ESCAPE_MAX = 16 /* the longest part of a truncated escape */
};

/* The bytes that can begin an escape. */
static const char escapes[] = {'\\', '%', '&'};

static bool is_escape(char c) {
  return memchr(escapes, c, sizeof escapes) != NULL;
}

/* ---- a character, however it is written ---- */

/* Skips repetitions of `filler` at `s`. */
static const char *skip(const char *s, const char *end, const char *filler) {
  size_t length = strlen(filler);
  while ((size_t)(end - s) >= length && memcmp(s, filler, length) == 0)
    s += length;
  return s;
}

/* Skips the number `c` at `s`, of at most `digits` digits; NULL if it is not
   there. */
static const char *number(const char *s, const char *end, int base, int most,
                          char c) {
  static const char digits[] = "0123456789abcdef";
  long value = 0;
  int n = 0;
  for (; n < most && s < end && *s != '\0'; n++, s++) {
    const char *digit = strchr(digits, *s >= 'A' && *s <= 'F' ? *s | 32 : *s);
    if (digit == NULL || digit - digits >= base)
      break;
    value = value * base + (digit - digits);
  }
  return n > 0 && value == c ? s : NULL;
}

/* Skips `c` at `s`, literal or escaped for JSON. JSON within JSON has any
   number of backslashes before an escape. */
static const char *in_json(const char *s, const char *end, char c) {
  const char *first = s, *after = NULL;
  s = skip(s, end, "\\");
  if (s == end)
    return NULL;
  if (s > first && *s == 'u' && end - s > 4)
    after = number(s + 1, s + 5, 16, 4, c);
  return after == NULL && *s == c ? s + 1 : after;
}

/* The same for an HTML entity, after its &. */
static const char *in_html(const char *s, const char *end, char c) {
  static const char *const names[] = {"\"quot;", "'apos;", "<lt;", ">gt;"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t length = strlen(names[i] + 1);
    if (*names[i] == c && (size_t)(end - s) >= length &&
        memcmp(s, names[i] + 1, length) == 0)
      return s + length;
  }
  if (end - s < 2 || *s != '#')
    return NULL;
  s = (s[1] | 32) == 'x' ? number(s + 2, end, 16, 6, c)
                         : number(s + 1, end, 10, 7, c);
  return s != NULL && s < end && *s == ';' ? s + 1 : NULL;
}

/* Skips `c` at `s`, however it is written; NULL if something else is there. */
static const char *behind(const char *s, const char *end, char c) {
  const char *at;
  if (c != '%' && c != '&' && (at = in_json(s, end, c)) != NULL)
    return at;
  if ((at = in_json(s, end, '%')) != NULL) {
    at = skip(at, end, "25");
    return c == '%' ? at : number(at, end - at < 2 ? at : at + 2, 16, 2, c);
  }
  if ((at = in_json(s, end, '&')) != NULL) {
    at = skip(at, end, "amp;");
    const char *named = in_html(at, end, c);
    return named == NULL && c == '&' ? at : named;
  }
  return NULL;
}

/* ---- a secret ---- */

/* How many bytes at `s` are the secret or, with `cut`, the start of it; 0:
   none. A backslash of the secret may be missing: in_json takes it for an
   escape of the next character. */
static size_t spelt(const char *s, const char *end, const char *secret,
                    bool cut) {
  size_t length = strlen(secret), n = 0;
  const char *at = s;
  bool plain = (size_t)(end - s) >= length && memcmp(s, secret, length) == 0;
  if (plain && length > 0 && secret[length - 1] != '\\')
    return length;
  for (const char *c = secret; *c != '\0'; c++) {
    const char *next = behind(at, end, *c);
    if (next == NULL && *c == '\\')
      continue;
    if (next == NULL) {
      bool ends = at == end || (end - at < ESCAPE_MAX && is_escape(*at));
      return cut && n >= CUT_MIN && ends ? (size_t)(end - s) : 0;
    }
    at = next;
    n++;
  }
  if (n > 0 && secret[length - 1] == '\\')
    at = skip(at, end, "\\"); /* otherwise half an escape would be left */
  return n > 0 ? (size_t)(at - s) : 0;
}

static bool mask(char *bytes, size_t length, const char *secret, bool cut) {
  const char *end = bytes + length;
  bool found = false;
  for (char *s = bytes; s < end;) {
    size_t n = *s == *secret || is_escape(*s) ? spelt(s, end, secret, cut) : 0;
    if (n > 0) {
      memset(s, '*', n);
      s += n;
      found = true;
    } else if (*s == '\\') { /* the whole run has been tried */
      s += skip(s, end, "\\") - s;
    } else {
      s++;
    }
  }
  return found;
}

bool raia_secrets_mask(const struct raia_secrets *secrets, char *bytes,
                       size_t length, bool cut) {
  bool found = false;
  int count = length == 0 ? 0 : secrets->count;
  for (int i = 0; i < count && i < RAIA_SECRETS_MAX; i++)
    found = mask(bytes, length, secrets->texts[i], cut) || found;
  return found;
}

/* ---- the list ---- */

bool raia_secrets_add(struct raia_secrets *secrets, const char *text,
                      size_t least) {
  if (text == NULL || strlen(text) < least)
    return true;
  char *copy = strdup(text);
  if (copy != NULL)
    secrets->texts[secrets->count++] = copy;
  return copy != NULL;
}

/* Bytes at the end that fill no group of three are left out: their encoding
   depends on what follows. */
bool raia_secrets_add_base64(struct raia_secrets *secrets, const char *text,
                             size_t least) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t groups = strlen(text) / 3;
  char *out = calloc(groups + 1, 4), *c = out;
  if (out == NULL)
    return false;
  for (const char *s = text; groups > 0; groups--, s += 3) {
    unsigned long bits = (unsigned long)(unsigned char)s[0] << 16 |
                         (unsigned long)(unsigned char)s[1] << 8 |
                         (unsigned char)s[2];
    for (int shift = 18; shift >= 0; shift -= 6)
      *c++ = digits[bits >> shift & 63];
  }
  bool added = raia_secrets_add(secrets, out, least);
  raia_wipe(out);
  free(out);
  return added;
}

void raia_secrets_free(struct raia_secrets *secrets) {
  while (secrets->count > 0) {
    char *text = secrets->texts[--secrets->count];
    raia_wipe(text);
    free(text);
  }
}
