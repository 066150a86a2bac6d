/* JSON to Lua values, in one pass. */
#include "json.h"
#include "plain.h"

#include <ctype.h>
#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Names repeat in a long list: the last ones at each place of an object are
   kept, which saves a third of a history's time. A short text has few. */
enum { NAMES = 32, LONG = 4096 };

struct reader {
  lua_State *L;
  const char *at, *end;
  const char *expected; /* at `at`, once reading has failed */
  int names;            /* stack index of the names kept, 0: none */
  struct {
    const char *text;
    size_t length;
  } name[NAMES];
};

static bool fail(struct reader *r, const char *expected) {
  r->expected = expected;
  return false;
}

/* Skips white space and returns the next byte, NUL at the end. */
static inline char peek(struct reader *r) {
  while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')
    r->at++;
  return *r->at;
}

static inline bool take(struct reader *r, char c) {
  bool is = peek(r) == c;
  r->at += is;
  return is;
}

/* ---- strings ---- */

/* Reads the four digits of \uXXXX; -1 if there are none. */
static long read_hex(struct reader *r) {
  long code = 0;
  for (int i = 0; i < 4; i++) {
    int c = tolower((unsigned char)r->at[i]);
    if (!isxdigit(c))
      return -1;
    code = code << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
  }
  r->at += 4;
  return code;
}

/* Reads an escape, whose backslash has been read. A surrogate without its
   other half becomes U+FFFD. */
