/* Calls: turns an operation's row and the arguments into a request. */
#ifndef RAIA_CALL_H
#define RAIA_CALL_H

#include "operations.h"

#include <lua.h>

/* In the registry: the tables of methods, by class. */
#define RAIA_METHODS "raia.methods"

/* Pushes a table with a method for each operation of `owner`, whose objects'
   metatable is at the top. */
void raia_call_register(lua_State *L, enum raia_owner owner);

/* client:request(method, path, parts, options) */
int raia_call_request(lua_State *L);

#endif
