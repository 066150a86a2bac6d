/* When to try again: the rules; transfer.c carries them out. */
#include "retry.h"

#include "libcurl.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

bool raia_retryable(const struct raia_outcome *o) {
  switch (o->kind) {
  case RAIA_CONNECTION:
  case RAIA_TIMEOUT:
    return o->idempotent || !o->sent;
  case RAIA_HTTP:
    switch (o->status) {
    case 429: /* refused before it was processed, whatever the method */
      return true;
    case 408:
    case 500:
    case 502:
    case 503:
    case 504:
      return o->idempotent;
    default:
      return false;
    }
  default:
    return false;
  }
}

double raia_retry_wait(const struct raia_outcome *o, int attempts,
                       int max_retries, double random) {
  if (attempts > max_retries || !raia_retryable(o))
    return -1;
  if (o->retry_after > (double)RAIA_RETRY_AFTER_MAX)
    return -1;
  if (o->retry_after >= 0)
    return o->retry_after;
  int doublings = attempts > 5 ? 4 : attempts - 1; /* 0.5, 1, 2, 4, 8, 8 … */
  return 0.5 * (double)(1 << doublings) * (1 - 0.25 * random);
}

double raia_retry_after(const char *value, time_t now) {
  size_t digits = strspn(value, "0123456789");
  if (digits > 0 && value[digits] == '\0') {
    double seconds = 0;
    for (size_t i = 0; i < digits && seconds < 1e9; i++)
      seconds = seconds * 10 + (value[i] - '0');
    return seconds > 0 ? seconds : -1;
  }
  if (!isalpha((unsigned char)value[0])) /* a date begins with a weekday */
    return -1;
  time_t date = curl_getdate(value, NULL);
  return date == (time_t)-1 || date <= now ? -1 : difftime(date, now);
}
