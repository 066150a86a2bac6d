/* Everything in flight in a Lua state: libcurl's multi handles, their sockets,
   timers and completions. In a forked child, what was in flight ends and
   connections and descriptors are created anew; the parent's are left alone.
 */
#ifndef RAIA_LOOP_H
#define RAIA_LOOP_H

#include "limiter.h"
#include "list.h"
#include "multi.h"
#include "sockets.h"
#include "timer.h"

/* libcurl walks all connections of a multi handle for each request, which is
   slow with a thousand of them, so there are as many multi handles as needed.
   HTTP/2 keeps to one of them, because it should share few connections and
   libcurl limits them per multi handle only. */
enum { RAIA_MULTIS = 32 };

/* Something in flight. */
struct raia_job {
  struct raia_link link;
  /* Ends it as closed and removes it from the list; `forked`: it continues in
     the parent process. */
  void (*stop)(struct raia_job *job, bool forked);
};

/* Something that the loop's owner has yet to be told. */
struct raia_completion {
  struct raia_link link;
  void (*tell)(struct raia_completion *completion, void *context);
};

/* A timer of the owner's; a completion is queued when it is due. */
struct raia_alarm {
  struct raia_timer timer;
  struct raia_loop *loop;
  struct raia_completion completion;
};

struct raia_loop {
  struct raia_multi multis[RAIA_MULTIS];
  int open;                       /* those from here on have never been used */
  struct raia_multi *multiplexed; /* the one for HTTP/2, or NULL */
  struct raia_events *events;     /* NULL: closed */
  struct raia_link jobs;          /* oldest first */
  long in_flight;                 /* their number */
  struct raia_timers timers;
  struct raia_link completions; /* oldest first */
  struct raia_link deferred;
  struct raia_sockets sockets;
  unsigned random;
  unsigned forks; /* the process's fork count when it was opened or reset */
};

/* Opens a zeroed loop. False when out of memory or descriptors; close it in
   either case. */
bool raia_loop_open(struct raia_loop *loop);

/* Ends what is in flight as closed and frees everything. Idempotent. */
void raia_loop_close(struct raia_loop *loop);

/* If the process has forked, abandons what belongs to the parent. Everything
   that uses a loop calls this first. */
void raia_loop_after_fork(struct raia_loop *loop);

/* Waits up to `seconds` for something to happen, a signal included, and
   advances everything in flight. Returns at once if there are completions. */
void raia_loop_step(struct raia_loop *loop, double seconds);

/* A descriptor that becomes readable when a step would find something, or -1;
   and the seconds after which to step regardless, negative for never. */
int raia_loop_fd(const struct raia_loop *loop);
double raia_loop_next_timeout(const struct raia_loop *loop);

/* Makes the descriptor readable until the next step. */
void raia_loop_wake(struct raia_loop *loop);

/* Removes and returns the oldest completion, or NULL. */
struct raia_completion *raia_loop_completion(struct raia_loop *loop);

/* Sets an alarm that is not set; stops one. */
void raia_loop_alarm(struct raia_loop *loop, struct raia_alarm *alarm,
                     double seconds);
void raia_alarm_stop(struct raia_alarm *alarm);

/* ---- for jobs ---- */

void raia_loop_add(struct raia_loop *loop, struct raia_job *job);
void raia_loop_remove(struct raia_loop *loop, struct raia_job *job);
void raia_loop_complete(struct raia_loop *loop,
                        struct raia_completion *completion);

/* Runs deferred work once libcurl has returned. */
void raia_loop_defer(struct raia_loop *loop, struct raia_deferred *deferred);

/* Returns an open multi handle for another attempt, or NULL when out of
   memory. */
struct raia_multi *raia_loop_choose(struct raia_loop *loop,
                                    enum raia_protocol protocol);

/* An HTTP/2 connection was opened in this multi handle. */
void raia_loop_multiplexes(struct raia_loop *loop, struct raia_multi *multi);

/* A socket has become a connection between these ports, multiplexed or not; a
   socket is about to be closed. */
void raia_loop_connected(struct raia_loop *loop, int fd, int own, int peer,
                         bool multiplexes);
void raia_loop_closing(struct raia_loop *loop, int fd);

/* The socket of the open connection between these ports, or -1. */
int raia_loop_socket(const struct raia_loop *loop, int own, int peer);

/* A number from [0, 1). */
double raia_loop_random(struct raia_loop *loop);

#endif
