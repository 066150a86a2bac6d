/* The versions of HTTP that matter to raia. */
#ifndef RAIA_PROTOCOL_H
#define RAIA_PROTOCOL_H

enum raia_protocol {
  RAIA_PROTOCOL_UNKNOWN, /* no connection has been ready yet */
  RAIA_HTTP1,            /* a request at a time on a connection */
  RAIA_HTTP2             /* many: it multiplexes */
};

#endif
