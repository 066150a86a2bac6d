/* raia.core: what Lua sees of the C side. */
#ifndef RAIA_MODULE_H
#define RAIA_MODULE_H

#include <lua.h>

#define RAIA_VERSION "0.1.0"

__attribute__((visibility("default"))) int luaopen_raia_core(lua_State *L);

#endif
