/* The results of a finished call: values, or nil, message, err. */
#include "result.h"

#include "error.h"
#include "gc_pause.h"
#include "hide.h"
#include "json.h"
#include "message.h"
#include "net/endpoint.h"
#include "object.h"
#include "page.h"
#include "resource.h"

#include <lauxlib.h>
#include <string.h>

static int unexpected(lua_State *L, const struct raia_subject *s,
                      const char *why) {
  struct raia_failure failure = {.why = why};
  struct raia_outcome *o = s->outcome;
  o->kind = o->unframed ? RAIA_CONNECTION : RAIA_DECODE;
  if (o->unframed)
    o->status = 0;
  return raia_error_push(L, s, &failure);
}

/* Whether field `name` of the table at the top is a string. */
static bool has_string(lua_State *L, const char *name) {
  bool has = lua_getfield(L, -1, name) == LUA_TSTRING;
  lua_pop(L, 1);
  return has;
}

/* Whether field `name` of the table at the top can be a conversation's id. One
   that contains the key cannot, as it would go into paths. */
static bool has_id(lua_State *L, const struct raia_subject *s,
                   const char *name) {
  size_t length;
  bool has = lua_getfield(L, -1, name) == LUA_TSTRING;
  const char *id = has ? lua_tolstring(L, -1, &length) : NULL;
  has = has && raia_path_bad_id(id, length) == NULL &&
        !raia_hide_has_key(L, s->endpoint, -1);
  lua_pop(L, 1);
  return has;
}

/* Whether the conversation at the top has the id that its path has. */
static bool is_asked_for(lua_State *L, const struct raia_subject *s) {
  size_t length;
  if (s->operation->result != RAIA_RESULT_REFRESH)
    return true;
  const char *hole = strstr(s->operation->path, "{}");
  const char *path = s->asked->path + (hole - s->operation->path);
  lua_getfield(L, -1, "id");
  const char *id = lua_tolstring(L, -1, &length);
  char *encoded = lua_newuserdatauv(L, 3 * length, 0);
  size_t n = (size_t)(raia_path_encode(encoded, id, length) - encoded);
  bool same =
      strncmp(path, encoded, n) == 0 && (path[n] == '\0' || path[n] == '/');
  lua_pop(L, 2);
  return same;
}

/* Turns the elements of the array at the top into messages. False, with
   leftovers on the stack, if an element is no object. */
static bool make_messages(lua_State *L) {
  int array = lua_gettop(L), metatable = array + 1;
  lua_Integer length = (lua_Integer)lua_rawlen(L, array);
  if (!raia_object_is_list(L))
    return false;
  luaL_getmetatable(L, RAIA_MESSAGE);
  for (lua_Integer i = 1; i <= length; i++) {
    if (lua_rawgeti(L, array, i) != LUA_TTABLE)
      return false;
    raia_message_new(L, metatable);
    lua_rawseti(L, array, i);
  }
  lua_settop(L, array);
  return true;
}

/* The same for resources, which need an id. */
static bool make_resources(lua_State *L, const struct raia_subject *s,
                           enum raia_owner class, int client) {
  int array = lua_gettop(L);
  lua_Integer length = (lua_Integer)lua_rawlen(L, array);
  for (lua_Integer i = 1; i <= length; i++) {
    if (lua_rawgeti(L, array, i) != LUA_TTABLE || !has_id(L, s, "id"))
      return false;
    raia_resource_new(L, class, client);
    lua_rawseti(L, array, i);
  }
  return raia_object_is_list(L);
}

static int push_one(lua_State *L, const struct raia_subject *s) {
  if (!has_string(L, "id"))
    return unexpected(L, s, "a message without an id");
  luaL_getmetatable(L, RAIA_MESSAGE);
  lua_insert(L, -2);
  raia_message_new(L, -2);
  return 1;
}

static int push_all(lua_State *L, const struct raia_subject *s) {
  if (lua_getfield(L, -1, "messages") != LUA_TTABLE)
    return unexpected(L, s, "no array 'messages'");
  if (!make_messages(L))
    return unexpected(L, s, "'messages' is not an array of objects");
  raia_object_mark_list(L);
  return 1;
}

