/* Telling what has happened to those who want to know. */
#include "news.h"

#include "engine.h"
#include "log.h"
#include "request.h"

#include <lauxlib.h>

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
  lua_getiuservalue(L, -1, RAIA_REQUEST_CLIENT); /* request, client */
  lua_getiuservalue(L, -1, 1);
  lua_rawgeti(L, -1, RAIA_CLIENT_ON_EVENT);
  push_event(L, &r->transfer);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_createtable(L, 1, 0); /* request, client, its, error, table */
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_setiuservalue(L, -4, RAIA_REQUEST_ERROR);
    raia_pool_stop(&r->transfer, RAIA_CANCELLED);
  }
  lua_pop(L, 2);
}

/* Calls the functions that wait for the request at the top. */
static void wake(lua_State *L, struct raia_request *r) {
  r->awaited = false;
  lua_getiuservalue(L, -1, RAIA_REQUEST_WAKE); /* request, set */
  lua_pushnil(L);
  lua_setiuservalue(L, -3, RAIA_REQUEST_WAKE);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_call(L, 0, 0);
  }
  lua_pop(L, 1);
}

static void tell_transfer(lua_State *L, struct raia_transfer *t) {
  struct raia_request *r = RAIA_OF(struct raia_request, transfer, t);
  bool ended = t->attempt_ended;
  t->attempt_ended = false;
  if (ended && r->client->log)
    raia_log_attempt(t);
  if (!r->awaited && !(ended && r->client->on_event))
    return;
  raia_engine_find(L, &t->news); /* nil: it is being collected */
  if (ended && r->client->on_event && !lua_isnil(L, -1))
    call_on_event(L, r);
  if (r->awaited && t->state == RAIA_DONE && !lua_isnil(L, -1))
    wake(L, r);
  lua_pop(L, 1);
}

static void tell_alarm(lua_State *L, const struct raia_news *news) {
  raia_engine_find(L, news);
  if (!lua_isnil(L, -1)) {
    lua_getiuservalue(L, -1, 1);
    lua_call(L, 0, 0);
  }
  lua_pop(L, 1);
}

int raia_news_tell(lua_State *L, struct raia_pool *pool) {
  int told = 0;
  struct raia_news *news;
  while ((news = raia_pool_news(pool)) != NULL) {
    luaL_checkstack(L, 16, NULL);
    if (news->source == RAIA_OF_TRANSFER)
      tell_transfer(L, RAIA_OF(struct raia_transfer, news, news));
    else
      tell_alarm(L, news);
    told++;
  }
  return told;
}
