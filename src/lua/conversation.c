/* Conversations: their client, fields and methods. */
#include "conversation.h"

#include "call.h"
#include "checkself.h"
#include "client.h"
#include "error.h"
#include "net/endpoint.h"

#include <lauxlib.h>

void raia_conversation_set(lua_State *L, int index, int client) {
  index = lua_absindex(L, index);
  client = lua_absindex(L, client);
  lua_createtable(L, 2, 0); /* fields, values */
  lua_pushvalue(L, client);
  lua_rawseti(L, -2, RAIA_CONVERSATION_CLIENT);
  lua_insert(L, -2);
  lua_rawseti(L, -2, RAIA_CONVERSATION_FIELDS);
  lua_setiuservalue(L, index, 1);
}

void raia_conversation_new(lua_State *L, int client) {
  client = lua_absindex(L, client);
  lua_newuserdatauv(L, 0, 1);
  lua_insert(L, -2); /* conversation, fields */
  raia_conversation_set(L, -2, client);
  luaL_setmetatable(L, RAIA_CONVERSATION);
}

void raia_conversation_check_id(lua_State *L, int arg) {
  size_t length;
  luaL_checktype(L, arg, LUA_TSTRING);
  const char *id = lua_tolstring(L, arg, &length);
  const char *bad = raia_path_bad_id(id, length);
  if (bad != NULL)
    luaL_argerror(L, arg, lua_pushfstring(L, "the id %s", bad));
}

int raia_conversation_of_id(lua_State *L) {
  luaL_checkudata(L, 1, RAIA_CLIENT);
  raia_conversation_check_id(L, 2);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "id");
  raia_conversation_new(L, 1);
  return 1;
}

/* Pushes the fields of the conversation that is argument 1. */
static void push_fields(lua_State *L) {
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, RAIA_CONVERSATION_FIELDS);
}

/* Metamethods. Upvalues: the table of methods, the metatable. */

static int conversation_index(lua_State *L) {
  raia_checkself(L, 2, RAIA_CONVERSATION);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return 1;
  push_fields(L);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int conversation_tostring(lua_State *L) {
  size_t length;
  raia_checkself(L, 2, RAIA_CONVERSATION);
  push_fields(L);
  lua_getfield(L, -1, "id");
  const char *id = lua_tolstring(L, -1, &length);
  raia_error_push_clean(L, id, length, 64);
  lua_pushfstring(L, RAIA_CONVERSATION " %s", lua_tostring(L, -1));
  return 1;
}

void raia_conversation_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__index", conversation_index},
                                         {"__tostring", conversation_tostring},
                                         {0, 0}};
  luaL_newmetatable(L, RAIA_CONVERSATION);
  lua_newtable(L);
  raia_call_register(L, RAIA_ON_CONVERSATION);
  lua_pushvalue(L, -2); /* metatable, methods, metatable */
  luaL_setfuncs(L, metamethods, 2);
  lua_pop(L, 1);
}
