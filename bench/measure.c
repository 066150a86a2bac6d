/* measure RUNS COMMAND… runs a command so many times, one after the other, and
   writes on descriptor 3 seconds, seconds of CPU and peak bytes of a run. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
  int runs = argc < 3 ? 0 : atoi(argv[1]), status = 0;
  struct rusage usage = {0};
  double start = now(), cpu = 0;
  for (int i = 0; i < runs; i++) {
    pid_t pid;
    if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
        wait4(pid, &status, 0, &usage) != pid || status != 0)
      return 1;
    cpu += seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  if (runs > 0)
    dprintf(3, "%.6f %.6f %ld\n", (now() - start) / runs, cpu / runs,
            usage.ru_maxrss * 1024);
  return runs > 0 ? 0 : 2;
}
