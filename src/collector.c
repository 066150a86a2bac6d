/* Lua's garbage collector while a large reply becomes Lua values. */
#include "collector.h"

#include <stdbool.h>

/* So many times the bytes may be in use for it to be collected before. */
enum { LITTLE = 4 };

/* Without garbage at the start and none being made, all is in use at the end,
   as it is after a collection: the next one is as far off as then. A step of
   less than nothing says so to the collector, and saves it from going through
   all the values once (a fifth of the time that a history takes). */
int raia_collector_rest(lua_State *L, size_t bytes) {
  int base = lua_gettop(L) - 2;
  bool rests = lua_gc(L, LUA_GCISRUNNING) > 0;
  bool clean = rests && (size_t)lua_gc(L, LUA_GCCOUNT) < bytes / 1024 * LITTLE;
  if (clean)
    lua_gc(L, LUA_GCCOLLECT);
  int before = lua_gc(L, LUA_GCCOUNT);
  if (rests)
    lua_gc(L, LUA_GCSTOP);
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  if (rests)
    lua_gc(L, LUA_GCRESTART);
  if (clean)
    lua_gc(L, LUA_GCSTEP, before - lua_gc(L, LUA_GCCOUNT));
  if (status != LUA_OK)
    lua_error(L);
  return lua_gettop(L) - base;
}
