/* An error raised in a task where it waits, which no pcall of the task can
   stop. */
#ifndef RAIA_INTERRUPT_H
#define RAIA_INTERRUPT_H

#include <lua.h>

/* Adds the functions to the table at the top. */
void raia_interrupt_open(lua_State *L);

#endif
