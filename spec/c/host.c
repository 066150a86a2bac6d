/* A program with Lua in it: `host FILE` runs a Lua file that has, as the
   global `host`, what hosts do and plain Lua does not: forks, threads with
   Lua states, states opened and closed, signals. */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIME_LIMIT = 30 }; /* seconds, after which a host that hangs is ended */

static void open_host(lua_State *L);

/* Runs code in a state of its own and closes it: NULL, or what it raised. */
static char *run_state(const char *code, lua_Integer number) {
  char *raised = NULL;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  open_host(L);
  if (luaL_loadstring(L, code) == LUA_OK) {
    lua_pushinteger(L, number);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
      lua_pushnil(L);
  }
  if (!lua_isnil(L, -1))
    raised = strdup(luaL_tolstring(L, -1, NULL));
  lua_close(L);
  return raised;
}

static void check(lua_State *L, char *raised) {
  if (raised != NULL) {
    lua_pushstring(L, raised);
    free(raised);
    lua_error(L);
  }
}

/* host.state(code): raises what the code does. */
static int host_state(lua_State *L) {
  check(L, run_state(luaL_checkstring(L, 1), 0));
  return 0;
}

struct job {
  pthread_t thread;
  const char *code;
  int number;
  char *raised;
};

static void *run_job(void *data) {
  struct job *job = data;
  job->raised = run_state(job->code, job->number);
  return NULL;
}

/* host.threads(n, code): the code in n threads at once, called with 1 to n. */
static int host_threads(lua_State *L) {
  struct job jobs[64];
  int n = (int)luaL_checkinteger(L, 1);
  char *raised = NULL;
  luaL_argcheck(L, n > 0 && n <= 64, 1, "1 to 64 threads");
  for (int i = 0; i < n; i++) {
    jobs[i] = (struct job){.code = luaL_checkstring(L, 2), .number = i + 1};
    if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) != 0)
      abort();
  }
  for (int i = 0; i < n; i++) {
    pthread_join(jobs[i].thread, NULL);
    if (raised == NULL)
      raised = jobs[i].raised;
    else
      free(jobs[i].raised);
  }
  check(L, raised);
  return 0;
}

/* host.fork(): 0 in the child. host.wait(pid): its exit status, or 128 and
   the signal. host.quit(status): ends without any cleaning up. */
static int host_fork(lua_State *L) {
  pid_t pid = fork();
  if (pid == 0)
    alarm(TIME_LIMIT);
  lua_pushinteger(L, pid);
  return 1;
}

static int host_wait(lua_State *L) {
  int status;
  if (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0)
    return luaL_error(L, "no such child");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
                                       : 128 + WTERMSIG(status));
  return 1;
}

static int host_quit(lua_State *L) { _exit((int)luaL_checkinteger(L, 1)); }

/* host.on_alarm(seconds): counts SIGALRMs, one each so many seconds, 0 for no
   more. host.alarms(): how many came. host.handlers(): what is set for the
   signals that libraries like to take, as a string to compare. */
static int alarms; /* threads of libcurl's may handle some, at once */

static void on_alarm(int signal) {
  (void)signal;
  __atomic_add_fetch(&alarms, 1, __ATOMIC_RELAXED);
}

static int host_on_alarm(lua_State *L) {
  struct sigaction action = {.sa_handler = on_alarm};
  long each = (long)(luaL_checknumber(L, 1) * 1e6);
  struct itimerval timer = {{0, each}, {0, each}};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &timer, NULL);
  return 0;
}

static int host_alarms(lua_State *L) {
  lua_pushinteger(L, __atomic_load_n(&alarms, __ATOMIC_RELAXED));
  return 1;
}

static int host_handlers(lua_State *L) {
  static const int signals[] = {SIGALRM, SIGINT, SIGPIPE, SIGTERM, SIGCHLD};
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    struct sigaction action;
    sigset_t blocked;
    sigaction(signals[i], NULL, &action);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    lua_pushfstring(L, "%d: %p, %d, blocked %d\n", signals[i],
                    (void *)(size_t)action.sa_handler, action.sa_flags,
                    sigismember(&blocked, signals[i]));
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  return 1;
}

/* host.hook_from_thread(seconds): after so long, another thread handles a
   SIGUSR1, which sets a hook that raises here. */
static lua_State *hooked;

static void raise_hooked(lua_State *L, lua_Debug *debug) {
  (void)debug;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "hooked");
}

static void on_user(int signal) {
  (void)signal;
  lua_sethook(hooked, raise_hooked, LUA_MASKCALL | LUA_MASKCOUNT, 1);
}

static void *take_signals(void *data) {
  double *seconds = data;
  struct timespec time = {(time_t)*seconds, 0};
  sigset_t user;
  sigemptyset(&user);
  sigaddset(&user, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &user, NULL);
  nanosleep(&time, NULL);
  kill(getpid(), SIGUSR1);
  for (;;)
    pause();
  return NULL;
}

static int host_hook_from_thread(lua_State *L) {
  static double seconds;
  struct sigaction action = {.sa_handler = on_user};
  pthread_t thread;
  sigset_t user;
  seconds = luaL_checknumber(L, 1);
  hooked = L;
  sigaction(SIGUSR1, &action, NULL);
  sigemptyset(&user);
  sigaddset(&user, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &user, NULL);
  if (pthread_create(&thread, NULL, take_signals, &seconds) != 0)
    abort();
  return 0;
}

static void open_host(lua_State *L) {
  static const luaL_Reg functions[] = {{"state", host_state},
                                       {"threads", host_threads},
                                       {"fork", host_fork},
                                       {"wait", host_wait},
                                       {"quit", host_quit},
                                       {"on_alarm", host_on_alarm},
                                       {"alarms", host_alarms},
                                       {"handlers", host_handlers},
                                       {"hook_from_thread",
                                        host_hook_from_thread},
                                       {0, 0}};
  luaL_newlib(L, functions);
  lua_setglobal(L, "host");
}

int main(int argc, char **argv) {
  alarm(TIME_LIMIT);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  open_host(L);
  int failed = luaL_dofile(L, argc > 1 ? argv[1] : NULL);
  if (failed)
    fprintf(stderr, "host: %s\n", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  return failed ? 1 : 0;
}
