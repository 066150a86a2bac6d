/* All that is in flight: libcurl's multi handles, their sockets and timers. In
   the child of a fork, what is in flight ends as closed, and all connections
   and descriptors are new; those of the parent are left alone. */
#ifndef RAIA_POOL_H
#define RAIA_POOL_H

#include "lane.h"
#include "sockets.h"
#include "transfer.h"

/* libcurl goes through all connections of a multi handle for each request,
   which makes a thousand of them slow: so there are as many lanes as it takes.
   HTTP/2 keeps to one of them, because it is to share few connections and
   libcurl can be told so only for all of a multi handle's. */
enum { RAIA_LANES = 32 };

struct raia_pool {
  struct raia_lane lanes[RAIA_LANES];
  int open;                      /* lanes from here on have never been used */
  struct raia_lane *multiplexed; /* the one of HTTP/2, or NULL */
  struct raia_events *events;    /* NULL: closed */
  struct raia_link running;      /* transfers, by their link */
  struct raia_link waiting;      /* transfers that are, by their link */
  struct raia_timers timers;
  struct raia_link news; /* not told yet, the oldest first */
  long in_flight;        /* transfers started and not done */
  struct raia_sockets sockets;
  struct raia_link widened; /* gates: there may be room for what is queued */
  unsigned random;
  unsigned forks; /* of the process, when it was opened or begun anew */
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

/* Stops `t` as cancelled, and the pool knows it no more. */
void raia_pool_forget(struct raia_transfer *t);

/* Sets an alarm that is not set, or takes it back. */
void raia_pool_alarm(struct raia_pool *pool, struct raia_alarm *alarm,
                     double seconds);
void raia_pool_calm(struct raia_alarm *alarm);

/* Waits up to `seconds` for something to happen and moves everything along.
   Returns at once when there is news. False when a signal came or broken(data)
   is true, see raia_events_wait. */
bool raia_pool_step(struct raia_pool *pool, double seconds,
                    bool (*broken)(const void *data), const void *data);

/* The oldest news, which it forgets, or NULL: a transfer that is done or of
   which an attempt ended, or an alarm that went off. */
struct raia_news *raia_pool_news(struct raia_pool *pool);

/* The socket of the open connection between those ports, or -1. */
int raia_pool_socket(const struct raia_pool *pool, int own, int peer);

/* The server that `t` is for speaks that protocol, or it can't be told. */
void raia_pool_learned(struct raia_transfer *t, enum raia_protocol protocol);

/* A socket has become a connection between those ports, over which requests
   are multiplexed or not. A socket is about to be closed. */
void raia_pool_connected(struct raia_pool *pool, int fd, int own, int peer,
                         bool multiplexes);
void raia_pool_closing(struct raia_pool *pool, int fd);

/* A descriptor that is readable when a step would find something, or -1; and
   after how many seconds one would anyway, negative for never. */
int raia_pool_fd(const struct raia_pool *pool);
double raia_pool_patience(const struct raia_pool *pool);

#endif
