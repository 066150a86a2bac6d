/* What Lua sees of the C side: raia.core. */
#ifndef RAIA_MODULE_H
#define RAIA_MODULE_H

#include <lua.h>

/* What the library shows of itself; all else is hidden, so that no other
   library can come between two functions of raia. */
#define RAIA_SHOWN __attribute__((visibility("default")))

RAIA_SHOWN int luaopen_raia_core(lua_State *L);

#endif
