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
  struct raia_link handles; /* those in it, by their link */
  long active;              /* how many those are */
  struct raia_deferred refusals; /* ends what a server has refused */
  double idle_from; /* the loop's: since when there is none, if it knows */
  struct raia_events *events;
  int tag; /* of its sockets among the events */
};

/* Opens one that is not open. False when out of memory. */
bool raia_multi_open(struct raia_multi *multi, struct raia_events *events,
                     int tag);

/* From now on, has what is added share few connections. */
void raia_multi_multiplex(struct raia_multi *multi);

/* Ends its connections. No handle may be in it. */
void raia_multi_close(struct raia_multi *multi);

/* Leaves it, in the child of a fork, to the parent. Handles stay in it. */
void raia_multi_abandon(struct raia_multi *multi);

/* Puts a handle in, or says that there is no memory; and takes it out, where
   it has not been abandoned with it. */
bool raia_multi_add(struct raia_multi *multi, struct raia_handle *handle);
void raia_multi_remove(struct raia_multi *multi, struct raia_handle *handle);

/* Has libcurl look at a socket, or do what is due. False when that is out of
   memory: it has lost sockets then, does not say whose, and may crash at the
   next one. */
bool raia_multi_act(struct raia_multi *multi, int fd, int what);
bool raia_multi_advance(struct raia_multi *multi);

/* A handle whose transfer has ended, and with what code of libcurl's; or
   NULL. */
enum { RAIA_MULTI_FAILED = -1 }; /* in place of a code, by the loop */
struct raia_handle *raia_multi_ended(struct raia_multi *multi, int *code);

#endif
