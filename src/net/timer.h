/* Timers: what is to be done at a time. */
#ifndef RAIA_TIMER_H
#define RAIA_TIMER_H

/* Something to be done at a time. One of only zeros is not set. */
struct raia_timer {
  double due;                             /* on the clock of raia_now */
  void (*fire)(struct raia_timer *timer); /* it is not set any more then */
  struct raia_timers *in; /* those that it is set among, or NULL */
  /* A pairing heap: the first of the timers that come after this one, its
     sibling, and the sibling before it or, for the first, the one above. */
  struct raia_timer *below, *next, *previous;
};

/* Those that are set. */
struct raia_timers {
  struct raia_timer *first; /* the soonest, or NULL */
};

/* Seconds of a clock that never goes back. */
double raia_now(void);

/* Sets a timer that is not set. */
void raia_timer_set(struct raia_timers *timers, struct raia_timer *timer,
                    double due, void (*fire)(struct raia_timer *timer));

/* Takes it back, if it is set. */
void raia_timer_stop(struct raia_timer *timer);

#endif
