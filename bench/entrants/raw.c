/* C on libcurl; with -DCJSON also lua-cjson, called through Lua's C API: the
   least that a module on the two can do by plain means.
   raw SCENARIO URL COUNT [MOST IN FLIGHT] prints what came back, as a number
   to compare. */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define CHECK(call) ((call) ? fail(#call) : (void)0)

enum { TEXT = 136 };

struct job {
  CURL *easy;
  char *reply; /* not of raw, which only counts */
  size_t length, room;
  int body; /* a reference to the Lua string that is sent, or 0 */
};

static char url[1024], text[TEXT + 1];
static struct curl_slist *headers;
static size_t check;

static void fail(const char *what) {
  fprintf(stderr, "raw: %s\n", what);
  exit(1);
}

/* ---- what is sent and what comes back ---- */

#ifdef CJSON
#include <lauxlib.h>
#include <lualib.h>

static lua_State *L;
static int encode, decode;

static void open_json(void) {
  L = luaL_newstate();
  luaL_openlibs(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "encode");
  encode = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_getfield(L, -1, "decode");
  decode = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_settop(L, 0);
}

/* Has the job send the table at the top, which it pops. */
static void send_table(struct job *job) {
  size_t length;
  lua_rawgeti(L, LUA_REGISTRYINDEX, encode);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  const char *body = lua_tolstring(L, -1, &length);
  curl_easy_setopt(job->easy, CURLOPT_POSTFIELDSIZE, (long)length);
  curl_easy_setopt(job->easy, CURLOPT_POSTFIELDS, body);
  job->body = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void set_message(struct job *job) {
  lua_createtable(L, 0, 1);
  lua_pushlstring(L, text, TEXT);
  lua_setfield(L, -2, "message");
  send_table(job);
}

/* Sends a thousand strings instead. */
static void set_large(struct job *job) {
  lua_createtable(L, 1000, 0);
  for (int i = 1; i <= 1000; i++) {
    lua_pushfstring(L, "value %d", i);
    lua_rawseti(L, -2, i);
  }
  send_table(job);
}

static size_t on_write(char *bytes, size_t size, size_t n, void *arg) {
  struct job *job = arg;
  n *= size;
  if (job->length + n > job->room) {
    job->room = 2 * (job->length + n);
    job->reply = realloc(job->reply, job->room);
  }
  memcpy(job->reply + job->length, bytes, n);
  job->length += n;
  return n;
}

static size_t length_of_text(int message) {
  lua_getfield(L, message, "message");
  size_t length = lua_rawlen(L, -1);
  lua_pop(L, 1);
  return length;
}

static void take_reply(struct job *job) {
  lua_settop(L, 0); /* the last one can go */
  if (job->body != 0)
    luaL_unref(L, LUA_REGISTRYINDEX, job->body);
  lua_rawgeti(L, LUA_REGISTRYINDEX, decode);
  lua_pushlstring(L, job->reply, job->length);
  free(job->reply);
  job->reply = NULL;
  job->length = job->room = 0;
  lua_call(L, 1, 1);
  if (lua_getfield(L, 1, "messages") == LUA_TTABLE) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
    lua_rawgeti(L, 2, n);
    check += (size_t)n + length_of_text(3);
  } else {
    check += length_of_text(1);
  }
}
#else
static void open_json(void) {}

static void set_message(struct job *job) {
  static char body[TEXT + 16];
  int length = snprintf(body, sizeof body, "{\"message\":\"%s\"}", text);
  curl_easy_setopt(job->easy, CURLOPT_POSTFIELDSIZE, (long)length);
  curl_easy_setopt(job->easy, CURLOPT_POSTFIELDS, body);
}

static void set_large(struct job *job) { set_message(job); }

static size_t on_write(char *bytes, size_t size, size_t n, void *job) {
  (void)bytes;
  (void)job;
  check += size * n;
  return size * n;
}

static void take_reply(struct job *job) { (void)job; }
#endif

static void open_job(struct job *job) {
  CURL *easy = job->easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L * 1024);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, job);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
  curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("BENCH_CA"));
  if (strncmp(url, "https", 5) == 0)
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
}

