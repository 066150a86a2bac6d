/* What the system has to wait for sockets: Linux's epoll, else kqueue. */
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

/* Waits for `what` of `fd` from now on, in place of what it did before; 0 ends
   it, and may be for one that is closed already. False when it can't. */
bool raia_system_set(struct raia_system *system, int fd, int what, int tag);

/* As raia_events_wait. There may be two events of a socket. */
int raia_system_wait(struct raia_system *system, int milliseconds,
                     struct raia_event *out, int room);

/* As raia_events_wake and raia_events_fd. */
void raia_system_wake(struct raia_system *system);
int raia_system_fd(const struct raia_system *system);

#endif
