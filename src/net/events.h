/* Which sockets are ready. */
#ifndef RAIA_EVENTS_H
#define RAIA_EVENTS_H

#include <stdbool.h>

enum { RAIA_READABLE = 1, RAIA_WRITABLE = 2 };

struct raia_event {
  int fd, what; /* what: RAIA_READABLE | RAIA_WRITABLE */
  int tag;      /* as it was set */
};

struct raia_events; /* a set of sockets */

/* NULL when out of memory or of descriptors. */
struct raia_events *raia_events_open(void);
void raia_events_close(struct raia_events *set);

/* Waits for `what` of `fd` from now on; 0 ends it. False when it can't. */
bool raia_events_set(struct raia_events *set, int fd, int what, int tag);

/* A socket for connections that has just been made, or is about to be closed:
   between the two it stays known to the system also while nothing is waited
   for, which saves two calls a request on a kept connection. Sockets that are
   not told of are fine, too. */
void raia_events_opened(struct raia_events *set, int fd);
void raia_events_closing(struct raia_events *set, int fd);

/* Waits up to `seconds`, or until a signal comes, and fills in at most `room`
   events. Returns how many. */
int raia_events_wait(struct raia_events *set, double seconds,
                     struct raia_event *out, int room);

/* Has the set's descriptor be readable until the next wait. */
void raia_events_wake(struct raia_events *set);

/* A descriptor that is readable when the set has an event. */
int raia_events_fd(const struct raia_events *set);

#endif
