/* Queries of URLs from Lua tables. */
#include "query.h"

#include "json.h"
#include "net/endpoint.h"

#include <lauxlib.h>

/* Pushes the string at `index` percent-encoded. */
static void push_encoded(lua_State *L, int index) {
  size_t length;
  luaL_Buffer b;
  const char *s = lua_tolstring(L, index, &length);
  char *out = luaL_buffinitsize(L, &b, 3 * length + 1);
  luaL_pushresultsize(&b, (size_t)(raia_path_encode(out, s, length) - out));
}

/* Replaces the value at the top by its text, percent-encoded. */
static void encode_value(lua_State *L, int arg) {
  int type = lua_type(L, -1);
  if (type == LUA_TNUMBER) {
    char text[RAIA_NUMBER_MAX];
    size_t length = raia_json_number(L, -1, text);
    luaL_argcheck(L, length > 0, arg,
                  "'query' has a number that is not finite");
    lua_pushlstring(L, text, length);
  } else if (type == LUA_TSTRING) {
    push_encoded(L, lua_gettop(L));
  } else if (type == LUA_TBOOLEAN) {
    lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
  } else {
    luaL_argerror(L, arg,
                  "'query' must have names, and strings, numbers, booleans or "
                  "lists of them as values");
  }
  lua_replace(L, -2);
}

/* Appends a pair to the query at `query`: the name at `name`, and the value at
   the top, which it pops. */
static void add_pair(lua_State *L, int query, int name, int arg) {
  encode_value(L, arg);
  int value = lua_gettop(L);
  lua_pushvalue(L, query);
  lua_pushstring(L, lua_rawlen(L, query) == 0 ? "" : "&");
  push_encoded(L, name);
  lua_pushliteral(L, "=");
  lua_pushvalue(L, value);
  lua_concat(L, 5);
  lua_replace(L, query);
  lua_settop(L, value - 1);
}

void raia_query_add(lua_State *L, int index, int arg) {
  int table = lua_gettop(L), query = lua_absindex(L, index);
  luaL_checkstack(L, 12, NULL);
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_settop(L, table + 1)) {
    if (lua_type(L, table + 1) != LUA_TSTRING)
      luaL_argerror(L, arg, "'query' must have names");
    lua_Integer count = lua_type(L, table + 2) == LUA_TTABLE
                            ? (lua_Integer)lua_rawlen(L, table + 2)
                            : -1;
    for (lua_Integer i = 1; i <= count; i++) {
      lua_rawgeti(L, table + 2, i);
      add_pair(L, query, table + 1, arg);
    }
    if (count < 0)
      add_pair(L, query, table + 1, arg);
  }
  lua_settop(L, table - 1);
}
