/* The pool of a Lua state, and waiting for what happens in it. */
#include "engine.h"

#include "events.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

static char pool_key, news_key; /* in the registry, by their addresses */

static int engine_gc(lua_State *L) {
  raia_pool_close(lua_touserdata(L, 1));
  return 0;
}

void raia_engine_open(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pool_key) != LUA_TNIL) {
    lua_pop(L, 1); /* the module was loaded before in this state */
    return;
  }
  lua_newtable(L); /* light userdata of news -> userdata, weak */
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &news_key);
  struct raia_pool *pool = lua_newuserdatauv(L, sizeof *pool, 0);
  memset(pool, 0, sizeof *pool);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, engine_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (!raia_pool_open(pool))
    luaL_error(L, "raia: no memory or no file descriptor left");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &pool_key); /* last: all is there now */
  lua_pop(L, 1);
}

struct raia_pool *raia_engine_pool(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &pool_key);
  struct raia_pool *pool = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return pool;
}

void raia_engine_remember(lua_State *L, int index,
                          const struct raia_news *news) {
  index = lua_absindex(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &news_key);
  lua_pushvalue(L, index);
  lua_rawsetp(L, -2, news);
  lua_pop(L, 1);
}

void raia_engine_find(lua_State *L, const struct raia_news *news) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &news_key);
  lua_rawgetp(L, -1, news);
  lua_remove(L, -2);
}

/* ---- waiting ---- */

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* Whether there is a hook that may have something to say. One that was there
   from the start may, too: it looks at a clock, say. */
static bool hooked(const void *data) {
  const struct raia_wait *wait = data;
  return lua_gethook(wait->thread) != NULL || lua_gethook(wait->main) != NULL;
}

/* Runs a hook that was set meanwhile. */
static bool unbroken(lua_State *L, const struct raia_wait *wait) {
  lua_pushcfunction(L, nothing); /* the call is what runs a hook of L's own */
  if (lua_pcall(L, 0, 0, 0) != LUA_OK)
    return false;
  if (lua_gethook(wait->main) == wait->hook)
    return true;
  /* In a coroutine: the main thread will run its hook as soon as it is back
     there, so let it be back. */
  lua_pushliteral(L, "interrupted!");
  return false;
}

void raia_wait_begin(lua_State *L, struct raia_wait *wait, double seconds) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  wait->pool = raia_engine_pool(L);
  wait->thread = L;
  wait->main = lua_tothread(L, -1);
  wait->hook = lua_gethook(wait->main);
  wait->checked = raia_now();
  wait->until = wait->checked + seconds;
  lua_pop(L, 1);
}

bool raia_wait_step(lua_State *L, struct raia_wait *wait) {
  double left =
      wait->until == HUGE_VAL ? HUGE_VAL : fmax(wait->until - raia_now(), 0);
  bool broken = !raia_pool_step(wait->pool, left, hooked, wait);
  double now = raia_now();
  if (!broken && now - wait->checked < RAIA_PATIENCE)
    return true;
  wait->checked = now;
  return unbroken(L, wait);
}

bool raia_wait_over(const struct raia_wait *wait) {
  return wait->until != HUGE_VAL && raia_now() >= wait->until;
}
