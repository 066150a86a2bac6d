/* libcurl's easy handles: the one place where their options are set. */
#include "handle.h"

#include "endpoint_fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bodies larger than this suppress libcurl's Expect: 100-continue, which it
   sends from 1 MiB on. Not always, as each header costs 2,500 instructions. */
enum { EXPECT_BYTES = 64 * 1024 };

/* Seconds of silence before the first probe, and between probes. */
static const long KEEPALIVE = 60;

/* Bytes, libcurl's minimum. 8.14 and later allocate 64 KiB per upload by
   default; with less than that, 7.88 hangs when headers over TLS do not fit.
 */
static const long UPLOAD_BUFFER = 16384;
static const unsigned UPLOAD_BUFFER_SINCE = 0x080e00;

/* libcurl's default, the size of an HTTP/2 frame: with less, libcurl overlooks
   the rest of the frame that ends a stream. Large replies are read in larger
   pieces. */
enum { BUFFER_BYTES = 16 * 1024, LARGE_BUFFER_BYTES = 128 * 1024 };

/* ---- options that a client's attempts share ---- */

static CURLcode set_callbacks(struct raia_handle *handle,
                              struct raia_loop *loop) {
  CURL *easy = handle->easy;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_PRIVATE, handle);
  SET(CURLOPT_ERRORBUFFER, handle->detail);
  SET(CURLOPT_SOCKOPTFUNCTION, raia_on_socket);
  SET(CURLOPT_SOCKOPTDATA, handle);
  SET(CURLOPT_CLOSESOCKETFUNCTION, raia_on_close);
  SET(CURLOPT_CLOSESOCKETDATA, loop);
  SET(CURLOPT_WRITEFUNCTION, raia_on_write);
  SET(CURLOPT_WRITEDATA, handle);
  SET(CURLOPT_READFUNCTION, raia_on_read);
  SET(CURLOPT_READDATA, handle);
  SET(CURLOPT_HEADERFUNCTION, raia_on_header);
  SET(CURLOPT_HEADERDATA, handle);
  SET(CURLOPT_PREREQFUNCTION, raia_on_ready);
  SET(CURLOPT_PREREQDATA, handle);
  return code;
}

static CURLcode set_options(const struct raia_handle *handle,
                            const struct raia_endpoint *e) {
  CURL *easy = handle->easy;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_CURLU, handle->url);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that hangs */
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  if (e->ca_file != NULL)
    SET(CURLOPT_CAINFO, e->ca_file);
  SET(CURLOPT_CONNECTTIMEOUT_MS, e->connect_timeout_ms);
  if (!e->base.https)
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (*e->proxy != '\0')
    SET(CURLOPT_PROXY, e->proxy);
  else /* nor a proxy that the environment names by now */
    SET(CURLOPT_NOPROXY, "*");
  if (strncasecmp(e->proxy, "https:", 6) == 0)
    SET(CURLOPT_FORBID_REUSE,
        1L); /* stray bytes in the proxy's own TLS cannot be seen */
  SET(CURLOPT_HTTPPROXYTUNNEL,
      1L); /* always CONNECT: a proxy only passes bytes on */
  SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_ACCEPT_ENCODING,
      "");                        /* decompress even what was not asked for */
  SET(CURLOPT_TCP_KEEPALIVE, 1L); /* a NAT drops silent connections */
  SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE);
  SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE);
  if (curl_version_info(CURLVERSION_NOW)->version_num >= UPLOAD_BUFFER_SINCE)
    SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
  return code;
}

static bool set_up(struct raia_handle *handle, struct raia_endpoint *e,
                   struct raia_loop *loop) {
  handle->easy = curl_easy_init();
  handle->url = curl_url_dup(e->base.parsed);
  handle->delivery.easy = handle->easy;
  handle->delivery.goaways = &e->goaways;
  return handle->easy != NULL && handle->url != NULL &&
         set_callbacks(handle, loop) == CURLE_OK &&
         set_options(handle, e) == CURLE_OK &&
         raia_trace_put(&handle->trace, &e->trace, handle, handle->easy) ==
             CURLE_OK;
}

struct raia_handle *raia_handle_take(struct raia_endpoint *e,
                                     struct raia_loop *loop) {
  struct raia_handle *handle = e->idle;
  if (handle != NULL) {
    e->idle = handle->next;
    return handle;
  }
  handle = calloc(1, sizeof *handle);
  if (handle != NULL && !set_up(handle, e, loop)) {
    raia_handle_free(handle);
    return NULL;
  }
  return handle;
}

void raia_handle_put_back(struct raia_endpoint *e,
                          struct raia_handle *handle) {
  if (handle->spoiled) {
    raia_handle_free(handle);
    return;
  }
  handle->next = e->idle;
  e->idle = handle;
}

