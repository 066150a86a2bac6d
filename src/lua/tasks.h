/* What schedulers of tasks and event loops build on, as functions of Lua. */
#ifndef RAIA_TASKS_H
#define RAIA_TASKS_H

#include <lua.h>

/* Sets the functions in the table at the top. */
void raia_tasks_open(lua_State *L);

#endif
