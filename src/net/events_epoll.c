/* Waiting for sockets by Linux's epoll. */
#include "events_system.h"

#ifdef RAIA_EPOLL

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct raia_system {
  int fd, wake; /* the epoll descriptor and an eventfd in it */
};

bool raia_system_set(struct raia_system *system, int fd, int what, int tag) {
  struct epoll_event event = {0};
  event.data.u64 = (uint64_t)(unsigned)tag << 32 | (unsigned)fd;
  event.events = ((what & RAIA_READABLE) ? (unsigned)EPOLLIN : 0u) |
                 ((what & RAIA_WRITABLE) ? (unsigned)EPOLLOUT : 0u);
  if (what == 0) {
    (void)epoll_ctl(system->fd, EPOLL_CTL_DEL, fd, &event);
    return true;
  }
  return epoll_ctl(system->fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
         (errno == ENOENT &&
          epoll_ctl(system->fd, EPOLL_CTL_ADD, fd, &event) == 0);
}

struct raia_system *raia_system_open(void) {
  struct raia_system *system = calloc(1, sizeof *system);
  if (system == NULL)
    return NULL;
  system->fd = epoll_create1(EPOLL_CLOEXEC);
  system->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (system->fd < 0 || system->wake < 0 ||
      !raia_system_set(system, system->wake, RAIA_READABLE, 0)) {
    raia_system_close(system);
    return NULL;
  }
  return system;
}

void raia_system_close(struct raia_system *system) {
  if (system->fd >= 0)
    close(system->fd);
  if (system->wake >= 0)
    close(system->wake);
  free(system);
}

int raia_system_wait(struct raia_system *system, int milliseconds,
                     struct raia_event *out, int room) {
  struct epoll_event ready[64];
  int n = epoll_wait(system->fd, ready, room < 64 ? room : 64, milliseconds);
  int told = 0;
  for (int i = 0; i < n; i++) {
    struct raia_event *event = &out[told];
    event->fd = (int)(ready[i].data.u64 & 0xFFFFFFFFu);
    event->tag = (int)(ready[i].data.u64 >> 32);
    if (event->fd == system->wake) {
      uint64_t count;
      (void)!read(system->wake, &count, sizeof count);
      continue;
    }
    told++;
    event->what = ((ready[i].events & EPOLLIN) ? RAIA_READABLE : 0) |
                  ((ready[i].events & EPOLLOUT) ? RAIA_WRITABLE : 0);
    if (ready[i].events &
        (EPOLLERR | EPOLLHUP)) /* a read will report the error */
      event->what |= RAIA_READABLE | RAIA_WRITABLE;
  }
  return told;
}

void raia_system_wake(struct raia_system *system) {
  uint64_t one = 1;
  (void)!write(system->wake, &one,
               sizeof one); /* EAGAIN: it is readable already */
}

int raia_system_fd(const struct raia_system *system) { return system->fd; }

#endif
