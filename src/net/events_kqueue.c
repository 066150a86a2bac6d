/* Waiting for sockets by the kqueue of macOS and the BSDs. */
#include "events_system.h"

#ifndef RAIA_EPOLL

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include <sys/event.h> /* after its types */
#include <unistd.h>

struct raia_system {
  int fd; /* not inherited by a forked child, where another may have its number
           */
  char tags[128]; /* an event's tag is a place in here */
};

static const struct timespec at_once = {0, 0};

/* Asks for a receipt for each filter: a filter that was not set, or a socket
   already closed, must not prevent the other change. */
bool raia_system_set(struct raia_system *system, int fd, int what, int tag) {
  static const short filters[] = {EVFILT_READ, EVFILT_WRITE};
  static const int parts[] = {RAIA_READABLE, RAIA_WRITABLE};
  struct kevent changes[2], receipts[2];
  for (int i = 0; i < 2; i++)
    EV_SET(&changes[i], (uintptr_t)fd, filters[i],
           (unsigned short)(EV_RECEIPT |
                            ((what & parts[i]) ? EV_ADD : EV_DELETE)),
           0, 0, &system->tags[tag]);
  if (kevent(system->fd, changes, 2, receipts, 2, &at_once) != 2)
    return what == 0;
  for (int i = 0; i < 2; i++)
    if ((what & parts[i]) && receipts[i].data != 0)
      return false;
  return true;
}

struct raia_system *raia_system_open(void) {
  struct kevent waker;
  struct raia_system *system = calloc(1, sizeof *system);
  if (system == NULL)
    return NULL;
  system->fd = kqueue();
  EV_SET(&waker, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
  if (system->fd < 0 || fcntl(system->fd, F_SETFD, FD_CLOEXEC) < 0 ||
      kevent(system->fd, &waker, 1, NULL, 0, &at_once) < 0) {
    raia_system_close(system);
    return NULL;
  }
  return system;
}

void raia_system_close(struct raia_system *system) {
  if (system->fd >= 0)
    close(system->fd);
  free(system);
}

int raia_system_wait(struct raia_system *system, int milliseconds,
                     struct raia_event *out, int room) {
  struct kevent ready[64];
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  int n = kevent(system->fd, NULL, 0, ready, room < 64 ? room : 64, &time);
  int told = 0;
  for (int i = 0; i < n; i++) {
    if (ready[i].filter == EVFILT_USER)
      continue;
    struct raia_event *event = &out[told++];
    event->fd = (int)ready[i].ident;
    event->tag = (int)((char *)ready[i].udata - system->tags);
    event->what =
        ready[i].filter == EVFILT_READ ? RAIA_READABLE
        : (ready[i].flags & EV_EOF) /* a read will report the error */
            ? RAIA_READABLE | RAIA_WRITABLE
            : RAIA_WRITABLE;
  }
  return told;
}

void raia_system_wake(struct raia_system *system) {
  struct kevent waker;
  EV_SET(&waker, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
  (void)kevent(system->fd, &waker, 1, NULL, 0, &at_once);
}

int raia_system_fd(const struct raia_system *system) { return system->fd; }

#endif
