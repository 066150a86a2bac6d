/* What an endpoint holds, for src/net alone. */
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
  struct raia_secrets key;   /* hidden in all that comes from elsewhere */
  struct raia_secrets login; /* the proxy's, in what libcurl says */
  struct raia_headers headers;
  struct curl_slist plain, content_type, expect; /* may precede headers */
  struct raia_handle *idle;
  struct raia_limiter limiter;
  struct raia_goaways goaways;
  struct raia_trace_config trace;
  long connect_timeout_ms;
};

#endif
