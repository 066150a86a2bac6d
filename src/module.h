/* What Lua sees of the C side: raia.core, and raia.lazy in front of it. */
#ifndef RAIA_MODULE_H
#define RAIA_MODULE_H

#include <lua.h>

#define RAIA_VERSION "0.1.0"

int luaopen_raia_core(lua_State *L);
int luaopen_raia_lazy(lua_State *L);

#endif
