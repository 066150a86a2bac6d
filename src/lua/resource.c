/* Resources, the objects with an id and methods: conversations and users. */
#include "resource.h"

#include "call.h"
#include "checkself.h"
#include "client.h"
#include "error.h"
#include "net/endpoint.h"
#include "object.h"

#include <lauxlib.h>

void raia_resource_set(lua_State *L, int index, int client) {
  index = lua_absindex(L, index);
  client = lua_absindex(L, client);
  lua_createtable(L, 2, 0); /* fields, values */
  lua_pushvalue(L, client);
  lua_rawseti(L, -2, RAIA_RESOURCE_CLIENT);
  lua_insert(L, -2);
  lua_rawseti(L, -2, RAIA_RESOURCE_FIELDS);
  lua_setiuservalue(L, index, 1);
}

void raia_resource_new(lua_State *L, enum raia_owner class, int client) {
  client = lua_absindex(L, client);
  lua_newuserdatauv(L, 0, 1);
  lua_insert(L, -2); /* resource, fields */
  raia_resource_set(L, -2, client);
  luaL_setmetatable(L, raia_owner_class(class));
}

void raia_resource_to_id(lua_State *L, int arg, const char *class) {
  size_t length;
  if (class != NULL && luaL_testudata(L, arg, class) != NULL) {
    raia_object_push_fields(L, arg);
    lua_getfield(L, -1, "id");
    lua_replace(L, arg);
    lua_pop(L, 1);
  }
  if (lua_type(L, arg) != LUA_TSTRING && class != NULL)
    luaL_typeerror(L, arg, lua_pushfstring(L, "string or %s", class));
  luaL_checktype(L, arg, LUA_TSTRING);
  const char *id = lua_tolstring(L, arg, &length);
  const char *bad = raia_path_bad_id(id, length);
  if (bad != NULL)
    luaL_argerror(L, arg, lua_pushfstring(L, "the id %s", bad));
}

int raia_resource_conversation(lua_State *L) {
  luaL_checkudata(L, 1, RAIA_CLIENT);
  raia_resource_to_id(L, 2, NULL);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "id");
  raia_resource_new(L, RAIA_ON_CONVERSATION, 1);
  return 1;
}

int raia_resource_client_of(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE)
    lua_rawgeti(L, -1, RAIA_RESOURCE_CLIENT);
  return 1;
}

/* Pushes the fields of the resource that is argument 1. */
static void push_fields(lua_State *L) {
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, RAIA_RESOURCE_FIELDS);
}

/* Metamethods. Upvalues: the table of methods, the metatable, the class. */

static void check_resource(lua_State *L) {
  raia_checkself(L, 2, lua_tostring(L, lua_upvalueindex(3)));
}

static int resource_index(lua_State *L) {
  check_resource(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return 1;
  push_fields(L);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int resource_tostring(lua_State *L) {
  size_t length;
  check_resource(L);
  push_fields(L);
  lua_getfield(L, -1, "id");
  const char *id = lua_tolstring(L, -1, &length);
  raia_error_push_clean(L, id, length, 64);
  lua_pushfstring(L, "%s %s", lua_tostring(L, lua_upvalueindex(3)),
                  lua_tostring(L, -1));
  return 1;
}

void raia_resource_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__index", resource_index}, {"__tostring", resource_tostring}, {0, 0}};
  for (int class = RAIA_GROUPS; class < RAIA_OWNERS; class ++) {
    const char *name = raia_owner_class((enum raia_owner) class);
    luaL_newmetatable(L, name);
    raia_call_register(L, (enum raia_owner) class);
    lua_pushvalue(L, -2); /* metatable, methods, metatable */
    lua_pushstring(L, name);
    luaL_setfuncs(L, metamethods, 3);
    lua_pop(L, 1);
  }
}
