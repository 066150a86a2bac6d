/* How many of a client's attempts may be under way, and from when on. */
#ifndef RAIA_LIMITER_H
#define RAIA_LIMITER_H

#include "list.h"
#include "protocol.h"

#include <stdbool.h>

/* Calls that may share a connection which multiplexes (HTTP/2). */
enum { RAIA_STREAMS = 100 };

/* Something to be done once libcurl has returned. */
struct raia_deferred {
  struct raia_link link;
  void (*run)(struct raia_deferred *deferred);
};

struct raia_limiter {
  struct raia_link queue;   /* calls that wait for others, the oldest first */
  long connections, active; /* the most there may be; attempts under way */
  bool https;
  bool cold;                    /* no connection says what the server speaks */
  enum raia_protocol protocol;  /* that it was last seen to speak */
  double not_before;            /* when the service wants to be asked again */
  struct raia_deferred recheck; /* begins what is queued */
};

/* Whether one more attempt may begin. While the client is cold, one makes a
   connection, and the others wait to hear whether it multiplexes: so that many
   calls at once neither make a connection each to a server of HTTP/2, nor wait
   on one of HTTP/1 for each other's answers. */
static inline bool raia_limiter_open(const struct raia_limiter *limiter) {
  if (limiter->cold)
    return limiter->active == 0 && limiter->connections > 0;
  return limiter->active /
             (limiter->protocol == RAIA_HTTP2 ? RAIA_STREAMS : 1) <
         limiter->connections;
}

/* Takes in what a server speaks, or that it can't be told. Returns whether
   what is queued has to be rechecked. */
static inline bool raia_limiter_learned(struct raia_limiter *limiter,
                                        enum raia_protocol protocol) {
  bool was_open = raia_limiter_open(limiter);
  limiter->protocol = protocol == RAIA_HTTP2 ? RAIA_HTTP2 : RAIA_HTTP1;
  limiter->cold = false;
  return !was_open && !raia_list_empty(&limiter->queue);
}

#endif
