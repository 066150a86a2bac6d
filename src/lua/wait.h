/* The loop of a Lua state, and waiting in it. */
#ifndef RAIA_WAIT_H
#define RAIA_WAIT_H

#include "net/loop.h"

#include <lua.h>

/* Creates the state's loop. Raises if it cannot. */
void raia_wait_open(lua_State *L);

/* The state's loop. */
struct raia_loop *raia_wait_loop(lua_State *L);

/* Makes the userdata at `index` findable by its completion while it is alive;
   finds and pushes it, or nil. */
void raia_wait_remember(lua_State *L, int index,
                        const struct raia_completion *completion);
void raia_wait_find(lua_State *L, const struct raia_completion *completion);

/* A wait of at most `seconds`. */
struct raia_wait {
  struct raia_loop *loop;
  lua_State *main;
  lua_Hook hook; /* the main thread's hook when the wait began */
  double until;
};

void raia_wait_begin(lua_State *L, struct raia_wait *wait, double seconds);

/* Steps the loop once, waiting a quarter of a second at most. False if a hook
   has raised, as the interpreter's does on Ctrl-C; its error is then at the
   top. */
bool raia_wait_step(lua_State *L, struct raia_wait *wait);

/* Makes SIGQUIT print where each task waits, unless the program handles it. */
void raia_wait_report_on_sigquit(void);

/* Whether its time is over. */
bool raia_wait_over(const struct raia_wait *wait);

#endif
