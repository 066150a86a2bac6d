/* The client: options, origin, and the requests that are its own. */
#include "client.h"

#include "call.h"
#include "conversation.h"
#include "engine.h"
#include "log.h"
#include "module.h"
#include "options.h"
#include "request.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

struct client_options {
  struct raia_origin_options origin;
  const char *region;
  double timeout;
  long max_retries, max_response_bytes;
};

#define ORIGIN(field)                                                         \
  (offsetof(struct client_options, origin) +                                  \
   offsetof(struct raia_origin_options, field))

static const struct raia_option rows[] = {
    {"secret_key", RAIA_OPTION_STRING, ORIGIN(secret_key), 0, 0},
    {"region", RAIA_OPTION_STRING, offsetof(struct client_options, region), 0,
     0},
    {"base_url", RAIA_OPTION_STRING, ORIGIN(base_url), 0, 0},
    {"timeout", RAIA_OPTION_SECONDS, offsetof(struct client_options, timeout),
     0.001, 1e6},
    {"connect_timeout", RAIA_OPTION_SECONDS, ORIGIN(connect_timeout), 0.001,
     1e6},
    {"max_retries", RAIA_OPTION_COUNT,
     offsetof(struct client_options, max_retries), 0, 100},
    {"max_connections", RAIA_OPTION_COUNT, ORIGIN(max_connections), 1, 65535},
    {"max_response_bytes", RAIA_OPTION_COUNT,
     offsetof(struct client_options, max_response_bytes), 1, 2147483647},
    {"headers", RAIA_OPTION_HEADERS, 0, 0, 0},
    {"user_agent", RAIA_OPTION_STRING, ORIGIN(user_agent), 0, 0},
    {"proxy", RAIA_OPTION_STRING, ORIGIN(proxy), 0, 0},
    {"ca_file", RAIA_OPTION_STRING, ORIGIN(ca_file), 0, 0},
    {"allow_insecure", RAIA_OPTION_BOOLEAN, ORIGIN(allow_insecure), 0, 0},
    {"on_event", RAIA_OPTION_FUNCTION, 0, 0, 0},
    {0}};

/* The value of an environment variable, NULL when unset or empty. */
static const char *environment(const char *name) {
  const char *value = getenv(name);
  return value != NULL && *value != '\0' ? value : NULL;
}

static const char *url_of_region(lua_State *L, const char *region) {
  if (region == NULL || strcmp(region, "us") == 0)
    return "https://api.raia2.com";
  if (strcmp(region, "eu") != 0)
    luaL_error(L, "raia.client: there is no region '%s', only 'us' and 'eu'",
               region);
  return "https://api-eu.raia2.com";
}

/* Raises unless `value` can stand in a header. Its text is not shown: it may
   be the key. */
static void check_line(lua_State *L, const char *name, const char *value) {
  if (value != NULL && raia_header_bad("X", 1, value, strlen(value)) != NULL)
    luaL_error(L,
               "raia.client: the %s holds a control character (a line end "
               "that came with it?)",
               name);
}

/* Fills in from the environment what no option said, and checks strings. */
static void complete(lua_State *L, struct client_options *o) {
  if (o->origin.secret_key == NULL)
    o->origin.secret_key = environment("RAIA_AGENT_SECRET_KEY");
  if (o->origin.secret_key == NULL || *o->origin.secret_key == '\0')
    luaL_error(L, "raia.client: no key: set secret_key, or "
                  "RAIA_AGENT_SECRET_KEY in the environment");
  if (o->origin.base_url == NULL && o->region == NULL)
    o->origin.base_url = environment("RAIA_BASE_URL");
  if (o->origin.base_url == NULL) {
    if (o->region == NULL)
      o->region = environment("RAIA_REGION");
    o->origin.base_url = url_of_region(L, o->region);
  } else if (o->region != NULL) {
    luaL_error(L, "raia.client: give region or base_url, not both");
  }
  check_line(L, "secret_key", o->origin.secret_key);
  check_line(L, "user_agent", o->origin.user_agent);
}

static void open_origin(lua_State *L, struct raia_client *client,
                        const struct raia_origin_options *options) {
  const char *wrong = raia_origin_open(&client->origin, options);
  if (wrong != NULL && strcmp(wrong, "out of memory") == 0)
    luaL_error(L, "not enough memory");
  if (wrong != NULL)
    luaL_error(L, "raia.client: the base_url %s", wrong);
}

