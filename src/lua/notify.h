/* Delivers events: log lines, on_event, wake-ups. */
#ifndef RAIA_NOTIFY_H
#define RAIA_NOTIFY_H

#include "net/loop.h"

#include <lua.h>

enum raia_log_level { RAIA_LOG_NONE, RAIA_LOG_INFO, RAIA_LOG_DEBUG };

/* The level in RAIA_LOG. *unknown is its value if that is not a level,
   otherwise NULL. */
enum raia_log_level raia_log_level(const char **unknown);

/* Reports what would otherwise go unnoticed, as a Lua warning and a log line.
   Allocates nothing. */
void raia_notify_warn(lua_State *L, const char *text);

/* The `tell` functions of requests and alarms; L is a lua_State. */
void raia_notify_of_request(struct raia_completion *completion, void *L);
void raia_notify_of_alarm(struct raia_completion *completion, void *L);

/* Delivers all completions in the loop and returns their number. An error in a
   client's on_event ends its request; an error in a wake-up is raised, and the
   remaining completions stay queued. */
int raia_notify(lua_State *L, struct raia_loop *loop);

#endif
