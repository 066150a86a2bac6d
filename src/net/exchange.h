/* One attempt of a call on one easy handle: what is sent, what comes back, and
   the verdict. */
#ifndef RAIA_EXCHANGE_H
#define RAIA_EXCHANGE_H

#include "body.h"
#include "endpoint.h"
#include "outcome.h"

struct raia_handle;
struct raia_loop;

/* The request. The strings belong to the caller and outlive the call. */
struct raia_asked {
  struct raia_endpoint *endpoint;
  const char *method, *path; /* the path percent-encoded */
  const char *query;         /* percent-encoded, or NULL */
  const char *target;        /* NULL, or path and query as they are to be sent:
                                libcurl        changes the case of escapes in them */
  const char *body;          /* or NULL */
  size_t body_length;
  struct raia_source source;   /* or from a file; owned until it is done */
  struct raia_sink sink;       /* owned until it is done */
  struct raia_headers headers; /* this call's own */
  double timeout;              /* seconds, of one attempt */
  int max_retries;
  bool keep_headers; /* the reply's, in the outcome */
  bool large;        /* the reply may be large: ask for compression */
};

/* The attempt under way. It is part of its transfer, as asked and outcome are.
 */
struct raia_exchange {
  struct raia_asked *asked;
  struct raia_outcome *outcome;
  struct raia_limiter *limiter; /* the endpoint's */
  struct raia_loop *loop;
  struct raia_handle *handle; /* NULL while none is under way */
  int socket;                 /* of its connection, or -1 if unknown */
  double started;             /* on the clock of raia_now */
  size_t header_bytes, trailer_bytes;
  struct raia_progress progress;
  bool framed;   /* the reply announces its length */
  bool no_room;  /* out of memory for the reply */
  bool fresh;    /* use a new connection */
  bool unusable; /* its kept connection was dead and nothing was sent: the
                    attempt does not count */
};

/* Begins an attempt. `protocol` is what the server was last seen to speak;
   `ended` is called when libcurl has finished. False when out of memory. */
bool raia_exchange_begin(struct raia_exchange *x, enum raia_protocol protocol,
                         void (*ended)(struct raia_exchange *x, int code));

/* Judges an attempt that libcurl ended with `code`: sets the outcome and
   `unusable`. */
void raia_exchange_judge(struct raia_exchange *x, int code);

/* The same for an attempt that timed out, or whose call was stopped. */
void raia_exchange_judge_timeout(struct raia_exchange *x);
void raia_exchange_judge_stopped(struct raia_exchange *x);

/* Removes the handle, if there is one, from libcurl and gives it back. In a
   forked child it is left to the parent. */
void raia_exchange_leave(struct raia_exchange *x);

#endif
