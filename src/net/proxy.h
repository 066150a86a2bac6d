/* The proxy that connections go by: which it is, and whether it can be used.
 */
#ifndef RAIA_PROXY_H
#define RAIA_PROXY_H

#include "secrets.h"

/* What the environment names as the proxy for https, or else http, read as
   libcurl reads it, and the variable that does; "" when there is none. */
const char *raia_proxy_of_environment(bool https, const char **variable);

/* Says what is wrong with the URL of a proxy ("out of memory" last of all), or
   NULL. It shows nothing of the URL, as libcurl would. User and password are
   added to the secrets. */
const char *raia_proxy_check(const char *url, struct raia_secrets *secrets);

#endif
