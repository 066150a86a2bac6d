/* The versions of HTTP that matter to raia. */
#ifndef RAIA_PROTOCOL_H
#define RAIA_PROTOCOL_H

enum raia_protocol {
  RAIA_PROTOCOL_UNKNOWN, /* it can't be told */
  RAIA_HTTP1,            /* a request at a time on a connection */
  RAIA_HTTP2             /* many: it multiplexes */
};

#endif
