/* A whole attempt by libcurl over a local socket: whatever bytes the server
   answers with, the outcome is one that is true. The input: the request, the
   size of a header to add, the server's bytes. */
#include "fuzz.h"

#include "../../src/net/handle.h"
#include "../../src/net/transfer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char body[] = "{\"message\":\"sent once\"}";

/* The server's end of the last connection. */
struct server {
  const char *reply;
  size_t length, sent;
  int fd, connections;
  bool ended;
};

static char place[64]; /* of the server's socket */
static int listener = -1;

static void leave(void) { unlink(place); }

static void start_listening(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(place, sizeof place, "build/fuzz-%ld.socket", (long)getpid());
  strcpy(address.sun_path, place);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(listener, 8) == 0);
  atexit(leave);
}

/* Takes connections and sends of the reply what there is room for. */
static void serve(struct server *s) {
  int fd = accept(listener, NULL, NULL);
  if (fd >= 0) {
    s->connections++;
    close(s->fd);
    s->fd = fd;
  }
  if (s->fd < 0 || s->ended)
    return;
  ssize_t n = send(s->fd, s->reply + s->sent, s->length - s->sent,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
  s->sent += n > 0 ? (size_t)n : 0;
  s->ended = s->sent == s->length;
  if (s->ended)
    shutdown(s->fd, SHUT_WR);
}

/* Runs the attempt, which libcurl ends with what it returns. */
static CURLcode perform(CURL *easy, struct server *s) {
  static CURLM *multi;
  if (multi == NULL)
    multi = curl_multi_init();
  int running, left;
  CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK);
  while (curl_multi_perform(multi, &running) == CURLM_OK && running > 0) {
    serve(s);
    curl_multi_wait(multi, NULL, 0, 5, NULL);
  }
  CURLMsg *end = curl_multi_info_read(multi, &left);
  CHECK(end != NULL && end->msg == CURLMSG_DONE);
  CURLcode code = end->data.result;
  curl_multi_remove_handle(multi, easy);
  serve(s); /* perhaps one more connection */
  return code;
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
  bool delivered =
      holds(got, length, t->asked.body != NULL ? body : "\r\n\r\n");
  CHECK(s->connections == 1);
  CHECK(o->sent || !delivered);
  CHECK(o->kind == RAIA_OK || o->kind == RAIA_HTTP ||
        o->kind == RAIA_CONNECTION || o->kind == RAIA_TOO_LARGE);
  if (o->kind == RAIA_OK || o->kind == RAIA_HTTP) {
    CHECK(o->status >= 200);
    CHECK((o->kind == RAIA_OK) == (o->status >= 200 && o->status <= 299));
    CHECK(holds(s->reply, s->length, "\n\r\n") ||
          holds(s->reply, s->length, "\n\n"));
    CHECK(delivered || o->kind == RAIA_HTTP);
  } else {
    CHECK(o->status == 0 && t->outcome.detail[0] != '\0');
  }
  CHECK(t->outcome.reply.length <= t->outcome.reply.limit);
  CHECK(o->idempotent == (strcmp(t->asked.method, "GET") == 0));
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
  static struct raia_endpoint *endpoint;
  const char *option;
  struct raia_endpoint_options options = {.base_url = "http://127.0.0.1:1/pre",
                                          .secret_key = "secret",
                                          .user_agent = "u",
                                          .connect_timeout = 5,
                                          .max_connections = 1};
  static struct raia_loop loop;
  if (endpoint == NULL) {
    CHECK(raia_endpoint_open(&endpoint, &options, &option) == NULL);
    CHECK(raia_loop_open(&loop));
    start_listening();
  }
  struct bytes b = {data, size};
  unsigned bits = take(&b), filler = take(&b);
  struct server s = {.fd = -1};
  struct raia_transfer t = {
      .asked = {.endpoint = endpoint, .path = "/x", .timeout = 5}};
  t.exchange = (struct raia_exchange){
      .asked = &t.asked,
      .outcome = &t.outcome,
      .limiter = raia_endpoint_limiter(t.asked.endpoint),
      .loop = &loop};
  bool post = bits & 1;
  t.asked.method = post ? "POST" : "GET";
  t.asked.large = bits & 2;
  if (post && !(bits & 4)) {
    t.asked.body = body;
    t.asked.body_length = sizeof body - 1;
  }
  raia_buffer_init(&t.outcome.reply, bits & 8 ? 64 : 1 << 20);
  char *reply = take_string(&b, 32768, &s.length);
  char *whole = with_header(reply, &s.length,
                            filler < 200 ? 0 : (size_t)1 << (filler % 18));
  s.reply = whole;
  CHECK(raia_exchange_begin(&t.exchange, RAIA_HTTP1, NULL));
  CURL *easy = t.exchange.handle->easy;
  raia_multi_remove(t.exchange.handle->multi, t.exchange.handle);
  curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, place);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  raia_exchange_judge(&t.exchange, (int)perform(easy, &s));
  check(&t, &s);
  raia_transfer_release(&t);
  raia_buffer_free(&t.outcome.reply);
  close(s.fd);
  free(whole);
  free(reply);
  return 0;
}
