/* Lua values to JSON: one walk that checks and writes. */
#include "json.h"

#include "net/transfer.h"
#include "utf8.h"

#include <lauxlib.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Registry key, by address: the buffer, a userdata that frees it. It is kept
   between calls, unless it has become large. */
static char buffer_key;
enum { KEPT = 64 * 1024 };

struct writer {
  lua_State *L;
  struct raia_buffer *text;
};

/* A place in the body, whose way back to the root is its path. */
struct place {
  const struct place *parent;
  const void *table;
  const char *key; /* NULL: an element, by its index */
  lua_Integer index;
};

static int buffer_gc(lua_State *L) {
  raia_buffer_free(lua_touserdata(L, 1));
  return 0;
}

void raia_json_open(lua_State *L) {
  luaL_newmetatable(L, RAIA_ARRAY);
  lua_pop(L, 1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &buffer_key) == LUA_TNIL) {
    raia_buffer_init(lua_newuserdatauv(L, sizeof(struct raia_buffer), 0),
                     SIZE_MAX);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, buffer_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &buffer_key);
  }
  lua_pop(L, 1);
}

bool raia_json_is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA &&
         lua_touserdata(L, index) == NULL;
}

/* ---- the text ---- */

static inline void add(struct writer *w, const void *bytes, size_t n) {
  struct raia_buffer *b = w->text;
  if (n <= b->capacity - b->length) {
    memcpy(b->data + b->length, bytes, n);
    b->length += n;
  } else if (raia_buffer_append(b, bytes, n) != RAIA_APPENDED) {
    luaL_error(w->L, "not enough memory");
  }
}

