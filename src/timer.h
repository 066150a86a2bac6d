/* What has a time, and what there is to tell. */
#ifndef RAIA_TIMER_H
#define RAIA_TIMER_H

#include "ring.h"

enum raia_source { RAIA_OF_TRANSFER, RAIA_OF_TIMER };

/* Something that the pool's owner has not been told yet. */
struct raia_news {
  struct raia_link link;
  enum raia_source source;
};

/* Something to be done at a time. */
struct raia_timer {
  struct raia_link link; /* in a ring, the soonest first */
  double due;            /* on the clock of raia_now */
  enum raia_source source;
};

/* A timer of its own: when it is due, there is news. */
struct raia_alarm {
  struct raia_timer timer;
  struct raia_news news;
};

/* Seconds of a clock that never goes back. */
double raia_now(void);

/* Puts a timer that is in no ring into one, in its place: most come last. */
void raia_timer_set(struct raia_link *timers, struct raia_timer *timer,
                    double due, enum raia_source source);

/* The soonest, or NULL. */
struct raia_timer *raia_timer_first(const struct raia_link *timers);

#endif
