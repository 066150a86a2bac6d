/* One call over HTTP: its attempts, and what came of them. */
#include "transfer.h"

#include "origin_curl.h"
#include "pool.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_BYTES_MAX = 256 * 1024 };

/* Whether libcurl tells when a connection is ready for the request. */
#ifndef RAIA_HAS_PREREQ
#define RAIA_HAS_PREREQ (LIBCURL_VERSION_NUM >= 0x075000)
#endif

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
    else if (total > 0)
      raia_buffer_expect(&t->reply, (size_t)total);
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
  raia_origin_mask(t->origin, line, length);
  if (length > room - 1)
    length = room - 1;
  memcpy(out, line, length);
  out[length] = '\0';
  return true;
}

static size_t on_header(char *line, size_t size, size_t n, void *handle) {
  struct raia_transfer *t = ((struct raia_handle *)handle)->transfer;
  char value[64];
  n *= size;
  t->header_bytes += n;
  if (t->header_bytes > HEADER_BYTES_MAX) {
    t->refused = RAIA_OVER_LIMIT;
    return 0;
  }
  bool begins = n > 5 && strncasecmp(line, "HTTP/", 5) == 0;
  raia_ear_watch(&t->handle->ear, begins);
  if (t->handle->ear.folded)
    return 0;
  if (begins) { /* a reply, after a 1xx say */
    t->outcome.retry_after = -1;
    t->content_type[0] = t->request_id[0] = '\0';
  } else if ((n == 1 && *line == '\n') || (n == 2 && *line == '\r')) {
    long status = 0;
    curl_easy_getinfo(t->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    t->headers_done = status >= 200;
  } else if (!header(t, line, n, "Content-Type", t->content_type,
                     sizeof t->content_type) &&
             !header(t, line, n, "X-Request-Id", t->request_id,
                     sizeof t->request_id) &&
             header(t, line, n, "Retry-After", value, sizeof value)) {
    t->outcome.retry_after = raia_retry_after(value, time(NULL));
  }
  return n;
}

/* Whether libcurl is about to send again what may have been delivered. It does
   so by itself when a kept connection dies before the reply, and when a server
   ends a stream of HTTP/2 with HTTP_1_1_REQUIRED, whatever it has read of the
   request and sent of the reply; of that it has written an error. It has none
   when the server has refused the request unread (REFUSED_STREAM, or GOAWAY
   with a lower stream): on a new connection, that may be sent again. */
static bool would_repeat(const struct raia_transfer *t) {
  long bytes = 0;
  if (!t->begun)
    return false;
  curl_easy_getinfo(t->handle->easy, CURLINFO_REQUEST_SIZE, &bytes);
  if (bytes <= t->bytes_before || raia_ear_heard_refusal(&t->handle->ear))
    return false;
  return t->header_bytes > 0 ||
         (!t->outcome.idempotent && (t->kept || t->handle->detail[0] != '\0'));
}

/* Whether the server has refused the last request unread. libcurl gives up
   new connections that it has tried again only for that. */
static bool was_refused(const struct raia_transfer *t) {
  static const char words[] = "Connection died, tried ";
  return raia_ear_heard_refusal(&t->handle->ear) ||
         (!t->kept &&
          strncmp(t->handle->detail, words, sizeof words - 1) == 0);
}

/* A program that the host starts gets no connection of ours. */
static int on_socket(void *handle, curl_socket_t fd, curlsocktype purpose) {
  struct raia_transfer *t = ((struct raia_handle *)handle)->transfer;
  (void)purpose;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (t->lane != &t->pool->lanes[RAIA_MULTIPLEXED]) /* HTTP/2 is never idle */
    raia_pool_opened(t->pool, fd);
  t->repeated = would_repeat(t);
  return t->repeated ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

/* Connections outlive their transfers, and handles; but not the pool. */
static int on_close(void *pool, curl_socket_t fd) {
  raia_pool_closing(pool, fd);
  return close(fd);
}

#if RAIA_HAS_PREREQ
/* Whether a kept connection is no good for another request: the server has
   ended it, or has sent something that nobody asked for, which would be taken
   for the answer. Over HTTP/2 there is more to send than answers. */
static bool is_stale(const struct raia_transfer *t, int own_port, int port) {
  char byte;
  int fd = t->kept ? raia_pool_socket(t->pool, own_port, port) : -1;
  if (fd < 0 || raia_origin_gate(t->origin)->multiplexes)
    return false;
  ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Called when a connection is ready for the request. Two requests at a time on
   one connection: so the server speaks HTTP/2, long before it has answered.
   One that has an answer may be done, and just not have been collected yet. */
static int on_ready(void *handle, char *ip, char *own_ip, int port,
                    int own_port) {
  struct raia_transfer *t = ((struct raia_handle *)handle)->transfer;
  struct raia_gate *gate = raia_origin_gate(t->origin);
  long connects = 0;
  (void)ip;
  (void)own_ip;
  t->repeated = would_repeat(t);
  if (t->repeated)
    return CURL_PREREQFUNC_ABORT;
  curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(t->handle->easy, CURLINFO_REQUEST_SIZE, &t->bytes_before);
  t->kept = connects == t->connects;
  t->connects = connects;
  t->stale = is_stale(t, own_port, port);
  if (t->stale)
    return CURL_PREREQFUNC_ABORT;
  t->begun = true;
  raia_ear_listen(&t->handle->ear, own_port, t->kept, gate->multiplexes);
  if (gate->user != NULL && gate->user != t && !gate->user->headers_done &&
      gate->port == own_port && !gate->multiplexes) {
    gate->multiplexes = true;
    t->pool->widened = gate;
  }
  gate->user = t;
  gate->port = own_port;
  return CURL_PREREQFUNC_OK;
}
#endif

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
static CURLcode set_up(struct raia_handle *handle, struct raia_pool *pool) {
  CURL *easy = handle->easy;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_PRIVATE, handle);
  SET(CURLOPT_ERRORBUFFER, handle->detail);
  SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
  SET(CURLOPT_SOCKOPTDATA, handle);
  SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
  SET(CURLOPT_CLOSESOCKETDATA, pool);
  SET(CURLOPT_WRITEFUNCTION, on_write);
  SET(CURLOPT_WRITEDATA, handle);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, handle);
#if RAIA_HAS_PREREQ
  SET(CURLOPT_PREREQFUNCTION, on_ready);
  SET(CURLOPT_PREREQDATA, handle);
#endif
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
  struct curl_slist *headers = raia_origin_headers(
      t->origin, &t->headers, upload ? (long)t->body_length : -1);
  if (headers == NULL ||
      !raia_origin_aim(t->origin, t->handle, t->path, t->query))
    return CURLE_OUT_OF_MEMORY;
  CURLcode code = set_method(t, upload);
  SET(CURLOPT_HTTPHEADER, headers);
  SET(CURLOPT_ACCEPT_ENCODING, t->large ? "" : NULL);
  SET(CURLOPT_TIMEOUT_MS, (long)(t->timeout * 1000));
  /* A reply that may be large comes in large pieces, others take less memory.
     libcurl refuses where a transfer that broke has left its buffer. */
  (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                         t->large ? 128L * 1024 : 3L * 1024);
#if RAIA_HAS_PREREQ /* a stale one of HTTP/2 is kept, to be offered again */
  SET(CURLOPT_FRESH_CONNECT, (long)t->stale);
#else /* nothing tells that libcurl sends again */
  SET(CURLOPT_FRESH_CONNECT, (long)!t->outcome.idempotent);
#endif
  return code;
}

/* A handle of its origin's, or NULL when out of memory. */
static struct raia_handle *take_handle(const struct raia_transfer *t) {
  struct raia_handle *handle = raia_origin_take(t->origin);
  if (handle != NULL && !handle->set_up) {
    handle->set_up = set_up(handle, t->pool) == CURLE_OK;
    if (!handle->set_up) {
      raia_origin_give(t->origin, handle);
      return NULL;
    }
  }
  return handle;
}

bool raia_transfer_begin(struct raia_transfer *t) {
  raia_buffer_free(&t->reply);
  memset(&t->outcome, 0, sizeof t->outcome);
  t->outcome.retry_after = -1;
  t->outcome.idempotent = is_idempotent(t->method);
  t->detail[0] = t->content_type[0] = t->request_id[0] = '\0';
  t->header_bytes = 0;
  t->connects = t->bytes_before = 0;
  t->kept = t->repeated = t->headers_done = false;
  t->begun = !RAIA_HAS_PREREQ; /* nothing tells: it may have */
  t->refused = RAIA_APPENDED;
  if (t->handle == NULL)
    t->handle = take_handle(t);
  if (t->handle == NULL)
    return false;
  t->handle->transfer = t;
  t->handle->detail[0] = '\0';
  t->handle->ear.folded = false;
  t->handle->ear.port = 0;
  CURLcode code = aim(t);
  t->stale = false; /* as the last attempt's connection may have been */
  return code == CURLE_OK;
}

/* Whether libcurl's words for a handshake that failed say that the connection
   broke: nobody was mistrusted, and trying again may help. */
static bool broke(const char *words) {
  static const char *const signs[] = {"SSL_ERROR_SYSCALL", "reset by peer",
                                      "unexpected eof"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (strstr(words, signs[i]) != NULL)
      return true;
  return false;
}

static enum raia_kind kind_of(const struct raia_transfer *t, CURLcode code) {
  if (t->refused == RAIA_OVER_LIMIT)
    return RAIA_TOO_LARGE;
  if (t->refused == RAIA_NO_ROOM)
    return RAIA_NO_MEMORY;
  switch (code) {
  case CURLE_OK: /* also when a server closes within its headers */
    return !t->headers_done ? RAIA_CONNECTION
           : t->outcome.status >= 200 && t->outcome.status <= 299 ? RAIA_OK
                                                                  : RAIA_HTTP;
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
  raia_origin_mask(t->origin, t->reply.data, t->reply.length);
}

void raia_transfer_end(struct raia_transfer *t, int curl_code) {
  CURLcode code = (CURLcode)curl_code;
  CURL *easy = t->handle->easy;
  long request_bytes = 0, connects = 0, version = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->outcome.status);
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME, &t->elapsed);
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  t->reused = connects == 0;
  t->answered = version != 0;
  t->multiplexed = version >= CURL_HTTP_VERSION_2_0;
  t->outcome.sent =
      t->begun && request_bytes > t->bytes_before && !was_refused(t);
  t->outcome.kind = kind_of(t, code);
  if (t->outcome.kind != RAIA_OK && t->outcome.kind != RAIA_HTTP)
    t->outcome.status = 0;
  const char *detail = t->handle->detail;
  if (t->repeated || (code == CURLE_OK && t->outcome.kind == RAIA_CONNECTION))
    detail = "it was closed before the whole reply had come";
  else if (*detail == '\0' && code != CURLE_OK)
    detail = curl_easy_strerror(code);
  if (t->outcome.kind == RAIA_HTTP)
    raia_transfer_hide(t);
  if (t->outcome.kind != RAIA_OK)
    snprintf(t->detail, sizeof t->detail, "%.*s", (int)sizeof t->detail - 1,
             detail);
  enum raia_reach reach = raia_reach(&t->outcome);
  t->reach = reach > t->reach ? reach : t->reach;
}

void raia_transfer_release(struct raia_transfer *t) {
  if (t->handle != NULL)
    raia_origin_give(t->origin, t->handle);
  t->handle = NULL;
  raia_headers_free(&t->headers);
}
