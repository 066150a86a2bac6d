/* Calls: turns an operation's row and the arguments into a request. */
#include "call.h"

#include "checkself.h"
#include "conversation.h"
#include "hooks.h"
#include "json.h"
#include "net/endpoint.h"
#include "options.h"
#include "request.h"

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

/* Pushes the operation's path, with the id at stack index `id` if the path has
   a place for one. */
static void push_path(lua_State *L, const struct raia_operation *operation,
                      int id) {
  const char *hole = strstr(operation->path, "{}");
  if (hole == NULL) {
    lua_pushstring(L, operation->path);
    return;
  }
  size_t length;
  const char *s = lua_tolstring(L, id, &length);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addlstring(&b, operation->path, (size_t)(hole - operation->path));
  char *out = luaL_prepbuffsize(&b, 3 * length);
  luaL_addsize(&b, (size_t)(raia_path_encode(out, s, length) - out));
  luaL_addstring(&b, hole + 2);
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

/* Pushes the path of an operation on the conversation whose values are at the
   top, and caches it there, which saves 900 instructions a call. */
static void push_own_path(lua_State *L,
                          const struct raia_operation *operation) {
  int values = lua_gettop(L);
  if (lua_rawgetp(L, values, operation) == LUA_TSTRING)
    return;
  lua_rawgeti(L, values, RAIA_CONVERSATION_FIELDS);
  lua_getfield(L, -1, "id");
  push_path(L, operation, values + 3);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, values, operation);
  lua_replace(L, values + 1);
  lua_settop(L, values + 1);
}

/* Pushes the client that argument 1 belongs to, and the operation's path. */
static void push_client_and_path(lua_State *L,
                                 const struct raia_operation *operation) {
  if (operation->owner == RAIA_ON_CONVERSATIONS) {
    raia_checkself(L, 2, RAIA_CONVERSATIONS);
    lua_getiuservalue(L, 1, 1);
    if (operation->takes == RAIA_TAKES_ID)
      raia_conversation_check_id(L, 2);
    push_path(L, operation, 2);
  } else {
    raia_checkself(L, 2, RAIA_CONVERSATION);
    lua_getiuservalue(L, 1, 1);
    push_own_path(L, operation);
    lua_rawgeti(L, -2, RAIA_CONVERSATION_CLIENT);
    lua_replace(L, -3); /* client, path */
  }
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
  bool wait = read_options(L, options, r);
  if (operation->owner == RAIA_ON_CONVERSATION) {
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, request, RAIA_REQUEST_TARGET);
  }
  lua_pushvalue(L, path);
  r->transfer.asked.path = keep(L, request, RAIA_REQUEST_PATH, NULL);
  bool sound = true;
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

static void add_encoded(lua_State *L, luaL_Buffer *b, int index) {
  size_t length;
  const char *s = lua_tolstring(L, index, &length);
  char *out = luaL_prepbuffsize(b, 3 * length);
  luaL_addsize(b, (size_t)(raia_path_encode(out, s, length) - out));
}

/* Pushes the text of the value at the top of a query. */
static void push_query_value(lua_State *L, int arg) {
  char text[RAIA_NUMBER_MAX];
  if (lua_type(L, -1) != LUA_TNUMBER) {
    luaL_tolstring(L, -1, NULL);
    return;
  }
  size_t length = raia_json_number(L, -1, text);
  luaL_argcheck(L, length > 0, arg, "'query' has a number that is not finite");
  lua_pushlstring(L, text, length);
}

/* Pushes the table at the top as a query, encoded. */
static void push_query(lua_State *L, int arg) {
  int query = lua_gettop(L);
  luaL_Buffer b;
  lua_pushnil(L); /* the key and the value as a string, below what the */
  lua_pushnil(L); /* buffer keeps on the stack */
  luaL_buffinit(L, &b);
  bool first = true;
  for (;;) {
    lua_pushvalue(L, query + 1);
    if (lua_next(L, query) == 0)
      break;
    int type = lua_type(L, -1);
    if (lua_type(L, -2) != LUA_TSTRING ||
        (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN))
      luaL_argerror(L, arg,
                    "'query' must have names, and strings, numbers or "
                    "booleans as values");
    push_query_value(L, arg);
    lua_replace(L, query + 2);
    lua_pop(L, 1);
    lua_replace(L, query + 1);
    luaL_addstring(&b, first ? "" : "&");
    add_encoded(L, &b, query + 1);
    luaL_addchar(&b, '=');
    add_encoded(L, &b, query + 2);
    first = false;
  }
  luaL_pushresult(&b);
}

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
  if (lua_istable(L, 4) && raia_options_field(L, 4, "query") == LUA_TTABLE) {
    push_query(L, 4);
    if (lua_rawlen(L, -1) > RAIA_PATH_MAX)
      luaL_argerror(L, 4, "the query has more than 16,384 bytes");
    r->transfer.asked.query = keep(L, request, RAIA_REQUEST_QUERY, NULL);
    if (*r->transfer.asked.query == '\0')
      r->transfer.asked.query = NULL;
  }
  if (lua_istable(L, 4) && raia_options_field(L, 4, "body") == LUA_TTABLE) {
    if (strcmp(r->transfer.asked.method, "GET") == 0)
      luaL_argerror(L, 4, "a GET has no body (a query goes into 'query')");
    sound = set_body(L, request);
  }
  return go(L, request, sound, wait);
}

void raia_call_register(lua_State *L, enum raia_owner owner) {
  for (const struct raia_operation *row = raia_operations; row->name; row++)
    if (row->owner == owner) {
      lua_pushlightuserdata(L, (void *)row);
      lua_pushvalue(L, -3); /* metatable, functions, row, metatable */
      lua_pushcclosure(L, call_operation, 2);
      lua_setfield(L, -2, row->name);
    }
}
