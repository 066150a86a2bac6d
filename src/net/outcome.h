/* What came of a call, and of each attempt of it. */
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
  RAIA_NO_MEMORY
};

/* The kind's public name, as in err.kind; "ok" for RAIA_OK. */
const char *raia_kind_name(enum raia_kind kind);

/* How far what was asked has come. */
enum raia_reach {
  RAIA_UNSENT,  /* nothing of it has left */
  RAIA_REFUSED, /* the server has answered that it will not do it */
  RAIA_TAKEN    /* the server can have acted on it */
};

/* Of the last attempt, but for `attempts` and `reach`. */
struct raia_outcome {
  enum raia_kind kind;
  long status;        /* the HTTP status, 0 when there was none */
  bool sent;          /* some of the request may have reached the server */
  bool idempotent;    /* doing it twice is the same as doing it once */
  bool reused;        /* its connection had been used before */
  bool headers_done;  /* of the reply, not of a 1xx before it */
  bool over_limit;    /* the reply or its headers were cut off for length */
  bool json;          /* the content type is of JSON, or there is none */
  bool unframed;      /* over TLS, only the end of the connection ended the
                         reply: libcurl 7.88 does not tell it from a cut */
  bool forked;        /* it is the parent process that goes on with it */
  double retry_after; /* seconds the server asked for, negative when none */
  double elapsed;     /* seconds */
  char detail[160];   /* libcurl's words for what went wrong, or "" */
  char content_type[64], request_id[64]; /* cut */
  struct raia_buffer reply;
  int attempts;          /* that were begun */
  enum raia_reach reach; /* the farthest that any of them has come */
};

/* Readies it for one more attempt. */
void raia_outcome_reset(struct raia_outcome *o, bool idempotent);

/* Forgets what headers have said: those of a reply begin, after a 1xx say. */
void raia_outcome_forget_headers(struct raia_outcome *o);

/* How far the last attempt has come. */
enum raia_reach raia_reach(const struct raia_outcome *o);

#endif
