/* What the TLS library under libcurl can tell of a connection. */
#ifndef RAIA_TLS_H
#define RAIA_TLS_H

#include "libcurl.h"
#include "protocol.h"

#include <stdbool.h>

/* The TLS session of the connection that `easy` is on, as an identity; NULL
   when it is on none, or on one without TLS. */
const void *raia_tls_session(CURL *easy);

/* The protocol that was negotiated by ALPN. RAIA_PROTOCOL_UNKNOWN when the
   library can't be asked: it is neither OpenSSL (or a fork of it) nor
   GnuTLS. */
enum raia_protocol raia_tls_protocol(CURL *easy);

/* Whether bytes from the peer lie in the TLS library, where nobody can see
   them from the socket. True when it can't be asked. */
bool raia_tls_holds_bytes(CURL *easy);

#endif
