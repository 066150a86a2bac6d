/* The sockets of open connections, by their ports. */
#ifndef RAIA_SOCKETS_H
#define RAIA_SOCKETS_H

#include <stdbool.h>

struct raia_ports {
  unsigned short own, peer; /* own: 0 where there is no connection */
  bool multiplexes;         /* it is of HTTP/2 */
  unsigned number;          /* of the connection, from 1: none has it again */
  const void *user;         /* who has used it last, or NULL */
};

/* One of only zeros is empty. */
struct raia_sockets {
  int *pages[256]; /* by own port, of 256 each: a descriptor and 1, 0 for none,
                      or -1 for several */
  struct raia_ports *ports; /* by descriptor */
  int room;
  int multiplexing; /* how many are of HTTP/2 */
  unsigned count;   /* how many there ever were */
};

/* The port of this end of a socket, 0 when it has none. */
int raia_sockets_port(int fd);

/* The socket of the connection between those ports; or -1 where it is not
   known, or there are several, to several machines. */
int raia_sockets_find(const struct raia_sockets *sockets, int own, int peer);

/* Remembers one. Where there is no memory for it, it stays unknown. */
void raia_sockets_add(struct raia_sockets *sockets, int fd, int own, int peer,
                      bool multiplexes);

/* The number of the open connection of a socket, 0 when it is of none. */
unsigned raia_sockets_number(const struct raia_sockets *sockets, int fd);

/* Who has used a connection last and has not ended that, or NULL. */
const void *raia_sockets_user(const struct raia_sockets *sockets, int fd);
void raia_sockets_use(struct raia_sockets *sockets, int fd, const void *user);
void raia_sockets_end_use(struct raia_sockets *sockets, int fd,
                          const void *user);

/* Forgets one that is about to be closed. */
void raia_sockets_remove(struct raia_sockets *sockets, int fd);

void raia_sockets_free(struct raia_sockets *sockets);

#endif
