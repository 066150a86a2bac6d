/* Which sockets are ready, of those that anybody waits for. */
#include "events.h"

#include "events_system.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is known about a socket. */
struct watch {
  bool lasting; /* its opening was reported, so its closing will be */
  signed char wanted,
      set; /* events wanted, events registered with the system */
  signed char tag;
};

struct raia_events {
  struct raia_system *system;
  struct watch *watches; /* by descriptor */
  int room;
};

/* The entry of `fd`, or NULL when out of memory. */
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

struct raia_events *raia_events_open(void) {
  struct raia_events *set = calloc(1, sizeof *set);
  if (set == NULL)
    return NULL;
  set->system = raia_system_open();
  if (set->system == NULL) {
    free(set);
    return NULL;
  }
  return set;
}

void raia_events_close(struct raia_events *set) {
  if (set == NULL)
    return;
  raia_system_close(set->system);
  free(set->watches);
  free(set);
}

bool raia_events_set(struct raia_events *set, int fd, int what, int tag) {
  struct watch *w = watch(set, fd);
  if (w == NULL)
    return raia_system_set(set->system, fd, what, tag);
  w->wanted = (signed char)what;
  if (w->lasting && (what == 0 || (what == w->set && tag == w->tag)))
    return true;
  if (!raia_system_set(set->system, fd, what, tag))
    return false;
  w->set = (signed char)what;
  w->tag = (signed char)tag;
  return true;
}

void raia_events_opened(struct raia_events *set, int fd) {
  struct watch *w = watch(set, fd);
  if (w != NULL)
    w->lasting = true;
}

void raia_events_closing(struct raia_events *set, int fd) {
  struct watch *w = watch(set, fd);
  if (w != NULL && w->set != 0)
    raia_system_set(set->system, fd, 0,
                    0); /* a forked child may keep it open */
  if (w != NULL)
    *w = (struct watch){0};
}

int raia_events_wait(struct raia_events *set, double seconds,
                     struct raia_event *out, int room) {
  int milliseconds = (int)ceil(fmin(seconds, 1e6) * 1000);
  int n = raia_system_wait(set->system, milliseconds, out, room);
  int told = 0;
  for (int i = 0; i < n; i++) {
    struct watch *w = watch(set, out[i].fd);
    if (w != NULL && w->lasting && w->wanted == 0) { /* of a connection that */
      raia_system_set(set->system, out[i].fd, 0, 0); /* nobody uses */
      w->set = 0;
    } else {
      out[told++] = out[i];
    }
  }
  return told;
}

void raia_events_wake(struct raia_events *set) {
  raia_system_wake(set->system);
}

int raia_events_fd(const struct raia_events *set) {
  return raia_system_fd(set->system);
}
