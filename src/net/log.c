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

void raia_log_attempt(const struct raia_transfer *t,
                      const struct raia_endpoint *endpoint) {
  char path[201];
  snprintf(path, sizeof path, "%.200s", t->path);
  if (endpoint != NULL)
    raia_endpoint_mask_cut(endpoint, path, strlen(path));
  fprintf(stderr,
          "raia: %s %s: %s %ld, %.0f ms, attempt %d, %zu bytes out, %zu "
          "in, connection %s\n",
          t->method, path, raia_kind_name(t->outcome.kind), t->outcome.status,
          t->elapsed * 1000, t->attempts, t->body_length, t->reply.length,
          t->reused ? "reused" : "new");
}

/* Cuts a line behind one of these, if it has one. Returns whether it has. */
static bool cut_credentials(const char *line, size_t *length) {
  static const char *const signs[] = {"agent-secret-key", "authorization",
                                      "with user "};
  for (size_t at = 0; at < *length; at++)
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
      if (*length - at >= strlen(signs[i]) &&
          strncasecmp(line + at, signs[i], strlen(signs[i])) == 0) {
        *length = at + strlen(signs[i]);
        return true;
      }
  return false;
}

void raia_log_line(char mark, const char *line, size_t length,
                   const struct raia_endpoint *endpoint) {
  char out[1024];
  while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
    length--;
  length = length < sizeof out ? length : sizeof out;
  memcpy(out, line, length);
  raia_endpoint_mask_words(endpoint, out, length);
  bool cut = cut_credentials(out, &length);
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)out[i] < ' ' || out[i] == 127)
      out[i] = '?';
  fprintf(stderr, "raia: %c %.*s%s\n", mark, (int)length, out,
          cut ? ": ***" : "");
}
