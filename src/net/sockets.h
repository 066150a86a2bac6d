/* The sockets of open connections, by their ports. */
#ifndef RAIA_SOCKETS_H
#define RAIA_SOCKETS_H

#include <stdbool.h>

struct raia_ports {
  unsigned short own, peer; /* local port: 0 if there is no connection */
  bool multiplexes;         /* it is HTTP/2 */
  unsigned number;  /* number of the connection, from 1, never reused */
  const void *user; /* its latest user, or NULL */
};

/* A zeroed one is empty. */
struct raia_sockets {
  int *pages[256]; /* by local port, pages of 256: a descriptor plus 1, 0 for
                      none, -1 for several */
  struct raia_ports *ports; /* by descriptor */
  int room;
  int multiplexing; /* how many are HTTP/2 */
  unsigned count;   /* connections so far */
};

/* The local port of a socket, 0 if it has none. */
int raia_sockets_port(int fd);

/* The socket of the connection between these ports; -1 if it is unknown, or if
   there are several, to different machines. */
int raia_sockets_find(const struct raia_sockets *sockets, int own, int peer);

/* Records a connection. When out of memory, it stays unknown. */
void raia_sockets_add(struct raia_sockets *sockets, int fd, int own, int peer,
                      bool multiplexes);

/* The number of a socket's open connection, 0 if there is none. */
unsigned raia_sockets_number(const struct raia_sockets *sockets, int fd);

/* The latest user of a connection that has not finished with it, or NULL. */
const void *raia_sockets_user(const struct raia_sockets *sockets, int fd);
void raia_sockets_use(struct raia_sockets *sockets, int fd, const void *user);
void raia_sockets_end_use(struct raia_sockets *sockets, int fd,
                          const void *user);

/* Forgets a connection that is about to be closed. */
void raia_sockets_remove(struct raia_sockets *sockets, int fd);

void raia_sockets_free(struct raia_sockets *sockets);

#endif
