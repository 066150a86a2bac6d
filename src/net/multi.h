/* A multi handle of libcurl: its transfers, its sockets and its timer. */
#ifndef RAIA_MULTI_H
#define RAIA_MULTI_H

#include "limiter.h"
#include "list.h"

#include <stdbool.h>

struct raia_events;
struct raia_handle;

struct raia_multi {
  void *curl;               /* NULL: closed, or not opened yet */
  double due;               /* when libcurl wants to be called, 0: never */
  struct raia_link handles; /* the handles in it */
  long active;              /* their number */
  struct raia_deferred refusals; /* ends what a server has refused */
  double idle_from;              /* since when it has been empty, 0: unknown */
  struct raia_events *events;
  int tag; /* tag of its sockets in the events */
};

/* Opens a closed one. False when out of memory. */
bool raia_multi_open(struct raia_multi *multi, struct raia_events *events,
                     int tag);

/* Makes requests added from now on share few connections. */
void raia_multi_multiplex(struct raia_multi *multi);

/* Closes it and its connections. It must be empty. */
void raia_multi_close(struct raia_multi *multi);

/* In a forked child, leaves it and its handles to the parent. */
void raia_multi_abandon(struct raia_multi *multi);

/* Adds a handle, false when out of memory; removes a handle unless it was
   abandoned. */
bool raia_multi_add(struct raia_multi *multi, struct raia_handle *handle);
void raia_multi_remove(struct raia_multi *multi, struct raia_handle *handle);

/* Lets libcurl handle a socket or do what is due. False when it runs out of
   memory: it has then lost sockets without saying whose, and may crash on the
   next call. */
bool raia_multi_act(struct raia_multi *multi, int fd, int what);
bool raia_multi_advance(struct raia_multi *multi);

/* A handle whose transfer has ended, with libcurl's code; or NULL. */
enum { RAIA_MULTI_FAILED = -1 }; /* set by the loop in place of a code */
struct raia_handle *raia_multi_ended(struct raia_multi *multi, int *code);

#endif
