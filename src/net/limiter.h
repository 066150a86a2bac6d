/* How many attempts of a client may run at once, and not before when. */
#ifndef RAIA_LIMITER_H
#define RAIA_LIMITER_H

#include "list.h"
#include "protocol.h"

#include <stdbool.h>

/* Calls that may share a multiplexed (HTTP/2) connection. */
enum { RAIA_STREAMS = 100 };

/* Work deferred until libcurl has returned. */
struct raia_deferred {
  struct raia_link link;
  void (*run)(struct raia_deferred *deferred);
};

struct raia_limiter {
  struct raia_link queue;   /* calls waiting for room, oldest first */
  long connections, active; /* the limit; attempts running */
  bool https;
  bool cold; /* no connection has shown which protocol the server speaks */
  enum raia_protocol protocol; /* that the server was last seen to speak */
  double not_before; /* after a 429: no attempt before then, 0: no limit */
  struct raia_deferred recheck; /* begins queued calls */
};

/* Whether another attempt may begin. While the client is cold, one attempt
   connects and the others wait to learn whether the server multiplexes:
   otherwise many calls at once would each open a connection to an HTTP/2
   server, or queue behind each other on one HTTP/1 connection. */
static inline bool raia_limiter_open(const struct raia_limiter *limiter) {
  if (limiter->cold)
    return limiter->active == 0 && limiter->connections > 0;
  return limiter->active /
             (limiter->protocol == RAIA_HTTP2 ? RAIA_STREAMS : 1) <
         limiter->connections;
}

/* Records the server's protocol, possibly unknown. Returns whether the queue
   must be rechecked. */
static inline bool raia_limiter_learned(struct raia_limiter *limiter,
                                        enum raia_protocol protocol) {
  bool was_open = raia_limiter_open(limiter);
  limiter->protocol = protocol == RAIA_HTTP2 ? RAIA_HTTP2 : RAIA_HTTP1;
  limiter->cold = false;
  return !was_open && !raia_list_empty(&limiter->queue);
}

#endif
