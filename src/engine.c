/* The pool of a Lua state: what every wait moves along. */
#include "engine.h"

#include <lauxlib.h>
#include <string.h>

static char pool_key, transfers_key; /* in the registry, by their addresses */

static int engine_gc(lua_State *L) {
  raia_pool_close(lua_touserdata(L, 1));
  return 0;
}

void raia_engine_open(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pool_key) != LUA_TNIL) {
    lua_pop(L, 1); /* the module was loaded before in this state */
    return;
  }
  struct raia_pool *pool = lua_newuserdatauv(L, sizeof *pool, 0);
  memset(pool, 0, sizeof *pool);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, engine_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (!raia_pool_open(pool))
    luaL_error(L, "raia: no memory or no file descriptor left");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &pool_key);
  lua_newtable(L); /* light userdata -> request, weak */
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &transfers_key);
  lua_pop(L, 1);
}

struct raia_pool *raia_engine_pool(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &pool_key);
  struct raia_pool *pool = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return pool;
}

void raia_engine_remember(lua_State *L, int index, struct raia_transfer *t) {
  index = lua_absindex(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &transfers_key);
  lua_pushvalue(L, index);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

void raia_engine_find(lua_State *L, struct raia_transfer *t) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &transfers_key);
  lua_rawgetp(L, -1, t);
  lua_remove(L, -2);
}

lua_Hook raia_engine_hook(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_Hook hook = lua_gethook(lua_tothread(L, -1));
  lua_pop(L, 1);
  return hook;
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

bool raia_engine_unbroken(lua_State *L, lua_Hook hook) {
  lua_pushcfunction(L, nothing); /* the call is what runs a hook of L's own */
  if (lua_pcall(L, 0, 0, 0) != LUA_OK)
    return false;
  if (raia_engine_hook(L) == hook)
    return true;
  /* In a coroutine: the main thread will run its hook as soon as it is back
     there, so let it be back. */
  lua_pushliteral(L, "interrupted!");
  return false;
}
