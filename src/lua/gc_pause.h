/* Pauses Lua's garbage collector while a large reply is decoded. */
#ifndef RAIA_GC_PAUSE_H
#define RAIA_GC_PAUSE_H

#include <lua.h>
#include <stddef.h>

enum { RAIA_MUCH = 64 * 1024 }; /* bytes of text from which on a pause pays */

/* Calls the function below the `arguments` values at the top, as lua_call does
   with LUA_MULTRET, and returns the number of results. The collector is
   stopped meanwhile: it would traverse live values only. `bytes` is the length
   of the text that is decoded. */
int raia_gc_pause(lua_State *L, int arguments, size_t bytes);

#endif
