/* Where a client's requests go: base URL, key, headers, proxy. */
#ifndef RAIA_ENDPOINT_H
#define RAIA_ENDPOINT_H

#include "headers.h"
#include "limiter.h"
#include "path.h"

/* What one is made of. The strings are the caller's and are copied. */
struct raia_endpoint_options {
  const char *base_url;         /* required */
  const char *secret_key;       /* required */
  const char *user_agent;       /* required */
  const char *proxy;            /* NULL: as the environment says; "": none */
  struct raia_headers *headers; /* or NULL; it takes what is in there */
  const char *ca_file;          /* NULL: the system's */
  double connect_timeout;       /* seconds */
  long max_connections;
  bool allow_insecure;
  bool verbose; /* libcurl's own account on stderr, the key masked */
};

struct raia_endpoint;
struct raia_outcome;

/* Makes one into *out, or returns what is wrong with an option ("out of
   memory" last of all), whose name, or that of its variable, is *option then,
   and leaves *out NULL. */
const char *raia_endpoint_open(struct raia_endpoint **out,
                               const struct raia_endpoint_options *options,
                               const char **option);

/* Frees it and wipes the key. No transfer may be using it. NULL is fine. */
void raia_endpoint_close(struct raia_endpoint *endpoint);

/* The base URL as it was checked, without a slash or the API's /external at
   its end. */
const char *raia_endpoint_url(const struct raia_endpoint *endpoint);

/* Overwrites the key with stars wherever it stands in the bytes, however it is
   quoted, and returns whether it does. Shorter ones than eight characters are
   not looked for. */
bool raia_endpoint_mask(const struct raia_endpoint *endpoint, char *bytes,
                        size_t length);

/* The same for bytes that have been cut: the key may only begin at their end.
 */
void raia_endpoint_mask_cut(const struct raia_endpoint *endpoint, char *bytes,
                            size_t length);

/* The same for what libcurl says, which may have been cut: the key, and the
   proxy's user and password. */
void raia_endpoint_mask_words(const struct raia_endpoint *endpoint,
                              char *bytes, size_t length);

/* The same for all that will be shown of an outcome: a server may quote the
   key. */
void raia_endpoint_mask_outcome(const struct raia_endpoint *endpoint,
                                struct raia_outcome *outcome);

/* What its attempts pass through. */
struct raia_limiter *raia_endpoint_limiter(struct raia_endpoint *endpoint);

#endif
