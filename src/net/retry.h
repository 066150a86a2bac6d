/* When to try again: the rules; transfer.c carries them out. */
#ifndef RAIA_RETRY_H
#define RAIA_RETRY_H

#include "outcome.h"

#include <time.h>

enum { RAIA_RETRY_AFTER_MAX = 60 }; /* seconds; longer ends the call */

/* Whether a retry may help and cannot deliver a message twice. */
bool raia_retryable(const struct raia_outcome *o);

/* Seconds to wait before attempt number `attempts` + 1, negative if there must
   be none. `random` is in [0, 1). */
double raia_retry_wait(const struct raia_outcome *o, int attempts,
                       int max_retries, double random);

/* The seconds that a Retry-After header asks for: a positive whole number or a
   future HTTP date. Negative if the value is neither. */
double raia_retry_after(const char *value, time_t now);

#endif