/* Whether a byte stands for itself within a string, and is ASCII. */
static bool is_plain(unsigned char c) {
  return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* Whether all of eight bytes do: saves a third of a long text's time. */
static bool are_plain(const unsigned char *c) {
  const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
  uint64_t x;
  memcpy(&x, c, sizeof x);
  uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
  return ((x | (x - ones * ' ') | (quote - ones) | (slash - ones)) & high) ==
         0;
}

/* Writes a string; false if it is not UTF-8. */
static bool add_string(struct writer *w, const char *s, size_t length) {
  const unsigned char *c = (const unsigned char *)s, *end = c + length;
  const unsigned char *from = c;
  add(w, "\"", 1);
  while (c < end) {
    if (end - c >= 8 && are_plain(c)) {
      c += 8;
      continue;
    }
    if (is_plain(*c)) {
      c++;
      continue;
    }
    if (*c >= 0x80) {
      size_t bytes = raia_utf8_character(c, end);
      if (bytes == 0)
        return false;
      c += bytes;
      continue;
    }
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    const char *letter = *c == 0 ? NULL : strchr(letters, *c);
    char escape[8];
    int n = letter != NULL ? snprintf(escape, sizeof escape, "\\%c", letter[1])
                           : snprintf(escape, sizeof escape, "\\u%04x", *c);
    add(w, from, (size_t)(c - from));
    add(w, escape, (size_t)n);
    from = ++c;
  }
  add(w, from, (size_t)(c - from));
  add(w, "\"", 1);
  return true;
}

size_t raia_json_number(lua_State *L, int index, char *text) {
  lua_Number x = lua_tonumber(L, index);
  int n = 0;
  if (lua_isinteger(L, index))
    return (size_t)snprintf(text, RAIA_NUMBER_MAX, LUA_INTEGER_FMT,
                            lua_tointeger(L, index));
  if (isnan(x) || isinf(x))
    return 0;
  for (int digits = 15; digits <= 17; digits++) {
    n = snprintf(text, RAIA_NUMBER_MAX, "%.*g", digits, x);
    if (strtod(text, NULL) == x)
      break;
  }
  char *point = strstr(text, localeconv()->decimal_point);
  if (point != NULL)
    *point = '.';
  return (size_t)n;
}

static bool add_number(struct writer *w) {
  char text[RAIA_NUMBER_MAX];
  size_t n = raia_json_number(w->L, -1, text);
  add(w, text, n);
  return n > 0;
}

/* ---- errors ---- */

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

static bool refuse(struct writer *w, const struct place *place,
                   const char *what) {
  push_place(w->L, place);
  lua_pushstring(w->L, what);
  return false;
}

/* ---- the walk: Lua allocates nothing, so no finalizer runs in it ---- */

static bool write_value(struct writer *w, const struct place *place,
                        const char *array, int depth);

/* Pushes field `name` of the table at the top; something else if there is no
   such table or metamethods could be called. */
static void push_field(lua_State *L, const char *name) {
  if (!lua_istable(L, -1))
    lua_pushnil(L);
  else if (!lua_getmetatable(L, -1)) /* which pushes nothing then */
    lua_getfield(L, -1, name);
}

/* Whether the mark at the top, a metatable or a light userdata, stands for an
   array: it is raia's, or lua-cjson's, if that is loaded. */
static bool is_mark(lua_State *L) {
  static const char *const marks[] = {"array_mt", "empty_array_mt",
                                      "empty_array"};
  int mark = lua_gettop(L);
  bool is = luaL_getmetatable(L, RAIA_ARRAY) && lua_rawequal(L, mark, -1);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  push_field(L, "cjson");
  for (int i = 0; !is && i < 3; i++) {
    push_field(L, marks[i]);
    is = !lua_isnil(L, -1) && lua_rawequal(L, mark, -1);
    lua_pop(L, 1);
  }
  lua_settop(L, mark);
  return is;
}

/* Whether the empty table at the top is an array. */
static bool is_array(lua_State *L) {
  if (!lua_getmetatable(L, -1))
    return false;
  bool is = is_mark(L);
  lua_pop(L, 1);
  return is;
}

/* Refuses the table at the top for its keys: neither 1 to n nor all strings,
   of which some are UTF-8. */
static bool refuse_keys(struct writer *w, const struct place *place) {
  lua_State *L = w->L;
  bool names = false, numbers = false;
  int whole;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    names = names || lua_type(L, -2) == LUA_TSTRING;
    if (lua_type(L, -2) == LUA_TSTRING)
      continue;
    numbers = true;
    if (lua_type(L, -2) != LUA_TNUMBER || lua_tointegerx(L, -2, &whole) <= 0)
      return refuse(w, place,
                    "has a key that is neither a string nor a positive whole "
                    "number");
  }
  if (names && numbers)
    return refuse(w, place, "mixes names and numbered elements");
  return refuse(w, place,
                "has gaps between its elements (put raia.null there)");
}

/* Whether the table at the top has no keys but 1 to `count`. */
static bool has_only(lua_State *L, lua_Integer count) {
  lua_Integer keys = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
    keys++;
  return keys == count;
}

/* Writes the elements 1 to `count` of the table at the top. Lua goes through
   most arrays in their order, so one walk does: it saves a tenth of a long
   array's time. */
static bool write_elements(struct writer *w, const struct place *here,
                           lua_Integer count, int depth) {
  lua_State *L = w->L;
  struct place child = {here, NULL, NULL, 0};
  lua_Integer i = 1;
  bool in_order = true;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1), i++) {
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != i) {
      lua_pop(L, 2);
      in_order = false;
      break;
    }
    child.index = i;
    add(w, i == 1 ? "[" : ",", 1);
    if (!write_value(w, &child, NULL, depth))
      return false;
  }
  if ((!in_order || i <= count) && !has_only(L, count))
    return refuse_keys(w, here);
  for (; i <= count; i++) { /* the rest, in another order */
    child.index = i;
    add(w, i == 1 ? "[" : ",", 1);
    lua_rawgeti(L, -1, i);
    if (!write_value(w, &child, NULL, depth))
      return false;
    lua_pop(L, 1);
  }
  add(w, "]", 1);
  return true;
}

