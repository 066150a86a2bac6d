/* The pool of a Lua state, and waiting for what happens in it. */
#ifndef RAIA_ENGINE_H
#define RAIA_ENGINE_H

#include "pool.h"

#include <lua.h>

/* Makes the state's pool. Raises when it can't. */
void raia_engine_open(lua_State *L);

/* The state's pool. */
struct raia_pool *raia_engine_pool(lua_State *L);

/* Makes the userdata at `index` findable by its news, for as long as it is
   held elsewhere; and pushes it, or nil. */
void raia_engine_remember(lua_State *L, int index,
                          const struct raia_news *news);
void raia_engine_find(lua_State *L, const struct raia_news *news);

/* A wait, of at most so many seconds. */
struct raia_wait {
  struct raia_pool *pool;
  lua_State *thread, *main;
  lua_Hook hook;         /* of the main thread when it began */
  double until, checked; /* times */
};

void raia_wait_begin(lua_State *L, struct raia_wait *wait, double seconds);

/* Moves everything along, waiting for it until the wait's end at the longest.
   False when a hook has raised meanwhile, as Lua's own does on Ctrl-C; its
   error is then at the top. */
bool raia_wait_step(lua_State *L, struct raia_wait *wait);

/* Whether its time is over. */
bool raia_wait_over(const struct raia_wait *wait);

#endif
