/* Retry-After is seconds or a date to come, and no outcome whatever makes a
   POST that may have arrived go out again. The input: now, an outcome, text.
 */
#include "fuzz.h"

#include "../../src/net/retry.h"

#include <ctype.h>

static const time_t base = 1700000000;

/* An outcome whose wait is one that the rules allow. */
static void check_wait(struct bytes *b, double retry_after) {
  struct raia_outcome o = {
      .kind = (enum raia_kind)(take(b) % (RAIA_NO_MEMORY + 1)),
      .status = (long)(take(b) + 2 * take(b)),
      .retry_after = retry_after};
  unsigned bits = take(b);
  o.sent = bits & 1;
  o.idempotent = bits & 2;
  int attempts = 1 + (int)take(b), most = (int)take(b) % 101;
  double wait = raia_retry_wait(&o, attempts, most, (bits >> 2) / 64.0);
  CHECK(wait == -1 || (wait >= 0 && wait <= RAIA_RETRY_AFTER_MAX));
  if (wait >= 0) {
    CHECK(attempts <= most);
    CHECK(o.idempotent || !o.sent || (o.kind == RAIA_HTTP && o.status == 429));
    CHECK(o.idempotent || raia_reach(&o) != RAIA_TAKEN);
    CHECK(retry_after < 0 ? wait >= 0.375 && wait <= 8 : wait == retry_after);
  }
}

/* A date that is written in each of HTTP's ways is read as it was meant. */
static void check_date(time_t now, long ahead) {
  static const char *const ways[] = {"%a, %d %b %Y %H:%M:%S GMT",
                                     "%A, %d-%b-%y %H:%M:%S GMT",
                                     "%a %b %e %H:%M:%S %Y"};
  time_t then = now + ahead;
  char text[64];
  for (size_t i = 0; i < 3; i++) {
    strftime(text, sizeof text, ways[i], gmtime(&then));
    double seconds = raia_retry_after(text, now);
    CHECK(seconds == (ahead > 0 ? (double)ahead : -1));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes b = {data, size}, outcome;
  time_t now = base + (time_t)take(&b) * 100000;
  check_date(now, (long)take(&b) * 256 + (long)take(&b) - 32768);
  outcome = b;
  for (int i = 0; i < 6; i++)
    take(&b);
  size_t length;
  char *text = take_string(&b, b.left, &length);
  double seconds = raia_retry_after(text, now);
  CHECK(seconds == -1 || (seconds > 0 && seconds <= 1e19));
  size_t digits = strspn(text, "0123456789");
  if (digits > 0 && text[digits] == '\0') {
    double number = strtod(text, NULL);
    CHECK(number >= 1e9 ? seconds >= 1e9
                        : seconds == (number > 0 ? number : -1));
  } else {
    CHECK(seconds < 0 || (isalpha((unsigned char)*text) && seconds > 0));
  }
  check_wait(&outcome, seconds);
  free(text);
  return 0;
}
