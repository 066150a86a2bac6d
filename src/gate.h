/* How many of a client's attempts may be under way, and from when on. */
#ifndef RAIA_GATE_H
#define RAIA_GATE_H

#include "protocol.h"
#include "ring.h"

/* Transfers that may share a connection which multiplexes (HTTP/2). */
enum { RAIA_STREAMS = 100 };

struct raia_gate {
  struct raia_link queue;   /* transfers, by their link, the oldest first */
  long connections, active; /* the most there may be; attempts under way */
  bool https;
  enum raia_protocol protocol; /* that the server was last seen to speak */
  struct raia_link widened;    /* in the pool's list of gates with more room */
  double not_before;           /* when the service wants to be asked again */
};

/* Whether one more attempt may begin. While nobody knows whether the server
   multiplexes, one makes a connection, and the others wait to be told: so that
   many calls at once neither make a connection each to a server of HTTP/2, nor
   wait on one of HTTP/1 for each other's answers. */
static inline bool raia_gate_open(const struct raia_gate *gate) {
  switch (gate->protocol) {
  case RAIA_PROTOCOL_UNKNOWN:
    return gate->active == 0 && gate->connections > 0;
  case RAIA_HTTP2:
    return gate->active / RAIA_STREAMS < gate->connections;
  default:
    return gate->active < gate->connections;
  }
}

#endif
