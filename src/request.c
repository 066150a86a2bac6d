/* A request: a call under way, or what it came to. */
#include "request.h"

#include "engine.h"
#include "log.h"
#include "reply.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

/* A hook set by a signal that no wait saw is looked for this often. */
static const double patience = 0.2; /* seconds */

static const double default_timeout = 60; /* seconds, of an attempt */

struct raia_request *raia_request_new(lua_State *L, int client,
                                      const struct raia_operation *operation) {
  struct raia_client *c = lua_touserdata(L, client);
  client = lua_absindex(L, client);
  struct raia_request *r = lua_newuserdatauv(L, sizeof *r, 1);
  memset(r, 0, sizeof *r);
  luaL_setmetatable(L, RAIA_REQUEST);
  r->operation = operation;
  r->client = c;
  r->transfer.origin = c->origin;
  r->transfer.method = operation->method;
  r->transfer.path = "";
  r->transfer.large = operation->large;
  r->transfer.timeout = c->timeout > 0           ? c->timeout
                        : operation->timeout > 0 ? operation->timeout
                                                 : default_timeout;
  r->transfer.max_retries = (int)c->max_retries;
  raia_buffer_init(&r->transfer.reply, (size_t)c->max_response_bytes);
  lua_createtable(L, RAIA_REQUEST_RESULTS, 0); /* request, values */
  lua_pushvalue(L, client);
  lua_rawseti(L, -2, RAIA_REQUEST_CLIENT);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, 1);
  return r;
}

void raia_request_start(lua_State *L, int index) {
  struct raia_request *r = lua_touserdata(L, index);
  if (r->client->origin == NULL) {
    r->transfer.state = RAIA_DONE;
    r->transfer.outcome.kind = RAIA_CLOSED;
    return;
  }
  if (r->client->on_event)
    raia_engine_remember(L, index, &r->transfer);
  raia_ring_in(&r->client->requests, &r->of_client);
  raia_pool_start(raia_engine_pool(L), &r->transfer);
}

/* Keeps the n values at the top as the results of the request whose user
   value is at `values`, and leaves them there. */
static void keep_results(lua_State *L, int values, int n) {
  int first = lua_gettop(L) - n + 1;
  lua_createtable(L, n, 1);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, first + i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  lua_rawseti(L, values, RAIA_REQUEST_RESULTS);
}

void raia_request_refuse(lua_State *L, int index) {
  struct raia_request *r = lua_touserdata(L, index);
  int top = lua_gettop(L) - 2; /* …, path, message */
  r->transfer.state = RAIA_DONE;
  lua_getiuservalue(L, index, 1);
  lua_insert(L, top + 1);
  keep_results(L, top + 1, raia_reply_push_invalid(L, r));
  lua_settop(L, top);
}

int raia_request_results(lua_State *L, int index) {
  struct raia_request *r = lua_touserdata(L, index);
  luaL_checkstack(L, 10, NULL);
  lua_getiuservalue(L, index, 1);
  int values = lua_gettop(L);
  if (lua_rawgeti(L, values, RAIA_REQUEST_ERROR) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 1);
    return lua_error(L);
  }
  if (lua_rawgeti(L, values, RAIA_REQUEST_RESULTS) != LUA_TTABLE) {
    keep_results(L, values, raia_reply_push(L, r, values));
    raia_buffer_free(&r->transfer.reply);
    lua_rawgeti(L, values, RAIA_REQUEST_RESULTS);
  }
  int results = lua_gettop(L);
  lua_getfield(L, results, "n");
  int n = (int)lua_tointeger(L, -1);
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, results, i);
  return n;
}

/* ---- what attempts that ended are told to ---- */

/* Pushes the event of the attempt that t has ended. */
static void push_event(lua_State *L, const struct raia_transfer *t) {
  lua_createtable(L, 0, 7);
  lua_pushstring(L, t->method);
  lua_setfield(L, -2, "method");
  lua_pushstring(L, t->path);
  lua_setfield(L, -2, "path");
  lua_pushinteger(L, t->attempts);
  lua_setfield(L, -2, "attempt");
  lua_pushnumber(L, t->elapsed);
  lua_setfield(L, -2, "elapsed");
  if (t->outcome.status != 0) {
    lua_pushinteger(L, (lua_Integer)t->outcome.status);
    lua_setfield(L, -2, "status");
  }
  if (t->outcome.kind != RAIA_OK) {
    lua_pushstring(L, raia_kind_name(t->outcome.kind));
    lua_setfield(L, -2, "kind");
  }
}

/* Calls on_event of the client of the request at the top. An error in it ends
   the request, whose results it is from then on. */
