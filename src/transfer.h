/* One call over HTTP: its attempts, and what came of them. */
#ifndef RAIA_TRANSFER_H
#define RAIA_TRANSFER_H

#include "buffer.h"
#include "headers.h"
#include "origin.h"
#include "retry.h"
#include "timer.h"

enum raia_transfer_state {
  RAIA_READY,   /* filled in, not started */
  RAIA_RUNNING, /* an attempt is under way */
  RAIA_QUEUED,  /* for others of its client to end */
  RAIA_WAITING, /* for the time of the next attempt */
  RAIA_DONE
};

struct raia_transfer {
  /* What is asked. Set before the start; the strings are the caller's and
     must outlive the transfer. */
  struct raia_origin *origin;
  const char *method, *path; /* the path percent-encoded */
  const char *query;         /* percent-encoded, or NULL */
  const char *body;          /* or NULL */
  size_t body_length;
  struct raia_headers headers; /* this call's own */
  double timeout;              /* seconds, of one attempt */
  int max_retries;
  bool large; /* the reply may be large: ask for it compressed */

  /* How the last attempt, or when done the whole, came out. */
  enum raia_transfer_state state;
  struct raia_outcome outcome;
  enum raia_reach reach; /* the farthest that any attempt has come */
  int attempts;
  double elapsed;   /* seconds the last attempt took */
  bool reused;      /* the last attempt's connection had been used before */
  bool answered;    /* some reply began */
  bool multiplexed; /* by HTTP/2 */
  char detail[160]; /* libcurl's words for what went wrong, or "" */
  char content_type[64], request_id[64];
  struct raia_buffer reply;

  /* The attempt under way. */
  struct raia_handle *handle;
  size_t header_bytes;
  long connects;     /* connections made for it when it began to leave */
  long bytes_before; /* sent for it by then: a CONNECT */
  bool begun;        /* the connection is there, the request may be leaving */
  bool kept;         /* that connection had been used before */
  bool stale;        /* it was no good, nothing was sent */
  bool repeated;     /* libcurl was kept from sending it once more */
  bool headers_done; /* of the reply, not of a 1xx before it */
  enum raia_append refused; /* why a callback of ours stopped it */

  /* The pool's. */
  struct raia_pool *pool;
  struct raia_lane *lane;  /* that the attempt under way is in */
  struct raia_link link;   /* in what its state says */
  struct raia_timer retry; /* the time of the next attempt */
  struct raia_news news;
  bool attempt_ended; /* by itself, since this was last set to false */
  bool forked;        /* it is the parent process that goes on with it */
};

/* Readies t->handle for one more attempt. False when out of memory. */
bool raia_transfer_begin(struct raia_transfer *t);

/* Takes stock of an attempt that libcurl ended with `code`: sets the outcome.
   The handle stays, out of the multi handle. */
void raia_transfer_end(struct raia_transfer *t, int code);

/* Masks the key in a reply that will be shown: a server may quote it. */
void raia_transfer_hide(struct raia_transfer *t);

/* Gives back what it took to run, its reply excepted. Idempotent; the pool
   must be done with it. */
void raia_transfer_release(struct raia_transfer *t);

#endif
