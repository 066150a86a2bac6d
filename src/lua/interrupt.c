/* An error raised in a task where it waits, which no pcall of the task can
   stop. coroutine.close would end the task as well, but its <close> handlers
   could not wait. Instead, a return hook raises the error when the function
   returns that the task is suspended in, and again whenever a pcall returns
   that has caught it. <close> handlers that run in between are deeper in the
   stack than that pcall and are left alone. */
#include "interrupt.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

/* Registry keys, by address: a weak table from threads to the state of their
   interrupts; the error. */
static char threads_key, error_key;

struct interrupt {
  int depth; /* raise the error when a function at most this deep returns */
  int base;  /* pcalls below this depth may catch it */
  lua_CFunction pcall, xpcall;
  lua_Hook hook; /* the thread's own hook */
  int mask, count;
};

/* The number of active functions in `co`. */
static int depth_of(lua_State *co) {
  lua_Debug at;
  int active = 0, beyond = 1; /* levels */
  if (!lua_getstack(co, 0, &at))
    return 0;
  for (; lua_getstack(co, beyond, &at); beyond *= 2)
    active = beyond;
  while (beyond - active > 1) {
    int middle = active + (beyond - active) / 2;
    if (lua_getstack(co, middle, &at))
      active = middle;
    else
      beyond = middle;
  }
  return active + 1;
}

/* The depth of the innermost pcall in `co` below `before`, 0 if there is none.
 */
static int next_pcall(lua_State *co, const struct interrupt *i) {
  lua_Debug at;
  int depth = depth_of(co); /* another error may have passed i->depth */
  for (int d = (depth < i->depth ? depth : i->depth) - 1; d > i->base; d--) {
    lua_getstack(co, depth - d, &at);
    lua_getinfo(co, "f", &at);
    lua_CFunction f = lua_tocfunction(co, -1);
    lua_pop(co, 1);
    if (f != NULL && (f == i->pcall || f == i->xpcall))
      return d;
  }
  return 0;
}

/* The interrupt of thread L, or NULL. */
static struct interrupt *find_interrupt(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &threads_key);
  lua_pushthread(L);
  lua_rawget(L, -2);
  struct interrupt *i = lua_touserdata(L, -1);
  lua_pop(L, 2);
  return i;
}

/* Raises the error in L and arranges for it to be raised again in the next
   pcall. After the last one, restores the thread's own hook. */
static int raise(lua_State *L, struct interrupt *i) {
  i->depth = next_pcall(L, i);
  if (i->depth == 0)
    lua_sethook(L, i->hook, i->mask, i->count);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &error_key);
  return lua_error(L);
}

static void on_return(lua_State *L, lua_Debug *at) {
  struct interrupt *i = find_interrupt(L);
  (void)at;
  if (i == NULL) /* inherited by a coroutine that a <close> handler created */
    lua_sethook(L, NULL, 0, 0);
  else if (depth_of(L) <= i->depth)
    raise(L, i);
}

/* Whether `co` is in a <close> handler of a block that ended without an error.
 */
static bool is_closing(lua_State *co) {
  lua_Debug at;
  for (int level = 0; lua_getstack(co, level, &at); level++)
    if (lua_getinfo(co, "n", &at) && at.name != NULL &&
        strcmp(at.namewhat, "metamethod") == 0 &&
        strcmp(at.name, "close") == 0)
      return true;
  return false;
}

/* interrupt(thread, base): raises the error in the thread, at once if it is
   running, otherwise when it is resumed. Only pcalls with at most `base`
   functions below them can catch it. Does nothing and returns false while a
   <close> handler of a block that ended normally runs there. Upvalues: pcall
   and xpcall. */
static int scheduler_interrupt(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co != NULL, 1, "thread");
  int base = (int)luaL_checkinteger(L, 2);
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &threads_key);
  lua_pushvalue(L, 1);
  struct interrupt *i = lua_newuserdatauv(L, sizeof *i, 0);
  if (!lua_checkstack(co, 1))
    return luaL_error(L, "not enough memory");
  if (is_closing(co)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  *i = (struct interrupt){.depth = depth_of(co),
                          .base = base,
                          .pcall = lua_tocfunction(L, lua_upvalueindex(1)),
                          .xpcall = lua_tocfunction(L, lua_upvalueindex(2)),
                          .hook = lua_gethook(co),
                          .mask = lua_gethookmask(co),
                          .count = lua_gethookcount(co)};
  lua_rawset(L, 2);
  lua_sethook(co, on_return, LUA_MASKRET, 0);
  if (co == L)
    return raise(L, i);
  lua_pushboolean(L, 1);
  return 1;
}

void raia_interrupt_open(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &threads_key);
  lua_getglobal(L, "pcall");
  lua_getglobal(L, "xpcall");
  lua_pushcclosure(L, scheduler_interrupt, 2);
  lua_setfield(L, -2, "interrupt");
  lua_newtable(L); /* the error */
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
  lua_setfield(L, -2, "interrupted");
}
