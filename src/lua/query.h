/* Queries of URLs from Lua tables. */
#ifndef RAIA_QUERY_H
#define RAIA_QUERY_H

#include <lua.h>

/* Appends the table at the top, popping it, to the query at `index`, a string:
   its names and values, percent-encoded. Values are strings, numbers or
   booleans, or lists of them, which repeat their name; for any other it raises
   an error about argument `arg`. */
void raia_query_add(lua_State *L, int index, int arg);

#endif
