/* Where a client's requests go: base URL, key, headers, and handles to use
   again. */
#include "handle.h"

#include "base_url.h"
#include "proxy.h"

#include <stdlib.h>
#include <string.h>

static const char no_memory[] = "out of memory";

/* Of a body, from which on libcurl is told not to ask before sending it; it
   does from 1 MiB, and each header costs 2,500 instructions a request. */
enum { EXPECT_BYTES = 64 * 1024 };

static const long KEEPALIVE = 60; /* seconds of silence before, and between */

/* Bytes, libcurl's least. From 8.14 on it takes 64 KiB for each upload; with
   less, 7.88 hangs when headers over TLS do not fit. */
static const long UPLOAD_BUFFER = 16384;
static const unsigned UPLOAD_BUFFER_SINCE = 0x080e00;

/* Of a key: shorter ones, as tests have, are words of the language, too. */
enum { KEY_MIN = 8 };

struct raia_endpoint {
  struct raia_base_url base;
  char *proxy, *ca_file;     /* proxy "": none */
  struct raia_secrets key;   /* hidden in all that comes from elsewhere */
  struct raia_secrets login; /* the proxy's, in what libcurl says */
  struct raia_headers headers;
  struct curl_slist plain, content_type, expect; /* may precede headers */
  struct raia_handle *idle;
  struct raia_limiter limiter;
  struct raia_goaways goaways;
  struct raia_trace_config config;
  long connect_timeout_ms;
};

/* ---- headers ---- */

struct curl_slist *raia_endpoint_headers(struct raia_endpoint *endpoint,
                                         struct raia_headers *own, long body,
                                         bool large) {
  struct curl_slist *all = endpoint->headers.lines;
  if (!large) {
    endpoint->plain.next = all;
    all = &endpoint->plain;
  }
  endpoint->content_type.next = all;
  endpoint->expect.next = &endpoint->content_type;
  if (body > EXPECT_BYTES)
    all = &endpoint->expect;
  else if (body >= 0)
    all = &endpoint->content_type;
  if (own->lines == NULL)
    return all;
  return raia_headers_join(own, all) ? own->lines : NULL;
}

/* ---- handles ---- */

static CURLcode set_up(struct raia_endpoint *o, CURL *easy) {
  CURLcode code = CURLE_OK;
#define SET(option, value)                                                    \
  (code = code ? code : curl_easy_setopt(easy, option, value))
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is not waited for */
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  if (o->ca_file != NULL)
    SET(CURLOPT_CAINFO, o->ca_file);
  SET(CURLOPT_CONNECTTIMEOUT_MS, o->connect_timeout_ms);
  if (!o->base.https)
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (*o->proxy != '\0')
    SET(CURLOPT_PROXY, o->proxy);
  else /* nor one that the environment has come to name */
    SET(CURLOPT_NOPROXY, "*");
  if (strncasecmp(o->proxy, "https:", 6) == 0)
    SET(CURLOPT_FORBID_REUSE, 1L);  /* nobody sees what lies in its own TLS */
  SET(CURLOPT_HTTPPROXYTUNNEL, 1L); /* a proxy only ever passes bytes on */
  SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_ACCEPT_ENCODING, ""); /* unpack also what was not asked for */
  SET(CURLOPT_TCP_KEEPALIVE, 1L);   /* a NAT forgets a silent connection */
  SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE);
  SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE);
  if (curl_version_info(CURLVERSION_NOW)->version_num >= UPLOAD_BUFFER_SINCE)
    SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
#undef SET
  return code;
}

void raia_endpoint_discard(struct raia_handle *handle) {
  curl_easy_cleanup(handle->easy);
  curl_url_cleanup(handle->url);
  free(handle->aim);
  free(handle);
}

struct raia_handle *raia_endpoint_take(struct raia_endpoint *o) {
  struct raia_handle *handle = o->idle;
  if (handle != NULL) {
    o->idle = handle->next;
    return handle;
  }
  handle = calloc(1, sizeof *handle);
  if (handle == NULL)
    return NULL;
  handle->easy = curl_easy_init();
  handle->url = curl_url_dup(o->base.parsed);
  handle->delivery.easy = handle->easy;
  handle->delivery.goaways = &o->goaways;
  if (handle->easy == NULL || handle->url == NULL ||
      set_up(o, handle->easy) != CURLE_OK ||
      raia_trace_put(&handle->trace, &o->config, &handle->delivery,
                     handle->easy) != CURLE_OK ||
      curl_easy_setopt(handle->easy, CURLOPT_CURLU, handle->url)) {
    raia_endpoint_discard(handle);
    return NULL;
  }
  return handle;
}

void raia_endpoint_give(struct raia_endpoint *o, struct raia_handle *handle) {
  handle->next = o->idle;
  o->idle = handle;
}

