/* What libcurl's TLS library can tell about a connection. */
#ifndef RAIA_TLS_H
#define RAIA_TLS_H

#include "libcurl.h"
#include "protocol.h"

#include <stdbool.h>

/* Identifies the TLS session of the connection that `easy` is on; NULL if
   there is no connection or no TLS. */
const void *raia_tls_session(CURL *easy);

/* The protocol negotiated by ALPN. RAIA_PROTOCOL_UNKNOWN if the library is
   neither OpenSSL, or a fork of it, nor GnuTLS. */
enum raia_protocol raia_tls_protocol(CURL *easy);

/* Whether bytes from the peer are buffered in the TLS library, where the
   socket does not show them. True if it cannot be asked. */
bool raia_tls_holds_bytes(CURL *easy);

#endif
