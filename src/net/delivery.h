/* Why a message is delivered once, and an answer belongs to its call. */
#ifndef RAIA_DELIVERY_H
#define RAIA_DELIVERY_H

#include "libcurl.h"
#include "protocol.h"

#include <stdbool.h>

/* The last stream that the server has processed on a connection. */
struct raia_goaway {
  unsigned connection; /* the connection's number; 0: unused slot */
  unsigned last;
};

enum { RAIA_GOAWAYS = 16 };

/* The latest GOAWAYs read by a client's attempts. One attempt reads what
   concerns every attempt on its connection. */
struct raia_goaways {
  struct raia_goaway list[RAIA_GOAWAYS];
  unsigned count; /* how many were read in all */
};

/* The delivery state of one attempt on one easy handle. */
struct raia_delivery {
  CURL *easy;
  struct raia_goaways *goaways;
  bool begun; /* the attempt's one start was granted: its request may have left
               */
  bool again; /* a second start was denied */
  bool unclean; /* the start was denied because the kept connection is unusable
                 */
  bool kept;    /* the connection had been used before */
  enum raia_protocol protocol; /* of the connection; unknown if the TLS library
                                  cannot be asked */
  long bytes_before;           /* bytes sent before the start: a CONNECT */
  const void *session;         /* the TLS session */
  unsigned connection;         /* the connection's number, 0 if unknown */
  unsigned stream;             /* the HTTP/2 stream, 0 if unknown */
  bool refused;                /* the server has sent REFUSED_STREAM */
};

/* Resets it for another attempt. */
static inline void raia_delivery_reset(struct raia_delivery *d) {
  *d = (struct raia_delivery){.easy = d->easy, .goaways = d->goaways};
}

/* Whether libcurl may open another socket for the attempt. */
bool raia_delivery_may_connect(struct raia_delivery *d);

/* Whether libcurl may start the request now that a connection is ready. `fd`
   is its socket, or -1 if unknown; `tls` tells whether the request goes over
   TLS. Returns true at most once per attempt. */
bool raia_delivery_start(struct raia_delivery *d, int fd, bool tls);

/* Parses what the server has said out of one of libcurl's notes for this
   handle. Returns true if it has refused this request or, by GOAWAY, may have
   refused others. Call it only while the attempt's connection is open. */
bool raia_delivery_note(struct raia_delivery *d, const char *text,
                        size_t size);

/* Whether the server has said that it did not process the request. */
bool raia_delivery_is_refused(const struct raia_delivery *d);

/* Whether the server may have read part of the request. False is proven. */
bool raia_delivery_may_be_read(const struct raia_delivery *d);

#endif
