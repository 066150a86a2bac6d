/* Delivers events: log lines, on_event, wake-ups. */
#include "notify.h"

#include "hide.h"
#include "hooks.h"
#include "info.h"
#include "wait.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- RAIA_LOG, on stderr: never the key, never a message's text ---- */

enum raia_log_level raia_log_level(const char **unknown) {
  const char *value = getenv("RAIA_LOG");
  *unknown = NULL;
  if (value == NULL || *value == '\0')
    return RAIA_LOG_NONE;
  if (strcmp(value, "info") == 0)
    return RAIA_LOG_INFO;
  if (strcmp(value, "debug") == 0)
    return RAIA_LOG_DEBUG;
  *unknown = value;
  return RAIA_LOG_NONE;
}

static void log_line(const char *line) {
  const char *unknown;
  if (raia_log_level(&unknown) != RAIA_LOG_NONE)
    fprintf(stderr, "raia: %s\n", line);
}

void raia_notify_warn(lua_State *L, const char *text) {
  log_line(text);
  lua_warning(L, "raia: ", 1);
  lua_warning(L, text, 0);
}

/* Prints a line about the attempt that `t` has ended. `endpoint` is NULL if
   the client is closed. */
static void log_attempt(const struct raia_transfer *t,
                        const struct raia_endpoint *endpoint) {
  const struct raia_outcome *o = &t->outcome;
  char path[201], id[sizeof o->request_id];
  snprintf(path, sizeof path, "%.200s", t->asked.path);
  snprintf(id, sizeof id, "%s", o->request_id);
  if (endpoint != NULL) {
    raia_endpoint_mask_cut(endpoint, path, strlen(path));
    raia_endpoint_mask_cut(endpoint, id, strlen(id));
  }
  for (char *c = id; *c != '\0'; c++)
    if (*c <= ' ' || *c > '~')
      *c = '?';
  fprintf(stderr,
          "raia: %s %s: %s %ld, %.0f ms, attempt %d, %zu bytes out, %zu "
          "in, connection %s%s%s\n",
          t->asked.method, path, raia_kind_name(o->kind), o->status,
          o->elapsed * 1000, o->attempts, t->asked.body_length,
          o->reply.length, o->reused ? "reused" : "new",
          *id == '\0' ? "" : ", request ", id);
  if (t->retry_in >= 0)
    fprintf(stderr, "raia: %s %s: next attempt in %.1f s\n", t->asked.method,
            path, t->retry_in);
}

/* ---- on_event and wake-ups ---- */

/* Pushes the event for the attempt that has ended. */
static void push_event(lua_State *L, const struct raia_request *r) {
  const struct raia_transfer *t = &r->transfer;
  raia_info_push(L, r);
  lua_pushstring(L, t->asked.method);
  lua_setfield(L, -2, "method");
  raia_hide_push(L, r->client->endpoint, t->asked.path, strlen(t->asked.path));
  lua_setfield(L, -2, "path");
  lua_pushinteger(L, t->outcome.attempts);
  lua_setfield(L, -2, "attempt");
  if (t->outcome.kind != RAIA_OK) {
    lua_pushstring(L, raia_kind_name(t->outcome.kind));
    lua_setfield(L, -2, "kind");
  }
  if (t->retry_in >= 0) {
    lua_pushnumber(L, t->retry_in);
    lua_setfield(L, -2, "retry_in");
  }
}

/* Calls on_event of the client of the request at the top. An error in it ends
   the request and becomes its result. Memory is allocated before the call. */
static void call_on_event(lua_State *L, struct raia_request *r) {
  lua_createtable(L, 1, 0);
  lua_getiuservalue(L, -2, RAIA_REQUEST_CLIENT); /* request, table, client */
  lua_getiuservalue(L, -1, 1);
  lua_rawgeti(L, -1, RAIA_CLIENT_ON_EVENT);
  push_event(L, r);
  r->transfer.attempt_ended = false;
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_rawseti(L, -4, 1); /* request, table, client, its, error */
    lua_pushvalue(L, -3);
    lua_setiuservalue(L, -5, RAIA_REQUEST_ERROR);
    raia_request_drop(r, RAIA_CANCELLED);
  }
  lua_pop(L, 3);
}

/* Wakes whoever waits for the request at the top. */
static void wake(lua_State *L, struct raia_request *r) {
  lua_getiuservalue(L, -1, RAIA_REQUEST_WAITER);
  raia_hooks_wake(L, false);
  r->awaited = false; /* only now: memory may run out before */
  lua_pushnil(L);
  lua_setiuservalue(L, -2, RAIA_REQUEST_WAITER);
}

/* Logs the attempt, and returns whether Lua need not be called. */
static bool is_quiet(struct raia_request *r) {
  struct raia_transfer *t = &r->transfer;
  if (t->attempt_ended && r->client->log)
    log_attempt(t, r->client->endpoint);
  if (!r->client->on_event)
    t->attempt_ended = false;
  return !r->awaited && !t->attempt_ended;
}

/* Calls `tell` with a completion and passes on its errors. If memory runs out,
   the completion is queued again. */
static void tell_protected(lua_State *L, lua_CFunction tell,
                           struct raia_completion *completion) {
  lua_pushcfunction(L, tell);
  lua_pushlightuserdata(L, completion);
  int status = lua_pcall(L, 1, 0, 0);
  if (status == LUA_ERRMEM) {
    struct raia_link *completions = &raia_wait_loop(L)->completions;
    raia_list_remove(&completion->link);
    raia_list_insert(completions, &completion->link);
  }
  if (status != LUA_OK)
    lua_error(L);
}

static struct raia_request *request_of(struct raia_completion *completion) {
  struct raia_transfer *t =
      RAIA_OF(struct raia_transfer, completion, completion);
  return RAIA_OF(struct raia_request, transfer, t);
}

static int tell_request(lua_State *L) {
  struct raia_request *r = request_of(lua_touserdata(L, 1));
  raia_wait_find(L, &r->transfer.completion); /* nil: it is being collected */
  if (r->transfer.attempt_ended && !lua_isnil(L, -1))
    call_on_event(L, r);
  if (r->awaited && r->transfer.state == RAIA_DONE && !lua_isnil(L, -1))
    wake(L, r);
  return 0;
}

void raia_notify_of_request(struct raia_completion *completion, void *L) {
  if (!is_quiet(request_of(completion)))
    tell_protected(L, tell_request, completion);
}

static int tell_alarm(lua_State *L) {
  raia_wait_find(L, lua_touserdata(L, 1));
  if (!lua_isnil(L, -1)) {
    lua_getiuservalue(L, -1, 1);
    raia_hooks_wake(L, true);
  }
  return 0;
}

void raia_notify_of_alarm(struct raia_completion *completion, void *L) {
  tell_protected(L, tell_alarm, completion);
}

int raia_notify(lua_State *L, struct raia_loop *loop) {
  int told = 0;
  struct raia_completion *completion;
  luaL_checkstack(L, 2, NULL);
  for (; (completion = raia_loop_completion(loop)) != NULL; told++)
    completion->tell(completion, L);
  return told;
}
