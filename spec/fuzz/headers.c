/* The header callback of a transfer: lines of any bytes, cut anywhere. The
   input: a length, so many bytes as one piece, and again. */
#include "../../src/net/transfer.c"

#include "fuzz.h"

static struct raia_endpoint *endpoint;

/* Whether `value` is in `piece`, a header of that name, trimmed or cut. */
static bool is_from(const char *piece, size_t length, const char *name,
                    const char *value) {
  size_t skip = strlen(name), n = strlen(value);
  if (length <= skip || strncasecmp(piece, name, skip) != 0 ||
      piece[skip] != ':')
    return false;
  CHECK(n == 0 || (!isspace((unsigned char)value[0])));
  for (size_t at = skip + 1; at + n <= length; at++)
    if (memcmp(piece + at, value, n) == 0)
      return true;
  return false;
}

/* Gives the callback one piece and checks all that it may have changed. */
static void feed(struct raia_transfer *t, char *piece, size_t length) {
  const struct raia_transfer old = *t;
  size_t taken = on_header(piece, 1, length, t->handle);
  bool over = old.header_bytes + length > HEADER_BYTES_MAX;
  bool begins = length > 5 && strncasecmp(piece, "HTTP/", 5) == 0;
  CHECK(over == (t->refused == RAIA_OVER_LIMIT));
  CHECK(taken == (over ? 0 : length));
  CHECK(memchr(t->content_type, 0, sizeof t->content_type) != NULL);
  CHECK(memchr(t->request_id, 0, sizeof t->request_id) != NULL);
  if (begins && !over)
    CHECK(t->content_type[0] == '\0' && t->request_id[0] == '\0' &&
          t->outcome.retry_after == -1);
  if (strcmp(t->content_type, old.content_type) != 0)
    CHECK(begins || is_from(piece, length, "Content-Type", t->content_type));
  if (strcmp(t->request_id, old.request_id) != 0)
    CHECK(begins || is_from(piece, length, "X-Request-Id", t->request_id));
  if (t->outcome.retry_after != old.outcome.retry_after)
    CHECK(begins || is_from(piece, length, "Retry-After", ""));
  CHECK(t->outcome.retry_after == -1 || t->outcome.retry_after > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes b = {data, size};
  const char *option;
  struct raia_endpoint_options options = {.base_url = "https://h",
                                          .secret_key = "k",
                                          .user_agent = "u",
                                          .max_connections = 1};
  if (endpoint == NULL)
    CHECK(raia_endpoint_open(&endpoint, &options, &option) == NULL);
  struct raia_transfer t = {.endpoint = endpoint,
                            .handle = raia_endpoint_take(endpoint),
                            .outcome.retry_after = -1};
  CHECK(t.handle != NULL);
  t.handle->transfer = &t;
  while (b.left > 0 && t.refused == RAIA_APPENDED) {
    size_t length, most = take(&b), times = 1;
    if (most == 255) { /* a piece that comes often, or is huge */
      times = 1 + 8 * take(&b);
      most = take(&b);
    }
    char *piece = take_string(&b, most, &length);
    char *exact = malloc(length);
    if (length > 0)
      memcpy(exact, piece, length);
    for (; times > 0 && t.refused == RAIA_APPENDED; times--)
      feed(&t, exact, length);
    free(exact);
    free(piece);
  }
  raia_endpoint_give(endpoint, t.handle);
  return 0;
}
