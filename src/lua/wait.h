/* The loop of a Lua state, and waiting for what happens in it. */
#ifndef RAIA_WAIT_H
#define RAIA_WAIT_H

#include "net/loop.h"

#include <lua.h>

/* Makes the state's loop. Raises when it can't. */
void raia_wait_open(lua_State *L);

/* The state's loop. */
struct raia_loop *raia_wait_loop(lua_State *L);

/* Makes the userdata at `index` findable by its completion, for as long as it
   is held elsewhere; and pushes it, or nil. */
void raia_wait_remember(lua_State *L, int index,
                        const struct raia_completion *completion);
void raia_wait_find(lua_State *L, const struct raia_completion *completion);

/* A wait, of at most so many seconds. */
struct raia_wait {
  struct raia_loop *loop;
  lua_State *main;
  lua_Hook hook; /* of the main thread when it began */
  double until;
};

void raia_wait_begin(lua_State *L, struct raia_wait *wait, double seconds);

/* Moves everything along, waiting for it a quarter of a second at the longest.
   False when a hook has raised meanwhile, as Lua's own does on Ctrl-C; its
   error is then at the top. */
bool raia_wait_step(lua_State *L, struct raia_wait *wait);

/* Has SIGQUIT print where each task waits, unless the program handles it. */
void raia_wait_report_on_sigquit(void);

/* Whether its time is over. */
bool raia_wait_over(const struct raia_wait *wait);

#endif
