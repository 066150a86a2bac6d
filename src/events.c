/* Which sockets are ready: epoll where there is one, else poll. */
#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__linux__) && !defined(RAIA_POLL)

#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* What is known of a socket. */
struct watch {
  bool lasting; /* its opening was told, so its closing will be */
  signed char wanted, system; /* what is waited for, what epoll waits for */
  signed char tag;
};

struct raia_events {
  int fd, wake;          /* of epoll, and of an eventfd in it */
  struct watch *watches; /* by descriptor */
  int room;
};

/* What is known of `fd`, or NULL when out of memory. */
static struct watch *watch(struct raia_events *set, int fd) {
  if (fd >= set->room) {
    int room = fd + fd / 2 + 64;
    struct watch *watches =
        realloc(set->watches, (size_t)room * sizeof *watches);
    if (watches == NULL)
      return NULL;
    memset(watches + set->room, 0,
           (size_t)(room - set->room) * sizeof *watches);
    set->watches = watches;
    set->room = room;
  }
  return &set->watches[fd];
}

/* Has epoll wait for `what` of `fd`, with `tag`; 0 ends it. */
static bool tell_system(struct raia_events *set, int fd, int what, int tag) {
  struct epoll_event event = {0};
  event.data.u64 = (uint64_t)(unsigned)tag << 32 | (unsigned)fd;
  event.events = ((what & RAIA_READABLE) ? (unsigned)EPOLLIN : 0u) |
                 ((what & RAIA_WRITABLE) ? (unsigned)EPOLLOUT : 0u);
  if (what == 0) { /* it may be closed, and so gone, already */
    (void)epoll_ctl(set->fd, EPOLL_CTL_DEL, fd, &event);
    return true;
  }
  return epoll_ctl(set->fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
         (errno == ENOENT &&
          epoll_ctl(set->fd, EPOLL_CTL_ADD, fd, &event) == 0);
}

struct raia_events *raia_events_open(void) {
  struct raia_events *set = calloc(1, sizeof *set);
  if (set == NULL)
    return NULL;
  set->fd = epoll_create1(EPOLL_CLOEXEC);
  set->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (set->fd < 0 || set->wake < 0 ||
      !raia_events_set(set, set->wake, RAIA_READABLE, 0)) {
    raia_events_close(set);
    return NULL;
  }
  return set;
}

void raia_events_wake(struct raia_events *set) {
  uint64_t one = 1;
  (void)!write(set->wake, &one, sizeof one); /* when full, it is awake */
}

void raia_events_close(struct raia_events *set) {
  if (set == NULL)
    return;
  if (set->fd >= 0)
    close(set->fd);
  if (set->wake >= 0)
    close(set->wake);
  free(set->watches);
  free(set);
}

bool raia_events_set(struct raia_events *set, int fd, int what, int tag) {
  struct watch *w = watch(set, fd);
  if (w == NULL)
    return tell_system(set, fd, what, tag);
  w->wanted = (signed char)what;
  if (w->lasting && (what == 0 || (what == w->system && tag == w->tag)))
    return true;
  if (!tell_system(set, fd, what, tag))
    return false;
  w->system = (signed char)what;
  w->tag = (signed char)tag;
  return true;
}

void raia_events_opened(struct raia_events *set, int fd) {
  struct watch *w = watch(set, fd);
  if (w != NULL)
    *w = (struct watch){.lasting = true};
}

void raia_events_closing(struct raia_events *set, int fd) {
  struct watch *w = watch(set, fd);
  if (w != NULL && w->system != 0)
    tell_system(set, fd, 0, 0); /* a fork may hold it open */
  if (w != NULL)
    *w = (struct watch){0};
}

int raia_events_wait(struct raia_events *set, int milliseconds,
                     struct raia_event *out, int room) {
  struct epoll_event ready[64];
  int n = epoll_wait(set->fd, ready, room < 64 ? room : 64, milliseconds);
  int told = 0;
  for (int i = 0; i < n; i++) {
    struct raia_event *event = &out[told];
    event->fd = (int)(ready[i].data.u64 & 0xFFFFFFFFu);
    event->tag = (int)(ready[i].data.u64 >> 32);
    if (event->fd == set->wake) {
      uint64_t count;
      (void)!read(set->wake, &count, sizeof count);
      continue;
    }
    struct watch *w = watch(set, event->fd);
    if (w != NULL && w->lasting && w->wanted == 0) { /* of a connection that */
      tell_system(set, event->fd, 0, 0);             /* nobody uses */
      w->system = 0;
      continue;
    }
    told++;
    event->what = ((ready[i].events & EPOLLIN) ? RAIA_READABLE : 0) |
                  ((ready[i].events & EPOLLOUT) ? RAIA_WRITABLE : 0);
    if (ready[i].events & (EPOLLERR | EPOLLHUP)) /* reading will tell */
      event->what |= RAIA_READABLE | RAIA_WRITABLE;
  }
  return n < 0 ? n : told;
}

int raia_events_fd(const struct raia_events *set) { return set->fd; }

#else

#include <poll.h>

struct raia_events {
  struct pollfd *fds;
  int *tags; /* of the same index */
  nfds_t length, capacity;
};

struct raia_events *raia_events_open(void) {
  return calloc(1, sizeof(struct raia_events));
}

void raia_events_close(struct raia_events *set) {
  if (set != NULL) {
    free(set->fds);
    free(set->tags);
  }
  free(set);
}

static bool grow(struct raia_events *set) {
  nfds_t capacity = set->capacity * 2 + 8;
  struct pollfd *fds = realloc(set->fds, capacity * sizeof *fds);
  if (fds != NULL)
    set->fds = fds;
  int *tags = realloc(set->tags, capacity * sizeof *tags);
  if (tags != NULL)
    set->tags = tags;
  if (fds == NULL || tags == NULL)
    return false;
  set->capacity = capacity;
  return true;
}

bool raia_events_set(struct raia_events *set, int fd, int what, int tag) {
  nfds_t i = 0;
  while (i < set->length && set->fds[i].fd != fd)
    i++;
  if (what == 0) {
    if (i < set->length) {
      set->fds[i] = set->fds[--set->length];
      set->tags[i] = set->tags[set->length];
    }
    return true;
  }
  if (i == set->length) {
    if (set->length == set->capacity && !grow(set))
      return false;
    set->length++;
  }
  set->fds[i].fd = fd;
  set->tags[i] = tag;
  set->fds[i].revents = 0;
  set->fds[i].events = (short)(((what & RAIA_READABLE) ? POLLIN : 0) |
                               ((what & RAIA_WRITABLE) ? POLLOUT : 0));
  return true;
}

int raia_events_wait(struct raia_events *set, int milliseconds,
                     struct raia_event *out, int room) {
  int n = poll(set->fds, set->length, milliseconds);
  if (n < 0)
    return -1;
  n = 0;
  for (nfds_t i = 0; i < set->length && n < room; i++) {
    short ready = set->fds[i].revents;
    if (ready == 0)
      continue;
    out[n].fd = set->fds[i].fd;
    out[n].tag = set->tags[i];
    out[n].what = ((ready & POLLIN) ? RAIA_READABLE : 0) |
                  ((ready & POLLOUT) ? RAIA_WRITABLE : 0);
    if (ready & (POLLERR | POLLHUP | POLLNVAL))
      out[n].what |= RAIA_READABLE | RAIA_WRITABLE;
    n++;
  }
  return n;
}

void raia_events_opened(struct raia_events *set, int fd) {
  (void)set;
  (void)fd;
}

void raia_events_closing(struct raia_events *set, int fd) {
  (void)raia_events_set(set, fd, 0, 0);
}

void raia_events_wake(struct raia_events *set) { (void)set; }

int raia_events_fd(const struct raia_events *set) {
  (void)set;
  return -1;
}

#endif
