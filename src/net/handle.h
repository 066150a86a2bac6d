/* What endpoint lends to transfer: handles of libcurl, ready for a request. */
#ifndef RAIA_HANDLE_H
#define RAIA_HANDLE_H

#include "endpoint.h"
#include "headers.h"
#include "libcurl.h"
#include "trace.h"

struct raia_transfer;

enum { RAIA_SOCKETS_KEPT = 4 };

struct raia_handle {
  CURL *easy;
  CURLU *url;
  char *aim; /* the path that url has, when it has no query; or NULL */
  struct raia_transfer *transfer; /* that has it, or had it last */
  char detail[CURL_ERROR_SIZE];   /* libcurl's words for what went wrong */
  bool set_up;                    /* by the transfer that had it first */
  bool spoiled; /* an attempt on it has failed: not to be used again */
  struct raia_delivery delivery;                /* of the attempt under way */
  int sockets[RAIA_SOCKETS_KEPT], sockets_made; /* the latest for it */
  struct raia_trace trace;
  struct raia_handle *next;
};

/* A handle with all that a client's requests share set on it, or NULL when
   out of memory. */
struct raia_handle *raia_endpoint_take(struct raia_endpoint *endpoint);

/* Gives one back, to be taken again; or frees it, whose attempt failed. */
void raia_endpoint_give(struct raia_endpoint *endpoint,
                        struct raia_handle *handle);
void raia_endpoint_discard(struct raia_handle *handle);

/* Aims the handle at `path` and `query` (or NULL) under the base URL. */
bool raia_endpoint_aim(const struct raia_endpoint *endpoint,
                       struct raia_handle *handle, const char *path,
                       const char *query);

/* The header list of a request with a body of so many bytes, or -1 for none;
   `large` where the reply may be, and is asked for compressed. It is the
   endpoint's or, where there is one, part of `own`; NULL when out of memory.
 */
struct curl_slist *raia_endpoint_headers(struct raia_endpoint *endpoint,
                                         struct raia_headers *own, long body,
                                         bool large);

#endif