static void check_status(CURL *easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  CHECK(status != 200);
}

/* ---- one after the other ---- */

static void serially(int count, void (*set_body)(struct job *)) {
  struct job job = {0};
  open_job(&job);
  for (int i = 0; i < count; i++) {
    if (set_body != NULL)
      set_body(&job);
    CHECK(curl_easy_perform(job.easy));
    check_status(job.easy);
    take_reply(&job);
  }
  curl_easy_cleanup(job.easy);
}

/* ---- many in flight ---- */

static int epoll;
static double due = -1;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *known) {
  struct epoll_event event = {.data = {.fd = fd}};
  (void)easy;
  event.events = ((what & CURL_POLL_IN) ? (unsigned)EPOLLIN : 0u) |
                 ((what & CURL_POLL_OUT) ? (unsigned)EPOLLOUT : 0u);
  if (what == CURL_POLL_REMOVE)
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event), 0;
  if (known == NULL)
    curl_multi_assign(arg, fd, &epoll);
  return epoll_ctl(epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
                   &event);
}

static int on_timer(CURLM *multi, long ms, void *arg) {
  (void)multi;
  (void)arg;
  due = ms < 0 ? -1 : now_ms() + (double)ms;
  return 0;
}

/* Sends `count` messages, never more than `most` of them at a time. */
static void at_once(int count, int most) {
  CURLM *multi = curl_multi_init();
  struct job *jobs = calloc((size_t)most, sizeof *jobs);
  int running = 0, begun = 0, left = count;
  epoll = epoll_create1(0);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, multi);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  if (strncmp(url, "https", 5) == 0) {
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
    curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
  }
  for (; begun < count && begun < most; begun++) {
    open_job(&jobs[begun]);
    set_message(&jobs[begun]);
    curl_multi_add_handle(multi, jobs[begun].easy);
  }
  while (left > 0) {
    struct epoll_event ready[64];
    double wait = due < 0 ? -1 : due > now_ms() ? due - now_ms() + 1 : 0;
    int n = epoll_wait(epoll, ready, 64, (int)wait);
    for (int i = 0; i < n; i++)
      curl_multi_socket_action(
          multi, ready[i].data.fd,
          ((ready[i].events & ~(unsigned)EPOLLOUT) ? CURL_CSELECT_IN : 0) |
              ((ready[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0),
          &running);
    if (due >= 0 && due <= now_ms()) {
      due = -1;
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &n)) != NULL) {
      char *job;
      CURL *easy = message->easy_handle;
      CHECK(message->data.result);
      check_status(easy);
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &job);
      take_reply((struct job *)(void *)job);
      curl_multi_remove_handle(multi, easy);
      left--;
      if (begun < count) {
        begun++;
        set_message((struct job *)(void *)job);
        curl_multi_add_handle(multi, easy);
      }
    }
  }
  for (int i = 0; i < count && i < most; i++)
    curl_easy_cleanup(jobs[i].easy);
  free(jobs);
  curl_multi_cleanup(multi);
}

int main(int argc, char **argv) {
  if (argc < 4)
    fail("SCENARIO URL COUNT [MOST]");
  const char *scenario = argv[1];
  int count = atoi(argv[3]);
  snprintf(url, sizeof url, "%s/external/conversations/c-1/messages", argv[2]);
  for (int i = 0; i < TEXT; i++)
    text[i] = "ask "[i % 4];
  headers = curl_slist_append(NULL, "Agent-Secret-Key: secret");
  if (strcmp(scenario, "history") != 0)
    headers = curl_slist_append(headers, "Content-Type: application/json");
  curl_global_init(CURL_GLOBAL_DEFAULT);
  open_json();
  if (strcmp(scenario, "send") == 0)
    serially(count, set_message);
  else if (strcmp(scenario, "large") == 0)
    serially(count, set_large);
  else if (strcmp(scenario, "history") == 0)
    serially(count, NULL);
  else if (strcmp(scenario, "flight") == 0)
    at_once(count, argc > 4 ? atoi(argv[4]) : count);
  else
    fail("no such scenario");
  curl_slist_free_all(headers);
  curl_global_cleanup();
  printf("%zu\n", check);
  return 0;
}
