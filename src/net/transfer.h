/* One call over HTTP: its attempts, their timing and their outcome. */
#ifndef RAIA_TRANSFER_H
#define RAIA_TRANSFER_H

#include "exchange.h"
#include "loop.h"
#include "retry.h"

enum raia_transfer_state {
  RAIA_READY,   /* filled in, not started */
  RAIA_RUNNING, /* an attempt is under way */
  RAIA_QUEUED,  /* until other calls of its client end */
  RAIA_WAITING, /* until the next attempt is due */
  RAIA_DONE
};

/* Who owns what. A transfer lives in the caller's memory, at a fixed address
   from its start until it is done or detached. `asked` points to the caller's
   strings and owns the call's headers until it is done; `outcome` owns the
   reply. The exchange borrows one of the endpoint's easy handles while the
   state is RUNNING. The loop and the endpoint belong to the caller and outlive
   it. */
struct raia_transfer {
  struct raia_asked asked;       /* set before the start */
  struct raia_outcome outcome;   /* of the last attempt; when done, of all */
  struct raia_exchange exchange; /* the attempt under way */

  /* Links, from the start until it is done. */
  enum raia_transfer_state state;
  struct raia_job job;
  struct raia_link link;   /* in the limiter's queue, while QUEUED */
  struct raia_timer timer; /* the attempt's timeout, or the next one's start */
  struct raia_completion completion;
  double retry_in;  /* seconds to the next attempt, or negative */
  double held_from; /* since when other calls have delayed it, or 0 */
  bool probes; /* its attempt finds out which protocol the server speaks */
  bool attempt_ended; /* set when an attempt ends by itself, cleared by the
                         owner */
};

/* Starts a transfer that is ready. If it cannot start, it is done at once with
   RAIA_NO_MEMORY or RAIA_CLOSED. Whoever dispatches the loop's completions
   calls `tell` when an attempt or the whole call has ended. */
void raia_transfer_start(struct raia_loop *loop, struct raia_transfer *t);

/* Ends a transfer with `kind` unless it is done. */
void raia_transfer_stop(struct raia_transfer *t, enum raia_kind kind);

/* Ends a transfer with `kind` instead of starting it. */
void raia_transfer_refuse(struct raia_transfer *t, enum raia_kind kind);

/* Stops it as cancelled and removes it from the loop. */
void raia_transfer_detach(struct raia_transfer *t);

/* Frees everything but the reply. Idempotent; the transfer must not be under
   way. */
void raia_transfer_release(struct raia_transfer *t);

#endif
