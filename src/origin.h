/* Where a client's requests go: base URL, key, headers, and handles to use
   again. */
#ifndef RAIA_ORIGIN_H
#define RAIA_ORIGIN_H

#include "gate.h"

/* What one is made of. The strings are the caller's and are copied. */
struct raia_origin_options {
  const char *base_url;   /* required */
  const char *secret_key; /* required */
  const char *user_agent; /* required */
  const char *proxy;      /* NULL: as the environment says; "": none */
  const char *ca_file;    /* NULL: the system's */
  double connect_timeout; /* seconds */
  long max_connections;
  bool allow_insecure;
  bool verbose; /* libcurl's own account on stderr, the key masked */
};

struct raia_origin;

/* Makes one into *out, or returns what is wrong with the options ("out of
   memory" last of all) and leaves *out NULL. */
const char *raia_origin_open(struct raia_origin **out,
                             const struct raia_origin_options *options);

/* Frees it and wipes the key. No transfer may be using it. NULL is fine. */
void raia_origin_close(struct raia_origin *origin);

/* The base URL as it was checked, without a trailing slash. */
const char *raia_origin_url(const struct raia_origin *origin);

/* Overwrites the key with stars wherever it stands in the bytes. */
void raia_origin_mask(const struct raia_origin *origin, char *bytes,
                      size_t length);

/* What its attempts pass through. */
struct raia_gate *raia_origin_gate(struct raia_origin *origin);

/* Adds a header to all requests to come, in place of one of that name. 0 when
   out of memory. */
int raia_origin_header(struct raia_origin *origin, const char *name,
                       const char *value);

#endif
