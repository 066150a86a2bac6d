/* Timers, in a pairing heap. */
#include "timer.h"

#include <stddef.h>

/* Melds two heaps, either of which may be empty. */
static struct raia_timer *join(struct raia_timer *a, struct raia_timer *b) {
  if (a == NULL || b == NULL)
    return a == NULL ? b : a;
  if (b->due < a->due) {
    struct raia_timer *sooner = b;
    b = a;
    a = sooner;
  }
  b->next = a->below;
  b->previous = a;
  if (b->next != NULL)
    b->next->previous = b;
  a->below = b;
  return a;
}

/* Melds a timer and its siblings into one heap: in pairs, then from the last
   pair to the first. */
static struct raia_timer *join_all(struct raia_timer *sibling) {
  struct raia_timer *pairs = NULL, *all = NULL;
  while (sibling != NULL) {
    struct raia_timer *a = sibling, *b = a->next;
    sibling = b == NULL ? NULL : b->next;
    a->next = NULL;
    if (b != NULL)
      b->next = NULL;
    struct raia_timer *pair = join(a, b);
    pair->next = pairs;
    pairs = pair;
  }
  while (pairs != NULL) {
    struct raia_timer *pair = pairs;
    pairs = pair->next;
    pair->next = NULL;
    all = join(all, pair);
  }
  return all;
}

void raia_timer_set(struct raia_timers *timers, struct raia_timer *timer,
                    double due, void (*fire)(struct raia_timer *timer)) {
  *timer = (struct raia_timer){.due = due, .fire = fire, .in = timers};
  timers->first = join(timers->first, timer);
}

void raia_timer_stop(struct raia_timer *timer) {
  struct raia_timers *timers = timer->in;
  if (timers == NULL)
    return;
  struct raia_timer *below = join_all(timer->below);
  if (timer == timers->first) {
    timers->first = below;
  } else {
    if (timer->previous->below == timer)
      timer->previous->below = timer->next;
    else
      timer->previous->next = timer->next;
    if (timer->next != NULL)
      timer->next->previous = timer->previous;
    timers->first = join(timers->first, below);
  }
  if (timers->first != NULL)
    timers->first->next = timers->first->previous = NULL;
  timer->in = NULL;
}
