/* What objects with fields, messages and conversations, have in common. */
#include "object.h"

#include "error.h"
#include "message.h"
#include "resource.h"

#include <lauxlib.h>

#define RAIA_OBJECTS "raia.list"

enum { SHOWN = 20, SHOWN_CHARACTERS = 60 }; /* of a list that is printed */

bool raia_object_push_fields(lua_State *L, int index) {
  if (luaL_testudata(L, index, RAIA_MESSAGE) != NULL) {
    lua_getiuservalue(L, index, 1);
    return true;
  }
  for (int class = RAIA_GROUPS; class < RAIA_OWNERS; class ++)
    if (luaL_testudata(L, index, raia_owner_class((enum raia_owner) class))) {
      lua_getiuservalue(L, index, 1);
      lua_rawgeti(L, -1, RAIA_RESOURCE_FIELDS);
      lua_remove(L, -2);
      return true;
    }
  return false;
}

/* Pushes a copy of the table at `index` and of the tables in it, of which all
   is made of JSON. */
static void push_copy(lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 6, "object nested too deep");
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, index) != 0;) {
    lua_pushvalue(L, -2); /* copy, key, value, key */
    if (lua_type(L, -2) == LUA_TTABLE)
      push_copy(L, -2);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, -5);
    lua_pop(L, 1);
  }
  if (lua_getmetatable(L, index))
    lua_setmetatable(L, -2);
}

/* ---- metamethods ---- */

static int object_pairs(lua_State *L) {
  luaL_argexpected(L, raia_object_push_fields(L, 1), 1, "raia object");
  lua_getglobal(L, "next");
  push_copy(L, -2);
  lua_pushnil(L);
  return 3;
}

static int object_eq(lua_State *L) {
  bool same = lua_getmetatable(L, 1) && lua_getmetatable(L, 2) &&
              lua_rawequal(L, -1, -2) && raia_object_push_fields(L, 1) &&
              raia_object_push_fields(L, 2) &&
              lua_getfield(L, -1, "id") == LUA_TSTRING &&
              lua_getfield(L, -3, "id") == LUA_TSTRING &&
              lua_rawequal(L, -1, -2);
  lua_pushboolean(L, same);
  return 1;
}

static int object_concat(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  luaL_tolstring(L, 2, NULL);
  lua_concat(L, 2);
  return 1;
}

static int object_newindex(lua_State *L) {
  luaL_getmetafield(L, 1, "__name");
  return luaL_error(L,
                    "a %s is read-only: raia.totable gives a copy that can be "
                    "changed",
                    lua_tostring(L, -1));
}

void raia_object_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__pairs", object_pairs},
                                         {"__eq", object_eq},
                                         {"__concat", object_concat},
                                         {"__newindex", object_newindex},
                                         {0, 0}};
  const char *const classes[] = {RAIA_MESSAGE,
                                 raia_owner_class(RAIA_ON_CONVERSATION),
                                 raia_owner_class(RAIA_ON_USER)};
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    luaL_getmetatable(L, classes[i]);
    luaL_setfuncs(L, metamethods, 0);
    lua_pop(L, 1);
  }
}

/* ---- lists ---- */

/* Pushes a line on element `i` of the list at 1. */
static void push_line(lua_State *L, lua_Integer i) {
  size_t length;
  int top = lua_gettop(L);
  lua_rawgeti(L, 1, i);
  const char *text = luaL_tolstring(L, -1, &length);
  raia_error_push_clean(L, text, length, SHOWN_CHARACTERS);
  bool has_role = raia_object_push_fields(L, top + 1) &&
                  lua_getfield(L, -1, "senderRole") == LUA_TSTRING;
  if (has_role) {
    text = lua_tolstring(L, -1, &length);
    raia_error_push_clean(L, text, length, SHOWN_CHARACTERS);
  }
  lua_pushfstring(L, "\n  %s%s%s", has_role ? lua_tostring(L, -1) : "",
                  has_role ? ": " : "", lua_tostring(L, top + 3));
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
}

static int list_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  lua_pushfstring(L, "a list of %I", (LUAI_UACINT)count);
  for (lua_Integer i = 1; i <= count && i <= SHOWN; i++) {
    push_line(L, i);
    lua_concat(L, 2);
  }
  if (count > SHOWN) {
    lua_pushfstring(L, "\n  and %I more", (LUAI_UACINT)(count - SHOWN));
    lua_concat(L, 2);
  }
  return 1;
}

bool raia_object_is_list(lua_State *L) {
  if (lua_rawlen(L, -1) > 0)
    return true;
  lua_pushnil(L);
  bool has_names = lua_next(L, -2) != 0;
  lua_pop(L, has_names ? 2 : 0);
  return !has_names;
}

void raia_object_mark_list(lua_State *L) {
  if (luaL_newmetatable(L, RAIA_OBJECTS)) {
    lua_pushcfunction(L, list_tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_setmetatable(L, -2);
}

/* ---- raia.totable ---- */

int raia_object_totable(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (raia_object_push_fields(L, 1)) {
    push_copy(L, 2);
    return 1;
  }
  luaL_argexpected(L, lua_istable(L, 1), 1, "conversation, message or table");
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_settop(L, 3)) {
    lua_pushvalue(L, 3); /* 1, copy, key, value, key */
    if (lua_istable(L, 4))
      push_copy(L, 4);
    else if (raia_object_push_fields(L, 4))
      push_copy(L, 6);
    else
      lua_pushvalue(L, 4);
    lua_replace(L, 4);
    lua_settop(L, 5);
    lua_insert(L, 4); /* 1, copy, key, key, value */
    lua_rawset(L, 2);
  }
  return 1;
}
