/* Compares src/net/sockets.c with a list of all there is, at random: few
   ports, so that many connections share one. */
#include "../../src/net/sockets.h"

#include <stdio.h>
#include <stdlib.h>

enum { SOCKETS = 40, STEPS = 200000 };

static struct raia_ports open_ones[SOCKETS];

static int expected(int own, int peer) {
  int found = -1, count = 0;
  for (int fd = 0; fd < SOCKETS; fd++)
    if (open_ones[fd].own == own && open_ones[fd].peer == peer)
      found = fd, count++;
  return count == 1 ? found : -1;
}

int main(void) {
  struct raia_sockets sockets = {0};
  srand(1);
  for (int step = 0; step < STEPS; step++) {
    int fd = rand() % SOCKETS, own = 40000 + 200 * (rand() % 6);
    int peer = 1 + rand() % 3;
    if (rand() % 2 == 0) {
      raia_sockets_remove(&sockets, fd);
      open_ones[fd] = (struct raia_ports){0};
    } else if (open_ones[fd].own == 0) {
      bool multiplexes = rand() % 2 == 0;
      raia_sockets_add(&sockets, fd, own, peer, multiplexes);
      open_ones[fd] = (struct raia_ports){.own = (unsigned short)own,
                                          .peer = (unsigned short)peer,
                                          .multiplexes = multiplexes};
    }
    int found = raia_sockets_find(&sockets, own, peer);
    if (found != expected(own, peer)) {
      printf("step %d: %d, not %d\n", step, found, expected(own, peer));
      return 1;
    }
    int multiplexing = 0;
    for (fd = 0; fd < SOCKETS; fd++)
      multiplexing += open_ones[fd].own != 0 && open_ones[fd].multiplexes;
    if (sockets.multiplexing != multiplexing) {
      printf("step %d: %d of HTTP/2, not %d\n", step, sockets.multiplexing,
             multiplexing);
      return 1;
    }
  }
  raia_sockets_free(&sockets);
  return raia_sockets_find(&sockets, 40000, 1) != -1;
}
