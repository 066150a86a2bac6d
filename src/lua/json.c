/* Converts between Lua values and JSON, by a private instance of lua-cjson. */
#include "json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the registry, by the address of each: functions of the instance. */
static char encode_key, decode_key, digits_key;

/* Stack that lua-cjson may need: where it can't grow, it says of the text that
   it is nested too deep. So what it refuses is tried again with that room,
   which raises where there is none. */
enum { ROOM = 3 * RAIA_DEPTH_MAX + 2 * LUA_MINSTACK };

static const lua_Integer exact_integer = (lua_Integer)1 << 53;

/* ---- the instance ---- */

/* Calls function `name` of the instance at the top with one value, which it
   pops; false when that was refused. */
static bool configure(lua_State *L, const char *name) {
  lua_getfield(L, -2, name);
  lua_insert(L, -2); /* instance, function, value */
  bool done = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (!done)
    lua_pop(L, 1);
  return done;
}

/* How many digits of a number it can write; 17 means every integer, too. */
static int probe_digits(lua_State *L) {
  int digits = 17;
  while (digits > 14) {
    lua_pushinteger(L, digits - 1); /* 17 would write 0.1 with its error */
    if (configure(L, "encode_number_precision"))
      break;
    digits--;
  }
  lua_getfield(L, -1, "encode");
  lua_createtable(L, 1, 0);
  lua_pushinteger(L, LUA_MAXINTEGER);
  lua_rawseti(L, -2, 1);
  lua_call(L, 1, 1);
  bool exact = strcmp(lua_tostring(L, -1), "[9223372036854775807]") == 0;
  lua_pop(L, 1);
  return exact ? 17 : digits - 1 < 14 ? 14 : digits - 1;
}

void raia_json_open(lua_State *L) {
  if (lua_getglobal(L, "require") != LUA_TFUNCTION)
    luaL_error(L, "raia: this host has no 'require', which loads lua-cjson");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  lua_pushinteger(L, RAIA_DEPTH_MAX);
  configure(L, "decode_max_depth");
  lua_pushboolean(L, 0); /* NaN, Infinity and 0x10 are not JSON */
  configure(L, "decode_invalid_numbers");
  lua_pushinteger(L, probe_digits(L));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &digits_key);
  lua_getfield(L, -1, "encode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &encode_key);
  lua_getfield(L, -1, "decode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pop(L, 2);
}

bool raia_json_is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA &&
         lua_touserdata(L, index) == NULL;
}

/* The bits that no eight bytes of ASCII have. */
#define ASCII_MASK UINT64_C(0x8080808080808080)

long raia_utf8_length(const char *s, size_t length) {
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *c = (const unsigned char *)s, *end = c + length;
  long characters = 0;
  while (c < end) {
    uint64_t eight;
    if (end - c >= 8 && (memcpy(&eight, c, 8), !(eight & ASCII_MASK))) {
      c += 8;
      characters += 8;
      continue;
    }
    size_t bytes = *c < 0x80             ? 1
                   : (*c & 0xE0) == 0xC0 ? 2
                   : (*c & 0xF0) == 0xE0 ? 3
                   : (*c & 0xF8) == 0xF0 ? 4
                                         : 0;
    if (bytes == 0 || bytes > (size_t)(end - c))
      return -1;
    unsigned code = bytes == 1 ? *c : *c & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
      if ((c[i] & 0xC0) != 0x80)
        return -1;
      code = code << 6 | (c[i] & 0x3Fu);
    }
    if (code < least[bytes] || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF))
      return -1;
    c += bytes;
    characters++;
  }
  return characters;
}

/* ---- the check of what goes out ---- */

/* A place in the body: the way back to its root is its path. */
struct place {
  const struct place *parent;
  const void *table;
  const char *key; /* NULL: an element, by its index */
  lua_Integer index;
};

