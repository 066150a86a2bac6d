/* As much of a BSD's <sys/event.h> as raia uses; see ../kqueue.c. */
#ifndef SYS_EVENT_H
#define SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned fflags;
  intptr_t data;
  void *udata;
};

enum { EV_ADD = 0x1, EV_DELETE = 0x2, EV_CLEAR = 0x20, EV_RECEIPT = 0x40 };
enum { EV_ERROR = 0x4000, EV_EOF = 0x8000 };
#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER (-11)
#define NOTE_TRIGGER 0x01000000

#define EV_SET(event, id, f, fl, ff, d, u)                                    \
  (*(event) = (struct kevent){(id), (f), (fl), (ff), (d), (u)})

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int n_changes,
           struct kevent *events, int n_events,
           const struct timespec *timeout);

/* What close(2) does to a queue. */
#define close kqueue_close
int kqueue_close(int fd);

#endif
