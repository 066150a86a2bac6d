/* Calls: turns an operation's row and the arguments into a request. */
#include "call.h"

#include "checkself.h"
#include "hooks.h"
#include "net/endpoint.h"
#include "options.h"
#include "page.h"
#include "query.h"
#include "request.h"
#include "resource.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

struct call_options {
  double timeout;
  long max_retries;
  struct raia_headers *headers; /* cppcheck-suppress unusedStructMember */
  bool wait;
};

/* The first row is for operations with an option of their own. */
static const struct raia_option rows[] = {
    {"context", RAIA_OPTION_ANY, 0, 0, 0},
    {"timeout", RAIA_OPTION_SECONDS, offsetof(struct call_options, timeout),
     0.001, 1e6},
    {"max_retries", RAIA_OPTION_COUNT,
     offsetof(struct call_options, max_retries), 0, 100},
    {"headers", RAIA_OPTION_HEADERS, offsetof(struct call_options, headers), 0,
     0},
    {"query", RAIA_OPTION_TABLE, 0, 0, 0},
    {"wait", RAIA_OPTION_BOOLEAN, offsetof(struct call_options, wait), 0, 0},
    {0}};

/* Pops the string at the top into a user value of the request at `request`,
   and returns it. */
static const char *keep(lua_State *L, int request, int slot, size_t *length) {
  const char *s = lua_tolstring(L, -1, length);
  lua_setiuservalue(L, request, slot);
  return s;
}

/* Applies the table of options at `arg`; returns whether to wait. */
static bool read_options(lua_State *L, int arg, struct raia_request *r) {
  struct raia_transfer *t = &r->transfer;
  struct call_options options = {t->asked.timeout, t->asked.max_retries,
                                 &t->asked.headers, true};
  raia_options_read(L, arg, r->operation->option != NULL ? rows : rows + 1,
                    &options);
  t->asked.timeout = options.timeout;
  t->asked.max_retries = (int)options.max_retries;
  return options.wait;
}

/* Pushes the operation's path with the ids at the stack indexes `own`, which
   is 0 if it has no resource, and `id` in their places. */
static void push_path(lua_State *L, const struct raia_operation *operation,
                      int own, int id) {
  const char *rest = operation->path, *hole;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int next = own != 0 ? own : id; (hole = strstr(rest, "{}")) != NULL;) {
    size_t length;
    luaL_addlstring(&b, rest, (size_t)(hole - rest));
    const char *s = lua_tolstring(L, next, &length);
    char *out = luaL_prepbuffsize(&b, 3 * length);
    luaL_addsize(&b, (size_t)(raia_path_encode(out, s, length) - out));
    rest = hole + 2;
    next = id;
  }
  luaL_addstring(&b, rest);
  luaL_pushresult(&b);
}

/* Pushes the body for argument `arg`: the table itself, or a new one if it is
   a string or an option adds a field. */
static void push_body(lua_State *L, const struct raia_operation *operation,
                      int arg, int options) {
  const char *option = operation->option;
  bool shorthand =
      operation->shorthand != NULL && lua_type(L, arg) == LUA_TSTRING;
  if (!shorthand && !lua_istable(L, arg))
    luaL_typeerror(L, arg,
                   operation->shorthand != NULL ? "string or table" : "table");
  bool added = option != NULL && lua_istable(L, options) &&
               raia_options_field(L, options, option) != LUA_TNIL;
  if (!added && !shorthand) {
    lua_pushvalue(L, arg);
    return;
  }
  lua_createtable(L, 0, 2);
  int body = lua_gettop(L);
  if (shorthand) {
    lua_pushvalue(L, arg);
    lua_setfield(L, body, operation->shorthand);
  } else {
    for (lua_pushnil(L); lua_next(L, arg) != 0;) { /* key, value */
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, body);
    }
  }
  if (added) {
    if (lua_getfield(L, body, option) != LUA_TNIL)
      luaL_argerror(L, options,
                    lua_pushfstring(L, "'%s' is given twice", option));
    lua_pushvalue(L, body - 1);
    lua_setfield(L, body, option);
    lua_settop(L, body);
  }
}

