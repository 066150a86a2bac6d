/* Where a client's requests go: base URL, key, headers, proxy. */
#ifndef RAIA_ENDPOINT_H
#define RAIA_ENDPOINT_H

#include "headers.h"
#include "limiter.h"
#include "path.h"

/* The strings belong to the caller and are copied. */
struct raia_endpoint_options {
  const char *base_url;         /* required */
  const char *secret_key;       /* NULL: none is sent */
  const char *user_agent;       /* required */
  const char *proxy;            /* NULL: from the environment; "": none */
  struct raia_headers *headers; /* or NULL; its contents are moved */
  const char *ca_file;          /* NULL: the system's */
  double connect_timeout;       /* seconds */
  long max_connections;
  bool allow_insecure;
  bool verbose; /* libcurl's log on stderr, with the key masked */
};

struct raia_endpoint;
struct raia_outcome;

/* Creates an endpoint in *out, or returns what is wrong with an option ("out
   of memory" among others) and leaves *out NULL; *option is then the name of
   the option or of its environment variable. */
const char *raia_endpoint_open(struct raia_endpoint **out,
                               const struct raia_endpoint_options *options,
                               const char **option);

/* Fills in the options of an endpoint that reaches another server as `e` does,
   without its key and headers. The strings belong to `e`. */
struct raia_endpoint_options
raia_endpoint_elsewhere(const struct raia_endpoint *e, const char *base_url,
                        const char *user_agent);

/* Wipes the key and frees the endpoint, which no transfer may be using. NULL
   is fine. */
void raia_endpoint_close(struct raia_endpoint *endpoint);

/* The checked base URL, without a trailing slash or /external. */
const char *raia_endpoint_url(const struct raia_endpoint *endpoint);

/* Overwrites the key with stars wherever it occurs, however it is quoted, and
   returns whether it did. Keys shorter than eight characters are not searched
   for. */
bool raia_endpoint_mask(const struct raia_endpoint *endpoint, char *bytes,
                        size_t length);

/* The same for bytes that were truncated: the key may be cut off at their end.
 */
void raia_endpoint_mask_cut(const struct raia_endpoint *endpoint, char *bytes,
                            size_t length);

/* The same for text from libcurl, possibly truncated: masks the key and the
   proxy's user and password. */
void raia_endpoint_mask_words(const struct raia_endpoint *endpoint,
                              char *bytes, size_t length);

/* The same for everything in an outcome that users may see: a server may quote
   the key. */
void raia_endpoint_mask_outcome(const struct raia_endpoint *endpoint,
                                struct raia_outcome *outcome);

/* The limiter that its attempts share. */
struct raia_limiter *raia_endpoint_limiter(struct raia_endpoint *endpoint);

#endif
