/* What schedulers of tasks and event loops build on, as functions of Lua.
   They are not public: raia/task.lua makes the public ones of them. */
#include "tasks.h"

#include "error.h"
#include "notify.h"
#include "request.h"
#include "wait.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RAIA_ALARM "raia.alarm"

static char suspend_key, changed_key; /* in the registry, by their addresses */

bool raia_tasks_push_suspend(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &suspend_key) == LUA_TFUNCTION)
    return true;
  lua_pop(L, 1);
  return false;
}

void raia_tasks_changed(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &changed_key) == LUA_TFUNCTION)
    lua_call(L, 0, 0);
  else
    lua_pop(L, 1);
}

/* hooks(suspend, changed): sets the functions that are called so: suspend
   (request, seconds) where a call in a coroutine would block, to return
   whether it has waited instead; changed() when a request is under way that
   nobody waits for. nil: none. */
static int scheduler_hooks(lua_State *L) {
  lua_settop(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &changed_key);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &suspend_key);
  return 0;
}

/* step(seconds): waits for completion up to so long and tells it. Returns how
   many requests are in flight. Raises what a hook or a function woken raises.
 */
static int scheduler_step(lua_State *L) {
  struct raia_wait wait;
  raia_wait_begin(L, &wait, luaL_checknumber(L, 1));
  do {
    if (!raia_wait_step(L, &wait))
      return lua_error(L);
  } while (raia_notify(L, wait.loop) == 0 && !raia_wait_over(&wait));
  lua_pushinteger(L, (lua_Integer)wait.loop->in_flight);
  return 1;
}

/* state(): how many requests are in flight, the descriptor to watch for
   reading (nil where there is none), and the seconds after which to step
   whatever it says (nil: never). */
static int scheduler_state(lua_State *L) {
  struct raia_loop *loop = raia_wait_loop(L);
  double patience = raia_loop_next_timeout(loop);
  int fd = raia_loop_fd(loop);
  lua_pushinteger(L, (lua_Integer)loop->in_flight);
  if (fd >= 0)
    lua_pushinteger(L, fd);
  else
    lua_pushnil(L);
  if (patience >= 0)
    lua_pushnumber(L, patience);
  else
    lua_pushnil(L);
  return 3;
}

/* on_done(request, wake, off): has wake() called when the request is done;
   with `off`, takes that back. */
static int scheduler_on_done(lua_State *L) {
  struct raia_request *r = luaL_checkudata(L, 1, RAIA_REQUEST);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  bool on = !lua_toboolean(L, 3);
  if (lua_getiuservalue(L, 1, RAIA_REQUEST_WAKE) != LUA_TTABLE) {
    if (!on)
      return 0;
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, RAIA_REQUEST_WAKE);
  }
  lua_pushvalue(L, 2);
  if (on)
    lua_pushboolean(L, 1);
  else
    lua_pushnil(L);
  lua_rawset(L, -3);
  r->awaited = true;
  raia_wait_remember(L, 1, &r->transfer.completion);
  return 0;
}

/* alarm(seconds, wake): has wake() called after so long. Returns what calls
   it off when it is closed or nobody holds it any more. */
static int scheduler_alarm(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  struct raia_alarm *alarm = lua_newuserdatauv(L, sizeof *alarm, 1);
  memset(alarm, 0, sizeof *alarm);
  luaL_setmetatable(L, RAIA_ALARM);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1);
  raia_wait_remember(L, -1, &alarm->completion);
  alarm->completion.tell = raia_notify_of_alarm;
  raia_loop_alarm(raia_wait_loop(L), alarm, fmax(seconds, 0));
  return 1;
}

static int alarm_off(lua_State *L) {
  raia_alarm_stop(luaL_checkudata(L, 1, RAIA_ALARM));
  return 0;
}

/* failure(kind, message): nil, message, err, as a call that failed gives. */
static int scheduler_failure(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushnil(L);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 5);
  luaL_setmetatable(L, RAIA_ERROR);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "kind");
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "message");
  lua_pushliteral(L, "maybe");
  lua_setfield(L, -2, "sent");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "retryable");
  return 3;
}

/* ---- what Lua has in io, debug and warn, which a host may take away ---- */

/* say(text): writes it on standard error. */
static int scheduler_say(lua_State *L) {
  fprintf(stderr, "%s", luaL_checkstring(L, 1));
  return 0;
}

/* warn(text): a warning, and a line of the log. */
static int scheduler_warn(lua_State *L) {
  raia_error_warn(L, luaL_checkstring(L, 1));
  return 0;
}

/* traceback(thread, text, level): the text, and where the thread is, but for
   the innermost `level` (0) of its functions. */
static int scheduler_traceback(lua_State *L) {
  lua_State *thread = lua_tothread(L, 1);
  luaL_argexpected(L, thread != NULL, 1, "thread");
  luaL_traceback(L, thread, luaL_checkstring(L, 2),
                 (int)luaL_optinteger(L, 3, 0));
  return 1;
}

/* place(function): the file and line of its definition; place(thread, level):
   those where it is in its stack; "" for what is not Lua, nil where the stack
   ends. */
static int scheduler_place(lua_State *L) {
  lua_Debug at;
  if (lua_isfunction(L, 1)) {
    lua_settop(L, 1);
    lua_getinfo(L, ">S", &at);
    at.currentline = at.linedefined;
  } else {
    lua_State *thread = lua_tothread(L, 1);
    luaL_argexpected(L, thread != NULL, 1, "function or thread");
    if (!lua_getstack(thread, (int)luaL_checkinteger(L, 2), &at))
      return 0;
    lua_getinfo(thread, "Sl", &at);
  }
  if (at.currentline > 0)
    lua_pushfstring(L, "%s:%d", at.short_src, at.currentline);
  else
    lua_pushliteral(L, "");
  return 1;
}

/* ---- */

/* is_terminal(): whether standard error is one. */
static int scheduler_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDERR_FILENO));
  return 1;
}

/* now(): seconds of a clock that never goes back. */
static int scheduler_now(lua_State *L) {
  lua_pushnumber(L, raia_now());
  return 1;
}

void raia_tasks_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"hooks", scheduler_hooks},
                                       {"step", scheduler_step},
                                       {"state", scheduler_state},
                                       {"on_done", scheduler_on_done},
                                       {"alarm", scheduler_alarm},
                                       {"failure", scheduler_failure},
                                       {"say", scheduler_say},
                                       {"warn", scheduler_warn},
                                       {"traceback", scheduler_traceback},
                                       {"place", scheduler_place},
                                       {"is_terminal", scheduler_is_terminal},
                                       {"now", scheduler_now},
                                       {0, 0}};
  static const luaL_Reg metamethods[] = {
      {"__gc", alarm_off}, {"__close", alarm_off}, {0, 0}};
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, RAIA_ALARM);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
}
