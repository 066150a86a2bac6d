/* Lua functions that raia/schedule.lua and event loops build on. They are
   private: the public ones are in raia/task.lua. */
#include "tasks.h"

#include "error.h"
#include "hooks.h"
#include "interrupt.h"
#include "notify.h"
#include "request.h"
#include "wait.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RAIA_ALARM "raia.alarm"

/* step(seconds): waits up to `seconds` for completions and delivers them.
   Returns the number of requests in flight and of completions delivered; nil
   if it would wait for ever. Raises what a hook or a wake-up raises. */
static int tasks_step(lua_State *L) {
  struct raia_wait wait;
  double seconds = luaL_checknumber(L, 1);
  raia_wait_begin(L, &wait, seconds);
  if (seconds == HUGE_VAL && wait.loop->in_flight == 0 &&
      raia_loop_next_timeout(wait.loop) < 0)
    return 0;
  int told;
  do {
    if (!raia_wait_step(L, &wait))
      return lua_error(L);
    told = raia_notify(L, wait.loop);
  } while (told == 0 && !raia_wait_over(&wait));
  lua_pushinteger(L, (lua_Integer)wait.loop->in_flight);
  lua_pushinteger(L, told);
  return 2;
}

/* state(): the number of requests in flight, the descriptor to watch for
   reading (nil if there is none), and the seconds after which to step
   regardless (nil: never). */
static int tasks_state(lua_State *L) {
  struct raia_loop *loop = raia_wait_loop(L);
  double next = raia_loop_next_timeout(loop);
  int fd = raia_loop_fd(loop);
  lua_pushinteger(L, (lua_Integer)loop->in_flight);
  if (fd >= 0)
    lua_pushinteger(L, fd);
  else
    lua_pushnil(L);
  if (next >= 0)
    lua_pushnumber(L, next);
  else
    lua_pushnil(L);
  return 3;
}

/* is_done(request) */
static int tasks_is_done(lua_State *L) {
  const struct raia_request *r = luaL_checkudata(L, 1, RAIA_REQUEST);
  lua_pushboolean(L, r->transfer.state == RAIA_DONE);
  return 1;
}

/* await(request, waiter): sets the waiter to wake when the request is done, or
   nil. Returns the previous waiter. */
static int tasks_await(lua_State *L) {
  struct raia_request *r = luaL_checkudata(L, 1, RAIA_REQUEST);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, RAIA_REQUEST_WAITER);
  r->awaited = lua_toboolean(L, 2);
  if (r->awaited)
    raia_wait_remember(L, 1, &r->transfer.completion);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 1, RAIA_REQUEST_WAITER);
  return 1;
}

/* alarm(seconds, waiter): wakes the waiter after `seconds`. Returns the alarm,
   which is stopped when it is closed or collected. */
static int tasks_alarm(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  luaL_checkany(L, 2);
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

/* off(alarm) */
static int alarm_off(lua_State *L) {
  raia_alarm_stop(luaL_checkudata(L, 1, RAIA_ALARM));
  return 0;
}

/* failure(kind, message, sent): returns nil, message, err, as a failed call
   does. kind may be nil. */
static int tasks_failure(lua_State *L) {
  luaL_checkstring(L, 2);
  luaL_checkstring(L, 3);
  lua_settop(L, 3);
  lua_pushnil(L);
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 6);
  luaL_setmetatable(L, RAIA_ERROR);
  for (int i = 1; i <= 3; i++) {
    static const char *const names[] = {"kind", "message", "sent"};
    lua_pushvalue(L, i);
    lua_setfield(L, -2, names[i - 1]);
  }
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "retryable");
  return 3;
}

/* is_error(value): whether it is one of raia's errors. */
static int tasks_is_error(lua_State *L) {
  bool is = lua_type(L, 1) == LUA_TTABLE && lua_getmetatable(L, 1);
  if (is) {
    luaL_getmetatable(L, RAIA_ERROR);
    is = lua_rawequal(L, -1, -2);
  }
  lua_pushboolean(L, is);
  return 1;
}

/* ---- what io, debug and warn offer, which a host may remove ---- */

/* say(text): writes to standard error. */
static int tasks_say(lua_State *L) {
  fprintf(stderr, "%s", luaL_checkstring(L, 1));
  return 0;
}

/* warn(text): a Lua warning and a log line. */
static int tasks_warn(lua_State *L) {
  raia_notify_warn(L, luaL_checkstring(L, 1));
  return 0;
}

/* traceback(thread, text, level): the text and the thread's stack, without its
   innermost `level` (0) functions. */
static int tasks_traceback(lua_State *L) {
  lua_State *thread = lua_tothread(L, 1);
  luaL_argexpected(L, thread != NULL, 1, "thread");
  luaL_traceback(L, thread, luaL_checkstring(L, 2),
                 (int)luaL_optinteger(L, 3, 0));
  return 1;
}

/* place(function): the file and line of its definition. place(thread, level):
   file and line of that stack level and the name of the function there, if
   known. "" for C functions, nil beyond the end of the stack. */
static int tasks_place(lua_State *L) {
  lua_Debug at;
  at.name = NULL;
  if (lua_isfunction(L, 1)) {
    lua_settop(L, 1);
    lua_getinfo(L, ">S", &at);
    at.currentline = at.linedefined;
  } else {
    lua_State *thread = lua_tothread(L, 1);
    luaL_argexpected(L, thread != NULL, 1, "function or thread");
    if (!lua_getstack(thread, (int)luaL_checkinteger(L, 2), &at))
      return 0;
    lua_getinfo(thread, "Sln", &at);
  }
  if (at.currentline > 0)
    lua_pushfstring(L, "%s:%d", at.short_src, at.currentline);
  else
    lua_pushliteral(L, "");
  lua_pushstring(L, at.name);
  return 2;
}

/* ---- */

/* is_terminal(): whether standard error is a terminal. */
static int tasks_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDERR_FILENO));
  return 1;
}

/* now(): seconds of a monotonic clock. */
static int tasks_now(lua_State *L) {
  lua_pushnumber(L, raia_now());
  return 1;
}

void raia_tasks_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"hooks", raia_hooks_set},    {"step", tasks_step},
      {"state", tasks_state},       {"await", tasks_await},
      {"is_done", tasks_is_done},   {"alarm", tasks_alarm},
      {"off", alarm_off},           {"failure", tasks_failure},
      {"is_error", tasks_is_error}, {"say", tasks_say},
      {"warn", tasks_warn},         {"traceback", tasks_traceback},
      {"place", tasks_place},       {"is_terminal", tasks_is_terminal},
      {"now", tasks_now},           {0, 0}};
  static const luaL_Reg metamethods[] = {
      {"__gc", alarm_off}, {"__close", alarm_off}, {0, 0}};
  const char *unknown;
  if (raia_log_level(&unknown) == RAIA_LOG_DEBUG)
    raia_wait_report_on_sigquit();
  luaL_setfuncs(L, functions, 0);
  raia_interrupt_open(L);
  luaL_newmetatable(L, RAIA_ALARM);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
}
