/* The module raia.core. */
#ifndef RAIA_MODULE_H
#define RAIA_MODULE_H

#include <lua.h>

/* Exports a symbol. All others are hidden, so that no other library can
   interpose between raia's functions. */
#define RAIA_SHOWN __attribute__((visibility("default")))

RAIA_SHOWN int luaopen_raia_core(lua_State *L);

#endif