/* Pushes the page at the top, complete. */
static int push_page(lua_State *L, const struct raia_subject *s,
                     enum raia_owner class, int client, int target) {
  int page = lua_gettop(L);
  if (lua_getfield(L, page, "data") != LUA_TTABLE)
    return unexpected(L, s, "no array 'data'");
  if (!make_resources(L, s, class, client))
    return unexpected(L, s, "'data' is not an array of objects with ids");
  raia_object_mark_list(L);
  lua_settop(L, page);
  raia_page_complete(L, target);
  return 1;
}

/* Pushes the user and the ids of conversations that were found. */
static int push_found(lua_State *L, const struct raia_subject *s, int client) {
  int reply = lua_gettop(L);
  if (lua_getfield(L, reply, "conversationIds") != LUA_TTABLE ||
      !raia_object_is_list(L))
    return unexpected(L, s, "no array 'conversationIds'");
  if (lua_getfield(L, reply, "user") != LUA_TTABLE || !has_id(L, s, "id"))
    return unexpected(L, s, "no user with a valid id");
  raia_resource_new(L, RAIA_ON_USER, client);
  lua_insert(L, -2);
  return 2;
}

/* Pushes what the reply with a status at the top says: the answer once there
   is one, false before. */
static int push_answer(lua_State *L, const struct raia_subject *s) {
  bool prompt = s->operation->result == RAIA_RESULT_PROMPT;
  int reply = lua_gettop(L);
  const char *status = "pending";
  if (lua_istable(L, reply) && lua_getfield(L, reply, "status") == LUA_TSTRING)
    status = lua_tostring(L, -1);
  if (strcmp(status, "failed") == 0) {
    lua_getfield(L, reply, "error");
    s->outcome->kind = RAIA_FAILED;
    struct raia_failure failure = {.why = "no reason is given"};
    if (lua_type(L, -1) == LUA_TSTRING)
      failure.why = lua_tostring(L, -1);
    return raia_error_push(L, s, &failure);
  }
  bool asked = prompt && s->operation->takes != RAIA_TAKES_ID;
  if (strcmp(status, "completed") != 0 && !(asked && lua_istable(L, reply))) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_settop(L, reply);
  if (prompt)
    return 1;
  if (lua_getfield(L, reply, "message") != LUA_TTABLE)
    return unexpected(L, s, "an answer without a message");
  return push_one(L, s);
}

/* Pushes the conversation whose fields are at the top. */
static int push_conversation(lua_State *L, const struct raia_subject *s,
                             int client, int target) {
  if (!has_id(L, s, "id"))
    return unexpected(L, s, "a conversation without a valid id");
  if (!is_asked_for(L, s))
    return unexpected(L, s, "a conversation with another id");
  if (s->operation->result == RAIA_RESULT_REFRESH) {
    lua_pushvalue(L, target);
    lua_insert(L, -2); /* conversation, fields */
    raia_resource_set(L, -2, client);
  } else {
    raia_resource_new(L, RAIA_ON_CONVERSATION, client);
  }
  return 1;
}

/* Pushes the result made from the decoded table at the top. */
static int push_success(lua_State *L, const struct raia_subject *s, int client,
                        int target) {
  switch (s->operation->result) {
  case RAIA_RESULT_MESSAGE:
    return push_one(L, s);
  case RAIA_RESULT_MESSAGES:
    return push_all(L, s);
  case RAIA_RESULT_STARTED:
    if (!has_id(L, s, "conversationId"))
      return unexpected(L, s, "no valid 'conversationId'");
    lua_getfield(L, -1, "conversationId");
    lua_setfield(L, -2, "id");
    return push_conversation(L, s, client, target);
  case RAIA_RESULT_CONVERSATION:
  case RAIA_RESULT_REFRESH:
    return push_conversation(L, s, client, target);
  case RAIA_RESULT_USER:
    if (!has_id(L, s, "id"))
      return unexpected(L, s, "a user without a valid id");
    raia_resource_new(L, RAIA_ON_USER, client);
    return 1;
  case RAIA_RESULT_FOUND:
    return push_found(L, s, client);
  case RAIA_RESULT_CONVERSATIONS:
    return push_page(L, s, RAIA_ON_CONVERSATION, client, target);
  case RAIA_RESULT_USERS: /* documented as the agent */
    if (lua_getfield(L, -1, "data") != LUA_TTABLE) {
      lua_pop(L, 1);
      return 1;
    }
    lua_pop(L, 1);
    return push_page(L, s, RAIA_ON_USER, client, target);
  case RAIA_RESULT_LIST:
    if (!raia_object_is_list(L)) {
      lua_createtable(L, 1, 0);
      lua_insert(L, -2);
      lua_rawseti(L, -2, 1);
    }
    return 1;
  case RAIA_RESULT_PROMPT_ID:
    if (!has_id(L, s, "promptId"))
      return unexpected(L, s, "no valid 'promptId'");
    lua_getfield(L, -1, "promptId");
    return 1;
  default: /* RAIA_RESULT_NOTHING */
    lua_pushboolean(L, 1);
    return 1;
  }
}

