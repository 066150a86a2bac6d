/* The functions of raia/schedule.lua that C calls. */
#ifndef RAIA_HOOKS_H
#define RAIA_HOOKS_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the function that suspends a task until a request is done, called as
   suspend(request, seconds, owns), where owns tells that nobody else can refer
   to the request. Pushes nothing and returns false if it is not set. */
bool raia_hooks_push_suspend(lua_State *L);

/* Reports a change in what is in flight outside a step: the request at
   `started` was started or, if 0, others were ended. Stopping a transfer makes
   the loop's descriptor readable instead, as a finalizer may do it. */
void raia_hooks_changed(lua_State *L, int started);

/* Pops the waiter at the top and wakes it; `late`: because its time is over.
   May raise. */
void raia_hooks_wake(lua_State *L, bool late);

/* Prints where each task waits on standard error. */
void raia_hooks_report(lua_State *L);

/* hooks(suspend, changed, wake, report): a Lua function that sets them. */
int raia_hooks_set(lua_State *L);

#endif