bool raia_endpoint_aim(const struct raia_endpoint *o,
                       struct raia_handle *handle, const char *path,
                       const char *query) {
  size_t prefix = strlen(o->base.prefix), rest = strlen(path) + 1;
  if (query == NULL && handle->aim != NULL &&
      strcmp(handle->aim + prefix, path) == 0)
    return true; /* as last time: saves 800 instructions */
  free(handle->aim);
  handle->aim = NULL;
  char *whole = malloc(prefix + rest);
  if (whole == NULL)
    return false;
  memcpy(whole, o->base.prefix, prefix);
  memcpy(whole + prefix, path, rest);
  bool aimed =
      curl_url_set(handle->url, CURLUPART_PATH, whole, 0) == CURLUE_OK &&
      curl_url_set(handle->url, CURLUPART_QUERY, query, 0) == CURLUE_OK;
  if (aimed && query == NULL)
    handle->aim = whole;
  else
    free(whole);
  return aimed;
}

/* ---- the whole ---- */

static char *copy(const char *s, const char **wrong) {
  char *copied = s == NULL ? NULL : strdup(s);
  if (s != NULL && copied == NULL)
    *wrong = no_memory;
  return copied;
}

/* Takes the headers that the options give, and adds raia's own. */
static const char *set_headers(struct raia_endpoint *o,
                               const struct raia_endpoint_options *options) {
  struct raia_headers own = {NULL};
  if (options->headers != NULL) {
    o->headers = *options->headers;
    options->headers->lines = NULL;
  }
  bool set = raia_headers_set(&own, RAIA_KEY_HEADER, options->secret_key) &&
             raia_headers_set(&own, "User-Agent", options->user_agent) &&
             raia_headers_join(&o->headers, own.lines);
  raia_headers_free(&own);
  return set ? NULL : no_memory;
}

/* Sets the proxy and what is to be hidden of it. That of the environment is
   read but once: it could come to be one that libcurl would show. */
static const char *set_proxy(struct raia_endpoint *o, const char *url,
                             const char **option) {
  *option = "proxy";
  if (url == NULL)
    url = o->base.loopback ? ""
                           : raia_proxy_of_environment(o->base.https, option);
  const char *wrong = *url == '\0' ? NULL : raia_proxy_check(url, &o->login);
  if (wrong == NULL)
    o->proxy = copy(url, &wrong);
  return wrong;
}

/* Sets all that comes after the base URL. */
static const char *set_rest(struct raia_endpoint *o,
                            const struct raia_endpoint_options *options,
                            const char **option) {
  const char *key = options->secret_key;
  const char *wrong = set_proxy(o, options->proxy, option);
  if (wrong != NULL)
    return wrong;
  o->ca_file = copy(options->ca_file, &wrong);
  if (!raia_secrets_add(&o->key, key, KEY_MIN) ||
      !raia_secrets_add_base64(&o->key, key, KEY_MIN))
    wrong = no_memory;
  return wrong != NULL ? wrong : set_headers(o, options);
}

const char *raia_endpoint_open(struct raia_endpoint **out,
                               const struct raia_endpoint_options *options,
                               const char **option) {
  struct raia_endpoint *o = *out = calloc(1, sizeof *o);
  if (o == NULL)
    return no_memory;
  o->limiter.connections = options->max_connections;
  raia_list_init(&o->limiter.queue);
  raia_list_init(&o->limiter.widened);
  o->connect_timeout_ms = (long)(options->connect_timeout * 1000);
  static char plain[] = "Accept-Encoding:"; /* do not ask for compression */
  static char content_type[] = "Content-Type: application/json";
  static char expect[] = "Expect:"; /* do not ask before sending a body */
  o->plain.data = plain;
  o->content_type.data = content_type;
  o->expect.data = expect;
  *option = "base_url";
  const char *wrong =
      raia_base_url_read(&o->base, options->base_url, options->allow_insecure);
  if (wrong == NULL)
    wrong = set_rest(o, options, option);
  if (wrong != NULL) {
    raia_endpoint_close(o);
    *out = NULL;
    return wrong;
  }
  raia_trace_config_init(&o->config, o, options->verbose);
  o->limiter.https = o->limiter.cold = o->base.https;
  o->limiter.protocol = RAIA_HTTP1;
  return NULL;
}

void raia_endpoint_close(struct raia_endpoint *o) {
  if (o == NULL)
    return;
  while (o->idle != NULL) {
    struct raia_handle *handle = o->idle;
    o->idle = handle->next;
    raia_endpoint_discard(handle);
  }
  raia_list_remove(&o->limiter.widened);
  raia_headers_free(&o->headers);
  raia_secrets_free(&o->key);
  raia_secrets_free(&o->login);
  raia_base_url_free(&o->base);
  raia_wipe(o->proxy);
  free(o->proxy);
  free(o->ca_file);
  free(o);
}

bool raia_endpoint_mask(const struct raia_endpoint *o, char *bytes,
                        size_t length) {
  return raia_secrets_mask(&o->key, bytes, length, false);
}

void raia_endpoint_mask_cut(const struct raia_endpoint *o, char *bytes,
                            size_t length) {
  raia_secrets_mask(&o->key, bytes, length, true);
}

void raia_endpoint_mask_words(const struct raia_endpoint *o, char *bytes,
                              size_t length) {
  raia_endpoint_mask_cut(o, bytes, length);
  raia_secrets_mask(&o->login, bytes, length, true);
}

struct raia_limiter *raia_endpoint_gate(struct raia_endpoint *endpoint) {
  return &endpoint->limiter;
}

const char *raia_endpoint_url(const struct raia_endpoint *o) {
  return o->base.text;
}
