/* What C asks of the tasks of Lua: functions of raia/schedule.lua that it
   calls. */
#ifndef RAIA_HOOKS_H
#define RAIA_HOOKS_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the function that has a task wait for a request, called as
   (request, seconds, whether nobody else can know the request); or pushes
   nothing and returns false. */
bool raia_hooks_push_suspend(lua_State *L);

/* Says that what is in flight has changed other than by a step: the request at
   `started` was started, or (0) others were ended. What stops wakes the loop's
   descriptor instead: it may be a finalizer that stops it. */
void raia_hooks_changed(lua_State *L, int started);

/* Wakes the waiter at the top, which it pops; `late`: because its time is
   over. May raise. */
void raia_hooks_wake(lua_State *L, bool late);

/* Prints on standard error where each task waits. */
void raia_hooks_report(lua_State *L);

/* hooks(suspend, changed, wake, report): sets the functions, as a function of
   Lua. */
int raia_hooks_set(lua_State *L);

#endif
