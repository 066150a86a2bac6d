/* One call over HTTP: its attempts, and what came of them. */
#include "transfer.h"

#include "origin_curl.h"
#include "pool.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { HEADER_BYTES_MAX = 256 * 1024 };

/* ---- libcurl's callbacks: they copy bytes and nothing else ---- */

static size_t on_read(char *out, size_t size, size_t n, void *transfer) {
  struct raia_transfer *t = transfer;
  size_t left = t->body_length - t->body_sent;
  n = size * n < left ? size * n : left;
  if (n > 0)
    memcpy(out, t->body + t->body_sent, n);
  t->body_sent += n;
  return n;
}

static size_t on_write(char *bytes, size_t size, size_t n, void *transfer) {
  struct raia_transfer *t = transfer;
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

/* The value of header `name` when `line` is one of it, into out, cut. */
static bool header(const char *line, size_t length, const char *name,
                   char *out, size_t room) {
  size_t skip = strlen(name);
  if (length <= skip || line[skip] != ':' ||
      strncasecmp(line, name, skip) != 0)
    return false;
  line += skip + 1;
  length -= skip + 1;
  while (length > 0 && isspace((unsigned char)line[length - 1]))
    length--;
  while (length > 0 && isspace((unsigned char)*line))
    line++, length--;
  if (length > room - 1)
    length = room - 1;
  memcpy(out, line, length);
  out[length] = '\0';
  return true;
}

static size_t on_header(char *line, size_t size, size_t n, void *transfer) {
  struct raia_transfer *t = transfer;
  char value[64];
  n *= size;
  t->header_bytes += n;
  if (t->header_bytes > HEADER_BYTES_MAX) {
    t->refused = RAIA_OVER_LIMIT;
    return 0;
  }
  if (n > 5 && memcmp(line, "HTTP/", 5) == 0) { /* a reply, after a 1xx say */
    t->outcome.retry_after = -1;
    t->content_type[0] = t->request_id[0] = '\0';
  } else if ((n == 1 && *line == '\n') || (n == 2 && *line == '\r')) {
    long status = 0;
    curl_easy_getinfo(t->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    t->headers_done = status >= 200;
  } else if (!header(line, n, "Content-Type", t->content_type,
                     sizeof t->content_type) &&
             !header(line, n, "X-Request-Id", t->request_id,
                     sizeof t->request_id) &&
             header(line, n, "Retry-After", value, sizeof value)) {
    t->outcome.retry_after = raia_retry_after(value, time(NULL));
  }
  return n;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Whether a kept connection is no good for another request: the server has
   ended it, or has sent something that nobody asked for, which would be taken
   for the answer. Over HTTP/2 there is more to send than answers. */
static bool is_stale(const struct raia_transfer *t, int own_port) {
  long connects = 1;
  char byte;
  curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
  int fd = connects > 0 ? -1 : raia_pool_socket(t->pool, own_port);
  if (fd < 0 || raia_origin_gate(t->origin)->multiplexes)
    return false;
  ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Called when a connection is ready for the request. Two requests at a time on
   one connection: so the server speaks HTTP/2, long before it has answered. */
static int on_ready(void *transfer, char *ip, char *own_ip, int port,
                    int own_port) {
  struct raia_transfer *t = transfer;
  struct raia_gate *gate = raia_origin_gate(t->origin);
  (void)ip;
  (void)own_ip;
  (void)port;
  t->stale = is_stale(t, own_port);
  if (t->stale)
    return CURL_PREREQFUNC_ABORT;
  t->begun = true;
  if (gate->user != NULL && gate->user != t && gate->port == own_port &&
      !gate->multiplexes) {
    gate->multiplexes = true;
    t->pool->widened = gate;
  }
  gate->user = t;
  gate->port = own_port;
  return CURL_PREREQFUNC_OK;
}
#endif

/* ---- an attempt ---- */

static bool is_idempotent(const char *method) {
  static const char *const methods[] = {"GET", "PUT", "DELETE"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(method, methods[i]) == 0)
      return true;
  return false;
}

static CURLcode set_up(struct raia_transfer *t, CURL *easy) {
  bool upload = t->body != NULL || strcmp(t->method, "POST") == 0;
  /* Without a body there is no callback to keep libcurl from sending it again
     on a new connection; then it may not use an old one. */
  bool fresh = t->body == NULL && !t->outcome.idempotent;
  struct curl_slist *headers =
      raia_origin_headers(t->origin, &t->headers, upload);
  if (headers == NULL ||
      !raia_origin_aim(t->origin, t->handle, t->path, t->query))
    return CURLE_OUT_OF_MEMORY;
  CURLcode code = CURLE_OK;
#define SET(option, value)                                                    \
  (code = code ? code : curl_easy_setopt(easy, option, value))
  SET(upload ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  SET(CURLOPT_CUSTOMREQUEST, t->method);
  SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_length);
  SET(CURLOPT_FRESH_CONNECT, (long)fresh);
  SET(CURLOPT_HTTPHEADER, headers);
  SET(CURLOPT_ACCEPT_ENCODING, t->large ? "" : NULL);
  SET(CURLOPT_TIMEOUT_MS, (long)(t->timeout * 1000));
  SET(CURLOPT_ERRORBUFFER, t->detail);
  SET(CURLOPT_PRIVATE, t);
  SET(CURLOPT_READFUNCTION, on_read);
  SET(CURLOPT_READDATA, t);
  SET(CURLOPT_WRITEFUNCTION, on_write);
  SET(CURLOPT_WRITEDATA, t);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, t);
#if LIBCURL_VERSION_NUM >= 0x075000
  SET(CURLOPT_PREREQFUNCTION, on_ready);
  SET(CURLOPT_PREREQDATA, t);
#endif
#undef SET
  return code;
}

bool raia_transfer_begin(struct raia_transfer *t) {
  size_t limit = t->reply.limit;
  raia_buffer_free(&t->reply);
  raia_buffer_init(&t->reply, limit);
  memset(&t->outcome, 0, sizeof t->outcome);
  t->outcome.retry_after = -1;
  t->outcome.idempotent = is_idempotent(t->method);
  t->detail[0] = t->content_type[0] = t->request_id[0] = '\0';
  t->body_sent = t->header_bytes = 0;
  t->stale = t->headers_done = t->cut_line = false;
  t->socket = -1;
  t->begun = LIBCURL_VERSION_NUM < 0x075000; /* nothing tells: it may have */
  t->refused = RAIA_APPENDED;
  if (t->handle != NULL)
    raia_origin_give(t->origin, t->handle);
  t->handle = raia_origin_take(t->origin);
  return t->handle != NULL && set_up(t, t->handle->easy) == CURLE_OK;
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
    return t->begun && !t->headers_done ? RAIA_TOO_LARGE : RAIA_NO_MEMORY;
  case CURLE_SSL_CONNECT_ERROR:
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
  t->multiplexed = version >= CURL_HTTP_VERSION_2_0;
  /* A request whose body had not begun to leave cannot have been acted on. */
  t->outcome.sent = t->begun && request_bytes > 0 &&
                    (t->body_length == 0 || t->body_sent > 0);
  t->outcome.kind = kind_of(t, code);
  if (t->outcome.kind ==
      RAIA_TLS) /* libcurl had given up another one, if any */
    t->outcome.sent = false;
  if (t->outcome.kind != RAIA_OK && t->outcome.kind != RAIA_HTTP)
    t->outcome.status = 0;
  const char *detail = t->detail;
  if (code == CURLE_SEND_FAIL_REWIND ||
      (code == CURLE_OK && t->outcome.kind == RAIA_CONNECTION))
    detail = "it was closed before the whole reply had come";
  else if (*detail == '\0' && code != CURLE_OK)
    detail = curl_easy_strerror(code);
  if (detail != t->detail)
    snprintf(t->detail, sizeof t->detail, "%s", detail);
}

void raia_transfer_release(struct raia_transfer *t) {
  if (t->handle != NULL)
    raia_origin_give(t->origin, t->handle);
  t->handle = NULL;
  raia_headers_free(&t->headers);
}
