/* For LD_PRELOAD: once, a SIGINT comes right before a wait: one that follows
   on a wait in which nothing happened. */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>

int epoll_wait(int fd, struct epoll_event *events, int room,
               int milliseconds) {
  static bool quiet, came;
  int (*real)(int, struct epoll_event *, int, int) =
      dlsym(RTLD_NEXT, "epoll_wait");
  if (quiet && !came) {
    came = true;
    raise(SIGINT);
  }
  int n = real(fd, events, room, milliseconds);
  quiet = n == 0 && milliseconds > 0;
  return n;
}