static void push_place(lua_State *L, const struct place *place) {
  const struct place *way[RAIA_DEPTH_MAX + 2];
  int depth = 0;
  for (; place != NULL && place->parent != NULL; place = place->parent)
    way[depth++] = place;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = depth - 1; i >= 0; i--) {
    if (way[i]->key != NULL) {
      size_t length = strlen(way[i]->key), most = 64;
      while (most > 0 && length > most && (way[i]->key[most] & 0xC0) == 0x80)
        most--; /* not within a character */
      if (i < depth - 1)
        luaL_addchar(&b, '.');
      luaL_addlstring(&b, way[i]->key, length < most ? length : most);
    } else {
      char index[32];
      snprintf(index, sizeof index, "[%lld]", (long long)way[i]->index);
      luaL_addstring(&b, index);
    }
  }
  luaL_pushresult(&b);
}

static bool wrong(lua_State *L, const struct place *place, const char *what) {
  push_place(L, place);
  lua_pushstring(L, what);
  return false;
}

static bool check_number(lua_State *L, const struct place *place) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &digits_key);
  int digits = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (lua_isinteger(L, -1)) {
    lua_Integer i = lua_tointeger(L, -1), most = 1;
    for (int n = digits; n > 0 && most < exact_integer; n--)
      most *= 10;
    if (most > exact_integer)
      most = exact_integer;
    if (digits >= 17 || (i <= most && i >= -most))
      return true;
  } else {
    lua_Number x = lua_tonumber(L, -1);
    char text[40];
    if (isnan(x) || isinf(x))
      return wrong(L, place,
                   "is NaN or infinite, which JSON cannot represent");
    snprintf(text, sizeof text, "%.*g", digits < 17 ? digits : 16, x);
    if (strtod(text, NULL) == x)
      return true;
  }
  push_place(L, place);
  lua_pushfstring(L,
                  "has more digits than lua-cjson writes (%d), so it would "
                  "be changed: round it, or send it as a string",
                  digits < 17 ? digits : 16);
  return false;
}

static bool check_value(lua_State *L, const struct place *place, int depth);

/* The keys of the table at the top: all strings, or 1 to n. */
static bool check_table(lua_State *L, const struct place *place, int depth) {
  const void *table = lua_topointer(L, -1);
  for (const struct place *up = place; up != NULL; up = up->parent)
    if (up->table == table)
      return wrong(L, place, "contains itself");
  if (depth > RAIA_DEPTH_MAX)
    return wrong(L, place, "is nested more than 100 deep");
  struct place child = {place, NULL, NULL, 0};
  struct place here = *place;
  here.table = table;
  child.parent = &here;
  lua_Integer elements = 0, greatest = 0;
  bool names = false;
  luaL_checkstack(L, 8, "body nested too deep");
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    int type = lua_type(L, -2), whole = 0;
    child.key = NULL;
    if (type == LUA_TNUMBER)
      child.index = lua_tointegerx(L, -2, &whole);
    if (type == LUA_TSTRING) {
      size_t length;
      child.key = lua_tolstring(L, -2, &length);
      names = true;
      if (raia_utf8_length(child.key, length) < 0)
        return wrong(L, place, "has a key that is not UTF-8");
    } else if (whole && child.index > 0) {
      elements++;
      if (child.index > greatest)
        greatest = child.index;
    } else {
      return wrong(L, place,
                   "has a key that is neither a string nor a positive "
                   "whole number");
    }
    if (!check_value(L, &child, depth))
      return false;
  }
  if (names && elements > 0)
    return wrong(L, place, "mixes names and numbered elements");
  if (greatest != elements)
    return wrong(L, place,
                 "has gaps between its elements (put raia.null "
                 "there)");
  return true;
}

/* Checks the value at the top, which is at `place`. On failure leaves path
   and message on top of whatever is there. */
static bool check_value(lua_State *L, const struct place *place, int depth) {
  switch (lua_type(L, -1)) {
  case LUA_TBOOLEAN:
    return true;
  case LUA_TNUMBER:
    return check_number(L, place);
  case LUA_TSTRING: {
    size_t length;
    const char *s = lua_tolstring(L, -1, &length);
    return raia_utf8_length(s, length) >= 0 || wrong(L, place, "is not UTF-8");
  }
  case LUA_TTABLE:
    return check_table(L, place, depth + 1);
  default:
    if (raia_json_is_null(L, -1))
      return true;
    push_place(L, place);
    lua_pushfstring(L, "is a %s, which JSON cannot represent",
                    luaL_typename(L, -2));
    return false;
  }
}

