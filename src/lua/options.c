/* Reads tables of options by descriptors, one row per option. */
#include "options.h"

#include "net/endpoint.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct raia_option *find_option(const struct raia_option *rows,
                                             const char *name) {
  while (rows->name != NULL && strcmp(rows->name, name) != 0)
    rows++;
  return rows;
}

static void unknown(lua_State *L, int arg, const struct raia_option *rows,
                    const char *name) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "unknown option '");
  luaL_addstring(&b, name);
  luaL_addstring(&b, "' (known options: ");
  for (; rows->name != NULL; rows++) {
    luaL_addstring(&b, rows->name);
    luaL_addstring(&b, rows[1].name == NULL ? ")" : ", ");
  }
  luaL_pushresult(&b);
  luaL_argerror(L, arg, lua_tostring(L, -1));
}

static void raise_wrong(lua_State *L, int arg, const char *name,
                        const char *what) {
  luaL_argerror(L, arg, lua_pushfstring(L, "option '%s' %s", name, what));
}

/* Checks and copies the headers in the table at the top. Raises if one may not
   be sent. */
static void read_headers(lua_State *L, int arg, const char *option,
                         struct raia_headers *out) {
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
      raise_wrong(L, arg, option, "must have strings as names and as values");
    size_t name_length, value_length;
    const char *name = lua_tolstring(L, -2, &name_length);
    const char *value = lua_tolstring(L, -1, &value_length);
    const char *bad = raia_header_bad(name, name_length, value, value_length);
    if (bad != NULL)
      raise_wrong(L, arg, option,
                  lua_pushfstring(L, "has a header that %s: '%s'", bad,
                                  name_length < 64 ? name : "…"));
    if (!raia_headers_set(out, name, value))
      luaL_error(L, "not enough memory");
  }
}

static double read_number(lua_State *L, int arg, const struct raia_option *r,
                          const char *unit) {
  double x = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(x >= r->least && x <= r->most) ||
      (r->type == RAIA_OPTION_COUNT && x != floor(x))) {
    char range[64];
    snprintf(range, sizeof range, "from %.10g to %.10g", r->least, r->most);
    raise_wrong(L, arg, r->name,
                lua_pushfstring(L, "must be a %s %s", unit, range));
  }
  return x;
}

/* Reads the value at the top according to row `r`. */
static void read_one(lua_State *L, int arg, const struct raia_option *r,
                     char *out) {
  static const int types[] = {LUA_TSTRING,  LUA_TNUMBER, LUA_TNUMBER,
                              LUA_TBOOLEAN, LUA_TTABLE,  LUA_TTABLE,
                              LUA_TFUNCTION};
  if (r->type == RAIA_OPTION_ANY)
    return;
  if (lua_type(L, -1) != types[r->type])
    raise_wrong(L, arg, r->name,
                lua_pushfstring(L, "must be a %s, not %s",
                                lua_typename(L, types[r->type]),
                                luaL_typename(L, -1)));
  if (r->type == RAIA_OPTION_STRING) {
    size_t length;
    const char *s = lua_tolstring(L, -1, &length);
    if (strlen(s) != length)
      raise_wrong(L, arg, r->name, "must not contain NUL");
    memcpy(out + r->offset, &s, sizeof s);
  } else if (r->type == RAIA_OPTION_SECONDS) {
    double x = read_number(L, arg, r, "number of seconds");
    memcpy(out + r->offset, &x, sizeof x);
  } else if (r->type == RAIA_OPTION_COUNT) {
    long n = (long)read_number(L, arg, r, "whole number");
    memcpy(out + r->offset, &n, sizeof n);
  } else if (r->type == RAIA_OPTION_BOOLEAN) {
    bool b = lua_toboolean(L, -1);
    memcpy(out + r->offset, &b, sizeof b);
  } else if (r->type == RAIA_OPTION_HEADERS) {
    struct raia_headers *const *place = (const void *)(out + r->offset);
    read_headers(L, arg, r->name, *place);
  }
}

void raia_options_read(lua_State *L, int arg, const struct raia_option *rows,
                       void *out) {
  if (lua_isnoneornil(L, arg))
    return;
  luaL_checktype(L, arg, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, arg) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_argerror(L, arg, "option names must be strings");
    const struct raia_option *row = find_option(rows, lua_tostring(L, -2));
    if (row->name == NULL)
      unknown(L, arg, rows, lua_tostring(L, -2));
    else
      read_one(L, arg, row, out);
  }
}

int raia_options_field(lua_State *L, int index, const char *name) {
  index = lua_absindex(L, index);
  lua_pushstring(L, name);
  return lua_rawget(L, index);
}
