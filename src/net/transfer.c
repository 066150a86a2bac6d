/* One call over HTTP: its attempts, and what came of them. */
#include "transfer.h"

#include "handle.h"
#include "loop.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* libcurl keeps them, in several times as much memory. */
enum { HEADER_BYTES_MAX = 256 * 1024, TRAILER_BYTES_MAX = 512 * 1024 };

/* libcurl's own size, a frame of HTTP/2: with less it loses sight of the rest
   of the frame that ends a stream. A large reply is read in larger pieces. */
enum { BUFFER_BYTES = 16 * 1024, LARGE_BUFFER_BYTES = 128 * 1024 };

/* libcurl from 8.8 on says so of headers over its own limit; it is not in the
   headers of older ones. */
enum { CURLE_TOO_LARGE_SINCE_8_8 = 100 };

/* ---- libcurl's callbacks: they copy bytes and nothing else ---- */

static size_t on_write(char *bytes, size_t size, size_t n, void *handle) {
  struct raia_transfer *t = ((struct raia_handle *)handle)->transfer;
  n *= size;
  if (t->reply.length == 0) {
    curl_off_t total = -1;
    curl_easy_getinfo(t->handle->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                      &total);
    if (total > 0 && (unsigned long long)total > t->reply.limit)
      t->refused = RAIA_OVER_LIMIT;
  }
  if (t->refused == RAIA_APPENDED)
    t->refused = raia_buffer_append(&t->reply, bytes, n);
  return t->refused == RAIA_APPENDED ? n : 0;
}

/* The value of header `name` when `line` is one of it, into out, cut, and
   without the key. */
