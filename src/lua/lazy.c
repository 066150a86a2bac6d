/* raia.lazy: opens raia.core for `require`, which would else have every symbol
   of the thirty libraries behind libcurl looked up at once. Opened like this,
   they are looked up when they are first used, as in a program that is linked
   with libcurl; and what is open is not looked at again. */
#include "module.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>

static const char core[] = "raia.core";

/* Whether field `core` of a table in the registry is set. */
static bool is_in(lua_State *L, const char *table) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, table);
  bool set = lua_getfield(L, -1, core) != LUA_TNIL;
  lua_pop(L, 2);
  return set;
}

/* The file that `require` would take, or NULL. */
static const char *find(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "searchpath");
  lua_pushstring(L, core);
  lua_getfield(L, -3, "cpath");
  lua_call(L, 2, 1);
  return lua_tostring(L, -1);
}

/* Gives whether it has; `require "raia.core"` says what is wrong. The library
   is never closed: see process.h. */
int luaopen_raia_lazy(lua_State *L) {
  luaL_checkversion(L);
  const char *file = NULL;
  if (!is_in(L, LUA_LOADED_TABLE) && !is_in(L, LUA_PRELOAD_TABLE))
    file = find(L);
  lua_pushboolean(L, file != NULL &&
                         dlopen(file, RTLD_LAZY | RTLD_LOCAL) != NULL);
  return 1;
}