/* Writes the members of the table at the top. */
static bool write_members(struct writer *w, const struct place *here,
                          const char *array, int depth) {
  lua_State *L = w->L;
  struct place child = {here, NULL, NULL, 0};
  bool first = true;
  add(w, "{", 1);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    size_t length;
    if (lua_type(L, -2) != LUA_TSTRING) {
      lua_pop(L, 2);
      return refuse_keys(w, here);
    }
    child.key = lua_tolstring(L, -2, &length);
    if (!first)
      add(w, ",", 1);
    first = false;
    if (!add_string(w, child.key, length))
      return refuse(w, here, "has a key that is not UTF-8");
    add(w, ":", 1);
    bool is = array != NULL && strcmp(child.key, array) == 0;
    if (!write_value(w, &child, is ? array : NULL, depth))
      return false;
  }
  add(w, "}", 1);
  return true;
}

/* Writes the table at the top. At depth 1 `array` names the member that is an
   array; below, not to be NULL makes the table one. */
static bool write_table(struct writer *w, const struct place *place,
                        const char *array, int depth) {
  lua_State *L = w->L;
  struct place here = *place;
  here.table = lua_topointer(L, -1);
  for (const struct place *up = place; up != NULL; up = up->parent)
    if (up->table == here.table)
      return refuse(w, place, "contains itself");
  if (depth > RAIA_DEPTH_MAX)
    return refuse(w, place, "is nested more than 100 deep");
  luaL_checkstack(L, 8, "body nested too deep");
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  if (count > 0)
    return write_elements(w, &here, count, depth);
  lua_pushnil(L);
  if (lua_next(L, -2) != 0) {
    lua_pop(L, 2);
    return write_members(w, &here, depth == 1 ? array : NULL, depth);
  }
  bool list = (depth > 1 && array != NULL) || is_array(L);
  add(w, list ? "[]" : "{}", 2);
  return true;
}

/* Writes the value at the top, which is at `place`. On failure leaves path and
   message on top of whatever is there. */
static bool write_value(struct writer *w, const struct place *place,
                        const char *array, int depth) {
  lua_State *L = w->L;
  switch (lua_type(L, -1)) {
  case LUA_TBOOLEAN:
    if (lua_toboolean(L, -1))
      add(w, "true", 4);
    else
      add(w, "false", 5);
    return true;
  case LUA_TNUMBER:
    return add_number(w) ||
           refuse(w, place, "is NaN or infinite, which JSON cannot represent");
  case LUA_TSTRING: {
    size_t length;
    const char *s = lua_tolstring(L, -1, &length);
    return add_string(w, s, length) || refuse(w, place, "is not UTF-8");
  }
  case LUA_TTABLE:
    return write_table(w, place, array, depth + 1);
  case LUA_TLIGHTUSERDATA:
    if (raia_json_is_null(L, -1)) {
      add(w, "null", 4);
      return true;
    }
    luaL_checkstack(L, 8, "body nested too deep");
    if (is_mark(L)) {
      add(w, "[]", 2);
      return true;
    }
    break;
  }
  push_place(L, place);
  lua_pushfstring(L, "is a %s, which JSON cannot represent",
                  luaL_typename(L, -2));
  return false;
}

bool raia_json_write(lua_State *L, int index, const char *array) {
  int top = lua_gettop(L);
  struct place root = {NULL, NULL, NULL, 0};
  index = lua_absindex(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &buffer_key);
  struct writer w = {L, lua_touserdata(L, -1)};
  w.text->length = 0;
  lua_pushvalue(L, index);
  bool written = write_value(&w, &root, array, 0);
  if (written) {
    lua_pushlstring(L, w.text->data, w.text->length);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
  } else { /* path and message down to where the caller looks */
    lua_insert(L, top + 1);
    lua_insert(L, top + 1);
    lua_settop(L, top + 2);
  }
  if (w.text->capacity > KEPT)
    raia_buffer_free(w.text);
  return written;
}
