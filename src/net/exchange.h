/* One attempt of a call on one easy handle: what is sent, what comes back, and
   the verdict. */
#ifndef RAIA_EXCHANGE_H
#define RAIA_EXCHANGE_H

#include "endpoint.h"
#include "outcome.h"

struct raia_handle;
struct raia_loop;

/* What is asked. The strings are the caller's and outlive the call. */
struct raia_asked {
  struct raia_endpoint *endpoint;
  const char *method, *path; /* the path percent-encoded */
  const char *query;         /* percent-encoded, or NULL */
  const char *body;          /* or NULL */
  size_t body_length;
  struct raia_headers headers; /* this call's own */
  double timeout;              /* seconds, of one attempt */
  int max_retries;
  bool large; /* the reply may be large: ask for it compressed */
};

/* The attempt under way. It lives in its call, and so do asked and outcome. */
struct raia_exchange {
  struct raia_asked *asked;
  struct raia_outcome *outcome;
  struct raia_loop *loop;
  struct raia_handle *handle; /* NULL while none is under way */
  int socket;                 /* of its connection, or -1: not known */
  double started;             /* on the clock of raia_now */
  size_t header_bytes, trailer_bytes;
  bool framed;   /* the reply says how long it is */
  bool no_room;  /* there was no memory for the reply */
  bool fresh;    /* it is to have a new connection */
  bool unusable; /* the kept connection that it was offered was no good, and
                    nothing was sent: it does not count */
};

/* Begins an attempt with a server that was last seen to speak `protocol`.
   `ended` is called when libcurl has ended it. False when out of memory. */
bool raia_exchange_begin(struct raia_exchange *x, enum raia_protocol protocol,
                         void (*ended)(struct raia_exchange *x, int code));

/* Takes stock of an attempt that ended with a code of libcurl's: sets the
   outcome, and `unusable`. */
void raia_exchange_judge(struct raia_exchange *x, int code);

/* The same for one that ended because its time was over, because its call was
   stopped, or because libcurl had no memory. */
void raia_exchange_judge_timeout(struct raia_exchange *x);
void raia_exchange_judge_stopped(struct raia_exchange *x);

/* Takes the handle, if there is one, out of libcurl's hands and gives it back.
   In the child of a fork it is left to the parent. */
void raia_exchange_leave(struct raia_exchange *x);

#endif
