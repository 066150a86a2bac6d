/* The pool of a Lua state: what every wait moves along. */
#ifndef RAIA_ENGINE_H
#define RAIA_ENGINE_H

#include "pool.h"

#include <lua.h>

/* Makes the state's pool. Raises when it can't. */
void raia_engine_open(lua_State *L);

/* The state's pool. */
struct raia_pool *raia_engine_pool(lua_State *L);

/* Makes the userdata at `index` findable by the transfer in it, for as long
   as it is held elsewhere; and pushes it, or nil. */
void raia_engine_remember(lua_State *L, int index, struct raia_transfer *t);
void raia_engine_find(lua_State *L, struct raia_transfer *t);

/* Runs a hook that a signal handler has set meanwhile, as lua's own on Ctrl-C
   does; it may leave an error at the top, and then this returns false. The
   hook is looked for in the main thread, too: `hook` is what was there. */
bool raia_engine_unbroken(lua_State *L, lua_Hook hook);
lua_Hook raia_engine_hook(lua_State *L);

#endif
