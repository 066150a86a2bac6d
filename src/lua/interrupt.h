/* An error that is raised in a task where it waits, and that no pcall of the
   task keeps. */
#ifndef RAIA_INTERRUPT_H
#define RAIA_INTERRUPT_H

#include <lua.h>

/* Sets the functions in the table at the top. */
void raia_interrupt_open(lua_State *L);

#endif
