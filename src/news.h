/* Telling what has happened to those who want to know. */
#ifndef RAIA_NEWS_H
#define RAIA_NEWS_H

#include "pool.h"

#include <lua.h>

/* Logs, calls on_event, wakes who waits for requests and alarms: all that is
   new in the pool. Returns how much that was. An error of a client's on_event
   ends its own request; one of a function that wakes is raised, and what is
   left stays to be told. */
int raia_news_tell(lua_State *L, struct raia_pool *pool);

#endif
