/* What has a time, and what there is to tell. */
#include "timer.h"

#include <time.h>

double raia_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void raia_timer_set(struct raia_link *timers, struct raia_timer *timer,
                    double due, enum raia_source source) {
  struct raia_link *place = timers->previous;
  while (place != timers && RAIA_OF(struct raia_timer, link, place)->due > due)
    place = place->previous;
  timer->due = due;
  timer->source = source;
  raia_ring_in(place, &timer->link);
}

struct raia_timer *raia_timer_first(const struct raia_link *timers) {
  return raia_ring_empty(timers)
             ? NULL
             : RAIA_OF(struct raia_timer, link, timers->next);
}
