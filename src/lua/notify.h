/* Telling what has happened to those who want to know. */
#ifndef RAIA_NOTIFY_H
#define RAIA_NOTIFY_H

#include "net/loop.h"

#include <lua.h>

enum raia_log_level { RAIA_LOG_NONE, RAIA_LOG_INFO, RAIA_LOG_DEBUG };

/* The level that RAIA_LOG names; *unknown is set to its value when it names
   none, else to NULL. */
enum raia_log_level raia_log_level(const char **unknown);

/* Warns of what nobody would hear of otherwise: by a warning of Lua's and a
   line of the log. Needs no memory. */
void raia_notify_warn(lua_State *L, const char *text);

/* What the completions of requests and alarms call, with a lua_State. */
void raia_notify_of_request(struct raia_completion *completion, void *L);
void raia_notify_of_alarm(struct raia_completion *completion, void *L);

/* Logs, calls on_event, wakes who waits for requests and alarms: all that is
   new in the loop. Returns how much that was. An error of a client's on_event
   ends its own request; one of a function that wakes is raised, and what is
   left stays to be told. */
int raia_notify(lua_State *L, struct raia_loop *loop);

#endif
