/* The proxy for connections: which one, and whether its URL is usable. */
#ifndef RAIA_PROXY_H
#define RAIA_PROXY_H

#include "secrets.h"

/* The environment's proxy for https or http, looked up as libcurl does, and
   the name of the variable; "" if there is none. */
const char *raia_proxy_of_environment(bool https, const char **variable);

/* Returns what is wrong with a proxy's URL ("out of memory" among others), or
   NULL. Unlike libcurl's messages, it shows nothing of the URL. User and
   password are added to the secrets. */
const char *raia_proxy_check(const char *url, struct raia_secrets *secrets);

#endif