static bool read_escape(struct reader *r, luaL_Buffer *b) {
  static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
  const char *letter = *r->at == '\0' ? NULL : strchr(letters, *r->at);
  if (letter != NULL && (letter - letters) % 2 == 0) {
    luaL_addchar(b, letter[1]);
    r->at++;
    return true;
  }
  if (*r->at != 'u')
    return fail(r, "an escape");
  r->at++;
  long code = read_hex(r);
  if (code < 0)
    return fail(r, "four hexadecimal digits");
  if (code >= 0xD800 && code < 0xDC00 && r->at[0] == '\\' && r->at[1] == 'u') {
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
  lua_pushfstring(r->L, "%U", code);
  luaL_addvalue(b);
  return true;
}

/* Pushes the string whose opening quote has been read. */
static bool read_string(struct reader *r) {
  const char *from = r->at;
  r->at = raia_plain(from, r->end, false);
  if (*r->at == '"') { /* as most: no escape in it */
    lua_pushlstring(r->L, from, (size_t)(r->at++ - from));
    return true;
  }
  luaL_Buffer b;
  luaL_buffinit(r->L, &b);
  for (;;) {
    luaL_addlstring(&b, from, (size_t)(r->at - from));
    if (*r->at != '"' && *r->at != '\\')
      return fail(r, "the end of a string");
    if (*r->at++ == '"')
      break;
    if (!read_escape(r, &b))
      return false;
    from = r->at;
    r->at = raia_plain(from, r->end, false);
  }
  luaL_pushresult(&b);
  return true;
}

/* Pushes a name whose opening quote has been read. `place` is where it is kept
   if it is: about what it was in the object before. */
static bool read_name(struct reader *r, int place) {
  const char *from = r->at;
  size_t length = r->name[place].length, left = (size_t)(r->end - from);
  if (length > 0 && left > length && from[length] == '"' &&
      memcmp(from, r->name[place].text, length) == 0) {
    lua_pushvalue(r->L, r->names + place);
    r->at += length + 1;
    return true;
  }
  if (!read_string(r))
    return false;
  length = (size_t)(r->at - from) - 1;
  if (r->names > 0 && lua_rawlen(r->L, -1) == length) { /* without escapes */
    r->name[place].text = from;
    r->name[place].length = length;
    lua_pushvalue(r->L, -1);
    lua_replace(r->L, r->names + place);
  }
  return true;
}

/* ---- numbers ---- */

static bool skip_digits(struct reader *r) {
  const char *from = r->at;
  while (*r->at >= '0' && *r->at <= '9')
    r->at++;
  return r->at > from || fail(r, "a digit");
}

/* Pushes a number: an integer if it is whole and a double could tell it from
   its neighbours, or if it is written as one. */
static bool parse_number(struct reader *r) {
  lua_State *L = r->L;
  const char *from = r->at;
  r->at += *r->at == '-';
  if (*r->at == '0')
    r->at++;
  else if (!skip_digits(r))
    return false;
  if (*r->at == '.') {
    r->at++;
    if (!skip_digits(r))
      return false;
  }
  if (*r->at == 'e' || *r->at == 'E') {
    r->at++;
    r->at += *r->at == '+' || *r->at == '-';
    if (!skip_digits(r))
      return false;
  }
  lua_pushlstring(L, from, (size_t)(r->at - from));
  int text = lua_gettop(L);
  if (strcmp(lua_tostring(L, -1), "-0") == 0)
    lua_pushnumber(L, -0.0);
  else
    lua_stringtonumber(L, lua_tostring(L, -1));
  lua_Number x = lua_tonumber(L, -1);
  if (isinf(x)) {
    r->at = from;
    return fail(r, "a number within the range of a double");
  }
  if (!lua_isinteger(L, -1) && x == floor(x) && fabs(x) < 9007199254740992.0 &&
      !(x == 0 && signbit(x)))
    lua_pushinteger(L, (lua_Integer)x);
  lua_copy(L, -1, text);
  lua_settop(L, text);
  return true;
}

/* ---- values ---- */

static bool read_value(struct reader *r, int depth);

static bool read_word(struct reader *r, const char *word) {
  size_t length = strlen(word);
  if (strncmp(r->at, word, length) != 0)
    return fail(r, "a value");
  r->at += length;
  return true;
}

/* Pushes the array whose bracket has been read. */
static bool read_array(struct reader *r, int depth) {
  lua_newtable(r->L);
  if (take(r, ']')) {
    luaL_setmetatable(r->L, RAIA_ARRAY);
    return true;
  }
  for (lua_Integer i = 1; read_value(r, depth); i++) {
    lua_rawseti(r->L, -2, i);
    if (take(r, ']'))
      return true;
    if (!take(r, ','))
      return fail(r, "',' or ']'");
  }
  return false;
}

/* Pushes the object whose brace has been read. */
static bool read_object(struct reader *r, int depth) {
  lua_createtable(r->L, 0, 8);
  if (take(r, '}'))
    return true;
  for (unsigned i = 0;; i++) {
    if (!take(r, '"'))
      return fail(r, "a name in quotes");
    if (!read_name(r, (int)((8 * (unsigned)depth + i) % NAMES)))
      return false;
    if (!take(r, ':'))
      return fail(r, "':'");
    if (peek(r) != 'n') {
      if (!read_value(r, depth))
        return false;
    } else if (read_word(r, "null")) { /* as if it were not there */
      lua_pushnil(r->L);
    } else {
      return false;
    }
    lua_rawset(r->L, -3);
    if (take(r, '}'))
      return true;
    if (!take(r, ','))
      return fail(r, "',' or '}'");
  }
}

/* Pushes the value that is next. */
static bool read_value(struct reader *r, int depth) {
  switch (peek(r)) {
  case '"':
    r->at++;
    return read_string(r);
  case '{':
  case '[':
    if (depth == RAIA_DEPTH_MAX)
      return fail(r, "no more than 100 levels");
    luaL_checkstack(r->L, LUA_MINSTACK, "reply nested too deep");
    return *r->at++ == '{' ? read_object(r, depth + 1)
                           : read_array(r, depth + 1);
  case 't':
    lua_pushboolean(r->L, 1);
    return read_word(r, "true");
  case 'f':
    lua_pushboolean(r->L, 0);
    return read_word(r, "false");
  case 'n':
    lua_pushlightuserdata(r->L, NULL);
    return read_word(r, "null");
  default:
    if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
      return parse_number(r);
    return fail(r, "a value");
  }
}

bool raia_json_read(lua_State *L, const char *text, size_t length) {
  int top = lua_gettop(L);
  struct reader r = {.L = L, .at = text, .end = text + length};
  luaL_checkstack(L, NAMES + LUA_MINSTACK, NULL);
  lua_pushnil(L); /* for the result: a buffer that is to be closed is above */
  if (length > LONG) {
    r.names = top + 2;
    lua_settop(L, top + 1 + NAMES);
  }
  bool good = read_value(&r, 0);
  if (good && (peek(&r) != '\0' || r.at < r.end))
    good = fail(&r, "the end");
  if (!good)
    lua_pushfstring(L, "expected %s at byte %I", r.expected,
                    (LUAI_UACINT)(r.at - text) + 1);
  lua_copy(L, -1, top + 1);
  lua_settop(L, top + 1);
  return good;
}
