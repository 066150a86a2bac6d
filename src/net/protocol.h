/* The HTTP versions that matter to raia. */
#ifndef RAIA_PROTOCOL_H
#define RAIA_PROTOCOL_H

enum raia_protocol {
  RAIA_PROTOCOL_UNKNOWN, /* cannot be determined */
  RAIA_HTTP1,            /* one request at a time on a connection */
  RAIA_HTTP2             /* many requests at a time: multiplexed */
};

#endif
