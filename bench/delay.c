/* A server of delayed answers: delay FILE prints the port it listens on and
   answers every request with FILE. The request's path begins with the delay:
   /d1000/ is a second, /d100-1900/ is spread evenly between 0.1 and 1.9. It
   ends when nobody reads its output any more. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 16384, ROOM = 8192 };

struct connection {
  int fd;
  bool waiting; /* in a slot */
  size_t used;
  struct connection *next;
  char bytes[ROOM];
};

static struct connection *slots[SLOTS]; /* a slot a millisecond */
static long waiting, done;              /* how many; up to which millisecond */
static char reply[ROOM];
static size_t reply_length;

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Any thousand requests in a row are spread evenly. */
static long delay_of(const char *bytes) {
  static unsigned turn;
  long least = 0, most = 0;
  const char *path = strchr(bytes, '/');
  if (sscanf(path, "/d%ld-%ld/", &least, &most) == 1)
    return least;
  turn += 2654435769u; /* 2^32 over the golden ratio */
  return least + (long)((double)(most - least) * turn / 4294967296.0);
}

/* Whether the request is there whole. */
static bool is_whole(const struct connection *c) {
  const char *end = strstr(c->bytes, "\r\n\r\n");
  const char *length = strcasestr(c->bytes, "\r\ncontent-length:");
  if (end == NULL)
    return false;
  size_t body = length == NULL || length > end ? 0 : (size_t)atol(length + 17);
  return c->used >= (size_t)(end + 4 - c->bytes) + body;
}

static void hang_up(struct connection *c) {
  close(c->fd);
  c->fd = -1;
  if (!c->waiting)
    free(c);
}

static void answer(struct connection *c) {
  c->waiting = false;
  c->used = 0;
  if (c->fd < 0)
    free(c);
  else if (write(c->fd, reply, reply_length) != (ssize_t)reply_length)
    hang_up(c);
}

static void take_in(struct connection *c) {
  ssize_t n = read(c->fd, c->bytes + c->used, ROOM - 1 - c->used);
  if (n <= 0) {
    if (n == 0 || errno != EAGAIN)
      hang_up(c);
    return;
  }
  c->used += (size_t)n;
  c->bytes[c->used] = '\0';
  if (c->waiting || !is_whole(c))
    return;
  long delay = delay_of(c->bytes);
  if (delay <= 0) {
    answer(c);
    return;
  }
  struct connection **slot = &slots[(now_ms() + delay) % SLOTS];
  c->waiting = true;
  c->next = *slot;
  *slot = c;
  waiting++;
}

static void answer_due(void) {
  for (long now = now_ms(); done < now; done++)
    while (slots[done % SLOTS] != NULL) {
      struct connection *c = slots[done % SLOTS];
      slots[done % SLOTS] = c->next;
      waiting--;
      answer(c);
    }
}

static void welcome(int epoll, int listener) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    struct connection *c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

static bool read_reply(const char *path) {
  char body[ROOM / 2];
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return false;
  size_t n = fread(body, 1, sizeof body, file);
  fclose(file);
  reply_length =
      (size_t)snprintf(reply, sizeof reply,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%.*s",
                       n, (int)n, body);
  return true;
}

int main(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int epoll = epoll_create1(0);
  struct epoll_event accepting = {.events = EPOLLIN, .data = {.ptr = &slots}};
  struct epoll_event reader = {.events = 0, .data = {.ptr = NULL}};
  if (argc != 2 || !read_reply(argv[1]) ||
      bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, 8192) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
      epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepting) != 0)
    return 1;
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDOUT_FILENO, &reader);
  done = now_ms();
  for (;;) {
    struct epoll_event ready[256];
    int n = epoll_wait(epoll, ready, 256, waiting > 0 ? 1 : -1);
    for (int i = 0; i < n; i++)
      if (ready[i].data.ptr == NULL)
        return 0;
      else if (ready[i].data.ptr == &slots)
        welcome(epoll, listener);
      else
        take_in(ready[i].data.ptr);
    answer_due();
  }
}
