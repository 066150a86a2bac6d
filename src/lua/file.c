/* Uploads and downloads: what raia/files.lua builds on. */
#include "file.h"

#include "options.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The rows of calls that are no operations of the API. */
static const struct raia_operation rows[] = {{.name = "upload",
                                              .owner = RAIA_ON_CONVERSATION,
                                              .method = "PUT",
                                              .result = RAIA_RESULT_BYTES},
                                             {.name = "download",
                                              .owner = RAIA_ON_CONVERSATION,
                                              .method = "GET",
                                              .result = RAIA_RESULT_BYTES},
                                             {.name = "upload",
                                              .owner = RAIA_ON_PROMPTS,
                                              .method = "PUT",
                                              .result = RAIA_RESULT_BYTES},
                                             {.name = "upload",
                                              .owner = RAIA_ON_FILES,
                                              .method = "POST",
                                              .result = RAIA_RESULT_TABLE}};
static const char *const names[] = {"conversation:upload",
                                    "conversation:download", "prompts:upload",
                                    "files:upload", NULL};

struct file_options {
  const char *url, *path, *type, *file, *to;
  double timeout;
  long max_retries, max_bytes;
};

static const struct raia_option options[] = {
    {"url", RAIA_OPTION_STRING, offsetof(struct file_options, url), 0, 0},
    {"path", RAIA_OPTION_STRING, offsetof(struct file_options, path), 0, 0},
    {"type", RAIA_OPTION_STRING, offsetof(struct file_options, type), 0, 0},
    {"file", RAIA_OPTION_STRING, offsetof(struct file_options, file), 0, 0},
    {"to", RAIA_OPTION_STRING, offsetof(struct file_options, to), 0, 0},
    {"timeout", RAIA_OPTION_SECONDS, offsetof(struct file_options, timeout),
     0.001, 1e6},
    {"max_retries", RAIA_OPTION_COUNT,
     offsetof(struct file_options, max_retries), 0, 100},
    {"max_bytes", RAIA_OPTION_COUNT, offsetof(struct file_options, max_bytes),
     1, 9e15},
    {"bytes", RAIA_OPTION_ANY, 0, 0, 0},
    {"head", RAIA_OPTION_ANY, 0, 0, 0},
    {"tail", RAIA_OPTION_ANY, 0, 0, 0},
    {0}};

/* Pops the string at the top into a user value of the request at `request`,
   and returns it. */
static const char *hold(lua_State *L, int request, int slot, size_t *length) {
  const char *s = lua_tolstring(L, -1, length);
  lua_setiuservalue(L, request, slot);
  return s;
}

/* Opens the file that is sent; returns why it cannot be, or NULL. */
static const char *open_source(struct raia_source *s, const char *path) {
  struct stat about;
  s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (s->fd < 0)
    return strerror(errno);
  s->file = true;
  if (fstat(s->fd, &about) != 0)
    return strerror(errno);
  s->bytes = (long long)about.st_size;
  return S_ISREG(about.st_mode) ? NULL : "it is not a regular file";
}

/* Creates the file that the reply goes into. */
static const char *open_sink(struct raia_sink *s, const char *path) {
  s->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  s->file = s->fd >= 0;
  return s->file ? NULL : strerror(errno);
}

/* Pushes the path, query (or nil) and both of a signed URL, and the client for
   it. If the URL is bad, pushes why and returns false. */
static bool push_elsewhere(lua_State *L, const char *url) {
  const char *scheme = strstr(url, "://");
  const char *host = scheme == NULL ? url : scheme + 3;
  const char *path = host + strcspn(host, "/?#");
  const char *slash = *path == '/' ? "" : "/";
  lua_pushlstring(L, path, strcspn(path, "#"));
  const char *target = lua_pushfstring(L, "%s%s", slash, lua_tostring(L, -1));
  lua_remove(L, -2);
  size_t length = strcspn(target, "?");
  lua_pushlstring(L, target, length);
  if (target[length] == '?')
    lua_pushstring(L, target + length + 1);
  else
    lua_pushnil(L);
  lua_rotate(L, -3, 2); /* path, query, target */
  if (raia_path_bad(lua_tostring(L, -3), length) != NULL ||
      strpbrk(target, " \t\r\n") != NULL) {
    lua_pushliteral(L, "has a path or a query that cannot be right");
    return false;
  }
  lua_pushlstring(L, url, (size_t)(path - url));
  if (!raia_client_push_elsewhere(L, 1, lua_tostring(L, -1)))
    return false;
  lua_remove(L, -2);
  return true;
}

/* Sets what is sent and where the reply goes. Pushes why it cannot be done and
   returns false. */
