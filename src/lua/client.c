/* Clients: their options, endpoint and requests. */
#include "client.h"

#include "call.h"
#include "notify.h"
#include "options.h"
#include "request.h"
#include "resource.h"
#include "version.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct client_options {
  struct raia_endpoint_options endpoint; /* a NULL key: from the environment */
  const char *region;
  double timeout;
  long max_retries, max_response_bytes;
};

#define ENDPOINT(field)                                                       \
  (offsetof(struct client_options, endpoint) +                                \
   offsetof(struct raia_endpoint_options, field))

static const struct raia_option rows[] = {
    {"secret_key", RAIA_OPTION_STRING, ENDPOINT(secret_key), 0, 0},
    {"region", RAIA_OPTION_STRING, offsetof(struct client_options, region), 0,
     0},
    {"base_url", RAIA_OPTION_STRING, ENDPOINT(base_url), 0, 0},
    {"timeout", RAIA_OPTION_SECONDS, offsetof(struct client_options, timeout),
     0.001, 1e6},
    {"connect_timeout", RAIA_OPTION_SECONDS, ENDPOINT(connect_timeout), 0.001,
     1e6},
    {"max_retries", RAIA_OPTION_COUNT,
     offsetof(struct client_options, max_retries), 0, 100},
    {"max_connections", RAIA_OPTION_COUNT, ENDPOINT(max_connections), 1,
     65535},
    {"max_response_bytes", RAIA_OPTION_COUNT,
     offsetof(struct client_options, max_response_bytes), 1, 2147483647},
    {"headers", RAIA_OPTION_HEADERS, ENDPOINT(headers), 0, 0},
    {"user_agent", RAIA_OPTION_STRING, ENDPOINT(user_agent), 0, 0},
    {"proxy", RAIA_OPTION_STRING, ENDPOINT(proxy), 0, 0},
    {"ca_file", RAIA_OPTION_STRING, ENDPOINT(ca_file), 0, 0},
    {"allow_insecure", RAIA_OPTION_BOOLEAN, ENDPOINT(allow_insecure), 0, 0},
    {"on_event", RAIA_OPTION_FUNCTION, 0, 0, 0},
    {0}};

/* The value of an environment variable, NULL if unset or empty. */
static const char *environment(const char *name) {
  const char *value = getenv(name);
  return value != NULL && *value != '\0' ? value : NULL;
}

static const char *url_of_region(lua_State *L, const char *region) {
  if (region == NULL || strcmp(region, "us") == 0)
    return "https://api.raia2.com";
  if (strcmp(region, "eu") != 0)
    luaL_error(L, "raia.client: unknown region '%s' (known regions: us, eu)",
               lua_pushstring(L, region)); /* freed before raising */
  return "https://api-eu.raia2.com";
}

/* ---- the key ---- */

/* Invisible characters that are copied along with a key by mistake. */
static const struct {
  const char *bytes, *what;
} strays[] = {
    {"\xEF\xBB\xBF", "contains a byte order mark (U+FEFF)"},
    {"\xC2\xA0", "contains a no-break space (U+00A0)"},
    {"\xE2\x80\x8B", "contains a zero-width space (U+200B)"},
    {" ", "contains a space"},
    {"\t", "holds a tab"},
};

/* What is wrong with a non-empty key, or NULL. */
static const char *bad_key(const char *key) {
  size_t length = strlen(key);
  char last = key[length - 1];
  if (strspn(key, " \t\n\v\f\r") == length)
    return "is blank";
  if (last == '\n' || last == '\r')
    return "ends with a line end, as text read from a file does";
  if (length > 1 && last == *key && strchr("\"'`", last) != NULL)
    return "has quotes around it";
  for (size_t i = 0; i < sizeof strays / sizeof *strays; i++)
    if (strstr(key, strays[i].bytes) != NULL)
      return strays[i].what;
  for (const char *c = key; *c != '\0'; c++)
    if ((unsigned char)*c < ' ' || (unsigned char)*c >= 127)
      return (unsigned char)*c > 127 ? "contains a non-ASCII character"
                                     : "contains a control character";
  return raia_header_bad("X", 1, key, length);
}

/* Finds the key, or raises an error that says what is wrong without showing
   it. */
static const char *find_key(lua_State *L, const char *option) {
  const char *key =
      option != NULL ? option : environment("RAIA_AGENT_SECRET_KEY");
  if (key == NULL || *key == '\0')
    luaL_error(L, "raia.client: no key: set secret_key, or "
                  "RAIA_AGENT_SECRET_KEY in the environment");
  const char *bad = key == NULL ? NULL : bad_key(key);
  if (bad != NULL)
    luaL_error(L, "raia.client: the secret_key%s %s",
               option != NULL ? "" : " of RAIA_AGENT_SECRET_KEY", bad);
  return key;
}

