/* For LD_PRELOAD: every look-up of a name takes half a minute, and fails. */
#include <netdb.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **result) {
  (void)node;
  (void)service;
  (void)hints;
  *result = NULL;
  sleep(30);
  return EAI_AGAIN;
}