/* Puts a client's user value together: argument 1 are its options. */
static void set_user_value(lua_State *L, struct raia_client *client) {
  lua_createtable(L, 2, 0); /* client, values */
  lua_newuserdatauv(L, 0, 1);
  lua_pushvalue(L, -3);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, RAIA_CONVERSATIONS);
  lua_rawseti(L, -2, RAIA_CLIENT_CONVERSATIONS);
  if (lua_istable(L, 1)) {
    client->on_event = raia_options_field(L, 1, "on_event") == LUA_TFUNCTION;
    lua_rawseti(L, -2, RAIA_CLIENT_ON_EVENT);
    if (raia_options_field(L, 1, "headers") == LUA_TTABLE)
      for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        if (!raia_origin_header(client->origin, lua_tostring(L, -2),
                                lua_tostring(L, -1)))
          luaL_error(L, "not enough memory");
    lua_pop(L, 1);
  }
  lua_setiuservalue(L, -2, 1);
}

int raia_client_new(lua_State *L) {
  struct client_options options = {
      .origin = {.user_agent = "raia-lua/" RAIA_VERSION,
                 .connect_timeout = 10,
                 .max_connections = 64},
      .max_retries = 2,
      .max_response_bytes = 32L * 1024 * 1024};
  const char *unknown;
  lua_settop(L, 1);
  raia_options_read(L, 1, rows, &options);
  complete(L, &options);
  enum raia_log_level level = raia_log_level(&unknown);
  if (unknown != NULL)
    luaL_error(L, "raia.client: RAIA_LOG is '%s', not 'info' or 'debug'",
               unknown);
  options.origin.verbose = level == RAIA_LOG_DEBUG;
  struct raia_client *client = lua_newuserdatauv(L, sizeof *client, 1);
  memset(client, 0, sizeof *client);
  raia_ring_init(&client->requests);
  luaL_setmetatable(L, RAIA_CLIENT);
  client->timeout = options.timeout;
  client->max_retries = options.max_retries;
  client->max_response_bytes = options.max_response_bytes;
  client->log = level != RAIA_LOG_NONE;
  open_origin(L, client, &options.origin);
  set_user_value(L, client);
  return 1;
}

/* Ends what is under way with `end`, and the client. */
static void close_with(struct raia_client *client,
                       void (*end)(struct raia_request *request)) {
  if (client->origin != NULL) /* what is queued does not begin any more */
    raia_origin_gate(client->origin)->connections = 0;
  while (!raia_ring_empty(&client->requests)) {
    struct raia_link *link = client->requests.next;
    end(RAIA_OF(struct raia_request, of_client, link));
    raia_ring_out(link);
  }
  raia_origin_close(client->origin);
  client->origin = NULL;
}

static void stop(struct raia_request *request) {
  raia_pool_stop(&request->transfer, RAIA_CLOSED);
}

static void drop(struct raia_request *request) {
  raia_request_drop(request, RAIA_CLOSED);
}

static int client_close(lua_State *L) {
  close_with(luaL_checkudata(L, 1, RAIA_CLIENT), stop);
  return 0;
}

/* At the end of its scope, or collected: nobody has asked for its calls' end.
 */
static int client_leave(lua_State *L) {
  close_with(luaL_checkudata(L, 1, RAIA_CLIENT), drop);
  return 0;
}

/* Its upvalue is the table of methods. */
static int client_index(lua_State *L) {
  luaL_checkudata(L, 1, RAIA_CLIENT);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return 1;
  if (lua_type(L, 2) != LUA_TSTRING ||
      strcmp(lua_tostring(L, 2), "conversations") != 0)
    return 0;
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, RAIA_CLIENT_CONVERSATIONS);
  return 1;
}

static int client_tostring(lua_State *L) {
  struct raia_client *client = luaL_checkudata(L, 1, RAIA_CLIENT);
  lua_pushfstring(L, RAIA_CLIENT " %s",
                  client->origin == NULL ? "(closed)"
                                         : raia_origin_url(client->origin));
  return 1;
}

void raia_client_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"conversation", raia_conversation_of_id},
                                     {"request", raia_call_request},
                                     {"close", client_close},
                                     {0, 0}};
  static const luaL_Reg metamethods[] = {{"__tostring", client_tostring},
                                         {"__gc", client_leave},
                                         {"__close", client_leave},
                                         {0, 0}};
  luaL_newmetatable(L, RAIA_CLIENT);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_pushcclosure(L, client_index, 1);
  lua_setfield(L, -2, "__index");
  luaL_newmetatable(L, RAIA_CONVERSATIONS);
  lua_newtable(L);
  raia_call_register(L, RAIA_ON_CONVERSATIONS);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
}
