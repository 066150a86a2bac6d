/* The sockets of open connections, by their ports. */
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SEVERAL = -1, ANY = -1 }; /* empty slots of a socket, of a port */

int raia_sockets_port(int fd) {
  struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    return 0;
  if (address.ss_family == AF_INET)
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
  if (address.ss_family == AF_INET6)
    return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return 0;
}

/* The slot of a local port, or NULL if there is none yet. */
static int *place_of(const struct raia_sockets *sockets, int own) {
  int *page = sockets->pages[(own >> 8) & 255];
  return page == NULL ? NULL : &page[own & 255];
}

/* The slot's value among connections to `peer` alone: a walk through all,
   needed only if servers share a local port. */
static int look_through(const struct raia_sockets *sockets, int own,
                        int peer) {
  int found = 0;
  for (int fd = 0; fd < sockets->room; fd++)
    if (sockets->ports[fd].own == own &&
        (peer == ANY || sockets->ports[fd].peer == peer))
      found = found == 0 ? fd + 1 : SEVERAL;
  return found;
}

int raia_sockets_find(const struct raia_sockets *sockets, int own, int peer) {
  const int *place = place_of(sockets, own);
  int found = place == NULL ? 0 : *place;
  if (found == SEVERAL)
    found = look_through(sockets, own, peer);
  return found <= 0 || sockets->ports[found - 1].peer != peer ? -1 : found - 1;
}

/* Makes room for `fd`. */
static int make_room(struct raia_sockets *sockets, int fd) {
  if (fd < sockets->room)
    return 1;
  int room = fd + fd / 2 + 16;
  struct raia_ports *ports =
      realloc(sockets->ports, (size_t)room * sizeof *ports);
  if (ports == NULL)
    return 0;
  memset(ports + sockets->room, 0,
         (size_t)(room - sockets->room) * sizeof *ports);
  sockets->ports = ports;
  sockets->room = room;
  return 1;
}

void raia_sockets_add(struct raia_sockets *sockets, int fd, int own, int peer,
                      bool multiplexes) {
  int **page = &sockets->pages[(own >> 8) & 255];
  if (own <= 0 || !make_room(sockets, fd))
    return;
  if (*page == NULL)
    *page = calloc(256, sizeof **page);
  int *place = place_of(sockets, own);
  if (place == NULL)
    return;
  raia_sockets_remove(sockets, fd);
  sockets->ports[fd] = (struct raia_ports){.own = (unsigned short)own,
                                           .peer = (unsigned short)peer,
                                           .multiplexes = multiplexes,
                                           .number = ++sockets->count};
  sockets->multiplexing += multiplexes;
  *place = *place == 0 ? fd + 1 : SEVERAL;
}

void raia_sockets_use(struct raia_sockets *sockets, int fd, const void *user) {
  if (fd >= 0 && fd < sockets->room && sockets->ports[fd].own != 0)
    sockets->ports[fd].user = user;
}

unsigned raia_sockets_number(const struct raia_sockets *sockets, int fd) {
  bool open = fd >= 0 && fd < sockets->room && sockets->ports[fd].own != 0;
  return open ? sockets->ports[fd].number : 0;
}

const void *raia_sockets_user(const struct raia_sockets *sockets, int fd) {
  return fd >= 0 && fd < sockets->room ? sockets->ports[fd].user : NULL;
}

void raia_sockets_end_use(struct raia_sockets *sockets, int fd,
                          const void *user) {
  if (fd >= 0 && fd < sockets->room && sockets->ports[fd].user == user)
    sockets->ports[fd].user = NULL;
}

void raia_sockets_remove(struct raia_sockets *sockets, int fd) {
  int own = fd < sockets->room ? sockets->ports[fd].own : 0;
  if (own == 0)
    return;
  sockets->ports[fd].own = 0;
  sockets->ports[fd].user = NULL;
  sockets->multiplexing -= sockets->ports[fd].multiplexes;
  int *place = place_of(sockets, own);
  *place = *place == SEVERAL ? look_through(sockets, own, ANY) : 0;
}

void raia_sockets_free(struct raia_sockets *sockets) {
  for (int i = 0; i < 256; i++)
    free(sockets->pages[i]);
  free(sockets->ports);
  *sockets = (struct raia_sockets){.count = sockets->count};
}
