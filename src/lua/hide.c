/* Values of Lua made of what a server or libcurl has said, without the key. */
#include "hide.h"

#include "error.h"

#include <lauxlib.h>
#include <string.h>

/* Of a closed client the key is not known any more; what it had to hide was
   masked before. */

void raia_hide_transfer(struct raia_request *request) {
  raia_buffer_shrink(&request->transfer.outcome.reply, RAIA_EXCERPT);
  if (request->client->endpoint != NULL)
    raia_transfer_hide(&request->transfer);
}

/* Pushes the copy; *found: something was masked in it. */
static const char *push(lua_State *L, const struct raia_request *request,
                        const char *text, size_t length, bool *found) {
  const struct raia_endpoint *endpoint = request->client->endpoint;
  luaL_Buffer b;
  char *copy = luaL_buffinitsize(L, &b, length);
  memcpy(copy, text, length);
  *found = endpoint != NULL && raia_endpoint_mask(endpoint, copy, length);
  luaL_pushresultsize(&b, length);
  return lua_tostring(L, -1);
}

const char *raia_hide_push(lua_State *L, const struct raia_request *request,
                           const char *text, size_t length) {
  bool found;
  return push(L, request, text, length, &found);
}

bool raia_hide_has_key(lua_State *L, const struct raia_request *request,
                       int index) {
  bool found;
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  push(L, request, text, length, &found);
  lua_pop(L, 1);
  return found;
}

/* Pushes what is to be shown of the value at `index`. */
static void push_value(lua_State *L, const struct raia_request *request,
                       int index) {
  lua_pushvalue(L, index);
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    raia_hide_push(L, request, text, length);
    lua_replace(L, -2);
  } else if (lua_type(L, -1) == LUA_TTABLE) {
    raia_hide_table(L, request, lua_gettop(L));
  }
}

void raia_hide_table(lua_State *L, const struct raia_request *request,
                     int index) {
  luaL_checkstack(L, 10, "reply nested too deep");
  lua_newtable(L);
  int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_settop(L, copy + 1)) {
    push_value(L, request, copy + 1); /* copy, name, value, name, value */
    push_value(L, request, copy + 2);
    lua_rawset(L, copy);
  }
  if (lua_getmetatable(L, index))
    lua_setmetatable(L, copy);
  lua_replace(L, index);
}
