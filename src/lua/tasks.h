/* Lua functions that raia/schedule.lua and event loops build on. */
#ifndef RAIA_TASKS_H
#define RAIA_TASKS_H

#include <lua.h>

/* Adds the functions to the table at the top. */
void raia_tasks_open(lua_State *L);

#endif
