/* The header callback of an attempt: lines of any bytes, cut anywhere. The
   input: a length, so many bytes as one piece, and again. */
#include "../../src/net/exchange.c"

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

/* An attempt whose headers are read, outside of any loop. */
struct reading {
  struct raia_asked asked;
  struct raia_outcome outcome;
  struct raia_exchange exchange;
};

/* Gives the callback one piece and checks all that it may have changed. */
static void feed(struct reading *r, char *piece, size_t length) {
  const struct reading old = *r;
  const struct raia_outcome *o = &r->outcome;
  size_t taken = raia_on_header(piece, 1, length, r->exchange.handle);
  bool over = old.exchange.header_bytes + length > HEADER_BYTES_MAX;
  bool begins = length > 5 && strncasecmp(piece, "HTTP/", 5) == 0;
  CHECK(over == o->over_limit);
  CHECK(taken == (over ? 0 : length));
  CHECK(memchr(o->content_type, 0, sizeof o->content_type) != NULL);
  CHECK(memchr(o->request_id, 0, sizeof o->request_id) != NULL);
  if (begins && !over)
    CHECK(o->content_type[0] == '\0' && o->request_id[0] == '\0' &&
          o->retry_after == -1);
  if (strcmp(o->content_type, old.outcome.content_type) != 0)
    CHECK(begins || is_from(piece, length, "Content-Type", o->content_type));
  if (strcmp(o->request_id, old.outcome.request_id) != 0)
    CHECK(begins || is_from(piece, length, "X-Request-Id", o->request_id));
  if (o->retry_after != old.outcome.retry_after)
    CHECK(begins || is_from(piece, length, "Retry-After", ""));
  CHECK(o->retry_after == -1 || o->retry_after > 0);
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
  struct reading r = {.asked.endpoint = endpoint, .outcome.retry_after = -1};
  struct raia_handle *handle = raia_handle_take(endpoint, NULL);
  CHECK(handle != NULL);
  r.exchange = (struct raia_exchange){
      .asked = &r.asked, .outcome = &r.outcome, .handle = handle};
  handle->exchange = &r.exchange;
  while (b.left > 0 && !r.outcome.over_limit) {
    size_t length, most = take(&b), times = 1;
    if (most == 255) { /* a piece that comes often, or is huge */
      times = 1 + 8 * take(&b);
      most = take(&b);
    }
    char *piece = take_string(&b, most, &length);
    char *exact = malloc(length);
    if (length > 0)
      memcpy(exact, piece, length);
    for (; times > 0 && !r.outcome.over_limit; times--)
      feed(&r, exact, length);
    free(exact);
    free(piece);
  }
  raia_handle_put_back(endpoint, handle);
  return 0;
}
