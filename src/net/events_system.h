/* The system's interface for waiting: epoll on Linux, kqueue elsewhere. */
#ifndef RAIA_EVENTS_SYSTEM_H
#define RAIA_EVENTS_SYSTEM_H

#include "events.h"

#if defined(__linux__) && !defined(RAIA_KQUEUE)
#define RAIA_EPOLL
#endif

struct raia_system;

/* NULL when out of memory or of descriptors. */
struct raia_system *raia_system_open(void);
void raia_system_close(struct raia_system *system);

/* Replaces the events registered for `fd` by `what`; 0 removes them, and is
   fine for a closed socket. False on failure. */
bool raia_system_set(struct raia_system *system, int fd, int what, int tag);

/* Like raia_events_wait, but a socket may be reported twice. */
int raia_system_wait(struct raia_system *system, int milliseconds,
                     struct raia_event *out, int room);

/* Like raia_events_wake and raia_events_fd. */
void raia_system_wake(struct raia_system *system);
int raia_system_fd(const struct raia_system *system);

#endif
