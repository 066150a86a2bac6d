/* One attempt of a call on one easy handle: what is sent, what comes back, and
   the verdict. */
#include "exchange.h"

#include "handle.h"
#include "loop.h"
#include "retry.h"
#include "tls.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* libcurl keeps them in several times as much memory. */
enum { HEADER_BYTES_MAX = 256 * 1024, TRAILER_BYTES_MAX = 512 * 1024 };

/* Returned by libcurl 8.8 and later for headers over its own limit; older
   curl.h lacks it. */
enum { CURLE_TOO_LARGE_SINCE_8_8 = 100 };

/* ---- libcurl's callbacks: they copy bytes and nothing else ---- */

/* If `line` is header `name`, copies its value to `out`, truncated and with
   the key masked. */
static bool header(const struct raia_exchange *x, char *line, size_t length,
                   const char *name, char *out, size_t room) {
  size_t skip = strlen(name);
  if ((*line | 32) != (*name | 32)) /* most lines: nothing else to parse */
    return false;
  if (length <= skip || line[skip] != ':' ||
      strncasecmp(line, name, skip) != 0)
    return false;
  line += skip + 1;
  length -= skip + 1;
  while (length > 0 && isspace((unsigned char)line[length - 1]))
    length--;
  while (length > 0 && isspace((unsigned char)*line))
    line++, length--;
  raia_endpoint_mask(x->asked->endpoint, line, length);
  if (length > room - 1)
    length = room - 1;
  memcpy(out, line, length);
  out[length] = '\0';
  return true;
}

/* Whether a Content-Type says that the reply is JSON. */
static bool names_json(const char *line, size_t length) {
  for (; length >= 4; line++, length--)
    if (strncasecmp(line, "json", 4) == 0)
      return true;
  return false;
}

/* Keeps a header line, with the key masked. */
static void keep_header(struct raia_exchange *x, const char *line, size_t n) {
  struct raia_buffer *kept = &x->outcome->headers;
  if (raia_buffer_append(kept, line, n) == RAIA_APPENDED)
    raia_endpoint_mask(x->asked->endpoint, kept->data + kept->length - n, n);
  else
    x->no_room = true;
}

/* Parses one header line of the reply. */
static void read_header(struct raia_exchange *x, char *line, size_t n) {
  struct raia_outcome *o = x->outcome;
  char value[64];
  if (x->asked->keep_headers)
    keep_header(x, line, n);
  if (header(x, line, n, "Content-Type", o->content_type,
             sizeof o->content_type))
    o->json = names_json(line, n);
  else if (header(x, line, n, "Content-Length", value, sizeof value) ||
           header(x, line, n, "Transfer-Encoding", value, sizeof value))
    x->framed = true;
  else if (!header(x, line, n, "X-Request-Id", o->request_id,
                   sizeof o->request_id) &&
           header(x, line, n, "Retry-After", value, sizeof value))
    o->retry_after = raia_retry_after(value, time(NULL));
}

/* Counts header or trailer bytes. False if there are too many. */
static bool count(struct raia_exchange *x, size_t *bytes, size_t n,
                  size_t most) {
  *bytes += n;
  x->outcome->over_limit |= *bytes > most;
  return *bytes <= most;
}

size_t raia_on_header(char *line, size_t size, size_t n, void *handle) {
  struct raia_handle *h = handle;
  struct raia_exchange *x = h->exchange;
  n *= size;
  if (x->outcome->headers_done) /* a trailer: ignored */
    return count(x, &x->trailer_bytes, n, TRAILER_BYTES_MAX) ? n : 0;
  if (!count(x, &x->header_bytes, n, HEADER_BYTES_MAX))
    return 0;
  bool begins = n > 5 && strncasecmp(line, "HTTP/", 5) == 0;
  if (begins || h->trace.watching)
    raia_trace_watch(&h->trace, begins);
  if (h->trace.folded)
    return 0;
  if (begins) {
    raia_outcome_forget_headers(x->outcome);
    x->framed = false;
  } else if ((n == 1 && *line == '\n') || (n == 2 && *line == '\r')) {
    long status = 0;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    x->outcome->headers_done = status >= 200;
  } else {
    read_header(x, line, n);
  }
  return x->no_room ? 0 : n;
}

