/* JSON to Lua values, in one pass. */
#include "json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

struct reader {
  lua_State *L;
  const char *begin, *at, *end;
  const char
      *expected; /* what was expected at `at`, once reading has failed */
};

static bool fail(struct reader *r, const char *expected) {
  r->expected = expected;
  return false;
}

static void skip_space(struct reader *r) {
  while (r->at < r->end &&
         (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
    r->at++;
}

/* Skips white space, and `c` if it is next. */
static bool take(struct reader *r, char c) {
  skip_space(r);
  bool is = r->at < r->end && *r->at == c;
  if (is)
    r->at++;
  return is;
}

/* ---- strings ---- */

/* Reads the four digits of \uXXXX; -1 if there are none. */
static long read_hex(struct reader *r) {
  long code = 0;
  if (r->end - r->at < 4)
    return -1;
  for (int i = 0; i < 4; i++) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *digit = memchr(digits, r->at[i], sizeof digits - 1);
    if (digit == NULL)
      return -1;
    code = code << 4 | ((digit - digits) & 15);
  }
  r->at += 4;
  return code;
}

/* Reads a \u escape, whose four digits are next, as a character; a surrogate
   without its other half as U+FFFD. */
static bool add_escape(struct reader *r, luaL_Buffer *b) {
  long code = read_hex(r);
  if (code < 0)
    return fail(r, "four hexadecimal digits");
  if (code >= 0xD800 && code < 0xDC00 && r->end - r->at >= 6 &&
      r->at[0] == '\\' && r->at[1] == 'u') {
    const char *before = r->at;
    r->at += 2;
    long low = read_hex(r);
    if (low >= 0xDC00 && low < 0xE000)
      code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
    else
      r->at = before;
  }
  if (code >= 0xD800 && code < 0xE000)
    code = 0xFFFD;
  if (code < 0x80) {
    luaL_addchar(b, (char)code);
    return true;
  }
  if (code >= 0x10000) {
    luaL_addchar(b, (char)(0xF0 | code >> 18));
    luaL_addchar(b, (char)(0x80 | (code >> 12 & 0x3F)));
  } else if (code >= 0x800) {
    luaL_addchar(b, (char)(0xE0 | code >> 12));
  }
  if (code >= 0x800)
    luaL_addchar(b, (char)(0x80 | (code >> 6 & 0x3F)));
  else
    luaL_addchar(b, (char)(0xC0 | code >> 6));
  luaL_addchar(b, (char)(0x80 | (code & 0x3F)));
  return true;
}

/* The end of the run of bytes at `c` that stand for themselves. Eight at a
   time: saves a quarter of a history's time. */
static const char *skip_plain(const char *c, const char *end) {
  const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
  for (uint64_t x; end - c >= 8; c += 8) {
    memcpy(&x, c, sizeof x);
    uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
    if ((((x - ones * ' ') & ~x) | ((quote - ones) & ~quote) |
         ((slash - ones) & ~slash)) &
        high)
      break;
  }
  while (c < end && *c != '"' && *c != '\\' && (unsigned char)*c >= ' ')
    c++;
  return c;
}

/* Pushes the string whose opening quote has been read. */
static bool read_string(struct reader *r) {
  const char *from = r->at;
  r->at = skip_plain(r->at, r->end);
  if (r->at < r->end && *r->at == '"') { /* as most: no escape in it */
    lua_pushlstring(r->L, from, (size_t)(r->at++ - from));
    return true;
  }
  luaL_Buffer b;
  luaL_buffinit(r->L, &b);
  for (;;) {
    luaL_addlstring(&b, from, (size_t)(r->at - from));
    if (r->at == r->end || (unsigned char)*r->at < ' ')
      return fail(r, "the end of a string");
    if (*r->at++ == '"')
      break;
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char *escape =
        r->at < r->end && *r->at != '\0' ? strchr(escapes, *r->at) : NULL;
    if (r->at < r->end && *r->at == 'u') {
      r->at++;
      if (!add_escape(r, &b))
        return false;
    } else if (escape != NULL && (escape - escapes) % 2 == 0) {
      luaL_addchar(&b, escape[1]);
      r->at++;
    } else {
      return fail(r, "an escape");
    }
    from = r->at;
    r->at = skip_plain(r->at, r->end);
  }
  luaL_pushresult(&b);
  return true;
}

/* ---- numbers ---- */

static bool skip_digits(struct reader *r) {
  const char *from = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
    r->at++;
  return r->at > from;
}

/* Pushes the number between `from` and `at`, an integer if it is whole and a
   double could tell it from its neighbours, or if it is written as one. */
static bool push_number(struct reader *r, const char *from, bool integer) {
  lua_State *L = r->L;
  size_t length = (size_t)(r->at - from);
  if (integer && length < 19) { /* not by way of a string: saves 300 each */
    lua_Integer n = 0;
    for (const char *c = from + (*from == '-'); c < r->at; c++)
      n = n * 10 + (*c - '0');
    if (n == 0 && *from == '-')
      lua_pushnumber(L, -0.0);
    else
      lua_pushinteger(L, *from == '-' ? -n : n);
    return true;
  }
  lua_pushlstring(L, from, length);
  lua_stringtonumber(L, lua_tostring(L, -1));
  lua_remove(L, -2);
  lua_Number x = lua_tonumber(L, -1);
  if (isinf(x)) {
    r->at = from;
    return fail(r, "a number within the range of a double");
  }
  if (!lua_isinteger(L, -1) && x == floor(x) && fabs(x) < 9007199254740992.0 &&
      !(x == 0 && signbit(x))) {
    lua_pushinteger(L, (lua_Integer)x);
    lua_replace(L, -2);
  }
  return true;
}

static bool parse_number(struct reader *r) {
  const char *from = r->at;
  bool integer = true;
  if (*r->at == '-')
    r->at++;
  if (r->at < r->end && *r->at == '0')
    r->at++;
  else if (!skip_digits(r))
    return fail(r, "a digit");
  if (r->at < r->end && *r->at == '.') {
    r->at++;
    integer = false;
    if (!skip_digits(r))
      return fail(r, "a digit");
  }
  if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
    r->at++;
    integer = false;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
      r->at++;
    if (!skip_digits(r))
      return fail(r, "a digit");
  }
  return push_number(r, from, integer);
}