/* ---- the other options ---- */

/* Raises unless the file holds certificates. */
static void check_ca_file(lua_State *L, const char *path) {
  char line[256];
  bool found = false;
  FILE *file = NULL;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && (file = fdopen(fd, "r")) == NULL)
    close(fd);
  while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
    found = strncmp(line, "-----BEGIN ", 11) == 0 &&
            strstr(line, "CERTIFICATE-----") != NULL;
  int error = file == NULL || ferror(file) ? errno : 0;
  if (file != NULL)
    fclose(file);
  if (error != 0)
    luaL_error(L, "raia.client: the ca_file cannot be read: %s",
               strerror(error));
  if (!found)
    luaL_error(L, "raia.client: the ca_file contains no PEM certificate");
}

/* Fills in from the environment what the options left out, and checks strings.
 */
static void complete(lua_State *L, struct client_options *o) {
  struct raia_endpoint_options *endpoint = &o->endpoint;
  endpoint->secret_key = find_key(L, endpoint->secret_key);
  if (endpoint->base_url == NULL && o->region == NULL)
    endpoint->base_url = environment("RAIA_BASE_URL");
  if (endpoint->base_url == NULL) {
    if (o->region == NULL)
      o->region = environment("RAIA_REGION");
    endpoint->base_url = url_of_region(L, o->region);
  } else if (o->region != NULL) {
    luaL_error(L, "raia.client: give region or base_url, not both");
  }
  const char *agent = endpoint->user_agent;
  const char *bad = raia_header_bad("X", 1, agent, strlen(agent));
  if (bad != NULL)
    luaL_error(L, "raia.client: the user_agent %s", bad);
  if (endpoint->ca_file != NULL)
    check_ca_file(L, endpoint->ca_file);
}

static void open_endpoint(lua_State *L, struct raia_client *client,
                          const struct raia_endpoint_options *options) {
  const char *option = "";
  const char *wrong = raia_endpoint_open(&client->endpoint, options, &option);
  if (wrong != NULL && strcmp(wrong, "out of memory") == 0)
    luaL_error(L, "not enough memory");
  if (wrong != NULL)
    luaL_error(L, "raia.client: the %s %s", option, wrong);
}

/* ---- the client ---- */

/* Pushes a closed client. */
static struct raia_client *push_closed(lua_State *L) {
  struct raia_client *client = lua_newuserdatauv(L, sizeof *client, 1);
  memset(client, 0, sizeof *client);
  raia_list_init(&client->requests);
  luaL_setmetatable(L, RAIA_CLIENT);
  lua_createtable(L, 2, 0); /* client, values */
  lua_setiuservalue(L, -2, 1);
  return client;
}

int raia_client_new(lua_State *L) {
  struct client_options options = {
      .endpoint = {.user_agent = "raia-lua/" RAIA_VERSION,
                   .connect_timeout = 10,
                   .max_connections = 64},
      .max_retries = 2,
      .max_response_bytes = 32L * 1024 * 1024};
  const char *unknown;
  lua_settop(L, 1);
  struct raia_client *client = push_closed(L); /* options, client */
  options.endpoint.headers = &client->headers;
  raia_options_read(L, 1, rows,
                    &options); /* nothing allocates Lua memory from here */
  complete(L, &options);
  enum raia_log_level level = raia_log_level(&unknown);
  if (unknown != NULL)
    luaL_error(L, "raia.client: RAIA_LOG is '%s', not 'info' or 'debug'",
               unknown);
  options.endpoint.verbose = level == RAIA_LOG_DEBUG;
  client->timeout = options.timeout;
  client->max_retries = options.max_retries;
  client->max_response_bytes = options.max_response_bytes;
  client->log = level != RAIA_LOG_NONE;
  open_endpoint(L, client, &options.endpoint); /* to here: it has copies */
  if (lua_istable(L, 1)) {
    lua_getiuservalue(L, 2, 1);
    client->on_event = raia_options_field(L, 1, "on_event") == LUA_TFUNCTION;
    lua_rawseti(L, -2, RAIA_CLIENT_ON_EVENT);
    lua_settop(L, 2);
  }
  return 1;
}

