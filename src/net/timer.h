/* Timers, in a pairing heap. */
#ifndef RAIA_TIMER_H
#define RAIA_TIMER_H

#include <time.h>

/* A timer. A zeroed one is not set. */
struct raia_timer {
  double due;                             /* on the clock of raia_now */
  void (*fire)(struct raia_timer *timer); /* called when it is due; it is no
                                             longer set then */
  struct raia_timers *in;                 /* the timers it is among, or NULL */
  /* Pairing heap: first child, next sibling, and previous sibling or, for a
     first child, the parent. */
  struct raia_timer *below, *next, *previous;
};

/* The timers that are set. */
struct raia_timers {
  struct raia_timer *first; /* the earliest, or NULL */
};

/* Seconds of a clock that never goes back. */
static inline double raia_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Sets a timer that is not set. */
void raia_timer_set(struct raia_timers *timers, struct raia_timer *timer,
                    double due, void (*fire)(struct raia_timer *timer));

/* Stops it, if it is set. */
void raia_timer_stop(struct raia_timer *timer);

#endif
