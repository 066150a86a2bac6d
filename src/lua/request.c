/* Requests: calls under way or finished. */
#include "request.h"

#include "checkself.h"
#include "error.h"
#include "hide.h"
#include "hooks.h"
#include "info.h"
#include "notify.h"
#include "result.h"
#include "wait.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const double default_timeout = 60; /* seconds per attempt */

struct raia_request *raia_request_new(lua_State *L, int client,
                                      const struct raia_operation *operation) {
  struct raia_client *c = lua_touserdata(L, client);
  client = lua_absindex(L, client);
  struct raia_request *r =
      lua_newuserdatauv(L, sizeof *r, RAIA_REQUEST_VALUES);
  memset(r, 0, sizeof *r);
  luaL_setmetatable(L, RAIA_REQUEST);
  r->operation = operation;
  r->client = c;
  r->transfer.asked.endpoint = c->endpoint;
  r->transfer.asked.method = operation->method;
  r->transfer.asked.path = "";
  r->transfer.asked.large = operation->large;
  r->transfer.asked.timeout = c->timeout > 0           ? c->timeout
                              : operation->timeout > 0 ? operation->timeout
                                                       : default_timeout;
  r->transfer.asked.max_retries = (int)c->max_retries;
  raia_buffer_init(&r->transfer.outcome.reply, (size_t)c->max_response_bytes);
  raia_buffer_init(&r->transfer.outcome.headers, SIZE_MAX);
  lua_pushvalue(L, client);
  lua_setiuservalue(L, -2, RAIA_REQUEST_CLIENT);
  return r;
}

void raia_request_start(lua_State *L, int index) {
  struct raia_request *r = lua_touserdata(L, index);
  if (r->client->endpoint == NULL) {
    raia_transfer_refuse(&r->transfer, RAIA_CLOSED);
    return;
  }
  if (r->client->on_event)
    raia_wait_remember(L, index, &r->transfer.completion);
  r->transfer.asked.keep_headers = r->client->on_event || r->held;
  raia_list_insert(&r->client->requests, &r->of_client);
  r->transfer.completion.tell = raia_notify_of_request;
  raia_transfer_start(raia_wait_loop(L), &r->transfer);
}

/* Stores the n values at the top as the results of the request at `index`, and
   leaves them there. */
static void keep_results(lua_State *L, int index, int n) {
  int first = lua_gettop(L) - n + 1;
  lua_createtable(L, n, 1);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, first + i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  lua_setiuservalue(L, index, RAIA_REQUEST_RESULTS);
}

static struct raia_subject subject_of(struct raia_request *r) {
  return (struct raia_subject){.operation = r->operation,
                               .asked = &r->transfer.asked,
                               .outcome = &r->transfer.outcome,
                               .endpoint = r->client->endpoint};
}

void raia_request_refuse(lua_State *L, int index) {
  struct raia_request *r = lua_touserdata(L, index);
  struct raia_subject subject = subject_of(r);
  struct raia_failure failure = {.field = lua_tostring(L, -2),
                                 .why = lua_tostring(L, -1)};
  int top = lua_gettop(L) - 2; /* …, path, message */
  raia_transfer_refuse(&r->transfer, RAIA_INVALID);
  keep_results(L, index, raia_error_push(L, &subject, &failure));
  lua_settop(L, top);
}

void raia_request_drop(struct raia_request *r, enum raia_kind kind) {
  struct raia_transfer *t = &r->transfer;
  bool under_way = t->state != RAIA_READY && t->state != RAIA_DONE;
  raia_transfer_stop(t, kind);
  if (under_way && !t->outcome.forked) /* the parent's go on */
    r->dropped = true;
}

int raia_request_results(lua_State *L, int index) {
  struct raia_request *r = lua_touserdata(L, index);
  r->dropped = false;
  /* Without memory for the call, Lua skips a finalizer but frees the object. A
     request that is done does not need its finalizer. */
  raia_list_remove(&r->of_client);
  luaL_checkstack(L, 10, NULL);
  if (lua_getiuservalue(L, index, RAIA_REQUEST_ERROR) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 1);
    return lua_error(L);
  }
  if (lua_getiuservalue(L, index, RAIA_REQUEST_RESULTS) == LUA_TTABLE) {
    int results = lua_gettop(L);
    lua_getfield(L, results, "n");
    int n = (int)lua_tointeger(L, -1);
    for (int i = 1; i <= n; i++)
      lua_rawgeti(L, results, i);
    return n;
  }
  struct raia_subject subject = subject_of(r);
  lua_getiuservalue(L, index, RAIA_REQUEST_CLIENT);
  lua_getiuservalue(L, index, RAIA_REQUEST_TARGET);
  int client = lua_gettop(L) - 1;
  int n = raia_result_push(L, &subject, client, client + 1);
  raia_buffer_free(&r->transfer.outcome.reply);
  if (r->held)
    keep_results(L, index, n);
  return n;
}

/* ---- waiting ---- */

static void block(lua_State *L, struct raia_transfer *t, double seconds) {
  struct raia_wait wait;
  raia_wait_begin(L, &wait, seconds);
  raia_notify(L, wait.loop);
  while (t->state != RAIA_DONE) {
    bool unbroken = raia_wait_step(L, &wait);
    if (!unbroken) {
      raia_transfer_stop(t, RAIA_CANCELLED);
      lua_error(L);
    }
    raia_notify(L, wait.loop);
    if (raia_wait_over(&wait))
      break;
  }
  raia_hooks_changed(L, 0);
}

