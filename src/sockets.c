/* The sockets of open connections, by their local ports. */
#include "sockets.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SEVERAL = -1 }; /* in the place of a port */

/* The place of a port, or NULL when there is none yet. */
static int *place_of(const struct raia_sockets *sockets, int port) {
  int *page = sockets->pages[(port >> 8) & 255];
  return page == NULL ? NULL : &page[port & 255];
}

int raia_sockets_find(const struct raia_sockets *sockets, int port) {
  const int *place = place_of(sockets, port);
  return place == NULL || *place == SEVERAL ? -1 : *place - 1;
}

void raia_sockets_add(struct raia_sockets *sockets, int fd, int port) {
  int **page = &sockets->pages[(port >> 8) & 255];
  if (*page == NULL)
    *page = calloc(256, sizeof **page);
  int *place = place_of(sockets, port);
  if (place != NULL)
    *place = *place == 0 || *place == fd + 1 ? fd + 1 : SEVERAL;
}

void raia_sockets_remove(struct raia_sockets *sockets, int fd) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } own;
  socklen_t length = sizeof own;
  memset(&own, 0, sizeof own);
  if (getsockname(fd, &own.any, &length) != 0)
    return;
  int *place = place_of(sockets, ntohs(own.any.sa_family == AF_INET6
                                           ? own.v6.sin6_port
                                           : own.v4.sin_port));
  if (place != NULL && (*place == fd + 1 || *place == SEVERAL))
    *place = 0;
}

void raia_sockets_free(struct raia_sockets *sockets) {
  for (int i = 0; i < 256; i++)
    free(sockets->pages[i]);
  memset(sockets, 0, sizeof *sockets);
}
