/* Lua values to JSON: one walk that checks and writes. */
#include "json.h"

#include "net/transfer.h"
#include "plain.h"
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

/* Returns where the text goes on, with room for n bytes. */
static inline char *reserve(struct writer *w, size_t n) {
  struct raia_buffer *b = w->text;
  if (n > b->capacity - b->length && !raia_buffer_reserve(b, n))
    luaL_error(w->L, "not enough memory");
  return b->data + b->length;
}

static inline void add_char(struct writer *w, char c) {
  *reserve(w, 1) = c;
  w->text->length++;
}

static void add(struct writer *w, const char *bytes, size_t n) {
  memcpy(reserve(w, n), bytes, n);
  w->text->length += n;
}

static void add_escape(struct writer *w, unsigned char c) {
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
  const char *letter = c == 0 ? NULL : strchr(letters, c);
  char *to = reserve(w, 8);
  w->text->length +=
      (size_t)(letter != NULL ? snprintf(to, 8, "\\%c", letter[1])
                              : snprintf(to, 8, "\\u%04x", c));
}

/* Writes a string; false if it is not UTF-8. */
static bool add_string(struct writer *w, const char *c, size_t length) {
  const char *end = c + length, *from = c;
  char *text = reserve(w, length + 2 + RAIA_BLOCK);
  text[0] = text[length + 1] = '"';
  memcpy(text + 1, c, length);
  memset(text + length + 2, 0, RAIA_BLOCK);
  c += raia_plain(text + 1, text + length + 1 + RAIA_BLOCK, true) - text - 1;
  if (c == end) { /* as most: nothing to escape, and ASCII */
    w->text->length += length + 2;
    return true;
  }
  add_char(w, '"');
  for (; c < end; c = raia_plain(c, end, true)) {
    size_t bytes = raia_utf8_character(c, end);
    if (bytes == 0)
      return false;
    if (bytes == 1) {
      add(w, from, (size_t)(c - from));
      add_escape(w, (unsigned char)*c);
      from = c + 1;
    }
    c += bytes;
  }
  add(w, from, (size_t)(c - from));
  add_char(w, '"');
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

/* ---- errors ---- */

static void push_place(lua_State *L, const struct place *p) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 8, NULL);
  lua_pushliteral(L, "");
  if (p->parent == NULL)
    return;
  push_place(L, p->parent);
  const char *path = lua_tostring(L, -1);
  if (p->key == NULL) {
    lua_pushfstring(L, "%s[%I]", path, (LUAI_UACINT)p->index);
  } else {
    size_t length = strlen(p->key);
    if (length > 64) /* and not within a character */
      for (length = 64; length > 0 && (p->key[length] & 0xC0) == 0x80;)
        length--;
    lua_pushlstring(L, p->key, length);
    lua_pushfstring(L, "%s%s%s", path, p->parent->parent == NULL ? "" : ".",
                    lua_tostring(L, -1));
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
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

/* Pushes field `name` of the value at the top, nil if it is no table. */
static void push_field(lua_State *L, const char *name) {
  bool is_table = lua_istable(L, -1);
  lua_pushstring(L, name);
  if (is_table)
    lua_rawget(L, -2);
  else
    lua_pushnil(L);
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
  for (int i = 0, cjson = lua_gettop(L); !is && i < 3; i++) {
    push_field(L, marks[i]);
    is = !lua_isnil(L, -1) && lua_rawequal(L, mark, -1);
    lua_settop(L, cjson);
  }
  lua_settop(L, mark);
  return is;
}

/* Checks that the table at the top has no keys but 1 to `count`, and says of
   any other what is wrong with its keys. */
static bool check_keys(struct writer *w, const struct place *place,
                       lua_Integer count) {
  lua_State *L = w->L;
  lua_Integer names = 0, numbers = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING)
      names++;
    else if (lua_tointeger(L, -2) > 0)
      numbers++;
    else
      return refuse(w, place,
                    "has a key that is neither a string nor a positive whole "
                    "number");
  }
  if (names > 0 && numbers > 0)
    return refuse(w, place, "mixes names and numbered elements");
  return numbers == count ||
         refuse(w, place,
                "has gaps between its elements (put raia.null there)");
}