void raia_handle_free(struct raia_handle *handle) {
  curl_easy_cleanup(handle->easy);
  curl_url_cleanup(handle->url);
  free(handle);
}

void raia_handle_free_idle(struct raia_endpoint *e) {
  while (e->idle != NULL) {
    struct raia_handle *handle = e->idle;
    e->idle = handle->next;
    raia_handle_free(handle);
  }
}

/* ---- options of one attempt ---- */

/* Points the handle's URL at the path and the query under the base URL. A
   query is in the request's target, too: libcurl 7.88 leaves it out when it
   has no memory to copy it out of the URL. */
static bool aim(struct raia_handle *handle, const struct raia_base_url *base,
                const struct raia_asked *asked) {
  const char *query = asked->query, *target = asked->target;
  size_t prefix = strlen(base->prefix), path = strlen(asked->path);
  size_t rest = query == NULL ? 0 : strlen(query) + 1;
  char *whole = malloc(prefix + path + rest + 1);
  if (whole == NULL)
    return false;
  memcpy(whole, base->prefix, prefix);
  memcpy(whole + prefix, asked->path, path + 1);
  bool aimed =
      curl_url_set(handle->url, CURLUPART_PATH, whole, 0) == CURLUE_OK &&
      curl_url_set(handle->url, CURLUPART_QUERY, query, 0) == CURLUE_OK;
  if (query != NULL && target == NULL) {
    whole[prefix + path] = '?';
    memcpy(whole + prefix + path + 1, query, rest);
    target = whole;
  }
  aimed = aimed && curl_easy_setopt(handle->easy, CURLOPT_REQUEST_TARGET,
                                    target) == CURLE_OK;
  free(whole);
  return aimed;
}

/* The header list of a request whose body has `body` bytes, -1 for none: the
   endpoint's or, if the call has headers of its own, the call's. NULL when out
   of memory. */
static struct curl_slist *
headers_of(struct raia_endpoint *e, struct raia_asked *asked, long long body) {
  struct curl_slist *all = e->headers.lines;
  if (!asked->large) {
    e->plain.next = all;
    all = &e->plain;
  }
  e->content_type.next = all;
  e->expect.next = &e->content_type;
  if (body > EXPECT_BYTES)
    all = &e->expect;
  else if (body >= 0)
    all = &e->content_type;
  if (asked->headers.lines == NULL)
    return all;
  return raia_headers_join(&asked->headers, all) ? asked->headers.lines : NULL;
}

/* Sets the method and the body. */
static CURLcode set_method(CURL *easy, const struct raia_asked *asked,
                           bool upload) {
  CURLcode code = CURLE_OK;
  const char *by_itself = upload ? "POST" : "GET";
  if (asked->source.file) {
    SET(CURLOPT_POSTFIELDS, NULL);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE,
        (curl_off_t)raia_source_length(&asked->source));
  } else if (upload) {
    SET(CURLOPT_POSTFIELDS, asked->body == NULL ? "" : asked->body);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)asked->body_length);
  } else {
    SET(CURLOPT_HTTPGET, 1L);
  }
  SET(CURLOPT_CUSTOMREQUEST,
      strcmp(asked->method, by_itself) == 0 ? NULL : asked->method);
  return code;
}

bool raia_handle_prepare(struct raia_handle *handle, struct raia_asked *asked,
                         bool fresh) {
  CURL *easy = handle->easy;
  struct raia_endpoint *e = asked->endpoint;
  bool upload = asked->body != NULL || asked->source.file ||
                strcmp(asked->method, "POST") == 0;
  long long length = asked->source.file ? raia_source_length(&asked->source)
                                        : (long long)asked->body_length;
  struct curl_slist *headers = headers_of(e, asked, upload ? length : -1);
  if (headers == NULL || !aim(handle, &e->base, asked))
    return false;
  CURLcode code = set_method(easy, asked, upload);
  SET(CURLOPT_HTTPHEADER, headers);
  /* Fails if the handle still has the buffer of its last attempt, which is
     fine. */
  (void)curl_easy_setopt(
      easy, CURLOPT_BUFFERSIZE,
      (long)(asked->large ? LARGE_BUFFER_BYTES : BUFFER_BYTES));
  /* With an HTTP/1 server, libcurl 8.10 and later may leave a request waiting.
   */
  SET(CURLOPT_PIPEWAIT, (long)(e->limiter.protocol == RAIA_HTTP2));
  SET(CURLOPT_FRESH_CONNECT, (long)fresh);
  handle->detail[0] = '\0';
  handle->trace.folded = false;
  handle->sockets_made = 0;
  raia_delivery_reset(&handle->delivery);
  return code == CURLE_OK;
}