/* Waits for the request at `index` for at most `seconds`, then calls `after`
   and returns its results. In a task, suspends meanwhile. */
static int wait_and(lua_State *L, int index, double seconds,
                    lua_KFunction after) {
  struct raia_request *r = lua_touserdata(L, index);
  lua_pushnumber(L, seconds);
  if (r->transfer.state != RAIA_DONE && raia_hooks_push_suspend(L)) {
    lua_pushvalue(L, index);
    lua_pushvalue(L, -3);
    lua_pushboolean(L, !r->held);
    lua_callk(L, 3, 1, index, after);
  } else {
    lua_pushboolean(L, 0);
  }
  return after(L, LUA_OK, index);
}

/* Blocks unless a task has suspended: whether it has is at the top, the
   seconds below. */
static struct raia_transfer *waited(lua_State *L, lua_KContext index) {
  struct raia_transfer *t = lua_touserdata(L, (int)index);
  if (!lua_toboolean(L, -1))
    block(L, t, lua_tonumber(L, -2));
  return t;
}

static int push_results(lua_State *L, int status, lua_KContext index) {
  (void)status;
  if (waited(L, index)->state == RAIA_DONE)
    return raia_request_results(L, (int)index);
  lua_pushnil(L);
  lua_pushliteral(L, "the request is still under way");
  return 2;
}

int raia_request_wait(lua_State *L, int index, double seconds) {
  return wait_and(L, index, seconds, push_results);
}

/* ---- methods; upvalue: the metatable ---- */

static int push_done(lua_State *L, int status, lua_KContext index) {
  (void)status;
  lua_pushboolean(L, waited(L, index)->state == RAIA_DONE);
  return 1;
}

static int request_done(lua_State *L) {
  raia_checkself(L, 1, RAIA_REQUEST);
  return wait_and(L, 1, 0, push_done);
}

static int request_wait(lua_State *L) {
  raia_checkself(L, 1, RAIA_REQUEST);
  double seconds = luaL_optnumber(L, 2, HUGE_VAL);
  luaL_argcheck(L, seconds >= 0, 2, "seconds to wait, not negative");
  return raia_request_wait(L, 1, seconds);
}

static int request_result(lua_State *L) {
  raia_checkself(L, 1, RAIA_REQUEST);
  return raia_request_wait(L, 1, 0);
}

static int request_cancel(lua_State *L) {
  struct raia_transfer *t = raia_checkself(L, 1, RAIA_REQUEST);
  lua_pushboolean(L, t->state != RAIA_DONE);
  raia_transfer_stop(t, RAIA_CANCELLED);
  return 1;
}

static int request_info(lua_State *L) {
  const struct raia_request *r = raia_checkself(L, 1, RAIA_REQUEST);
  raia_info_push(L, r);
  lua_pushinteger(L, r->transfer.outcome.attempts);
  lua_setfield(L, -2, "attempts");
  return 1;
}

static int request_tostring(lua_State *L) {
  struct raia_request *r = raia_checkself(L, 1, RAIA_REQUEST);
  const char *path = r->transfer.asked.path;
  lua_pushfstring(L, RAIA_REQUEST " %s %s (%s)", r->transfer.asked.method,
                  raia_hide_push(L, r->client->endpoint, path, strlen(path)),
                  r->transfer.state == RAIA_DONE ? "done" : "under way");
  return 1;
}

/* Warns of a dropped request and says how far it had got. */
static void warn_of_dropped(lua_State *L, const struct raia_request *r) {
  static const char *const reach[] = {"nothing of it was sent",
                                      "it was not carried out",
                                      "it may have been carried out"};
  const struct raia_transfer *t = &r->transfer;
  char line[400];
  snprintf(line, sizeof line, "%s:%s (%s %.200s) was dropped unfinished: %s",
           raia_operation_owner(r->operation), r->operation->name,
           t->asked.method, t->asked.path, reach[t->outcome.reach]);
  if (r->client->endpoint != NULL)
    raia_endpoint_mask_cut(r->client->endpoint, line, strlen(line));
  raia_notify_warn(L, line);
}

static int request_gc(lua_State *L) {
  struct raia_request *r = raia_checkself(L, 1, RAIA_REQUEST);
  raia_request_drop(r, RAIA_CANCELLED);
  raia_transfer_detach(&r->transfer);
  raia_list_remove(&r->of_client);
  raia_transfer_release(&r->transfer);
  raia_buffer_free(&r->transfer.outcome.reply);
  raia_buffer_free(&r->transfer.outcome.headers);
  if (r->dropped)
    warn_of_dropped(L, r);
  r->dropped = false;
  return 0;
}

void raia_request_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"done", request_done},     {"wait", request_wait},
      {"result", request_result}, {"cancel", request_cancel},
      {"info", request_info},     {0, 0}};
  static const luaL_Reg metamethods[] = {
      {"__tostring", request_tostring}, {"__gc", request_gc}, {0, 0}};
  luaL_newmetatable(L, RAIA_REQUEST);
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, metamethods, 1);
  luaL_newlibtable(L, methods);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
