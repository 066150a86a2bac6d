/* All that is in flight: libcurl's multi handle, its sockets and timers. */
#ifndef RAIA_POOL_H
#define RAIA_POOL_H

#include "transfer.h"

struct raia_pool {
  void *multi;
  struct raia_events *events;
  struct raia_link running; /* transfers, by their link */
  struct raia_link waiting; /* for their next attempt, the soonest first */
  struct raia_link ended;   /* an attempt or all of it, and nobody asked yet */
  double curl_due;          /* when libcurl wants to be called, 0: never */
  unsigned random;
};

/* Opens a zeroed pool. False when out of memory or descriptors; then, too,
   close must be called. */
bool raia_pool_open(struct raia_pool *pool);

/* Ends what is in flight as closed and frees all. Idempotent. */
void raia_pool_close(struct raia_pool *pool);

/* Starts a transfer that is ready. It is done at once with RAIA_NO_MEMORY or
   RAIA_CLOSED when it can't be. */
void raia_pool_start(struct raia_pool *pool, struct raia_transfer *t);

/* Ends a transfer with `kind` if it is not done yet. */
void raia_pool_stop(struct raia_transfer *t, enum raia_kind kind);

/* Waits up to `seconds` for something to happen and moves everything along.
   Returns at once when an attempt has ended. False when a signal came. */
bool raia_pool_step(struct raia_pool *pool, double seconds);

/* The next transfer that is done, or of which an attempt ended, since it was
   last returned; or NULL. */
struct raia_transfer *raia_pool_ended(struct raia_pool *pool);

/* Stops `t` as cancelled, and the pool knows it no more. */
void raia_pool_forget(struct raia_transfer *t);

/* Seconds of a clock that never goes back. */
double raia_now(void);

#endif