static bool header(const struct raia_transfer *t, char *line, size_t length,
                   const char *name, char *out, size_t room) {
  size_t skip = strlen(name);
  if ((*line | 32) != (*name | 32)) /* as most: the rest is not looked at */
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
  raia_endpoint_mask(t->endpoint, line, length);
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

/* Takes from a line of the reply's headers what matters. */
static void read_header(struct raia_transfer *t, char *line, size_t n) {
  char value[64];
  if (header(t, line, n, "Content-Type", t->content_type,
             sizeof t->content_type))
    t->json = names_json(line, n);
  else if (header(t, line, n, "Content-Length", value, sizeof value) ||
           header(t, line, n, "Transfer-Encoding", value, sizeof value))
    t->framed = true;
  else if (!header(t, line, n, "X-Request-Id", t->request_id,
                   sizeof t->request_id) &&
           header(t, line, n, "Retry-After", value, sizeof value))
    t->outcome.retry_after = raia_retry_after(value, time(NULL));
}

/* Forgets what the headers of a 1xx said: a reply begins. */
static void forget_headers(struct raia_transfer *t) {
  t->outcome.retry_after = -1;
  t->content_type[0] = t->request_id[0] = '\0';
  t->json = true; /* what has no Content-Type is taken for it */
  t->framed = false;
}

static size_t on_header(char *line, size_t size, size_t n, void *handle) {
  struct raia_transfer *t = ((struct raia_handle *)handle)->transfer;
  n *= size;
  if (t->headers_done) { /* this is a trailer: it says nothing */
    t->trailer_bytes += n;
    if (t->trailer_bytes > TRAILER_BYTES_MAX)
      t->refused = RAIA_OVER_LIMIT;
    return t->refused == RAIA_APPENDED ? n : 0;
  }
  t->header_bytes += n;
  if (t->header_bytes > HEADER_BYTES_MAX) {
    t->refused = RAIA_OVER_LIMIT;
    return 0;
  }
  bool begins = n > 5 && strncasecmp(line, "HTTP/", 5) == 0;
  raia_trace_watch(&t->handle->trace, begins);
  if (t->handle->trace.folded)
    return 0;
  if (begins) {
    forget_headers(t);
  } else if ((n == 1 && *line == '\n') || (n == 2 && *line == '\r')) {
    long status = 0;
    curl_easy_getinfo(t->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    t->headers_done = status >= 200;
  } else {
    read_header(t, line, n);
  }
  return n;
}

/* A program that the host starts gets no connection of ours. */
static int on_socket(void *handle, curl_socket_t fd, curlsocktype purpose) {
  struct raia_handle *h = handle;
  (void)purpose;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  h->sockets[h->sockets_made++ % RAIA_SOCKETS_KEPT] = fd;
  return raia_delivery_may_connect(&h->delivery) ? CURL_SOCKOPT_OK
                                                 : CURL_SOCKOPT_ERROR;
}

/* Connections outlive their transfers, and handles; but not the loop. */
static int on_close(void *loop, curl_socket_t fd) {
  raia_loop_closing(loop, fd);
  return close(fd);
}

/* The port of this end of a socket, 0 when it has none. */
static int port_of(int fd) {
  struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    return 0;
  if (address.ss_family == AF_INET)
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
  if (address.ss_family == AF_INET6)
    return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return 0;
}

/* Remembers the socket of a new connection. libcurl may have made several, of
   which the first to connect has won. */
static void remember_socket(struct raia_transfer *t, int own, int peer) {
  struct raia_handle *handle = t->handle;
  bool multiplexes = handle->delivery.protocol == RAIA_HTTP2;
  for (int i = 0; i < RAIA_SOCKETS_KEPT && i < handle->sockets_made; i++)
    if (port_of(handle->sockets[i]) == own)
      raia_loop_connected(t->loop, handle->sockets[i], own, peer, multiplexes);
}

/* Called when a connection is ready for the request. */
static int on_ready(void *handle, char *ip, char *own_ip, int port,
                    int own_port) {
  struct raia_transfer *t = ((struct raia_handle *)handle)->transfer;
  struct raia_delivery *delivery = &t->handle->delivery;
  (void)ip;
  (void)own_ip;
  if (!raia_delivery_start(delivery, raia_loop_socket(t->loop, own_port, port),
                           raia_endpoint_gate(t->endpoint)->https))
    return CURL_PREREQFUNC_ABORT;
  if (!delivery->kept)
    remember_socket(t, own_port, port);
  raia_loop_learned(t, delivery->protocol);
  raia_trace_listen(&t->handle->trace, delivery->protocol == RAIA_HTTP2);
  return CURL_PREREQFUNC_OK;
}

/* ---- an attempt ---- */

#define SET(option, value)                                                    \
  (code = code ? code : curl_easy_setopt(easy, option, value))

static bool is_idempotent(const char *method) {
  static const char *const methods[] = {"GET", "PUT", "DELETE"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(method, methods[i]) == 0)
      return true;
  return false;
}

/* Sets on a new handle what holds for all its attempts. */
static CURLcode set_up(struct raia_handle *handle, struct raia_loop *loop) {
  CURL *easy = handle->easy;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_PRIVATE, handle);
  SET(CURLOPT_ERRORBUFFER, handle->detail);
  SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
  SET(CURLOPT_SOCKOPTDATA, handle);
  SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
  SET(CURLOPT_CLOSESOCKETDATA, loop);
  SET(CURLOPT_WRITEFUNCTION, on_write);
  SET(CURLOPT_WRITEDATA, handle);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, handle);
  SET(CURLOPT_PREREQFUNCTION, on_ready);
  SET(CURLOPT_PREREQDATA, handle);
  return code;
}

/* Sets the method; most handles keep theirs. */
static CURLcode set_method(struct raia_transfer *t, bool upload) {
  CURL *easy = t->handle->easy;
  CURLcode code = CURLE_OK;
  const char *by_itself = upload ? "POST" : "GET";
  const char *custom = strcmp(t->method, by_itself) == 0 ? NULL : t->method;
  if (upload) {
    SET(CURLOPT_POSTFIELDS, t->body == NULL ? "" : t->body);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_length);
  } else {
    SET(CURLOPT_HTTPGET, 1L);
  }
  SET(CURLOPT_CUSTOMREQUEST, custom);
  return code;
}

