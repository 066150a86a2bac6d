/* Messages: userdata with the fields that came. */
#include "message.h"

#include "checkself.h"

#include <lauxlib.h>

/* An empty userdata whose user value is the table of its fields. */
void raia_message_new(lua_State *L, int metatable) {
  metatable = lua_absindex(L, metatable);
  lua_newuserdatauv(L, 0, 1);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, metatable);
  lua_setmetatable(L, -2);
}

/* Metamethods. Upvalue: the metatable. */

static int message_index(lua_State *L) {
  raia_checkself(L, 1, RAIA_MESSAGE);
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int message_tostring(lua_State *L) {
  raia_checkself(L, 1, RAIA_MESSAGE);
  lua_getiuservalue(L, 1, 1);
  lua_pushliteral(L, "message");
  lua_rawget(L, -2);
  if (lua_type(L, -1) != LUA_TSTRING)
    lua_pushliteral(L, "");
  return 1;
}

void raia_message_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__index", message_index}, {"__tostring", message_tostring}, {0, 0}};
  luaL_newmetatable(L, RAIA_MESSAGE);
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, metamethods, 1);
  lua_pop(L, 1);
}
