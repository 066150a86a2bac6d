/* All that is in flight in a Lua state: libcurl's multi handles, their
   sockets, timers, and what there is to tell. In the child of a fork, what is
   in flight ends, and all connections and descriptors are new; those of the
   parent are left alone. */
#ifndef RAIA_LOOP_H
#define RAIA_LOOP_H

#include "limiter.h"
#include "list.h"
#include "multi.h"
#include "sockets.h"
#include "timer.h"

/* libcurl goes through all connections of a multi handle for each request,
   which makes a thousand of them slow: so there are as many multi handles as
   it takes. HTTP/2 keeps to one of them, because it is to share few
   connections, and libcurl can be told so only for a whole multi handle. */
enum { RAIA_MULTIS = 32 };

/* Something that is in flight. */
struct raia_job {
  struct raia_link link;
  /* Ends it as closed; `forked`: it goes on in the parent process. It is out
     of the list then. */
  void (*stop)(struct raia_job *job, bool forked);
};

/* Something that the loop's owner has not been told yet. */
struct raia_completion {
  struct raia_link link;
  void (*tell)(struct raia_completion *completion, void *context);
};

/* A timer of the owner's: there is a completion when it is due. */
struct raia_alarm {
  struct raia_timer timer;
  struct raia_loop *loop;
  struct raia_completion completion;
};

struct raia_loop {
  struct raia_multi multis[RAIA_MULTIS];
  int open;                       /* from here on, none has ever been used */
  struct raia_multi *multiplexed; /* the one of HTTP/2, or NULL */
  struct raia_events *events;     /* NULL: closed */
  struct raia_link jobs;          /* the oldest first */
  long in_flight;                 /* how many those are */
  struct raia_timers timers;
  struct raia_link completions; /* the oldest first */
  struct raia_link deferred;
  struct raia_sockets sockets;
  unsigned random;
  unsigned forks; /* of the process, when it was opened or begun anew */
};

/* Opens a zeroed loop. False when out of memory or descriptors; then, too,
   close must be called. */
bool raia_loop_open(struct raia_loop *loop);

/* Ends what is in flight as closed and frees all. Idempotent. */
void raia_loop_close(struct raia_loop *loop);

/* Ends what is the parent's if the process has forked. Whatever works with a
   loop calls this first. */
void raia_loop_after_fork(struct raia_loop *loop);

/* Waits up to `seconds` for something to happen, a signal included, and moves
   everything along. Returns at once when there are completions. */
void raia_loop_step(struct raia_loop *loop, double seconds);

/* A descriptor that is readable when a step would find something, or -1; and
   after how many seconds one would anyway, negative for never. */
int raia_loop_fd(const struct raia_loop *loop);
double raia_loop_next_timeout(const struct raia_loop *loop);

/* Makes the descriptor readable until the next step. */
void raia_loop_wake(struct raia_loop *loop);

/* The oldest completion, which is forgotten, or NULL. */
struct raia_completion *raia_loop_completion(struct raia_loop *loop);

/* Sets an alarm that is not set, or takes it back. */
void raia_loop_alarm(struct raia_loop *loop, struct raia_alarm *alarm,
                     double seconds);
void raia_alarm_stop(struct raia_alarm *alarm);

/* ---- for what is in flight ---- */

void raia_loop_add(struct raia_loop *loop, struct raia_job *job);
void raia_loop_remove(struct raia_loop *loop, struct raia_job *job);
void raia_loop_complete(struct raia_loop *loop,
                        struct raia_completion *completion);

/* Has something done when libcurl has returned. */
void raia_loop_defer(struct raia_loop *loop, struct raia_deferred *deferred);

/* A multi handle for one more attempt, open; NULL when out of memory. */
struct raia_multi *raia_loop_choose(struct raia_loop *loop,
                                    enum raia_protocol protocol);

/* A connection of HTTP/2 was made in that multi handle. */
void raia_loop_multiplexes(struct raia_loop *loop, struct raia_multi *multi);

/* A socket has become a connection between those ports, over which requests
   are multiplexed or not. A socket is about to be closed. */
void raia_loop_connected(struct raia_loop *loop, int fd, int own, int peer,
                         bool multiplexes);
void raia_loop_closing(struct raia_loop *loop, int fd);

/* The socket of the open connection between those ports, or -1. */
int raia_loop_socket(const struct raia_loop *loop, int own, int peer);

/* A number from [0, 1). */
double raia_loop_random(struct raia_loop *loop);

#endif
