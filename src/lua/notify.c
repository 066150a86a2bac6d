/* Telling what has happened to those who want to know. */
#include "notify.h"

#include "hide.h"
#include "net/log.h"
#include "wait.h"

#include <lauxlib.h>
#include <string.h>

/* Pushes the event of the attempt that the request's transfer has ended. */
static void push_event(lua_State *L, const struct raia_request *r) {
  const struct raia_transfer *t = &r->transfer;
  lua_createtable(L, 0, 7);
  lua_pushstring(L, t->method);
  lua_setfield(L, -2, "method");
  raia_hide_push(L, r, t->path, strlen(t->path));
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
   the request, whose results it is from then on. What needs memory is done
   before. */
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

/* Calls the functions that wait for the request at the top. */
static void wake(lua_State *L, struct raia_request *r) {
  lua_getiuservalue(L, -1, RAIA_REQUEST_WAKE); /* request, set */
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pushnil(L)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_call(L, 0, 0);
    lua_pushnil(L); /* not before: it is called again if memory ran out */
    lua_rawset(L, -3);
  }
  lua_pushnil(L);
  lua_setiuservalue(L, -3, RAIA_REQUEST_WAKE);
  lua_pop(L, 1);
  r->awaited = false;
}

static struct raia_transfer *transfer_of(struct raia_completion *completion) {
  return RAIA_OF(struct raia_transfer, completion, completion);
}

/* Whether it is completion of a transfer that Lua need not hear. It is logged.
 */
static bool is_quiet(struct raia_completion *completion) {
  if (completion->source != RAIA_OF_TRANSFER)
    return false;
  struct raia_transfer *t = transfer_of(completion);
  const struct raia_request *r = RAIA_OF(struct raia_request, transfer, t);
  if (t->attempt_ended && r->client->log)
    raia_log_attempt(t, r->client->endpoint);
  if (!r->client->on_event)
    t->attempt_ended = false;
  return !r->awaited && !t->attempt_ended;
}

static void tell_transfer(lua_State *L, struct raia_transfer *t) {
  struct raia_request *r = RAIA_OF(struct raia_request, transfer, t);
  raia_wait_find(L, &t->completion); /* nil: it is being collected */
  if (t->attempt_ended && !lua_isnil(L, -1))
    call_on_event(L, r);
  if (r->awaited && t->state == RAIA_DONE && !lua_isnil(L, -1))
    wake(L, r);
}

static void tell_alarm(lua_State *L,
                       const struct raia_completion *completion) {
  raia_wait_find(L, completion);
  if (!lua_isnil(L, -1)) {
    lua_getiuservalue(L, -1, 1);
    lua_call(L, 0, 0);
  }
}

/* Tells the completion that is argument 1. */
static int tell(lua_State *L) {
  struct raia_completion *completion = lua_touserdata(L, 1);
  if (completion->source == RAIA_OF_TRANSFER)
    tell_transfer(L, transfer_of(completion));
  else
    tell_alarm(L, completion);
  return 0;
}

int raia_notify(lua_State *L, struct raia_loop *loop) {
  int told = 0;
  struct raia_completion *completion;
  luaL_checkstack(L, 2, NULL);
  while ((completion = raia_loop_completion(loop)) != NULL) {
    told++;
    if (is_quiet(completion))
      continue;
    lua_pushcfunction(L, tell);
    lua_pushlightuserdata(L, completion);
    int status = lua_pcall(L, 1, 0, 0);
    if (status == LUA_ERRMEM) { /* it is still to be told */
      raia_list_remove(&completion->link);
      raia_list_insert(&loop->completions, &completion->link);
    }
    if (status != LUA_OK)
      lua_error(L);
  }
  return told;
}