static void call_on_event(lua_State *L, struct raia_request *r) {
  luaL_checkstack(L, 10, NULL);
  lua_getiuservalue(L, -1, 1); /* request, values */
  lua_rawgeti(L, -1, RAIA_REQUEST_CLIENT);
  lua_getiuservalue(L, -1, 1);
  lua_rawgeti(L, -1, RAIA_CLIENT_ON_EVENT);
  push_event(L, &r->transfer);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_createtable(L, 1, 0); /* request, values, client, its, error, table */
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_rawseti(L, -4, RAIA_REQUEST_ERROR);
    raia_pool_stop(&r->transfer, RAIA_CANCELLED);
  }
  lua_pop(L, 3);
}

static void tell_ended(lua_State *L, struct raia_pool *pool) {
  struct raia_transfer *t;
  while ((t = raia_pool_ended(pool)) != NULL) {
    struct raia_request *r = RAIA_OF(struct raia_request, transfer, t);
    bool news = t->attempt_ended;
    t->attempt_ended = false;
    if (news && r->client->log)
      raia_log_attempt(t);
    if (news && r->client->on_event) {
      raia_engine_find(L, t);
      if (!lua_isnil(L, -1))
        call_on_event(L, r);
      lua_pop(L, 1);
    }
  }
}

void raia_request_block(lua_State *L, int index, double seconds) {
  struct raia_transfer *t = lua_touserdata(L, index);
  struct raia_pool *pool = raia_engine_pool(L);
  lua_Hook hook = raia_engine_hook(L);
  double now = raia_now(), checked = now, until = now + seconds;
  tell_ended(L, pool);
  while (t->state != RAIA_DONE) {
    bool signalled =
        !raia_pool_step(pool, fmin(patience, fmax(until - now, 0)));
    tell_ended(L, pool);
    now = raia_now();
    if (now >= until)
      return;
    if (signalled || now - checked >= patience) {
      checked = now;
      if (!raia_engine_unbroken(L, hook)) {
        raia_pool_stop(t, RAIA_CANCELLED);
        lua_error(L);
      }
    }
  }
}

/* ---- methods ---- */

static int push_results_or_wait(lua_State *L) {
  struct raia_transfer *t = lua_touserdata(L, 1);
  if (t->state == RAIA_DONE)
    return raia_request_results(L, 1);
  lua_pushnil(L);
  lua_pushliteral(L, "the request is still under way");
  return 2;
}

static int request_done(lua_State *L) {
  struct raia_transfer *t = luaL_checkudata(L, 1, RAIA_REQUEST);
  raia_request_block(L, 1, 0);
  lua_pushboolean(L, t->state == RAIA_DONE);
  return 1;
}

static int request_wait(lua_State *L) {
  luaL_checkudata(L, 1, RAIA_REQUEST);
  double seconds = luaL_optnumber(L, 2, HUGE_VAL);
  luaL_argcheck(L, seconds >= 0, 2, "seconds to wait, not negative");
  raia_request_block(L, 1, seconds);
  return push_results_or_wait(L);
}

static int request_result(lua_State *L) {
  luaL_checkudata(L, 1, RAIA_REQUEST);
  raia_request_block(L, 1, 0);
  return push_results_or_wait(L);
}

static int request_cancel(lua_State *L) {
  struct raia_transfer *t = luaL_checkudata(L, 1, RAIA_REQUEST);
  lua_pushboolean(L, t->state != RAIA_DONE);
  raia_pool_stop(t, RAIA_CANCELLED);
  return 1;
}

static int request_tostring(lua_State *L) {
  struct raia_request *r = luaL_checkudata(L, 1, RAIA_REQUEST);
  lua_pushfstring(L, RAIA_REQUEST " %s %s (%s)", r->transfer.method,
                  r->transfer.path,
                  r->transfer.state == RAIA_DONE ? "done" : "under way");
  return 1;
}

static int request_gc(lua_State *L) {
  struct raia_request *r = luaL_checkudata(L, 1, RAIA_REQUEST);
  raia_pool_forget(&r->transfer);
  raia_ring_out(&r->of_client);
  raia_transfer_release(&r->transfer);
  raia_buffer_free(&r->transfer.reply);
  return 0;
}

void raia_request_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"done", request_done},
                                     {"wait", request_wait},
                                     {"result", request_result},
                                     {"cancel", request_cancel},
                                     {0, 0}};
  static const luaL_Reg metamethods[] = {
      {"__tostring", request_tostring}, {"__gc", request_gc}, {0, 0}};
  luaL_newmetatable(L, RAIA_REQUEST);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
