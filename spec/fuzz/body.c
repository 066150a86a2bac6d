/* Any Lua table as a body: it is invalid, with a path to what is wrong, or
   becomes JSON that says the same. The input is a program that builds it. */
#include "fuzz.h"

#include "../../src/lua/request.h"
#include "../../src/lua/schema.h"

#include <math.h>

enum { TABLES = 2, SHARED_MAX = 6 }; /* stack index: a list of all tables */

struct maker {
  struct bytes *bytes;
  const struct raia_schema *schema;
  int tables, shared, depth, deepest;
  bool strange; /* something was made that may be refused */
};

static void push_value(lua_State *L, struct maker *m);

static int never(lua_State *L) {
  return luaL_error(L, "a metamethod of the body was called");
}

static void set_metatable(lua_State *L) {
  static const char *const events[] = {
      "__index", "__newindex", "__len",  "__pairs",    "__eq",
      "__call",  "__tostring", "__name", "__metatable"};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    lua_pushcfunction(L, never);
    lua_setfield(L, -2, events[i]);
  }
  lua_setmetatable(L, -2);
}

static void push_string(lua_State *L, struct maker *m) {
  static const char *const some[] = {"sms",
                                     "email",
                                     "voice",
                                     "+15551234567",
                                     "+",
                                     "é",
                                     "😀",
                                     "",
                                     "\x7f",
                                     "\xED\xA0\x80",
                                     "\xF4\x90\x80\x80",
                                     "\xC0\x80",
                                     "a.b",
                                     "[1]",
                                     "\u2028"};
  unsigned which = take(m->bytes);
  if (which < sizeof some / sizeof *some) {
    lua_pushstring(L, some[which]);
    m->strange = m->strange || (which > 8 && which < 12);
  } else {
    size_t length;
    size_t most = (which & 31) * (which < 224 ? 1 : 8);
    char *s = take_string(m->bytes, most, &length);
    for (size_t i = 0; i < length; i++)
      m->strange = m->strange || (s[i] & 0x80);
    lua_pushlstring(L, s, length);
    free(s);
  }
}

static void push_number(lua_State *L, struct maker *m) {
  static const lua_Number some[] = {
      HUGE_VAL, -HUGE_VAL, -0.0, 9007199254740992, 1e300, 0.1, 1e15, 5e-324};
  unsigned which = take(m->bytes);
  if (which < 8) {
    m->strange = m->strange || which != 5;
    lua_pushnumber(L, some[which]);
  } else if (which < 16) {
    uint64_t bits = 0;
    lua_Number x;
    for (int i = 0; i < 8; i++)
      bits = bits << 8 | take(m->bytes);
    memcpy(&x, &bits, sizeof x);
    m->strange = true;
    if (which % 2 == 0)
      lua_pushnumber(L, x);
    else
      lua_pushinteger(L, (lua_Integer)bits);
  } else {
    lua_pushinteger(L, (lua_Integer)which - 128);
  }
}

/* Pushes the name of a field of the schema, or another. */
static void push_name(lua_State *L, struct maker *m) {
  unsigned which = take(m->bytes);
  if (m->schema == NULL || which >= 128) {
    push_string(L, m);
    return;
  }
  const struct raia_field *f = m->schema->fields;
  for (; which > 0 && f[1].name != NULL; which--)
    f++;
  lua_pushstring(L, f->name);
}

static void begin_table(lua_State *L, struct maker *m) {
  luaL_checkstack(L, 10, NULL);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawseti(L, TABLES, ++m->tables);
  if (++m->depth > m->deepest)
    m->deepest = m->depth;
}

static void push_table(lua_State *L, struct maker *m, unsigned kind) {
  unsigned count = take(m->bytes) % 24;
  begin_table(L, m);
  for (lua_Integer i = 1; i <= (lua_Integer)count && m->bytes->left > 0; i++) {
    if (kind == 0) {
      push_value(L, m);
      m->strange = m->strange || lua_isnil(L, -1);
      lua_rawseti(L, -2, i);
    } else {
      if (kind == 1) {
        push_name(L, m);
      } else {
        m->strange = true;
        push_value(L, m); /* any key */
        if (lua_isnil(L, -1) ||
            (lua_isnumber(L, -1) && isnan(lua_tonumber(L, -1)))) {
          lua_pop(L, 1);
          lua_pushinteger(L, (lua_Integer)take(m->bytes));
        }
      }
      push_value(L, m);
      lua_rawset(L, -3);
    }
  }
  m->depth--;
}

