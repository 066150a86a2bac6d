/* A reply of any bytes becomes the values of its operation, or an error. The
   input: operation, status, content type, body. */
#include "fuzz.h"

#include "../../src/lua/message.h"
#include "../../src/lua/object.h"
#include "../../src/lua/request.h"
#include "../../src/lua/resource.h"
#include "../../src/net/path.h"

#include <math.h>

/* Checks what a decoder may make of JSON. */
static void check_value(lua_State *L, int depth) {
  static const lua_Number whole = 9007199254740992; /* 2^53 */
  luaL_checkstack(L, 8, NULL);
  CHECK(depth <= RAIA_DEPTH_MAX);
  if (lua_type(L, -1) == LUA_TNUMBER && !lua_isinteger(L, -1)) {
    lua_Number x = lua_tonumber(L, -1);
    CHECK(!isnan(x));
    CHECK(x != floor(x) || fabs(x) >= whole || (x == 0 && signbit(x)));
  } else if (lua_type(L, -1) == LUA_TTABLE) {
    if (lua_getmetatable(L, -1)) { /* of an empty array */
      luaL_getmetatable(L, RAIA_ARRAY);
      CHECK(lua_rawequal(L, -1, -2));
      lua_pop(L, 2);
      lua_pushnil(L);
      CHECK(lua_next(L, -2) == 0);
    }
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
      CHECK(lua_type(L, -2) == LUA_TSTRING || lua_isinteger(L, -2));
      check_value(L, depth + (lua_type(L, -1) == LUA_TTABLE));
    }
  } else {
    CHECK(lua_type(L, -1) == LUA_TNUMBER || lua_type(L, -1) == LUA_TSTRING ||
          lua_type(L, -1) == LUA_TBOOLEAN || raia_json_is_null(L, -1));
  }
}

/* Checks the object at the top: its fields, and what tostring gives. */
static void check_object(lua_State *L, const char *type) {
  CHECK(luaL_testudata(L, -1, type) != NULL);
  CHECK(lua_getiuservalue(L, -1, 1) == LUA_TTABLE);
  if (strcmp(type, RAIA_MESSAGE) != 0) {
    size_t length;
    lua_rawgeti(L, -1, RAIA_RESOURCE_FIELDS);
    lua_remove(L, -2);
    CHECK(lua_getfield(L, -1, "id") == LUA_TSTRING);
    const char *id = lua_tolstring(L, -1, &length);
    CHECK(raia_path_bad_id(id, length) == NULL);
    lua_pop(L, 1);
    luaL_tolstring(L, -2, NULL);
    check_clean(L, -1);
    lua_pop(L, 1);
  }
  check_value(L, 1);
  lua_pushcfunction(L, raia_object_totable);
  lua_pushvalue(L, -3);
  lua_call(L, 1, 1);
  lua_pop(L, 2);
}

