/* Where a client's requests go: base URL, key, headers, proxy. */
#include "endpoint_fields.h"
#include "handle.h"
#include "proxy.h"

#include <stdlib.h>
#include <string.h>

static const char no_memory[] = "out of memory";

/* Keys shorter than this, as in tests, may be ordinary words. */
enum { KEY_MIN = 8 };

static char *copy(const char *s, const char **wrong) {
  char *copied = s == NULL ? NULL : strdup(s);
  if (s != NULL && copied == NULL)
    *wrong = no_memory;
  return copied;
}

/* Takes over the headers in the options and adds raia's own. */
static const char *set_headers(struct raia_endpoint *e,
                               const struct raia_endpoint_options *options) {
  struct raia_headers own = {NULL};
  if (options->headers != NULL) {
    e->headers = *options->headers;
    options->headers->lines = NULL;
  }
  bool set = (options->secret_key == NULL ||
              raia_headers_set(&own, RAIA_KEY_HEADER, options->secret_key)) &&
             raia_headers_set(&own, "User-Agent", options->user_agent) &&
             raia_headers_join(&e->headers, own.lines);
  raia_headers_free(&own);
  return set ? NULL : no_memory;
}

/* Sets the proxy and hides its credentials. The environment is read once: it
   could change to a proxy whose login libcurl would print. */
static const char *set_proxy(struct raia_endpoint *e, const char *url,
                             const char **option) {
  *option = "proxy";
  e->proxy_given = url != NULL;
  if (url == NULL)
    url = e->base.loopback ? ""
                           : raia_proxy_of_environment(e->base.https, option);
  const char *wrong = *url == '\0' ? NULL : raia_proxy_check(url, &e->login);
  if (wrong == NULL)
    e->proxy = copy(url, &wrong);
  return wrong;
}

/* Sets everything but the base URL. */
static const char *set_rest(struct raia_endpoint *e,
                            const struct raia_endpoint_options *options,
                            const char **option) {
  const char *key = options->secret_key;
  const char *wrong = set_proxy(e, options->proxy, option);
  if (wrong != NULL)
    return wrong;
  e->ca_file = copy(options->ca_file, &wrong);
  if (key != NULL && (!raia_secrets_add(&e->key, key, KEY_MIN) ||
                      !raia_secrets_add_base64(&e->key, key, KEY_MIN)))
    wrong = no_memory;
  return wrong != NULL ? wrong : set_headers(e, options);
}

const char *raia_endpoint_open(struct raia_endpoint **out,
                               const struct raia_endpoint_options *options,
                               const char **option) {
  struct raia_endpoint *e = *out = calloc(1, sizeof *e);
  if (e == NULL)
    return no_memory;
  e->limiter.connections = options->max_connections;
  raia_list_init(&e->limiter.queue);
  e->connect_timeout_ms = (long)(options->connect_timeout * 1000);
  static char plain[] = "Accept-Encoding:"; /* sends no Accept-Encoding */
  static char content_type[] = "Content-Type: application/json";
  static char expect[] = "Expect:"; /* sends no Expect: 100-continue */
  e->plain.data = plain;
  e->content_type.data = content_type;
  e->expect.data = expect;
  *option = "base_url";
  const char *wrong =
      raia_base_url_read(&e->base, options->base_url, options->allow_insecure);
  if (wrong == NULL)
    wrong = set_rest(e, options, option);
  if (wrong != NULL) {
    raia_endpoint_close(e);
    *out = NULL;
    return wrong;
  }
  raia_trace_config_init(&e->trace, e, options->verbose);
  e->limiter.https = e->limiter.cold = e->base.https;
  e->limiter.protocol = RAIA_HTTP1;
  return NULL;
}

struct raia_endpoint_options
raia_endpoint_elsewhere(const struct raia_endpoint *e, const char *base_url,
                        const char *user_agent) {
  return (struct raia_endpoint_options){
      .base_url = base_url,
      .user_agent = user_agent,
      .proxy = e->proxy_given ? e->proxy : NULL,
      .ca_file = e->ca_file,
      .connect_timeout = (double)e->connect_timeout_ms / 1000,
      .max_connections = e->limiter.connections,
      .verbose = e->trace.verbose};
}

void raia_endpoint_close(struct raia_endpoint *e) {
  if (e == NULL)
    return;
  raia_handle_free_idle(e);
  raia_list_remove(&e->limiter.recheck.link);
  raia_headers_free(&e->headers);
  raia_secrets_free(&e->key);
  raia_secrets_free(&e->login);
  raia_base_url_free(&e->base);
  raia_wipe(e->proxy);
  free(e->proxy);
  free(e->ca_file);
  free(e);
}

bool raia_endpoint_mask(const struct raia_endpoint *e, char *bytes,
                        size_t length) {
  return raia_secrets_mask(&e->key, bytes, length, false);
}

void raia_endpoint_mask_cut(const struct raia_endpoint *e, char *bytes,
                            size_t length) {
  raia_secrets_mask(&e->key, bytes, length, true);
}

void raia_endpoint_mask_words(const struct raia_endpoint *e, char *bytes,
                              size_t length) {
  raia_endpoint_mask_cut(e, bytes, length);
  raia_secrets_mask(&e->login, bytes, length, true);
}

void raia_endpoint_mask_outcome(const struct raia_endpoint *e,
                                struct raia_outcome *o) {
  raia_endpoint_mask_cut(e, o->reply.data, o->reply.length);
  raia_endpoint_mask_words(e, o->detail, strlen(o->detail));
  raia_endpoint_mask_cut(e, o->content_type, strlen(o->content_type));
  raia_endpoint_mask_cut(e, o->request_id, strlen(o->request_id));
}

struct raia_limiter *raia_endpoint_limiter(struct raia_endpoint *endpoint) {
  return &endpoint->limiter;
}

const char *raia_endpoint_url(const struct raia_endpoint *e) {
  return e->base.text;
}
