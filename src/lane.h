/* A multi handle of libcurl: its transfers, its sockets and its timer. */
#ifndef RAIA_LANE_H
#define RAIA_LANE_H

#include <stdbool.h>

struct raia_events;
struct raia_handle;

struct raia_lane {
  void *multi;      /* NULL: closed, or not opened yet */
  double due;       /* when libcurl wants to be called, 0: never */
  long active;      /* handles in it */
  double idle_from; /* the pool's: since when there is none, if it knows */
  struct raia_events *events;
  int tag; /* of its sockets among the events */
};

/* Opens one that is not open. False when out of memory. */
bool raia_lane_open(struct raia_lane *lane, struct raia_events *events,
                    int tag);

/* From now on, has what is added share few connections. */
void raia_lane_multiplex(struct raia_lane *lane);

/* Ends its connections. No handle may be in it. */
void raia_lane_close(struct raia_lane *lane);

/* Leaves it, in the child of a fork, to the parent. */
void raia_lane_leave(struct raia_lane *lane);

/* Puts a handle in, or says that there is no memory; and takes it out, where
   it has not been left with the lane. */
bool raia_lane_add(struct raia_lane *lane, struct raia_handle *handle);
void raia_lane_remove(struct raia_lane *lane, struct raia_handle *handle);

/* Has libcurl look at a socket, or do what is due. False when that is out of
   memory: it has lost sockets then, does not say whose, and may crash at the
   next one. */
bool raia_lane_act(struct raia_lane *lane, int fd, int what);
bool raia_lane_advance(struct raia_lane *lane);

/* A handle whose transfer has ended, and with what code of libcurl's; or
   NULL. */
struct raia_handle *raia_lane_ended(struct raia_lane *lane, int *code);

#endif