/* Pops the table at the top and sets the transfer's body from it. If it is
   invalid, ends the request at `request` and returns false. */
static bool set_body(lua_State *L, int request) {
  struct raia_request *r = lua_touserdata(L, request);
  int body = lua_gettop(L);
  bool good = raia_schema_write(L, body, r->operation->schema);
  if (good) {
    r->transfer.asked.body =
        keep(L, request, RAIA_REQUEST_BODY, &r->transfer.asked.body_length);
  } else {
    raia_request_refuse(L, request);
  }
  lua_settop(L, body - 1);
  return good;
}

/* Starts the request at `request` unless it was refused, and returns the
   results of the call. Must end a C function, as it may yield. */
static int go(lua_State *L, int request, bool sound, bool wait) {
  ((struct raia_request *)lua_touserdata(L, request))->held = !wait;
  if (sound)
    raia_request_start(L, request);
  if (wait)
    return raia_request_wait(L, request, HUGE_VAL);
  lua_pushvalue(L, request);
  raia_hooks_changed(L, request);
  return 1;
}

/* Pushes the path of an operation on the resource whose values are at the top,
   and the argument at 2. Without an argument it is cached there, which saves
   900 instructions a call. */
static void push_own_path(lua_State *L,
                          const struct raia_operation *operation) {
  int values = lua_gettop(L);
  if (lua_rawgetp(L, values, operation) == LUA_TSTRING)
    return;
  lua_rawgeti(L, values, RAIA_RESOURCE_FIELDS);
  lua_getfield(L, -1, "id");
  push_path(L, operation, values + 3, 2);
  if (operation->takes != RAIA_TAKES_ID) {
    lua_pushvalue(L, -1);
    lua_rawsetp(L, values, operation);
  }
  lua_replace(L, values + 1);
  lua_settop(L, values + 1);
}

/* Pushes the client that argument 1 belongs to, and the operation's path. */
static void push_client_and_path(lua_State *L,
                                 const struct raia_operation *operation) {
  raia_checkself(L, 2, raia_owner_class(operation->owner));
  if (operation->takes == RAIA_TAKES_ID)
    raia_resource_to_id(L, 2, operation->class);
  lua_getiuservalue(L, 1, 1);
  if (operation->owner < RAIA_GROUPS) {
    push_path(L, operation, 0, 2);
  } else {
    push_own_path(L, operation);
    lua_rawgeti(L, -2, RAIA_RESOURCE_CLIENT);
    lua_replace(L, -3); /* client, path */
  }
}

/* Stores what the result of the request at `request` needs: the resource it is
   for, or what a page's next one is asked with. */
static void set_target(lua_State *L, const struct raia_operation *operation,
                       int request, int options) {
  if (operation->owner >= RAIA_GROUPS) {
    lua_pushvalue(L, 1);
  } else if (operation->takes == RAIA_TAKES_QUERY) {
    raia_page_push_target(L, operation->name, options);
  } else {
    return;
  }
  lua_setiuservalue(L, request, RAIA_REQUEST_TARGET);
}

/* Sets the transfer's query from the table at `table`, which came with
   argument `arg`, and from the options; 0: there is no table. If it is
   invalid, ends the request at `request` and returns false. */
static bool set_query(lua_State *L, int request, int table, int arg,
                      int options) {
  struct raia_request *r = lua_touserdata(L, request);
  const struct raia_schema *schema = r->operation->schema;
  lua_pushliteral(L, "");
  int query = lua_gettop(L);
  if (table != 0) {
    lua_pushvalue(L, table);
    if (schema != NULL && !raia_schema_check(L, table, schema)) {
      raia_request_refuse(L, request);
      lua_settop(L, query - 1);
      return false;
    }
    raia_query_add(L, query, arg);
  }
  if (lua_istable(L, options) &&
      raia_options_field(L, options, "query") == LUA_TTABLE)
    raia_query_add(L, query, options);
  lua_settop(L, query);
  if (lua_rawlen(L, query) > RAIA_PATH_MAX)
    luaL_argerror(L, table != 0 ? arg : options,
                  "the query has more than 16,384 bytes");
  if (lua_rawlen(L, query) > 0)
    r->transfer.asked.query = keep(L, request, RAIA_REQUEST_QUERY, NULL);
  lua_settop(L, query - 1);
  return true;
}

