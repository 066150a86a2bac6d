/* Lua values made from text of a server or libcurl, with the key masked. */
#include "hide.h"

#include <lauxlib.h>
#include <string.h>

void raia_hide_outcome(struct raia_outcome *outcome,
                       const struct raia_endpoint *endpoint) {
  raia_buffer_shrink(&outcome->reply, RAIA_EXCERPT);
  if (endpoint != NULL)
    raia_endpoint_mask_outcome(endpoint, outcome);
}

/* Pushes the copy; *found tells whether anything was masked. */
static const char *push(lua_State *L, const struct raia_endpoint *endpoint,
                        const char *text, size_t length, bool *found) {
  luaL_Buffer b;
  char *copy = luaL_buffinitsize(L, &b, length);
  memcpy(copy, text, length);
  *found = endpoint != NULL && raia_endpoint_mask(endpoint, copy, length);
  luaL_pushresultsize(&b, length);
  return lua_tostring(L, -1);
}

const char *raia_hide_push(lua_State *L, const struct raia_endpoint *endpoint,
                           const char *text, size_t length) {
  bool found;
  return push(L, endpoint, text, length, &found);
}

bool raia_hide_has_key(lua_State *L, const struct raia_endpoint *endpoint,
                       int index) {
  bool found;
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  push(L, endpoint, text, length, &found);
  lua_pop(L, 1);
  return found;
}

/* Pushes a copy of the value at `index` with the key masked. */
static void push_value(lua_State *L, const struct raia_endpoint *endpoint,
                       int index) {
  lua_pushvalue(L, index);
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    raia_hide_push(L, endpoint, text, length);
    lua_replace(L, -2);
  } else if (lua_type(L, -1) == LUA_TTABLE) {
    raia_hide_table(L, endpoint, lua_gettop(L));
  }
}

void raia_hide_table(lua_State *L, const struct raia_endpoint *endpoint,
                     int index) {
  luaL_checkstack(L, 10, "reply nested too deep");
  lua_newtable(L);
  int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_settop(L, copy + 1)) {
    push_value(L, endpoint, copy + 1); /* copy, name, value, name, value */
    push_value(L, endpoint, copy + 2);
    lua_rawset(L, copy);
  }
  if (lua_getmetatable(L, index))
    lua_setmetatable(L, copy);
  lua_replace(L, index);
}
