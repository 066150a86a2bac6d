/* The outcome of a call and of each of its attempts. */
#ifndef RAIA_OUTCOME_H
#define RAIA_OUTCOME_H

#include "buffer.h"

#include <stdbool.h>

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
  RAIA_FILE,   /* a file could not be read or written */
  RAIA_FAILED, /* the service says that the agent could not answer */
  RAIA_NO_MEMORY
};

/* The kind's public name, as in err.kind; "ok" for RAIA_OK. */
const char *raia_kind_name(enum raia_kind kind);

/* How far a request has got. */
enum raia_reach {
  RAIA_UNSENT,  /* nothing has left */
  RAIA_REFUSED, /* the server has answered that it will not carry it out */
  RAIA_TAKEN    /* the server may have acted on it */
};

/* `unframed`: over TLS, only the end of the connection ended the reply, which
   libcurl 7.88 cannot tell from truncation. All of the last attempt but
   `attempts` and `reach`. */
struct raia_outcome {
  enum raia_kind kind;
  long status;        /* the HTTP status, 0 if there was none */
  bool sent;          /* part of the request may have reached the server */
  bool idempotent;    /* repeating it does no harm */
  bool reused;        /* its connection had been used before */
  bool headers_done;  /* of the final reply, not of a 1xx */
  bool over_limit;    /* the reply or its headers exceeded the limit */
  bool json;          /* the content type is JSON, or missing */
  bool unframed;      /* see above */
  bool in_file;       /* the reply's body is in a file */
  bool forked;        /* the parent process goes on with it */
  double retry_after; /* seconds, as the server asked; negative: it did not */
  double elapsed;     /* seconds */
  char detail[160];   /* libcurl's error message, or "" */
  char content_type[64], request_id[64]; /* truncated */
  struct raia_buffer reply;
  struct raia_buffer headers; /* lines of the final reply, the key masked */
  int attempts;               /* begun so far */
  enum raia_reach reach;      /* the farthest that any attempt has got */
};

/* Resets it for another attempt. */
void raia_outcome_reset(struct raia_outcome *o, bool idempotent);

/* Clears what headers have set, as when a final reply follows a 1xx. */
static inline void raia_outcome_forget_headers(struct raia_outcome *o) {
  o->retry_after = -1;
  o->headers.length = 0;
  o->content_type[0] = o->request_id[0] = '\0';
  o->json = true; /* a reply without Content-Type counts as JSON */
}

/* How far the last attempt has got. */
enum raia_reach raia_reach(const struct raia_outcome *o);

#endif
