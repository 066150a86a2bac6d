/* What origin lends to transfer: handles of libcurl, ready for a request. */
#ifndef RAIA_ORIGIN_CURL_H
#define RAIA_ORIGIN_CURL_H

#include "headers.h"
#include "origin.h"

#include <curl/curl.h>

struct raia_transfer;

struct raia_handle {
  CURL *easy;
  CURLU *url;
  char *aim; /* the path that url has, when it has no query; or NULL */
  struct raia_transfer *transfer; /* that has it, or had it last */
  char detail[CURL_ERROR_SIZE];   /* libcurl's words for what went wrong */
  bool set_up;                    /* by the transfer that had it first */
  bool watched, folded;           /* see raia_origin_watch */
  int port;                       /* ours, of the connection it is on */
  unsigned stream;                /* of HTTP/2 there, 0 when not known */
  bool moving;                    /* libcurl looks for another connection */
  bool cut_line; /* what libcurl showed last did not end its line */
  struct raia_handle *next;
};

/* A handle with all that a client's requests share set on it, or NULL when
   out of memory. */
struct raia_handle *raia_origin_take(struct raia_origin *origin);

/* Gives one back, to be taken again. */
void raia_origin_give(struct raia_origin *origin, struct raia_handle *handle);

/* Listens to what libcurl says, from when the request leaves on a connection
   with that local port, which may be one of HTTP/2, until the reply begins. */
void raia_origin_listen(struct raia_origin *origin, struct raia_handle *handle,
                        int port, bool kept);

/* Watches the next header, or no longer: handle->folded is set when it is a
   folded one, which libcurl may not see as such. */
void raia_origin_watch(struct raia_origin *origin, struct raia_handle *handle,
                       bool on);

/* Whether the server has said that it did not look at the request: by GOAWAY
   with a lower stream. */
bool raia_origin_refused(const struct raia_origin *origin,
                         const struct raia_handle *handle);

/* Aims the handle at `path` and `query` (or NULL) under the base URL. */
bool raia_origin_aim(struct raia_origin *origin, struct raia_handle *handle,
                     const char *path, const char *query);

/* The header list of a request with a body of so many bytes, or -1 for none.
   It is the origin's or, where there is one, part of `own`; NULL when out of
   memory. */
struct curl_slist *raia_origin_headers(struct raia_origin *origin,
                                       struct raia_headers *own, long body);

#endif