/* Sets what is this attempt's. */
static CURLcode aim(struct raia_transfer *t) {
  CURL *easy = t->handle->easy;
  bool upload = t->body != NULL || strcmp(t->method, "POST") == 0;
  const struct raia_limiter *limiter = raia_endpoint_gate(t->endpoint);
  struct curl_slist *headers = raia_endpoint_headers(
      t->endpoint, &t->headers, upload ? (long)t->body_length : -1, t->large);
  if (headers == NULL ||
      !raia_endpoint_aim(t->endpoint, t->handle, t->path, t->query))
    return CURLE_OUT_OF_MEMORY;
  CURLcode code = set_method(t, upload);
  SET(CURLOPT_HTTPHEADER, headers);
  /* Refused where the handle still has the buffer of its last attempt. */
  (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                         (long)(t->large ? LARGE_BUFFER_BYTES : BUFFER_BYTES));
  /* With a server of HTTP/1, libcurl from 8.10 on may leave one waiting. */
  SET(CURLOPT_PIPEWAIT, (long)(limiter->protocol == RAIA_HTTP2));
  SET(CURLOPT_FRESH_CONNECT, (long)t->fresh);
  return code;
}

/* A handle of its endpoint's, or NULL when out of memory. */
static struct raia_handle *take_handle(const struct raia_transfer *t) {
  struct raia_handle *handle = raia_endpoint_take(t->endpoint);
  if (handle != NULL && !handle->set_up) {
    handle->set_up = set_up(handle, t->loop) == CURLE_OK;
    if (!handle->set_up) {
      raia_endpoint_give(t->endpoint, handle);
      return NULL;
    }
  }
  return handle;
}

bool raia_transfer_begin(struct raia_transfer *t) {
  raia_buffer_free(&t->reply);
  memset(&t->outcome, 0, sizeof t->outcome);
  t->outcome.idempotent = is_idempotent(t->method);
  t->detail[0] = '\0';
  t->header_bytes = t->trailer_bytes = 0;
  t->headers_done = false;
  t->refused = RAIA_APPENDED;
  forget_headers(t);
  t->handle = take_handle(t);
  if (t->handle == NULL)
    return false;
  t->handle->transfer = t;
  t->handle->detail[0] = '\0';
  t->handle->trace.folded = false;
  t->handle->sockets_made = 0;
  raia_delivery_reset(&t->handle->delivery);
  CURLcode code = aim(t);
  t->fresh = false;
  return code == CURLE_OK;
}

/* Whether libcurl's words for a handshake that failed say that the connection
   broke: nobody was mistrusted, and trying again may help. */