/* ---- values ---- */

static bool read_value(struct reader *r, int depth);

static bool read_word(struct reader *r, const char *word) {
  size_t length = strlen(word);
  bool is =
      (size_t)(r->end - r->at) >= length && memcmp(r->at, word, length) == 0;
  if (!is)
    return fail(r, "a value");
  r->at += length;
  return true;
}

/* Pushes the array whose bracket has been read. */
static bool read_array(struct reader *r, int depth) {
  lua_State *L = r->L;
  lua_newtable(L);
  if (take(r, ']')) {
    luaL_setmetatable(L, RAIA_ARRAY);
    return true;
  }
  for (lua_Integer i = 1;; i++) {
    if (!read_value(r, depth))
      return false;
    lua_rawseti(L, -2, i);
    if (take(r, ']'))
      return true;
    if (!take(r, ','))
      return fail(r, "',' or ']'");
  }
}

/* Pushes the object whose brace has been read. */
static bool read_object(struct reader *r, int depth) {
  lua_State *L = r->L;
  lua_createtable(L, 0, 8);
  if (take(r, '}'))
    return true;
  for (;;) {
    if (!take(r, '"'))
      return fail(r, "a name in quotes");
    if (!read_string(r))
      return false;
    if (!take(r, ':'))
      return fail(r, "':'");
    if (!read_value(r, depth))
      return false;
    if (raia_json_is_null(L, -1)) { /* as if it were not there */
      lua_pop(L, 1);
      lua_pushnil(L);
    }
    lua_rawset(L, -3);
    if (take(r, '}'))
      return true;
    if (!take(r, ','))
      return fail(r, "',' or '}'");
  }
}

/* Pushes the value that is next. */
static bool read_value(struct reader *r, int depth) {
  lua_State *L = r->L;
  skip_space(r);
  switch (r->at < r->end ? *r->at : '\0') {
  case '"':
    r->at++;
    return read_string(r);
  case '{':
  case '[':
    if (depth == RAIA_DEPTH_MAX)
      return fail(r, "no more than 100 levels");
    luaL_checkstack(L, LUA_MINSTACK, "reply nested too deep");
    return *r->at++ == '{' ? read_object(r, depth + 1)
                           : read_array(r, depth + 1);
  case 't':
    lua_pushboolean(L, 1);
    return read_word(r, "true");
  case 'f':
    lua_pushboolean(L, 0);
    return read_word(r, "false");
  case 'n':
    lua_pushlightuserdata(L, NULL);
    return read_word(r, "null");
  default:
    if (r->at < r->end && (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')))
      return parse_number(r);
    return fail(r, "a value");
  }
}

bool raia_json_read(lua_State *L) {
  size_t length;
  int text = lua_gettop(L);
  const char *begin = lua_tolstring(L, text, &length);
  struct reader r = {L, begin, begin, begin + length, NULL};
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bool good = read_value(&r, 0);
  skip_space(&r);
  if (good && r.at < r.end)
    good = fail(&r, "the end");
  if (!good)
    lua_pushfstring(L, "expected %s at byte %I", r.expected,
                    (LUAI_UACINT)(r.at - r.begin) + 1);
  lua_replace(L, text);
  lua_settop(L, text);
  return good;
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
  if (lua_getmetatable(L, index))
    lua_setmetatable(L, -2);
}
