/* What schedulers of tasks and event loops build on, as functions of Lua. */
#ifndef RAIA_TASKS_H
#define RAIA_TASKS_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the function that suspends a coroutine which waits for a request,
   called as (request, seconds); or pushes nothing and returns false. */
bool raia_tasks_push_suspend(lua_State *L);

/* Says that what is in flight has changed other than by a step. What stops
   wakes the loop's descriptor instead: it may be a finalizer that stops it. */
void raia_tasks_changed(lua_State *L);

/* Sets the functions in the table at the top. */
void raia_tasks_open(lua_State *L);

#endif
