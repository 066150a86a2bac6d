/* Calls: turns an operation's row and the arguments into a request. */
#ifndef RAIA_CALL_H
#define RAIA_CALL_H

#include "operations.h"

#include <lua.h>

/* Adds a function for each operation of `owner` to the table at the top; below
   that is the metatable of their objects. */
void raia_call_register(lua_State *L, enum raia_owner owner);

/* client:request(method, path, parts, options) */
int raia_call_request(lua_State *L);

#endif
