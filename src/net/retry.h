/* When to try again: the rules, apart from what carries them out. */
#ifndef RAIA_RETRY_H
#define RAIA_RETRY_H

#include <stdbool.h>
#include <time.h>

/* How an attempt or a whole call ended. RAIA_OK is a 2xx with its body. */
enum raia_kind {
  RAIA_OK,
  RAIA_INVALID,
  RAIA_CONNECTION,
  RAIA_TIMEOUT,
  RAIA_TLS,
  RAIA_HTTP,
  RAIA_DECODE,
  RAIA_TOO_LARGE,
  RAIA_CANCELLED,
  RAIA_CLOSED,
  RAIA_NO_MEMORY
};

/* The kind's public name, as in err.kind; "ok" for RAIA_OK. */
const char *raia_kind_name(enum raia_kind kind);

enum { RAIA_RETRY_AFTER_MAX = 60 }; /* seconds; longer ends the call */

struct raia_outcome {
  enum raia_kind kind;
  long status;        /* the HTTP status, 0 when there was none */
  bool sent;          /* some of the request may have reached the server */
  bool idempotent;    /* doing it twice is the same as doing it once */
  double retry_after; /* seconds the server asked for, negative when none */
};

/* How far what was asked has come. */
enum raia_reach {
  RAIA_UNSENT,  /* nothing of it has left */
  RAIA_REFUSED, /* the server has answered that it will not do it */
  RAIA_TAKEN    /* the server can have acted on it */
};

/* How far an attempt with this outcome has come. */
enum raia_reach raia_reach(const struct raia_outcome *o);

/* True when trying again cannot deliver a message twice and may help. */
bool raia_retryable(const struct raia_outcome *o);

/* Seconds to wait before attempt number `attempts` + 1, or a negative number
   when there is to be none. `random` is from [0, 1). */
double raia_retry_wait(const struct raia_outcome *o, int attempts,
                       int max_retries, double random);

/* The seconds that a Retry-After header asks for: a whole number from 1 on or
   an HTTP date to come. Negative when the value is neither. */
double raia_retry_after(const char *value, time_t now);

#endif