/* Pushes the bytes of a file that came, or true. */
static int push_bytes(lua_State *L, const struct raia_subject *s) {
  const struct raia_outcome *o = s->outcome;
  if (o->unframed)
    return unexpected(L, s, "it may have been cut");
  if (strcmp(s->asked->method, "GET") != 0 || o->in_file)
    lua_pushboolean(L, 1);
  else
    lua_pushlstring(L, o->reply.data, o->reply.length);
  return 1;
}

/* Pushes the result of a call that succeeded. */
static int push_reply(lua_State *L, const struct raia_subject *s, int client,
                      int target) {
  struct raia_outcome *o = s->outcome;
  enum raia_result result = s->operation->result;
  if (result == RAIA_RESULT_BYTES)
    return push_bytes(L, s);
  bool may_be_empty =
      result == RAIA_RESULT_NOTHING || result == RAIA_RESULT_TABLE;
  if (o->reply.length == 0 && may_be_empty && !o->unframed) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (o->reply.length == 0)
    return unexpected(L, s, "it is empty");
  if (!o->json) {
    lua_pushfstring(L, "its content type is '%s'", o->content_type);
    return unexpected(L, s, lua_tostring(L, -1));
  }
  const char *text = o->reply.data;
  if (o->reply.length <= RAIA_MUCH) /* a finalizer may end the request */
    text = lua_pushlstring(L, text, o->reply.length);
  if (!raia_json_read(L, text, o->reply.length))
    return unexpected(L, s, lua_tostring(L, -1));
  if (result == RAIA_RESULT_ANSWER || result == RAIA_RESULT_PROMPT)
    return push_answer(L, s);
  if (result == RAIA_RESULT_TABLE)
    return lua_type(L, -1) == LUA_TTABLE || !o->unframed
               ? 1 /* any value will do */
               : unexpected(L, s, "it may have been cut");
  if (lua_type(L, -1) != LUA_TTABLE)
    return unexpected(L, s, "it is neither an object nor an array");
  return push_success(L, s, client, target);
}

/* The same as a Lua function of subject, client and target. */
static int call_push_reply(lua_State *L) {
  return push_reply(L, lua_touserdata(L, 1), 2, 3);
}

/* Pushes the error that the server replied with. */
static int push_http_error(lua_State *L, const struct raia_subject *s) {
  const struct raia_outcome *o = s->outcome;
  struct raia_failure failure = {0};
  if (o->reply.length > 0 && o->json) {
    const char *text = lua_pushlstring(L, o->reply.data, o->reply.length);
    if (raia_json_read(L, text, o->reply.length) &&
        lua_type(L, -1) == LUA_TTABLE)
      failure.body = lua_gettop(L);
  }
  return raia_error_push(L, s, &failure);
}

int raia_result_push(lua_State *L, const struct raia_subject *s, int client,
                     int target) {
  struct raia_failure failure = {0};
  size_t length = s->outcome->reply.length;
  switch (s->outcome->kind) {
  case RAIA_OK:
    if (length <= RAIA_MUCH)
      return push_reply(L, s, client, target);
    lua_pushcfunction(L, call_push_reply);
    lua_pushlightuserdata(L, (void *)s);
    lua_pushvalue(L, client);
    lua_pushvalue(L, target);
    return raia_gc_pause(L, 3, length);
  case RAIA_HTTP:
    return push_http_error(L, s);
  case RAIA_NO_MEMORY:
    return luaL_error(L, "not enough memory");
  default:
    return raia_error_push(L, s, &failure);
  }
}