bool raia_client_push_elsewhere(lua_State *L, int client,
                                const char *base_url) {
  const struct raia_client *here = lua_touserdata(L, client);
  int top = lua_gettop(L);
  lua_getiuservalue(L, client, 1);
  if (lua_rawgeti(L, -1, RAIA_CLIENT_ELSEWHERE) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -4, RAIA_CLIENT_ELSEWHERE);
  }
  int clients = lua_gettop(L);
  if (lua_getfield(L, clients, base_url) != LUA_TUSERDATA) {
    struct raia_client *there = push_closed(L);
    struct raia_endpoint_options options = raia_endpoint_elsewhere(
        here->endpoint, base_url, "raia-lua/" RAIA_VERSION);
    const char *option;
    const char *wrong =
        raia_endpoint_open(&there->endpoint, &options, &option);
    if (wrong != NULL && strcmp(wrong, "out of memory") == 0)
      luaL_error(L, "not enough memory");
    if (wrong != NULL) {
      lua_pushstring(L, wrong);
      return false;
    }
    there->max_retries = here->max_retries;
    there->max_response_bytes = here->max_response_bytes;
    there->log = here->log;
    lua_pushvalue(L, -1);
    lua_setfield(L, clients, base_url);
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return true;
}

/* Ends the requests under way with `end`, and closes the client. The endpoint
   takes the key with it, so what nobody has read yet is masked first. */
static void close_with(struct raia_client *client,
                       void (*end)(struct raia_request *request)) {
  if (client->endpoint != NULL) /* queued calls must not begin any more */
    raia_endpoint_limiter(client->endpoint)->connections = 0;
  while (!raia_list_empty(&client->requests)) {
    struct raia_link *link = client->requests.next;
    struct raia_request *request =
        RAIA_OF(struct raia_request, of_client, link);
    end(request);
    raia_endpoint_mask_outcome(client->endpoint, &request->transfer.outcome);
    raia_list_remove(link);
  }
  raia_endpoint_close(client->endpoint);
  client->endpoint = NULL;
  raia_headers_free(&client->headers);
}

static void stop(struct raia_request *request) {
  raia_transfer_stop(&request->transfer, RAIA_CLOSED);
}

static void drop(struct raia_request *request) {
  raia_request_drop(request, RAIA_CLOSED);
}

/* Closes the client at 1, and those that reach other servers for it. */
static void close_all(lua_State *L, void (*end)(struct raia_request *)) {
  close_with(luaL_checkudata(L, 1, RAIA_CLIENT), end);
  lua_getiuservalue(L, 1, 1);
  if (!lua_istable(L, -1) ||
      lua_rawgeti(L, -1, RAIA_CLIENT_ELSEWHERE) != LUA_TTABLE)
    return;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
    close_with(lua_touserdata(L, -1), end);
}

static int client_close(lua_State *L) {
  close_all(L, stop);
  return 0;
}

/* At the end of its scope or when collected, calls end that nobody cancelled.
 */
static int client_leave(lua_State *L) {
  close_all(L, drop);
  return 0;
}

/* Pushes a group of the client at 1; it is made when it is first used. */
static void push_group(lua_State *L, int group) {
  lua_getiuservalue(L, 1, 1);
  if (lua_rawgeti(L, -1, RAIA_CLIENT_GROUPS + group) != LUA_TNIL)
    return;
  lua_newuserdatauv(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, raia_owner_class((enum raia_owner)group));
  lua_pushvalue(L, -1);
  lua_rawseti(L, -4, RAIA_CLIENT_GROUPS + group);
}

/* Upvalue: the table of methods. */
static int client_index(lua_State *L) {
  luaL_checkudata(L, 1, RAIA_CLIENT);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return 1;
  if (lua_type(L, 2) != LUA_TSTRING)
    return 0;
  const char *name = lua_tostring(L, 2);
  for (int group = 0; group < RAIA_GROUPS; group++)
    if (strcmp(name, raia_owner_class((enum raia_owner)group) + 5) == 0) {
      push_group(L, group);
      return 1;
    }
  return 0;
}

static int client_tostring(lua_State *L) {
  const struct raia_client *client = luaL_checkudata(L, 1, RAIA_CLIENT);
  lua_pushfstring(L, RAIA_CLIENT " %s",
                  client->endpoint == NULL
                      ? "(closed)"
                      : raia_endpoint_url(client->endpoint));
  return 1;
}

void raia_client_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"conversation", raia_resource_conversation},
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
  lua_pop(L, 1);
  for (int group = 0; group < RAIA_GROUPS; group++) {
    luaL_newmetatable(L, raia_owner_class((enum raia_owner)group));
    raia_call_register(L, (enum raia_owner)group);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
  }
}
