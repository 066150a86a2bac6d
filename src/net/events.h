/* Which sockets are ready. */
#ifndef RAIA_EVENTS_H
#define RAIA_EVENTS_H

#include <stdbool.h>

enum { RAIA_READABLE = 1, RAIA_WRITABLE = 2 };

struct raia_event {
  int fd, what; /* what: RAIA_READABLE | RAIA_WRITABLE */
  int tag;      /* as given */
};

struct raia_events; /* a set of sockets */

/* NULL when out of memory or of descriptors. */
struct raia_events *raia_events_open(void);
void raia_events_close(struct raia_events *set);

/* Registers interest in `what` on `fd`; 0 removes it. False on failure. */
bool raia_events_set(struct raia_events *set, int fd, int what, int tag);

/* Reports a connection's socket that was just made or is about to be closed.
   In between it stays registered with the system even while nobody waits for
   it, which saves two system calls per request on a kept connection. Reporting
   is optional. */
void raia_events_opened(struct raia_events *set, int fd);
void raia_events_closing(struct raia_events *set, int fd);

/* Waits up to `seconds` or until a signal, stores at most `room` events and
   returns their number. */
int raia_events_wait(struct raia_events *set, double seconds,
                     struct raia_event *out, int room);

/* Makes the set's descriptor readable until the next wait. */
void raia_events_wake(struct raia_events *set);

/* A descriptor that becomes readable when there is an event. */
int raia_events_fd(const struct raia_events *set);

#endif
