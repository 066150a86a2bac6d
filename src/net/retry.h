/* When to try again: the rules; transfer.c carries them out. */
#ifndef RAIA_RETRY_H
#define RAIA_RETRY_H

#include "outcome.h"

#include <time.h>

enum { RAIA_RETRY_AFTER_MAX = 60 }; /* seconds; longer ends the call */

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