/* Child processes of the host must not inherit our connections. */
int raia_on_socket(void *handle, curl_socket_t fd, curlsocktype purpose) {
  struct raia_handle *h = handle;
  (void)purpose;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  h->sockets[h->sockets_made++ % RAIA_SOCKETS_KEPT] = fd;
  return raia_delivery_may_connect(&h->delivery) ? CURL_SOCKOPT_OK
                                                 : CURL_SOCKOPT_ERROR;
}

/* A connection outlives its call and its handle, but not the loop. */
int raia_on_close(void *loop, curl_socket_t fd) {
  raia_loop_closing(loop, fd);
  return close(fd);
}

/* Records the socket of a new connection and returns it, or -1. libcurl may
   have opened several; the first to connect has won. */
static int remember_socket(const struct raia_handle *handle, int own,
                           int peer) {
  bool multiplexes = handle->delivery.protocol == RAIA_HTTP2;
  for (int i = 0; i < RAIA_SOCKETS_KEPT && i < handle->sockets_made; i++)
    if (raia_sockets_port(handle->sockets[i]) == own) {
      raia_loop_connected(handle->exchange->loop, handle->sockets[i], own,
                          peer, multiplexes);
      return handle->sockets[i];
    }
  return -1;
}

/* Records which protocol the server speaks. */
static void learn(struct raia_exchange *x, enum raia_protocol protocol) {
  struct raia_limiter *limiter = x->limiter;
  if (protocol == RAIA_HTTP2)
    raia_loop_multiplexes(x->loop, x->handle->multi);
  if (raia_limiter_learned(limiter, protocol))
    raia_loop_defer(x->loop, &limiter->recheck);
}

/* Whether another exchange is using the TLS connection that `h` is on. One
   that libcurl has finished with uses none. */
static bool is_in_use(const struct raia_handle *h, int fd) {
  const struct raia_exchange *user =
      raia_sockets_user(&h->exchange->loop->sockets, fd);
  return user != NULL && user != h->exchange &&
         raia_tls_session(user->handle->easy) == raia_tls_session(h->easy);
}

/* Called when a connection is ready for the request. */
int raia_on_ready(void *handle, char *ip, char *own_ip, int port,
                  int own_port) {
  struct raia_handle *h = handle;
  struct raia_exchange *x = h->exchange;
  bool tls = x->limiter->https;
  int fd = raia_loop_socket(x->loop, own_port, port);
  (void)ip;
  (void)own_ip;
  if (tls && is_in_use(h, fd))
    fd = -1;
  if (!raia_delivery_start(&h->delivery, fd, tls))
    return CURL_PREREQFUNC_ABORT;
  if (!h->delivery.kept)
    fd = remember_socket(h, own_port, port);
  x->socket = fd;
  h->delivery.connection = raia_sockets_number(&x->loop->sockets, fd);
  if (h->delivery.protocol != RAIA_HTTP2)
    raia_sockets_use(&x->loop->sockets, fd, x);
  learn(x, h->delivery.protocol);
  raia_trace_listen(&h->trace, h->delivery.protocol == RAIA_HTTP2);
  return CURL_PREREQFUNC_OK;
}

/* Ends the exchanges that the server has said it did not process: libcurl 7.88
   leaves some of them waiting for as long as the connection stays open. */
static void end_refused(struct raia_deferred *deferred) {
  struct raia_multi *multi = RAIA_OF(struct raia_multi, refusals, deferred);
  struct raia_link *link = multi->handles.next;
  while (link != &multi->handles) {
    struct raia_handle *h = RAIA_OF(struct raia_handle, link, link);
    link = link->next;
    if (raia_delivery_is_refused(&h->delivery) &&
        h->exchange->header_bytes == 0) {
      h->ended(h->exchange, CURLE_SEND_ERROR);
      link = multi->handles.next;
    }
  }
}

