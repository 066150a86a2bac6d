/* A whole attempt by libcurl, with a socket pair for a network: whatever bytes
   the server answers with, the outcome is one that is true. The input: the
   request, the size of a header to add, the server's bytes. */
#include "fuzz.h"

#include "../../src/origin_curl.h"
#include "../../src/pool.h"

#include <sys/socket.h>
#include <unistd.h>

static const char body[] = "{\"message\":\"sent once\"}";

/* The server's end. */
struct server {
  const char *reply;
  size_t length;
  int fd, connections;
};

static curl_socket_t on_open(void *context, curlsocktype purpose,
                             struct curl_sockaddr *address) {
  struct server *s = context;
  int pair[2];
  (void)purpose;
  (void)address;
  if (s->connections++ > 0)
    return CURL_SOCKET_BAD;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  CHECK(send(pair[1], s->reply, s->length, MSG_DONTWAIT) ==
        (ssize_t)s->length);
  shutdown(pair[1], SHUT_WR);
  s->fd = pair[1];
  return pair[0];
}

static int on_sockopt(void *context, curl_socket_t fd, curlsocktype purpose) {
  (void)context;
  (void)fd;
  (void)purpose;
  return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static bool holds(const char *text, size_t length, const char *part) {
  size_t n = strlen(part);
  for (size_t i = 0; i + n <= length; i++)
    if (memcmp(text + i, part, n) == 0)
      return true;
  return false;
}

static void check(const struct raia_transfer *t, struct server *s) {
  const struct raia_outcome *o = &t->outcome;
  char got[4096];
  ssize_t n =
      s->connections == 0 ? 0 : recv(s->fd, got, sizeof got, MSG_DONTWAIT);
  size_t length = n > 0 ? (size_t)n : 0;
  bool delivered = holds(got, length, t->body != NULL ? body : "\r\n\r\n");
  CHECK(s->connections == 1);
  CHECK(o->sent || !delivered);
  CHECK(o->kind == RAIA_OK || o->kind == RAIA_HTTP ||
        o->kind == RAIA_CONNECTION || o->kind == RAIA_TOO_LARGE);
  if (o->kind == RAIA_OK || o->kind == RAIA_HTTP) {
    CHECK((o->kind == RAIA_OK) == (o->status >= 200 && o->status <= 299));
    CHECK(holds(s->reply, s->length, "\n\r\n") ||
          holds(s->reply, s->length, "\n\n"));
    CHECK(delivered || o->kind == RAIA_HTTP);
  } else {
    CHECK(o->status == 0 && t->detail[0] != '\0');
  }
  CHECK(t->reply.length <= t->reply.limit);
  CHECK(o->idempotent == (strcmp(t->method, "GET") == 0));
  CHECK(!delivered || o->idempotent || !raia_retryable(o) ||
        (o->kind == RAIA_HTTP && o->status == 429));
}

/* Gives the server's bytes, with a header of `size` bytes after the status. */
static char *with_header(const char *reply, size_t *length, size_t size) {
  static const char name[] = "X-Filler: ";
  const char *end = memchr(reply, '\n', *length);
  size_t first = end == NULL ? 0 : (size_t)(end - reply) + 1;
  char *whole = malloc(*length + sizeof name + size + 2), *at = whole;
  CHECK(whole != NULL);
  memcpy(at, reply, first);
  at += first;
  if (size > 0) {
    memcpy(at, name, sizeof name - 1);
    memset(at + sizeof name - 1, 'x', size);
    memcpy(at + sizeof name - 1 + size, "\r\n", 2);
    at += sizeof name + 1 + size;
  }
  memcpy(at, reply + first, *length - first);
  *length += (size_t)(at - whole) - first;
  return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct raia_origin *origin;
  struct raia_origin_options options = {.base_url = "http://127.0.0.1:1/pre",
                                        .secret_key = "secret",
                                        .user_agent = "u",
                                        .connect_timeout = 5,
                                        .max_connections = 1};
  static struct raia_pool pool;
  if (origin == NULL)
    CHECK(raia_origin_open(&origin, &options) == NULL &&
          raia_pool_open(&pool));
  struct bytes b = {data, size};
  unsigned bits = take(&b), filler = take(&b);
  struct server s = {.fd = -1};
  struct raia_transfer t = {
      .origin = origin, .pool = &pool, .path = "/x", .timeout = 5};
  bool post = bits & 1;
  t.method = post ? "POST" : "GET";
  t.large = bits & 2;
  if (post && !(bits & 4)) {
    t.body = body;
    t.body_length = sizeof body - 1;
  }
  raia_buffer_init(&t.reply, bits & 8 ? 64 : 1 << 20);
  char *reply = take_string(&b, 32768, &s.length);
  char *whole = with_header(reply, &s.length,
                            filler < 200 ? 0 : (size_t)1 << (filler % 18));
  s.reply = whole;
  CHECK(raia_transfer_begin(&t));
  CURL *easy = t.handle->easy;
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &s);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_sockopt);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  raia_transfer_end(&t, (int)curl_easy_perform(easy));
  check(&t, &s);
  raia_transfer_release(&t);
  raia_buffer_free(&t.reply);
  close(s.fd);
  free(whole);
  free(reply);
  return 0;
}
