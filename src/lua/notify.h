/* Telling what has happened to those who want to know. */
#ifndef RAIA_NOTIFY_H
#define RAIA_NOTIFY_H

#include "net/loop.h"

#include <lua.h>

/* Logs, calls on_event, wakes who waits for requests and alarms: all that is
   new in the loop. Returns how much that was. An error of a client's on_event
   ends its own request; one of a function that wakes is raised, and what is
   left stays to be told. */
int raia_notify(lua_State *L, struct raia_loop *loop);

#endif
