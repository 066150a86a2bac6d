/* What RAIA_LOG asks to see, on stderr: never the key, never a text. */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum raia_log_level raia_log_level(const char **unknown) {
  const char *value = getenv("RAIA_LOG");
  *unknown = NULL;
  if (value == NULL || *value == '\0')
    return RAIA_LOG_NONE;
  if (strcmp(value, "info") == 0)
    return RAIA_LOG_INFO;
  if (strcmp(value, "debug") == 0)
    return RAIA_LOG_DEBUG;
  *unknown = value;
  return RAIA_LOG_NONE;
}

void raia_log_note(const char *line) {
  const char *unknown;
  if (raia_log_level(&unknown) != RAIA_LOG_NONE)
    fprintf(stderr, "raia: %s\n", line);
}

void raia_log_attempt(const struct raia_transfer *t) {
  fprintf(stderr,
          "raia: %s %.200s: %s %ld, %.0f ms, attempt %d, %zu bytes out, %zu "
          "in, connection %s\n",
          t->method, t->path, raia_kind_name(t->outcome.kind),
          t->outcome.status, t->elapsed * 1000, t->attempts, t->body_length,
          t->reply.length, t->reused ? "reused" : "new");
}

/* The bytes of the name of a header with credentials that `s` begins with. */
static size_t credentials(const char *s, size_t length) {
  static const char *const names[] = {"agent-secret-key", "authorization"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (length >= strlen(names[i]) &&
        strncasecmp(s, names[i], strlen(names[i])) == 0)
      return strlen(names[i]);
  return 0;
}

void raia_log_line(char mark, const char *line, size_t length,
                   const char *secret) {
  char out[1024] = "";
  size_t n = 0, key = strlen(secret);
  bool masked = false;
  while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
    length--;
  for (size_t i = 0; i < length && n < sizeof out - 4;) {
    size_t name = credentials(line + i, length - i);
    bool is_key =
        key > 0 && length - i >= key && memcmp(line + i, secret, key) == 0;
    if (name > 0) {
      length = i + name; /* and no further */
      masked = true;
    }
    if (is_key) {
      for (int stars = 0; stars < 3; stars++)
        out[n++] = '*';
      i += key;
      continue;
    }
    out[n++] = line[i++];
    if ((unsigned char)out[n - 1] < ' ' || out[n - 1] == 127)
      out[n - 1] = '?';
  }
  fprintf(stderr, "raia: %c %.*s%s\n", mark, (int)n, out,
          masked ? ": ***" : "");
}
