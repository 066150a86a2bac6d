/* The outcome of a call and of each of its attempts. */
#include "outcome.h"

const char *raia_kind_name(enum raia_kind kind) {
  static const char *const names[] = {
      "ok",   "invalid", "connection",   "timeout",   "tls",
      "http", "decode",  "too_large",    "cancelled", "closed",
      "file", "failed",  "out of memory"};
  return names[kind];
}

void raia_outcome_reset(struct raia_outcome *o, bool idempotent) {
  raia_buffer_free(&o->reply);
  *o = (struct raia_outcome){.idempotent = idempotent,
                             .reply = o->reply,
                             .headers = o->headers,
                             .attempts = o->attempts,
                             .reach = o->reach};
  raia_outcome_forget_headers(o);
}

enum raia_reach raia_reach(const struct raia_outcome *o) {
  static const long refusals[] = {400, 401, 403, 404, 405, 413, 415, 422, 429};
  if (!o->sent)
    return RAIA_UNSENT;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    if (o->kind == RAIA_HTTP && o->status == refusals[i])
      return RAIA_REFUSED;
  return RAIA_TAKEN;
}
