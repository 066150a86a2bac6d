/* All that is in flight: libcurl's multi handles, their sockets and timers. In
   the child of a fork, what is in flight ends as closed, and all connections
   and descriptors are new; those of the parent are left alone. */
#ifndef RAIA_LOOP_H
#define RAIA_LOOP_H

#include "multi.h"
#include "sockets.h"
#include "transfer.h"

/* libcurl goes through all connections of a multi handle for each request,
   which makes a thousand of them slow: so there are as many multis as it
   takes. HTTP/2 keeps to one of them, because it is to share few connections
   and libcurl can be told so only for all of a multi handle's. */
enum { RAIA_MULTIS = 32 };

struct raia_loop {
  struct raia_multi multis[RAIA_MULTIS];
  int open; /* multis from here on have never been used */
  struct raia_multi *multiplexed; /* the one of HTTP/2, or NULL */
  struct raia_events *events;     /* NULL: closed */
  struct raia_link running;       /* transfers, by their link */
  struct raia_link waiting;       /* transfers that are, by their link */
  struct raia_timers timers;
  struct raia_link completions; /* not told yet, the oldest first */
  long in_flight;               /* transfers started and not done */
  struct raia_sockets sockets;
  struct raia_link widened; /* gates: there may be room for what is queued */
  unsigned random;
  unsigned forks; /* of the process, when it was opened or begun anew */
};

/* Opens a zeroed loop. False when out of memory or descriptors; then, too,
   close must be called. */
bool raia_loop_open(struct raia_loop *loop);

/* Ends what is in flight as closed and frees all. Idempotent. */
void raia_loop_close(struct raia_loop *loop);

/* Starts a transfer that is ready. It is done at once with RAIA_NO_MEMORY or
   RAIA_CLOSED when it can't be. */
void raia_loop_start(struct raia_loop *loop, struct raia_transfer *t);

/* Ends a transfer with `kind` if it is not done yet. */
void raia_loop_stop(struct raia_transfer *t, enum raia_kind kind);

/* Stops `t` as cancelled, and the loop knows it no more. */
void raia_loop_forget(struct raia_transfer *t);

/* Sets an alarm that is not set, or takes it back. */
void raia_loop_alarm(struct raia_loop *loop, struct raia_alarm *alarm,
                     double seconds);
void raia_loop_calm(struct raia_alarm *alarm);

/* Waits up to `seconds` for something to happen and moves everything along.
   Returns at once when there is completion. False when a signal came or
   broken(data) is true, see raia_events_wait. */
bool raia_loop_step(struct raia_loop *loop, double seconds,
                    bool (*broken)(const void *data), const void *data);

/* The oldest completion, which it forgets, or NULL: a transfer that is done or
   of which an attempt ended, or an alarm that went off. */
struct raia_completion *raia_loop_completion(struct raia_loop *loop);

/* The socket of the open connection between those ports, or -1. */
int raia_loop_socket(const struct raia_loop *loop, int own, int peer);

/* The server that `t` is for speaks that protocol, or it can't be told. */
void raia_loop_learned(struct raia_transfer *t, enum raia_protocol protocol);

/* A socket has become a connection between those ports, over which requests
   are multiplexed or not. A socket is about to be closed. */
void raia_loop_connected(struct raia_loop *loop, int fd, int own, int peer,
                         bool multiplexes);
void raia_loop_closing(struct raia_loop *loop, int fd);

/* A descriptor that is readable when a step would find something, or -1; and
   after how many seconds one would anyway, negative for never. */
int raia_loop_fd(const struct raia_loop *loop);
double raia_loop_patience(const struct raia_loop *loop);

#endif