void raia_on_note(struct raia_handle *h, const char *text, size_t size) {
  struct raia_loop *loop = h->exchange->loop;
  unsigned open = raia_sockets_number(&loop->sockets, h->exchange->socket);
  if (open == 0 || open != h->delivery.connection ||
      !raia_delivery_note(&h->delivery, text, size))
    return;
  h->multi->refusals.run = end_refused;
  raia_loop_defer(loop, &h->multi->refusals);
}

/* ---- begin and leave ---- */

static bool is_idempotent(const char *method) {
  static const char *const methods[] = {"GET", "PUT", "DELETE"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(method, methods[i]) == 0)
      return true;
  return false;
}

bool raia_exchange_begin(struct raia_exchange *x, enum raia_protocol protocol,
                         void (*ended)(struct raia_exchange *x, int code)) {
  struct raia_multi *multi = raia_loop_choose(x->loop, protocol);
  raia_outcome_reset(x->outcome, is_idempotent(x->asked->method));
  x->header_bytes = x->trailer_bytes = 0;
  x->progress = (struct raia_progress){.expected = -1};
  if (x->asked->sink.file && ftruncate(x->asked->sink.fd, 0) != 0)
    x->progress.error = errno; /* the next write will fail, too */
  x->framed = x->no_room = x->unusable = false;
  x->socket = -1;
  x->handle = raia_handle_take(x->asked->endpoint, x->loop);
  if (x->handle == NULL)
    return false;
  x->handle->exchange = x;
  x->handle->ended = ended;
  x->started = raia_now();
  bool prepared = raia_handle_prepare(x->handle, x->asked, x->fresh);
  x->fresh = false;
  return prepared && multi != NULL && raia_multi_add(multi, x->handle);
}

void raia_exchange_leave(struct raia_exchange *x) {
  struct raia_handle *handle = x->handle;
  x->handle = NULL;
  if (handle == NULL)
    return;
  bool parents = handle->multi != NULL && handle->multi->curl == NULL;
  if (handle->multi != NULL)
    raia_multi_remove(handle->multi, handle);
  raia_sockets_end_use(&x->loop->sockets, x->socket, x);
  if (!parents)
    raia_handle_put_back(x->asked->endpoint, handle);
}

/* ---- the verdict ---- */

/* Whether libcurl's message for a failed handshake says that the connection
   broke: no certificate was rejected, and a retry may help. */
