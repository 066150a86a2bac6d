/* For LD_PRELOAD: a SIGINT comes as late as it can before a wait without an
   end, once: at stat or at epoll_pwait, as LATE_SIGNAL says. */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

static void come(const char *where) {
  static int came;
  const char *wanted = getenv("LATE_SIGNAL");
  if (!came && wanted != NULL && strcmp(wanted, where) == 0) {
    came = 1;
    raise(SIGINT);
  }
}

int stat(const char *path, struct stat *out) {
  int (*real)(const char *, struct stat *) = dlsym(RTLD_NEXT, "stat");
  int result = real(path, out);
  if (strcmp(path, "/proc/self/task") == 0)
    come("stat");
  return result;
}

int epoll_pwait(int fd, struct epoll_event *events, int room, int milliseconds,
                const sigset_t *mask) {
  int (*real)(int, struct epoll_event *, int, int, const sigset_t *) =
      dlsym(RTLD_NEXT, "epoll_pwait");
  if (mask != NULL)
    come("epoll_pwait");
  return real(fd, events, room, milliseconds, mask);
}
