/* The loop of a Lua state, and waiting in it. */
#include "wait.h"

#include "hooks.h"

#include <lauxlib.h>
#include <math.h>
#include <signal.h>
#include <string.h>

static char loop_key, completions_key; /* registry keys, by address */

static int loop_gc(lua_State *L) {
  raia_loop_close(lua_touserdata(L, 1));
  return 0;
}

void raia_wait_open(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &loop_key) != LUA_TNIL) {
    lua_pop(L, 1); /* the module was loaded in this state before */
    return;
  }
  lua_newtable(L); /* light userdata of completion -> userdata, weak */
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &completions_key);
  struct raia_loop *loop = lua_newuserdatauv(L, sizeof *loop, 0);
  memset(loop, 0, sizeof *loop);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, loop_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (!raia_loop_open(loop))
    luaL_error(L, "raia: no memory or no file descriptor left");
  lua_rawsetp(L, LUA_REGISTRYINDEX,
              &loop_key); /* last: everything exists now */
  lua_pop(L, 1);
}

struct raia_loop *raia_wait_loop(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &loop_key);
  struct raia_loop *loop = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return loop;
}

void raia_wait_remember(lua_State *L, int index,
                        const struct raia_completion *completion) {
  index = lua_absindex(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &completions_key);
  lua_pushvalue(L, index);
  lua_rawsetp(L, -2, completion);
  lua_pop(L, 1);
}

void raia_wait_find(lua_State *L, const struct raia_completion *completion) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &completions_key);
  lua_rawgetp(L, -1, completion);
  lua_remove(L, -2);
}

/* ---- SIGQUIT reports where tasks wait ---- */

static volatile sig_atomic_t report_wanted;

static void want_report(int signal) {
  (void)signal;
  report_wanted = 1;
}

void raia_wait_report_on_sigquit(void) {
  struct sigaction action;
  if (sigaction(SIGQUIT, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
    return; /* the host handles it */
  memset(&action, 0, sizeof action);
  action.sa_handler = want_report;
  sigaction(SIGQUIT, &action, NULL);
}

/* ---- waiting ---- */

/* How long a hook set by a signal handler may go unnoticed: the signal may
   come right before a wait, or be handled by another thread. */
#define SIGNAL_POLL 0.25 /* seconds */

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* Whether a hook has raised, such as one set by a signal handler; its error is
   then at the top. */
static bool interrupted(lua_State *L, const struct raia_wait *wait) {
  if (lua_gethook(L) != NULL) {
    lua_pushcfunction(L, nothing); /* the call runs the hook */
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
      return true;
  }
  if (L == wait->main || lua_gethook(wait->main) == wait->hook)
    return false;
  /* In a coroutine: the main thread runs its hook as soon as control is back
     there, so return control. */
  lua_pushliteral(L, "interrupted!");
  return true;
}

void raia_wait_begin(lua_State *L, struct raia_wait *wait, double seconds) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  wait->loop = raia_wait_loop(L);
  wait->main = lua_tothread(L, -1);
  wait->hook = lua_gethook(wait->main);
  wait->until = raia_now() + seconds;
  lua_pop(L, 1);
}

bool raia_wait_step(lua_State *L, struct raia_wait *wait) {
  double left = SIGNAL_POLL;
  if (wait->until != HUGE_VAL)
    left = fmax(fmin(left, wait->until - raia_now()), 0);
  raia_loop_step(wait->loop, left);
  if (report_wanted) {
    report_wanted = 0;
    raia_hooks_report(L);
  }
  return !interrupted(L, wait);
}

bool raia_wait_over(const struct raia_wait *wait) {
  return wait->until != HUGE_VAL && raia_now() >= wait->until;
}