/* A method of the API. Upvalues: the operation's row and the metatable of its
   object. */
static int call_operation(lua_State *L) {
  const struct raia_operation *operation =
      lua_touserdata(L, lua_upvalueindex(1));
  int options = operation->takes == RAIA_TAKES_NOTHING ? 2 : 3;
  lua_settop(L, options);
  push_client_and_path(L, operation);
  int client = options + 1, path = options + 2, request = options + 3;
  struct raia_request *r = raia_request_new(L, client, operation);
  bool wait = read_options(L, options, r), sound = true;
  set_target(L, operation, request, options);
  lua_pushvalue(L, path);
  r->transfer.asked.path = keep(L, request, RAIA_REQUEST_PATH, NULL);
  if (operation->takes == RAIA_TAKES_QUERY) {
    if (lua_isnil(L, 2)) {
      lua_newtable(L);
      lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    sound = set_query(L, request, 2, 2, options);
  } else if (lua_istable(L, options)) {
    sound = set_query(L, request, 0, 0, options);
  }
  if (operation->takes == RAIA_TAKES_BODY) {
    push_body(L, operation, 2, options);
    sound = set_body(L, request);
  }
  return go(L, request, sound, wait);
}

/* ---- client:request ---- */

static const struct raia_option parts[] = {
    {"body", RAIA_OPTION_TABLE, 0, 0, 0},
    {"query", RAIA_OPTION_TABLE, 0, 0, 0},
    {0}};

static void check_method(lua_State *L, int arg) {
  static const char *const methods[] = {"GET",   "POST",   "PUT",
                                        "PATCH", "DELETE", NULL};
  luaL_checkoption(L, arg, NULL, methods);
}

int raia_call_request(lua_State *L) {
  lua_settop(L, 5); /* client, method, path, parts, options */
  luaL_checkudata(L, 1, RAIA_CLIENT);
  check_method(L, 2);
  size_t length;
  luaL_checktype(L, 3, LUA_TSTRING);
  const char *path = lua_tolstring(L, 3, &length);
  const char *bad = raia_path_bad(path, length);
  if (bad != NULL)
    luaL_argerror(L, 3, lua_pushfstring(L, "the path %s", bad));
  raia_options_read(L, 4, parts, NULL);
  const int request = 6;
  struct raia_request *r = raia_request_new(L, 1, &raia_request_operation);
  bool wait = read_options(L, 5, r), sound = true;
  lua_pushvalue(L, 2);
  r->transfer.asked.method = keep(L, request, RAIA_REQUEST_METHOD, NULL);
  r->transfer.asked.large = strcmp(r->transfer.asked.method, "GET") == 0;
  lua_pushvalue(L, 3);
  r->transfer.asked.path = keep(L, request, RAIA_REQUEST_PATH, NULL);
  lua_pushnil(L); /* parts' query */
  if (lua_istable(L, 4) && raia_options_field(L, 4, "query") == LUA_TTABLE)
    lua_replace(L, 7);
  lua_settop(L, 7);
  sound = set_query(L, request, lua_istable(L, 7) ? 7 : 0, 4, 5);
  if (lua_istable(L, 4) && raia_options_field(L, 4, "body") == LUA_TTABLE) {
    if (strcmp(r->transfer.asked.method, "GET") == 0)
      luaL_argerror(L, 4, "a GET has no body (a query goes into 'query')");
    sound = set_body(L, request);
  }
  return go(L, request, sound, wait);
}

void raia_call_register(lua_State *L, enum raia_owner owner) {
  int metatable = lua_gettop(L);
  lua_newtable(L);
  for (const struct raia_operation *row = raia_operations; row->name; row++)
    if (row->owner == owner) {
      lua_pushlightuserdata(L, (void *)row);
      lua_pushvalue(L, metatable);
      lua_pushcclosure(L, call_operation, 2);
      lua_setfield(L, -2, row->name);
    }
  luaL_getsubtable(L, LUA_REGISTRYINDEX, RAIA_METHODS);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, raia_owner_class(owner));
  lua_pop(L, 1);
}
