/* A kqueue for Linux, made of epoll, so that src/events_kqueue.c can be run:
   one event a descriptor and filter, which goes with the descriptor; errors
   and receipts in the list of events; and a child of a fork has no queue. What
   raia does not use is EINVAL, and a queue belongs to one thread. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/event.h"
#undef close

enum { MOST = 4096 }; /* descriptors */
enum { READING, WRITING, FILTERS };

struct note {
  bool on;
  void *udata;
};

struct queue {
  struct note notes[MOST][FILTERS]; /* by descriptor */
  struct note user;                 /* of ident 0 */
};

static struct queue *queues[MOST]; /* by descriptor */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int always; /* a descriptor that is readable: events of the user's */

static void before_fork(void) { pthread_mutex_lock(&lock); }

static void in_parent(void) { pthread_mutex_unlock(&lock); }

static void in_child(void) {
  for (int fd = 0; fd < MOST; fd++)
    if (queues[fd] != NULL) {
      close(fd);
      free(queues[fd]);
      queues[fd] = NULL;
    }
  pthread_mutex_unlock(&lock);
}

static void init(void) {
  always = eventfd(1, EFD_CLOEXEC);
  pthread_atfork(before_fork, in_parent, in_child);
}

static struct queue *find(int fd) {
  pthread_mutex_lock(&lock);
  struct queue *queue = fd >= 0 && fd < MOST ? queues[fd] : NULL;
  pthread_mutex_unlock(&lock);
  return queue;
}

int kqueue(void) {
  pthread_once(&once, init);
  pthread_mutex_lock(&lock);
  struct queue *queue = calloc(1, sizeof *queue);
  int fd = queue == NULL ? -1 : epoll_create1(0);
  if (fd >= MOST)
    abort();
  if (fd >= 0)
    queues[fd] = queue;
  else
    free(queue);
  pthread_mutex_unlock(&lock);
  return fd;
}

int kqueue_close(int fd) {
  pthread_mutex_lock(&lock);
  if (fd >= 0 && fd < MOST) {
    free(queues[fd]);
    queues[fd] = NULL;
  }
  int result = close(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

/* Has epoll wait for `events` of `fd`, where it does (`known`) or not. */
static bool control(int epoll, int fd, unsigned events, bool known) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  int operation = !known        ? EPOLL_CTL_ADD
                  : events == 0 ? EPOLL_CTL_DEL
                                : EPOLL_CTL_MOD;
  return epoll_ctl(epoll, operation, fd, &event) == 0;
}

static unsigned events_of(const struct note *notes) {
  return (notes[READING].on ? EPOLLIN | EPOLLRDHUP : 0u) |
         (notes[WRITING].on ? (unsigned)EPOLLOUT : 0u);
}

static int change_user(int epoll, struct note *user,
                       const struct kevent *change) {
  bool known = user->on;
  if (change->ident != 0 || (change->flags & EV_DELETE))
    return EINVAL;
  if (!known && !(change->flags & EV_ADD))
    return ENOENT;
  if (change->flags & EV_ADD) {
    if (!(change->flags & EV_CLEAR))
      return EINVAL;
    *user = (struct note){true, change->udata};
  }
  struct epoll_event event = {.data.fd = always};
  event.events = change->fflags == NOTE_TRIGGER ? EPOLLIN : 0;
  int operation = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  return epoll_ctl(epoll, operation, always, &event) == 0 ? 0 : errno;
}

static int change_socket(int epoll, struct note *notes,
                         const struct kevent *change) {
  int fd = (int)change->ident;
  struct note *note =
      &notes[change->filter == EVFILT_READ ? READING : WRITING];
  unsigned before = events_of(notes);
  if (before != 0 && !control(epoll, fd, before, true)) { /* it was closed */
    notes[READING].on = notes[WRITING].on = false;
    before = 0;
  }
  if (fcntl(fd, F_GETFD) < 0)
    return EBADF;
  if (!note->on && !(change->flags & EV_ADD))
    return ENOENT;
  note->on = !(change->flags & EV_DELETE);
  note->udata = change->udata;
  if (control(epoll, fd, events_of(notes), before != 0))
    return 0;
  note->on = false;
  return errno;
}

/* Gives the error, or 0. */
static int apply(int epoll, struct queue *queue, const struct kevent *change) {
  int known = EV_ADD | EV_DELETE | EV_CLEAR | EV_RECEIPT;
  if (change->flags & ~known)
    return EINVAL;
  if (change->filter == EVFILT_USER)
    return change_user(epoll, &queue->user, change);
  if ((change->filter != EVFILT_READ && change->filter != EVFILT_WRITE) ||
      (change->flags & EV_CLEAR))
    return EINVAL;
  return change->ident >= MOST
             ? EBADF
             : change_socket(epoll, queue->notes[change->ident], change);
}

/* Fills in the events that one of epoll stands for; gives how many. */
static int expand(int epoll, const struct queue *queue,
                  const struct epoll_event *ready, struct kevent *out) {
  static const short filters[] = {EVFILT_READ, EVFILT_WRITE};
  static const unsigned signs[] = {EPOLLIN | EPOLLRDHUP, EPOLLOUT};
  static const unsigned ends[] = {EPOLLRDHUP, 0};
  const unsigned broken = EPOLLHUP | EPOLLERR;
  int n = 0, fd = ready->data.fd, size = 0;
  if (fd == always) {
    struct epoll_event quiet = {.data.fd = always};
    epoll_ctl(epoll, EPOLL_CTL_MOD, always, &quiet);
    EV_SET(out, 0, EVFILT_USER, EV_CLEAR, 0, 0, queue->user.udata);
    return 1;
  }
  (void)ioctl(fd, FIONREAD, &size);
  for (int i = 0; i < FILTERS; i++)
    if (queue->notes[fd][i].on && (ready->events & (signs[i] | broken)))
      EV_SET(&out[n++], (uintptr_t)fd, filters[i],
             (ready->events & (ends[i] | broken)) ? EV_EOF : 0, 0,
             i == READING ? size : 0, queue->notes[fd][i].udata);
  return n;
}

int kevent(int fd, const struct kevent *changes, int n_changes,
           struct kevent *events, int n_events,
           const struct timespec *timeout) {
  struct queue *queue = find(fd);
  struct epoll_event ready[64];
  int n = 0;
  if (queue == NULL) {
    errno = EBADF;
    return -1;
  }
  for (int i = 0; i < n_changes; i++) {
    int error = apply(fd, queue, &changes[i]);
    if (error != 0 && n == n_events) {
      errno = error;
      return -1;
    }
    if (error != 0 || ((changes[i].flags & EV_RECEIPT) && n < n_events)) {
      events[n] = changes[i];
      events[n].flags = EV_ERROR;
      events[n++].data = error;
    }
  }
  if (n > 0 || n_events < FILTERS)
    return n;
  int most = n_events / FILTERS < 64 ? n_events / FILTERS : 64;
  int milliseconds =
      timeout == NULL
          ? -1
          : (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000);
  int found = epoll_wait(fd, ready, most, milliseconds);
  for (int i = 0; i < found; i++)
    n += expand(fd, queue, &ready[i], &events[n]);
  return found < 0 ? found : n;
}
