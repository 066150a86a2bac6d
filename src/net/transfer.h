/* One call over HTTP: its attempts, and what came of them. */
#ifndef RAIA_TRANSFER_H
#define RAIA_TRANSFER_H

#include "buffer.h"
#include "endpoint.h"
#include "headers.h"
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
  struct raia_endpoint *endpoint;
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
  double started;   /* the last attempt, on the clock of raia_now */
  double elapsed;   /* seconds it took */
  bool reused;      /* the last attempt's connection had been used before */
  char detail[160]; /* libcurl's words for what went wrong, or "" */
  char content_type[64], request_id[64]; /* cut */
  bool json; /* the content type is of JSON, or there is none */
  struct raia_buffer reply;

  /* The attempt under way. */
  struct raia_handle *handle;
  size_t header_bytes, trailer_bytes;
  bool fresh;               /* it is to have a new connection */
  bool probes;              /* it is to find out what the server speaks */
  bool framed;              /* the reply says how long it is */
  bool headers_done;        /* of the reply, not of a 1xx before it */
  enum raia_append refused; /* why a callback of ours stopped it */

  /* The loop's. */
  struct raia_loop *loop;
  struct raia_multi *multi; /* that the attempt under way is in */
  struct raia_link link;    /* in what its state says */
  struct raia_timer timer;  /* when the attempt under way is over, or the next
                               one begins */
  double held_from;         /* since when others of its client keep it, or 0 */
  struct raia_completion completion;
  bool attempt_ended; /* by itself, since this was last set to false */
  bool forked;        /* it is the parent process that goes on with it */
};

/* Takes a handle and readies it for one more attempt. False when out of
   memory. */
bool raia_transfer_begin(struct raia_transfer *t);

/* Takes stock of an attempt that libcurl ended with `code`: sets the outcome.
   The handle stays. */
void raia_transfer_end(struct raia_transfer *t, int code);

/* Whether the attempt ended because the kept connection that libcurl took was
   no good any more, and nothing was sent: it does not count. */
bool raia_transfer_was_offered_a_bad_connection(const struct raia_transfer *t);

/* Puts the handle back, which is out of the multi handle. */
void raia_transfer_put_back(struct raia_transfer *t);

/* Masks the key in all that a server or libcurl has said, the reply included:
   it may be quoted there. */
void raia_transfer_hide(struct raia_transfer *t);

/* Frees what it took to run, its reply excepted. Idempotent; the loop must be
   done with it. */
void raia_transfer_release(struct raia_transfer *t);

#endif