/* Checks that all elements of the list at the top are objects. */
static void check_list(lua_State *L, const char *type) {
  CHECK(lua_type(L, -1) == LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
    check_object(L, type);
}

/* Checks the result at the top. */
static void check_success(lua_State *L, const struct raia_request *r,
                          size_t length) {
  static const char *const conversation = "raia.conversation", *const user =
                                                                   "raia.user";
  enum raia_result reply = r->operation->result;
  CHECK(length == 0 ||
        strcmp(r->transfer.outcome.content_type, "text/html") != 0);
  if (reply == RAIA_RESULT_ANSWER || reply == RAIA_RESULT_PROMPT) {
    if (lua_isboolean(L, -1))
      CHECK(!lua_toboolean(L, -1));
    else if (reply == RAIA_RESULT_PROMPT)
      check_value(L, 1);
    else
      check_object(L, RAIA_MESSAGE);
  } else if (reply == RAIA_RESULT_LIST) {
    check_value(L, 0);
  } else if (reply == RAIA_RESULT_PROMPT_ID) {
    CHECK(lua_type(L, -1) == LUA_TSTRING);
  } else if (reply == RAIA_RESULT_USER) {
    check_object(L, user);
  } else if (reply == RAIA_RESULT_FOUND) {
    check_value(L, 1);
    lua_pop(L, 1);
    check_object(L, user);
  } else if (reply == RAIA_RESULT_USERS ||
             reply == RAIA_RESULT_CONVERSATIONS) {
    CHECK(lua_type(L, -1) == LUA_TTABLE);
    if (lua_getfield(L, -1, "data") == LUA_TTABLE)
      check_list(L, reply == RAIA_RESULT_USERS ? user : conversation);
  } else if (reply == RAIA_RESULT_MESSAGE) {
    check_object(L, RAIA_MESSAGE);
    lua_getfield(L, -1, "id");
    CHECK(lua_type(L, -1) == LUA_TSTRING);
  } else if (reply == RAIA_RESULT_MESSAGES) {
    check_list(L, RAIA_MESSAGE);
  } else if (reply == RAIA_RESULT_NOTHING ||
             (reply == RAIA_RESULT_TABLE && length == 0)) {
    CHECK(lua_isboolean(L, -1) && lua_toboolean(L, -1));
  } else if (reply == RAIA_RESULT_TABLE) {
    check_value(L, 1);
  } else {
    check_object(L, conversation);
  }
}

/* Checks the error at the top against what the server said. */
static void check_error(lua_State *L, const char *body, size_t length) {
  size_t said, of_code;
  lua_getfield(L, -1, "body");
  const char *excerpt = lua_tolstring(L, -1, &said);
  CHECK((excerpt == NULL) == (length == 0));
  CHECK(excerpt == NULL ||
        (said <= 1024 && said <= length && memcmp(excerpt, body, said) == 0));
  lua_pop(L, 1);
  if (lua_getfield(L, -1, "code") != LUA_TNIL) {
    const char *code = lua_tolstring(L, -1, &of_code);
    CHECK(raia_json_read(L, body, length));
    lua_getfield(L, -1, "name");
    CHECK(lua_rawequal(L, -1, -3) ||
          strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == of_code);
    lua_pop(L, 2);
  }
  lua_pop(L, 1);
  if (lua_getfield(L, -1, "details") != LUA_TNIL) {
    CHECK(lua_type(L, -1) == LUA_TTABLE);
    check_value(L, 1);
  }
  lua_pop(L, 1);
}

static int one(lua_State *L) {
  static const short statuses[] = {200, 201, 204, 299, 400,
                                   401, 422, 429, 500, 302};
  static const char *const types[] = {"application/json", "", "text/html",
                                      "application/problem+json; charset=x"};
  struct bytes *b = lua_touserdata(L, 1);
  size_t length;
  lua_settop(L, 0);
  lua_getglobal(L, "client");
  const struct raia_operation *row = take_operation(b);
  row = row->name == NULL ? &raia_request_operation : row;
  struct raia_request *r = raia_request_new(L, 1, row); /* 2 */
  struct raia_transfer *t = &r->transfer;
  lua_newtable(L);
  if (row->owner >= RAIA_GROUPS) {
    t->asked.path = "/external/conversations/c-1";
    lua_pushliteral(L, "c-1");
    lua_setfield(L, -2, "id");
    raia_resource_new(L, row->owner, 1);
  }
  lua_setiuservalue(L, 2, RAIA_REQUEST_TARGET);
  r->held = true; /* so that it is still what it is when it is looked at */
  t->state = RAIA_DONE;
  t->outcome.attempts = 1;
  t->outcome.headers_done = t->outcome.sent = true;
  t->outcome.status = statuses[take(b) % 10];
  t->outcome.kind = t->outcome.status < 300 ? RAIA_OK : RAIA_HTTP;
  strcpy(t->outcome.content_type, types[take(b) % 4]);
  t->outcome.json = strcmp(t->outcome.content_type, "text/html") != 0;
  char *body = take_string(b, b->left, &length);
  raia_buffer_append(&t->outcome.reply, body, length);
  int n = raia_request_results(L, 2), first = lua_gettop(L) - n + 1;
  if (n < 3) {
    CHECK(n == (row->result == RAIA_RESULT_FOUND ? 2 : 1));
    CHECK(t->outcome.kind == RAIA_OK);
    check_success(L, r, length);
  } else {
    CHECK(n == 3 && t->outcome.kind != RAIA_OK);
    check_failure(L, first,
                  t->outcome.kind == RAIA_FAILED ? "failed"
                  : t->outcome.status < 300      ? "decode"
                                                 : "http");
    check_error(L, body, length);
  }
  free(body);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  run(one, data, size);
  return 0;
}
