/* The fields of an endpoint, private to src/net. */
#ifndef RAIA_ENDPOINT_FIELDS_H
#define RAIA_ENDPOINT_FIELDS_H

#include "base_url.h"
#include "delivery.h"
#include "endpoint.h"
#include "secrets.h"
#include "trace.h"

struct raia_handle;

struct raia_endpoint {
  struct raia_base_url base;
  char *proxy, *ca_file;     /* proxy "": none */
  bool proxy_given;          /* not from the environment */
  struct raia_secrets key;   /* masked in all text from outside */
  struct raia_secrets login; /* masked in all text from outside */
  struct raia_headers headers;
  struct curl_slist plain, content_type,
      expect; /* optional links before `headers` */
  struct raia_handle *idle;
  struct raia_limiter limiter;
  struct raia_goaways goaways;
  struct raia_trace_config trace;
  long connect_timeout_ms;
};

#endif
