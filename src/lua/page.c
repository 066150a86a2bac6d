/* Pages: lists of objects that come in parts. */
#include "page.h"

#include <lauxlib.h>

enum { GROUP = 1, METHOD, QUERY, OPTIONS };

/* Pushes a copy of the table at `index`, an empty one if there is none. */
static void push_copy_of(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lua_newtable(L);
  if (lua_istable(L, index))
    for (lua_pushnil(L); lua_next(L, index) != 0;) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2); /* copy, key, key, value */
      lua_rawset(L, -4);
    }
}

void raia_page_push_target(lua_State *L, const char *name, int options) {
  lua_createtable(L, OPTIONS, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, GROUP);
  luaL_getmetafield(L, 1, "__index");
  lua_getfield(L, -1, name);
  lua_rawseti(L, -3, METHOD);
  lua_pop(L, 1);
  push_copy_of(L, 2);
  lua_rawseti(L, -2, QUERY);
  push_copy_of(L, options);
  lua_rawseti(L, -2, OPTIONS);
}

static int results(lua_State *L, int status, lua_KContext base) {
  (void)status;
  return lua_gettop(L) - (int)base;
}

/* page:next(options): the next page, or nil after the last. Upvalues: what the
   page was asked with, the next page's number. */
static int page_next(lua_State *L) {
  const int target = lua_upvalueindex(1), number = lua_upvalueindex(2);
  lua_settop(L, 2); /* page, options */
  luaL_checktype(L, 1, LUA_TTABLE);
  if (!lua_isnil(L, 2))
    luaL_checktype(L, 2, LUA_TTABLE);
  if (lua_isnil(L, number)) {
    lua_pushnil(L);
    return 1;
  }
  if (lua_isnil(L, 2)) {
    lua_rawgeti(L, target, OPTIONS);
    lua_replace(L, 2);
  }
  lua_rawgeti(L, target, METHOD);
  lua_rawgeti(L, target, GROUP);
  lua_rawgeti(L, target, QUERY);
  push_copy_of(L, -1);
  lua_replace(L, -2);
  lua_pushvalue(L, number);
  lua_setfield(L, -2, "page");
  lua_pushvalue(L, 2); /* page, options, method, group, query, options */
  lua_callk(L, 3, LUA_MULTRET, 2, results);
  return results(L, LUA_OK, 2);
}

void raia_page_complete(lua_State *L, int target) {
  int page = lua_gettop(L);
  lua_createtable(L, 0, 1); /* the metatable */
  lua_createtable(L, 0, 1); /* its methods */
  lua_pushvalue(L, target);
  lua_getfield(L, page, "hasNextPage");
  if (lua_toboolean(L, -1) &&
      lua_getfield(L, page, "currentPage") == LUA_TNUMBER) {
    lua_pushinteger(L, 1);
    lua_arith(L, LUA_OPADD);
  } else {
    lua_pushnil(L);
  }
  lua_replace(L, page + 4);
  lua_settop(L, page + 4);
  lua_pushcclosure(L, page_next, 2);
  lua_setfield(L, -2, "next");
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, page);
}