/* Pushes tables in tables, a value inside. */
static void push_nest(lua_State *L, struct maker *m) {
  int levels = 90 + (int)take(m->bytes) % 20;
  unsigned named = take(m->bytes);
  for (int i = 0; i < levels; i++)
    begin_table(L, m);
  push_value(L, m);
  for (int i = 0; i < levels; i++, m->depth--)
    if (named & 1)
      lua_setfield(L, -2, "n");
    else
      lua_rawseti(L, -2, 1);
}

static void push_value(lua_State *L, struct maker *m) {
  unsigned what = take(m->bytes) % 16;
  luaL_checkstack(L, 10, NULL);
  switch (what) {
  case 0:
    lua_pushnil(L);
    break;
  case 1:
    lua_pushboolean(L, (int)take(m->bytes) & 1);
    break;
  case 2:
  case 3:
    push_number(L, m);
    break;
  case 4:
    lua_pushlightuserdata(L, NULL);
    break;
  case 5:
    m->strange = true;
    if (take(m->bytes) & 1)
      lua_pushcfunction(L, never);
    else
      lua_pushlightuserdata(L, m);
    break;
  case 6:
    push_nest(L, m);
    break;
  case 7: /* one that is there already, perhaps around this place */
    m->strange = true;
    if (m->shared++ < SHARED_MAX)
      lua_rawgeti(L, TABLES, 1 + (int)take(m->bytes) % m->tables);
    else
      lua_pushnil(L);
    break;
  case 8:
    push_table(L, m, 2);
    break;
  case 9:
    push_table(L, m, take(m->bytes) % 2);
    set_metatable(L);
    break;
  case 10:
  case 11:
    push_table(L, m, what - 10);
    break;
  default:
    push_string(L, m);
  }
}

/* Checks that the values at a and b are the same, whole numbers of either
   type. */
static void check_same(lua_State *L, int a, int b) {
  luaL_checkstack(L, 10, NULL);
  if (lua_type(L, a) != LUA_TTABLE) {
    CHECK(lua_rawequal(L, a, b));
    CHECK(lua_type(L, a) != LUA_TNUMBER || lua_isinteger(L, a) ||
          signbit(lua_tonumber(L, a)) == signbit(lua_tonumber(L, b)));
    return;
  }
  int top = lua_gettop(L), more = 0;
  CHECK(lua_type(L, b) == LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, a) != 0; lua_settop(L, top + 1)) {
    lua_pushvalue(L, top + 1);
    lua_rawget(L, b);
    if (lua_type(L, top + 1) == LUA_TSTRING && raia_json_is_null(L, top + 2)) {
      CHECK(lua_isnil(L, top + 3)); /* a null member is left out */
      continue;
    }
    check_same(L, top + 2, top + 3);
    more++;
  }
  for (lua_pushnil(L); lua_next(L, b) != 0; lua_pop(L, 1))
    more--;
  CHECK(more == 0);
}

/* Ends a request as invalid by the path and message at the top. */
static void check_refusal(lua_State *L) {
  lua_getglobal(L, "client");
  int client = lua_gettop(L);
  raia_request_new(L, client, &raia_operations[0]);
  lua_pushvalue(L, client - 2);
  lua_pushvalue(L, client - 1);
  raia_request_refuse(L, client + 1);
  int n = raia_request_results(L, client + 1), first = lua_gettop(L) - n + 1;
  check_failure(L, first, "invalid");
  lua_getfield(L, -1, "field");
  CHECK(lua_isnil(L, -1) || (lua_rawlen(L, -1) > 0 && is_utf8(L, -1)));
}

static int one(lua_State *L) {
  struct bytes *b = lua_touserdata(L, 1);
  struct maker m = {.bytes = b};
  m.schema = take_operation(b)->schema; /* of {0}, too, NULL */
  lua_settop(L, 1);
  lua_newtable(L);
  push_table(L, &m, take(b) % 3);
  const int body = TABLES + 1;
  bool good = raia_schema_write(L, body, m.schema);
  if (!good) {
    CHECK(lua_gettop(L) == body + 2);
    CHECK(lua_type(L, -1) == LUA_TSTRING && lua_type(L, -2) == LUA_TSTRING);
    CHECK(m.schema != NULL || m.strange || m.deepest > RAIA_DEPTH_MAX);
    check_refusal(L);
    return 0;
  }
  CHECK(lua_gettop(L) == body + 1);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  CHECK(is_utf8(L, -1) && strlen(text) == length);
  CHECK(raia_json_read(L, text, length));
  check_same(L, body, lua_gettop(L));
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  run(one, data, size);
  return 0;
}
