/* The object that a method is called on. */
#ifndef RAIA_CHECKSELF_H
#define RAIA_CHECKSELF_H

#include <lauxlib.h>

/* Argument 1, or raises where it is not of the kind called `name`: that whose
   metatable is upvalue `up` of the method. Comparing with it saves 300
   instructions against looking for it by its name, and a send does it often.
 */
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
