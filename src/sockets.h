/* The sockets of open connections, by their local ports. */
#ifndef RAIA_SOCKETS_H
#define RAIA_SOCKETS_H

/* One of only zeros is empty. */
struct raia_sockets {
  int *pages[256]; /* of 256 ports each: a descriptor and 1, or 0 */
};

/* The socket on that local port; or -1 where it is not known, or connections
   to several servers are on it. */
int raia_sockets_find(const struct raia_sockets *sockets, int port);

/* Remembers one. Where there is no memory for it, it stays unknown. */
void raia_sockets_add(struct raia_sockets *sockets, int fd, int port);

/* Forgets one that is about to be closed. */
void raia_sockets_remove(struct raia_sockets *sockets, int fd);

void raia_sockets_free(struct raia_sockets *sockets);

#endif
