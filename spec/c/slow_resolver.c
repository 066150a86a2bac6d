/* For LD_PRELOAD: every look-up of a name takes half a minute, or as long as
   RESOLVER_SECONDS says, and fails. */
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **result) {
  const char *seconds = getenv("RESOLVER_SECONDS");
  (void)node;
  (void)service;
  (void)hints;
  *result = NULL;
  sleep(seconds == NULL ? 30 : (unsigned)atoi(seconds));
  return EAI_AGAIN;
}
