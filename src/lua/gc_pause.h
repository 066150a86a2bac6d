/* Lua's garbage collector while a large reply becomes Lua values. */
#ifndef RAIA_GC_PAUSE_H
#define RAIA_GC_PAUSE_H

#include <lua.h>
#include <stddef.h>

enum { RAIA_MUCH = 64 * 1024 }; /* bytes of a text */

/* Calls the function below the arguments at the top, as lua_call does with all
   its results, to make the values of a text of `bytes` bytes; returns how many
   results there are. The collector is stopped meanwhile, as all that it would
   look at is needed. Pays for texts of more than RAIA_MUCH. */
int raia_gc_pause(lua_State *L, int arguments, size_t bytes);

#endif