/* Writes the elements 1 to `count` of the table at the top. Lua goes through
   most arrays in their order, so one walk does: it saves a tenth of a long
   array's time. */
static bool write_elements(struct writer *w, const struct place *here,
                           lua_Integer count, int depth) {
  lua_State *L = w->L;
  struct place child = {here, NULL, NULL, 1};
  bool another = false; /* key was met than the next index */
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1), child.index++) {
    another = lua_tointeger(L, -2) != child.index;
    if (another) {
      lua_pop(L, 2);
      break;
    }
    add_char(w, child.index == 1 ? '[' : ',');
    if (!write_value(w, &child, NULL, depth))
      return false;
  }
  if ((another || child.index != count + 1) && !check_keys(w, here, count))
    return false;
  for (; child.index <= count; child.index++) { /* those in another order */
    add_char(w, child.index == 1 ? '[' : ',');
    lua_rawgeti(L, -1, child.index);
    if (!write_value(w, &child, NULL, depth))
      return false;
    lua_pop(L, 1);
  }
  add_char(w, ']');
  return true;
}

/* Writes the members of the table at the top. */
static bool write_members(struct writer *w, const struct place *here,
                          const char *array, int depth) {
  lua_State *L = w->L;
  struct place child = {here, NULL, NULL, 0};
  char before = '{';
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1), before = ',') {
    size_t length;
    if (lua_type(L, -2) != LUA_TSTRING) {
      lua_pop(L, 2);
      return check_keys(w, here, -1);
    }
    child.key = lua_tolstring(L, -2, &length);
    add_char(w, before);
    if (!add_string(w, child.key, length))
      return refuse(w, here, "has a key that is not UTF-8");
    add_char(w, ':');
    bool is = array != NULL && strcmp(child.key, array) == 0;
    if (!write_value(w, &child, is ? array : NULL, depth))
      return false;
  }
  add_char(w, '}');
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
  bool list = depth > 1 && array != NULL;
  if (!list && lua_getmetatable(L, -1)) {
    list = is_mark(L);
    lua_pop(L, 1);
  }
  add(w, list ? "[]" : "{}", 2);
  return true;
}

static bool write_number(struct writer *w, const struct place *place) {
  size_t n = raia_json_number(w->L, -1, reserve(w, RAIA_NUMBER_MAX));
  w->text->length += n;
  return n > 0 ||
         refuse(w, place, "is NaN or infinite, which JSON cannot represent");
}

static bool write_other(struct writer *w, const struct place *place) {
  lua_State *L = w->L;
  luaL_checkstack(L, 8, "body nested too deep");
  if (raia_json_is_null(L, -1))
    add(w, "null", 4);
  else if (lua_type(L, -1) == LUA_TLIGHTUSERDATA && is_mark(L))
    add(w, "[]", 2);
  else
    return refuse(w, place,
                  lua_pushfstring(L, "is a %s, which JSON cannot represent",
                                  luaL_typename(L, -1)));
  return true;
}

/* Writes the value at the top, which is at `place`. On failure leaves path and
   message on top of whatever is there. */
static bool write_value(struct writer *w, const struct place *place,
                        const char *array, int depth) {
  size_t length;
  const char *s;
  switch (lua_type(w->L, -1)) {
  case LUA_TSTRING:
    s = lua_tolstring(w->L, -1, &length);
    return add_string(w, s, length) || refuse(w, place, "is not UTF-8");
  case LUA_TTABLE:
    return write_table(w, place, array, depth + 1);
  case LUA_TNUMBER:
    return write_number(w, place);
  case LUA_TBOOLEAN:
    s = lua_toboolean(w->L, -1) ? "true" : "false";
    add(w, s, strlen(s));
    return true;
  default:
    return write_other(w, place);
  }
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
