/* Why a message is delivered once, and an answer belongs to its call. */
#ifndef RAIA_DELIVERY_H
#define RAIA_DELIVERY_H

#include "libcurl.h"
#include "protocol.h"

#include <stdbool.h>

/* The last stream that a server has looked at on a connection. */
struct raia_goaway {
  unsigned connection; /* its number; 0: an unused place */
  unsigned last;
};

enum { RAIA_GOAWAYS = 16 };

/* The latest that a client's attempts have read: one reads what concerns all
   that share its connection. */
struct raia_goaways {
  struct raia_goaway list[RAIA_GOAWAYS];
  unsigned count; /* how many there were */
};

/* Of one attempt, on one easy handle. */
struct raia_delivery {
  CURL *easy;
  struct raia_goaways *goaways;
  bool begun;   /* the attempt's one start: its request may have left */
  bool again;   /* libcurl was refused another start */
  bool unclean; /* refused a start: the kept connection is not to be used */
  bool kept;    /* the connection had been used before */
  enum raia_protocol protocol; /* of the connection; unknown: can't be told */
  long bytes_before;           /* sent by the start: a CONNECT */
  const void *session;         /* of TLS */
  unsigned connection;         /* its number, 0 when not known */
  unsigned stream;             /* of HTTP/2, 0 when not known */
  bool refused;                /* the server has said so: REFUSED_STREAM */
};

/* Readies it for one more attempt. */
void raia_delivery_reset(struct raia_delivery *d);

/* Whether libcurl may make one more socket for the attempt. */
bool raia_delivery_may_connect(struct raia_delivery *d);

/* Whether libcurl may start the request, now that a connection is ready: `fd`
   is its socket, or -1 when not known, `tls` whether the request goes over
   TLS. At most once true. */
bool raia_delivery_start(struct raia_delivery *d, int fd, bool tls);

/* To be called only while the attempt's connection is open. Takes from a note
   of libcurl's for this handle what the server has said.
   True when it has refused this request, or, by GOAWAY, may have refused
   others. */
bool raia_delivery_note(struct raia_delivery *d, const char *text,
                        size_t size);

/* Whether the server has said that it did not look at the request. */
bool raia_delivery_is_refused(const struct raia_delivery *d);

/* Whether the server can have read some of the request. False is proven. */
bool raia_delivery_may_be_read(const struct raia_delivery *d);

#endif