bool raia_json_check(lua_State *L, int index) {
  int top = lua_gettop(L);
  struct place root = {NULL, NULL, NULL, 0};
  lua_pushvalue(L, index);
  bool passed = check_value(L, &root, 0);
  if (!passed) { /* path and message down to where the caller looks */
    lua_insert(L, top + 1);
    lua_insert(L, top + 1);
    lua_settop(L, top + 2);
    return false;
  }
  lua_settop(L, top);
  return true;
}

/* Pushes what function `key` of the instance makes of the value at the top, or
   what is wrong, and returns the status of that. Raises when out of memory. */
static int call(lua_State *L, const char *key) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  lua_pushvalue(L, -2); /* value, function, value */
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM)
    lua_error(L);
  return status;
}

/* Replaces the value at the top by what function `key` of the instance makes
   of it, and returns the status of that. */
static int convert(lua_State *L, const char *key) {
  int status = call(L, key);
  if (status != LUA_OK) {
    lua_pop(L, 1);
    luaL_checkstack(L, ROOM, "no room for JSON");
    status = call(L, key);
  }
  lua_remove(L, -2);
  return status;
}

void raia_json_encode(lua_State *L, int index) {
  lua_pushvalue(L, index);
  if (convert(L, &encode_key) != LUA_OK)
    lua_error(L);
}

/* ---- what comes in ---- */

/* Makes the number at the top an integer if it is whole. Not -0, and not what
   lies beyond the integers that a double can tell apart. */
static bool make_integer(lua_State *L) {
  lua_Number x = lua_tonumber(L, -1);
  bool whole = !lua_isinteger(L, -1) && x == floor(x) &&
               fabs(x) < (lua_Number)exact_integer && !(x == 0 && signbit(x));
  if (whole) {
    lua_pushinteger(L, (lua_Integer)x);
    lua_replace(L, -2);
  }
  return whole;
}

/* The same for the numbers in the table at the top. */
static void make_integers(lua_State *L) {
  luaL_checkstack(L, 6, "reply nested too deep");
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -1) == LUA_TTABLE) {
      make_integers(L);
    } else if (lua_type(L, -1) == LUA_TNUMBER && make_integer(L)) {
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, -5); /* an existing key: the traversal goes on */
    }
  }
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Whether there may be numbers in a JSON text: something that begins like one
   where a value can stand (in "10:30" it can't). It saves the walk through
   most histories. */
static bool may_hold_numbers(const char *text, size_t length) {
  const char *end = text + length;
  for (const char *mark = ":[,"; *mark != '\0'; mark++) {
    if (*mark == ',' && memchr(text, '[', length) == NULL)
      break; /* only in an array does a number follow a comma */
    for (const char *c = text;
         (c = memchr(c, *mark, (size_t)(end - c))) != NULL;) {
      bool in_time = *mark == ':' && c > text && is_digit(c[-1]);
      do
        c++;
      while (c < end && (unsigned char)*c <= ' ');
      if (c < end && (*c == '-' || is_digit(*c)) && !in_time)
        return true;
    }
  }
  return false;
}

bool raia_json_decode(lua_State *L) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  bool numbers = may_hold_numbers(text, length);
  int status = convert(L, &decode_key);
  if (status == LUA_OK && numbers && lua_type(L, -1) == LUA_TTABLE)
    make_integers(L);
  else if (status == LUA_OK && lua_type(L, -1) == LUA_TNUMBER)
    make_integer(L);
  return status == LUA_OK;
}

void raia_json_copy(lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 6, "object nested too deep");
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, index) != 0;) {
    lua_pushvalue(L, -2); /* copy, key, value, key */
    if (lua_type(L, -2) == LUA_TTABLE)
      raia_json_copy(L, -2);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, -5);
    lua_pop(L, 1);
  }
}
