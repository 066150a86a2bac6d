/* Waiting for sockets by poll, where there is nothing better. */
#include "events_system.h"

#ifdef RAIA_HAS_POLL

#include <poll.h>
#include <stdlib.h>

struct raia_system {
  struct pollfd *fds;
  int *tags; /* of the same index */
  nfds_t length, capacity;
};

struct raia_system *raia_system_open(void) {
  return calloc(1, sizeof(struct raia_system));
}

void raia_system_close(struct raia_system *system) {
  free(system->fds);
  free(system->tags);
  free(system);
}

static bool grow(struct raia_system *system) {
  nfds_t capacity = system->capacity * 2 + 8;
  struct pollfd *fds = realloc(system->fds, capacity * sizeof *fds);
  if (fds != NULL)
    system->fds = fds;
  int *tags = realloc(system->tags, capacity * sizeof *tags);
  if (tags != NULL)
    system->tags = tags;
  if (fds == NULL || tags == NULL)
    return false;
  system->capacity = capacity;
  return true;
}

bool raia_system_set(struct raia_system *system, int fd, int what, int tag) {
  nfds_t i = 0;
  while (i < system->length && system->fds[i].fd != fd)
    i++;
  if (what == 0) {
    if (i < system->length) {
      system->fds[i] = system->fds[--system->length];
      system->tags[i] = system->tags[system->length];
    }
    return true;
  }
  if (i == system->length) {
    if (system->length == system->capacity && !grow(system))
      return false;
    system->length++;
  }
  system->fds[i].fd = fd;
  system->tags[i] = tag;
  system->fds[i].revents = 0;
  system->fds[i].events = (short)(((what & RAIA_READABLE) ? POLLIN : 0) |
                                  ((what & RAIA_WRITABLE) ? POLLOUT : 0));
  return true;
}

int raia_system_wait(struct raia_system *system, int milliseconds,
                     const sigset_t *mask, struct raia_event *out, int room) {
  (void)mask;
  int n = poll(system->fds, system->length, milliseconds);
  if (n < 0)
    return -1;
  n = 0;
  for (nfds_t i = 0; i < system->length && n < room; i++) {
    short ready = system->fds[i].revents;
    if (ready == 0)
      continue;
    out[n].fd = system->fds[i].fd;
    out[n].tag = system->tags[i];
    out[n].what = ((ready & POLLIN) ? RAIA_READABLE : 0) |
                  ((ready & POLLOUT) ? RAIA_WRITABLE : 0);
    if (ready & (POLLERR | POLLHUP | POLLNVAL))
      out[n].what |= RAIA_READABLE | RAIA_WRITABLE;
    n++;
  }
  return n;
}

bool raia_system_alone(void) { return false; }

void raia_system_wake(struct raia_system *system) { (void)system; }

int raia_system_fd(const struct raia_system *system) {
  (void)system;
  return -1;
}

#endif
