/* A call: an operation's row and its arguments become a request. */
#ifndef RAIA_CALL_H
#define RAIA_CALL_H

#include "operations.h"

#include <lua.h>

/* Sets a function for each operation of `owner` in the table at the top; below
   it is the metatable of what they are methods of. */
void raia_call_register(lua_State *L, enum raia_owner owner);

/* client:request(method, path, parts, options) */
int raia_call_request(lua_State *L);

#endif
