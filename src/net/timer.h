/* What has a time, and what there is to tell. */
#ifndef RAIA_TIMER_H
#define RAIA_TIMER_H

#include "list.h"

enum raia_source { RAIA_OF_TRANSFER, RAIA_OF_TIMER };

/* Something that the loop's owner has not been told yet. */
struct raia_completion {
  struct raia_link link;
  enum raia_source source;
};

/* Something to be done at a time. One of only zeros is not set. */
struct raia_timer {
  double due; /* on the clock of raia_now */
  enum raia_source source;
  struct raia_timers *in; /* those that it is set among, or NULL */
  /* A pairing heap: the first of the timers that come after this one, its
     sibling, and the sibling before it or, for the first, the one above. */
  struct raia_timer *below, *next, *previous;
};

/* Those that are set. */
struct raia_timers {
  struct raia_timer *first; /* the soonest, or NULL */
};

/* A timer of its own: when it is due, there is completion. */
struct raia_alarm {
  struct raia_timer timer;
  struct raia_completion completion;
};

/* Seconds of a clock that never goes back. */
double raia_now(void);

/* Sets a timer that is not set. */
void raia_timer_set(struct raia_timers *timers, struct raia_timer *timer,
                    double due, enum raia_source source);

/* Takes it back, if it is set. */
void raia_timer_stop(struct raia_timer *timer);

#endif