static bool broke(const char *words) {
  static const char *const signs[] = {"SSL_ERROR_SYSCALL", "reset by peer",
                                      "unexpected eof", "non-properly"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (strstr(words, signs[i]) != NULL)
      return true;
  return false;
}

/* Whether a reply that ended without an error was truncated nevertheless.
   libcurl treats an HTTP/2 stream reset with NO_ERROR as complete, but a
   Content-Type announces a body. */
static bool is_cut(const struct raia_exchange *x) {
  const struct raia_outcome *o = x->outcome;
  return x->progress.received == 0 && o->status != 204 && !x->framed &&
         o->content_type[0] != '\0';
}

/* Judges an attempt that libcurl ended without an error, which it also does
   when a server closes within the headers. */
static enum raia_kind kind_of_reply(const struct raia_exchange *x) {
  const struct raia_outcome *o = x->outcome;
  if (!o->headers_done)
    return RAIA_CONNECTION;
  if (o->status < 200 || o->status > 299)
    return RAIA_HTTP;
  return is_cut(x) ? RAIA_CONNECTION : RAIA_OK;
}

static enum raia_kind kind_of(const struct raia_exchange *x, CURLcode code) {
  const struct raia_outcome *o = x->outcome;
  if (o->over_limit)
    return RAIA_TOO_LARGE;
  if ((int)code == CURLE_TOO_LARGE_SINCE_8_8) /* the reply's, or a proxy's */
    return o->sent ? RAIA_TOO_LARGE : RAIA_CONNECTION;
  if (x->progress.error != 0)
    return RAIA_FILE;
  if (x->no_room)
    return RAIA_NO_MEMORY;
  switch (code) {
  case CURLE_OK:
    return kind_of_reply(x);
  case CURLE_OPERATION_TIMEDOUT:
    return RAIA_TIMEOUT;
  case CURLE_OUT_OF_MEMORY:
    /* libcurl also returns it for a header line over its own limit. */
    return o->sent && !o->headers_done ? RAIA_TOO_LARGE : RAIA_NO_MEMORY;
  case CURLE_SSL_CONNECT_ERROR:
    return broke(x->handle->detail) ? RAIA_CONNECTION : RAIA_TLS;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_ENGINE_NOTFOUND:
  case CURLE_SSL_ENGINE_SETFAILED:
  case CURLE_SSL_ENGINE_INITFAILED:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_SSL_INVALIDCERTSTATUS:
    return RAIA_TLS;
  default:
    return RAIA_CONNECTION;
  }
}

/* libcurl's message for what went wrong, or ours if it has none. */
static const char *words(const struct raia_exchange *x, CURLcode code) {
  const struct raia_handle *handle = x->handle;
  if (x->outcome->kind == RAIA_FILE)
    return strerror(x->progress.error);
  if (handle->delivery.again ||
      (code == CURLE_OK && x->outcome->kind == RAIA_CONNECTION))
    return "it was closed before the whole reply had come";
  if (code == CURLE_OPERATION_TIMEDOUT && handle->detail[0] == '\0')
    return x->header_bytes == 0 ? "no reply has begun"
                                : "the reply has not ended";
  return handle->detail[0] != '\0' || code == CURLE_OK
             ? handle->detail
             : curl_easy_strerror(code);
}

/* Whether the kept connection that libcurl chose was dead and nothing was
   sent. */
static bool was_unusable(const struct raia_exchange *x) {
  const struct raia_delivery *d = &x->handle->delivery;
  return d->unclean ||
         (x->outcome->kind == RAIA_CONNECTION && d->kept && d->begun &&
          !x->outcome->sent && d->protocol == RAIA_HTTP1);
}

void raia_exchange_judge(struct raia_exchange *x, int curl_code) {
  CURLcode code = (CURLcode)curl_code;
  struct raia_outcome *o = x->outcome;
  long connects = 0;
  curl_easy_getinfo(x->handle->easy, CURLINFO_RESPONSE_CODE, &o->status);
  curl_easy_getinfo(x->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
  x->handle->spoiled = code != CURLE_OK;
  o->elapsed = raia_now() - x->started;
  o->reused = connects == 0;
  o->sent =
      x->header_bytes > 0 || raia_delivery_may_be_read(&x->handle->delivery);
  o->in_file = x->asked->sink.file;
  o->kind = kind_of(x, code);
  if (o->kind != RAIA_OK && o->kind != RAIA_HTTP)
    o->status = 0;
  if (o->kind != RAIA_OK)
    snprintf(o->detail, sizeof o->detail, "%.*s", (int)sizeof o->detail - 1,
             words(x, code));
  o->unframed = !x->framed && o->status != 204 &&
                x->handle->delivery.protocol == RAIA_HTTP1 &&
                x->handle->delivery.session != NULL;
  enum raia_reach reach = raia_reach(o);
  o->reach = reach > o->reach ? reach : o->reach;
  x->unusable = was_unusable(x);
}

void raia_exchange_judge_timeout(struct raia_exchange *x) {
  raia_exchange_judge(x, CURLE_OPERATION_TIMEDOUT);
}
void raia_exchange_judge_stopped(struct raia_exchange *x) {
  raia_exchange_judge(x, CURLE_ABORTED_BY_CALLBACK);
}