static bool broke(const char *words) {
  static const char *const signs[] = {"SSL_ERROR_SYSCALL", "reset by peer",
                                      "unexpected eof",
                                      "non-properly terminated"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (strstr(words, signs[i]) != NULL)
      return true;
  return false;
}

/* Whether a reply that ended without an error was cut all the same. Over
   HTTP/2, libcurl takes a stream that is reset without an error for one that
   has ended; but a Content-Type announces a body. */
static bool is_cut(const struct raia_transfer *t) {
  return t->reply.length == 0 && t->outcome.status != 204 && !t->framed &&
         t->content_type[0] != '\0';
}

/* What came of an attempt that libcurl ended without an error. It does also
   when a server closes within its headers. */
static enum raia_kind kind_of_reply(const struct raia_transfer *t) {
  if (!t->headers_done)
    return RAIA_CONNECTION;
  if (t->outcome.status < 200 || t->outcome.status > 299)
    return RAIA_HTTP;
  return is_cut(t) ? RAIA_CONNECTION : RAIA_OK;
}

static enum raia_kind kind_of(const struct raia_transfer *t, CURLcode code) {
  if (t->refused == RAIA_OVER_LIMIT)
    return RAIA_TOO_LARGE;
  if ((int)code == CURLE_TOO_LARGE_SINCE_8_8) /* of a reply, or a proxy's */
    return t->outcome.sent ? RAIA_TOO_LARGE : RAIA_CONNECTION;
  if (t->refused == RAIA_NO_ROOM)
    return RAIA_NO_MEMORY;
  switch (code) {
  case CURLE_OK:
    return kind_of_reply(t);
  case CURLE_OPERATION_TIMEDOUT:
    return RAIA_TIMEOUT;
  case CURLE_OUT_OF_MEMORY:
    /* libcurl says so, too, of a header line over its own limit. */
    return t->outcome.sent && !t->headers_done ? RAIA_TOO_LARGE
                                               : RAIA_NO_MEMORY;
  case CURLE_SSL_CONNECT_ERROR:
    return broke(t->handle->detail) ? RAIA_CONNECTION : RAIA_TLS;
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

void raia_transfer_hide(struct raia_transfer *t) {
  raia_endpoint_mask_cut(t->endpoint, t->reply.data, t->reply.length);
  raia_endpoint_mask_words(t->endpoint, t->detail, strlen(t->detail));
  raia_endpoint_mask_cut(t->endpoint, t->content_type,
                         strlen(t->content_type));
  raia_endpoint_mask_cut(t->endpoint, t->request_id, strlen(t->request_id));
}

/* libcurl's words for what went wrong, or ours where it has none. */
static const char *words(const struct raia_transfer *t, CURLcode code) {
  const struct raia_handle *handle = t->handle;
  if (handle->delivery.again ||
      (code == CURLE_OK && t->outcome.kind == RAIA_CONNECTION))
    return "it was closed before the whole reply had come";
  if (code == CURLE_OPERATION_TIMEDOUT && handle->detail[0] == '\0')
    return t->header_bytes == 0 ? "no reply has begun"
                                : "the reply has not ended";
  return handle->detail[0] != '\0' || code == CURLE_OK
             ? handle->detail
             : curl_easy_strerror(code);
}

void raia_transfer_end(struct raia_transfer *t, int curl_code) {
  CURLcode code = (CURLcode)curl_code;
  CURL *easy = t->handle->easy;
  long connects = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->outcome.status);
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
  t->elapsed = raia_now() - t->started;
  t->reused = connects == 0;
  t->handle->spoiled = code != CURLE_OK;
  t->outcome.sent =
      t->header_bytes > 0 || raia_delivery_may_be_read(&t->handle->delivery);
  t->outcome.kind = kind_of(t, code);
  if (t->outcome.kind != RAIA_OK && t->outcome.kind != RAIA_HTTP)
    t->outcome.status = 0;
  if (t->outcome.kind != RAIA_OK)
    snprintf(t->detail, sizeof t->detail, "%.*s", (int)sizeof t->detail - 1,
             words(t, code));
  enum raia_reach reach = raia_reach(&t->outcome);
  t->reach = reach > t->reach ? reach : t->reach;
}

bool raia_transfer_was_offered_a_bad_connection(
    const struct raia_transfer *t) {
  const struct raia_delivery *delivery = &t->handle->delivery;
  return delivery->unclean ||
         (t->outcome.kind == RAIA_CONNECTION && delivery->kept &&
          delivery->begun && !t->outcome.sent &&
          delivery->protocol == RAIA_HTTP1);
}

void raia_transfer_put_back(struct raia_transfer *t) {
  if (t->handle != NULL && t->handle->spoiled)
    raia_endpoint_discard(t->handle);
  else if (t->handle != NULL)
    raia_endpoint_give(t->endpoint, t->handle);
  t->handle = NULL;
}

void raia_transfer_release(struct raia_transfer *t) {
  raia_transfer_put_back(t);
  raia_headers_free(&t->headers);
}
