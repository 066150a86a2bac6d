/* One call over HTTP: its attempts, when they are made, and what came of them.
 */
#ifndef RAIA_TRANSFER_H
#define RAIA_TRANSFER_H

#include "exchange.h"
#include "loop.h"
#include "retry.h"

enum raia_transfer_state {
  RAIA_READY,   /* filled in, not started */
  RAIA_RUNNING, /* an attempt is under way */
  RAIA_QUEUED,  /* for others of its client to end */
  RAIA_WAITING, /* for the time of the next attempt */
  RAIA_DONE
};

/* Who owns what. A transfer is its caller's memory and stays where it is from
   the start until it is done or detached. `asked` points to the caller's
   strings, and owns the call's headers until it is done; `outcome` owns the
   reply. The exchange borrows an easy handle of the endpoint's while the state
   is RUNNING. The loop and the endpoint are the caller's and outlive it. */
struct raia_transfer {
  struct raia_asked asked;     /* set before the start */
  struct raia_outcome outcome; /* of the last attempt, or, when done, of all */
  struct raia_exchange exchange; /* the attempt under way */

  /* Links, from the start until it is done. */
  enum raia_transfer_state state;
  struct raia_job job;
  struct raia_link link;   /* in the limiter's queue, while QUEUED */
  struct raia_timer timer; /* when the attempt under way is over, or the next
                              one begins */
  struct raia_completion completion;
  double held_from;   /* since when others of its client keep it, or 0 */
  bool probes;        /* it is to find out what the server speaks */
  bool attempt_ended; /* by itself, since this was last set to false */
};

/* Starts a transfer that is ready. It is done at once with RAIA_NO_MEMORY or
   RAIA_CLOSED when it can't be. `tell` is called, by whoever dispatches the
   loop's completions, when an attempt or the whole has ended. */
void raia_transfer_start(struct raia_loop *loop, struct raia_transfer *t);

/* Ends a transfer with `kind` if it is not done yet. */
void raia_transfer_stop(struct raia_transfer *t, enum raia_kind kind);

/* Ends a transfer with `kind` in place of starting it. */
void raia_transfer_refuse(struct raia_transfer *t, enum raia_kind kind);

/* Stops it as cancelled, and the loop knows it no more. */
void raia_transfer_detach(struct raia_transfer *t);

/* Frees what it took to run, its reply excepted. Idempotent; it must not be
   under way. */
void raia_transfer_release(struct raia_transfer *t);

#endif