static bool set_bodies(lua_State *L, int request,
                       const struct file_options *o) {
  struct raia_request *r = lua_touserdata(L, request);
  struct raia_asked *asked = &r->transfer.asked;
  const char *wrong = NULL, *which = o->file;
  if (o->file != NULL) {
    raia_options_field(L, 2, "head");
    raia_options_field(L, 2, "tail");
    asked->source.tail = lua_tolstring(L, -1, &asked->source.tail_length);
    asked->source.head = lua_tolstring(L, -2, &asked->source.head_length);
    lua_pushvalue(L, 2); /* which has these strings */
    lua_setiuservalue(L, request, RAIA_REQUEST_BODY);
    wrong = open_source(&asked->source, o->file);
  } else if (raia_options_field(L, 2, "bytes") == LUA_TSTRING) {
    asked->body = hold(L, request, RAIA_REQUEST_BODY, &asked->body_length);
  }
  if (wrong == NULL && o->to != NULL) {
    which = o->to;
    wrong = open_sink(&asked->sink, o->to);
    asked->sink.most = o->max_bytes;
  }
  if (o->type != NULL && raia_header_bad("X", 1, o->type, strlen(o->type)))
    luaL_argerror(L, 2, "'type' cannot be the value of a header");
  if (o->type != NULL &&
      !raia_headers_set(&asked->headers, "Content-Type", o->type))
    luaL_error(L, "not enough memory");
  if (wrong != NULL)
    lua_pushfstring(L, "%s: %s", which, wrong);
  return wrong == NULL;
}

/* start(client, what, name): begins an upload or a download and returns its
   request; or nil, "url" or "file", and what is wrong with it. `what` has
   `url`, a signed URL that gets no key, or `path`, of the API; to be sent:
   `type` and `bytes`, or `file`, a path, between `head` and `tail`; for the
   reply `to`, the path of a new file, and `max_bytes`. */
static int start(lua_State *L) {
  const struct raia_client *client = luaL_checkudata(L, 1, RAIA_CLIENT);
  lua_settop(L, 3);
  int name = luaL_checkoption(L, 3, NULL, names);
  struct file_options o = {.timeout = 3600,
                           .max_retries = client->max_retries,
                           .max_bytes = LONG_MAX};
  raia_options_read(L, 2, options, &o);
  bool elsewhere = o.url != NULL && client->endpoint != NULL;
  if (elsewhere && !push_elsewhere(L, o.url)) {
    lua_pushnil(L);
    lua_pushliteral(L, "url");
    lua_pushvalue(L, -3);
    return 3;
  }
  if (!elsewhere) {
    lua_pushstring(L, o.path != NULL ? o.path : "/");
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, 1);
  }
  const int path = 4, query = 5, target = 6, there = 7, request = 8;
  struct raia_request *r = raia_request_new(L, there, &rows[name]);
  struct raia_asked *asked = &r->transfer.asked;
  asked->timeout = o.timeout;
  asked->max_retries = (int)o.max_retries;
  lua_pushvalue(L, path);
  asked->path = hold(L, request, RAIA_REQUEST_PATH, NULL);
  lua_pushvalue(L, query);
  asked->query = hold(L, request, RAIA_REQUEST_QUERY, NULL);
  lua_pushvalue(L, target); /* the method is the row's */
  asked->target = hold(L, request, RAIA_REQUEST_METHOD, NULL);
  if (o.to == NULL && o.max_bytes < client->max_response_bytes)
    r->transfer.outcome.reply.limit = (size_t)o.max_bytes;
  if (!set_bodies(L, request, &o)) {
    raia_transfer_release(&r->transfer);
    lua_pushnil(L);
    lua_pushliteral(L, "file");
    lua_pushvalue(L, -3);
    return 3;
  }
  r->held = true;
  raia_request_start(L, request);
  lua_pushvalue(L, request);
  return 1;
}

/* progress(request): bytes done, and the bytes there will be, nil if unknown.
 */
static int progress(lua_State *L) {
  const struct raia_request *r = luaL_checkudata(L, 1, RAIA_REQUEST);
  const struct raia_asked *asked = &r->transfer.asked;
  const struct raia_progress *p = &r->transfer.exchange.progress;
  bool up = strcmp(asked->method, "GET") != 0;
  long long total = up ? raia_source_length(&asked->source) : p->expected;
  lua_pushinteger(L, (lua_Integer)(up ? p->sent : p->received));
  if (total >= 0)
    lua_pushinteger(L, (lua_Integer)total);
  else
    lua_pushnil(L);
  return 2;
}

void raia_file_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"start", start}, {"progress", progress}, {0, 0}};
  luaL_setfuncs(L, functions, 0);
}
