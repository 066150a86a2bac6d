/* How many of a client's attempts may be under way, and from when on. */
#ifndef RAIA_GATE_H
#define RAIA_GATE_H

#include "ring.h"

/* Transfers that may share a connection which multiplexes (HTTP/2). */
enum { RAIA_STREAMS = 100 };

struct raia_transfer;

struct raia_gate {
  struct raia_link queue;   /* transfers, by their link, the oldest first */
  long connections, active; /* the most there may be; attempts under way */
  bool multiplexes;         /* the server has been seen to speak HTTP/2 */
  int port;                 /* ours, of the connection that `user` is on */
  const struct raia_transfer *user; /* a transfer under way, or NULL */
  double not_before; /* when the service wants to be asked again */
};

/* Whether one more attempt may begin. */
static inline bool raia_gate_open(const struct raia_gate *gate) {
  return gate->active / (gate->multiplexes ? RAIA_STREAMS : 1) <
         gate->connections;
}

#endif
