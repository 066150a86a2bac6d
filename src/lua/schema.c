/* Schemas of request bodies, and the check of a Lua table against one. */
#include "schema.h"

#include "json.h"
#include "object.h"
#include "utf8.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

static bool refuse_field(lua_State *L, const char *field, const char *what) {
  lua_pushstring(L, field);
  lua_pushstring(L, what);
  return false;
}

/* The index of `value` in a list of names, or -1. */
static int find_field(const char *const *names, const char *value) {
  for (int i = 0; names[i] != NULL; i++)
    if (strcmp(names[i], value) == 0)
      return i;
  return -1;
}

/* Whether field `name` of the table at `index` is true. */
static bool is_true(lua_State *L, int index, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, index);
  bool is = lua_type(L, -1) == LUA_TBOOLEAN && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

static bool is_phone(const char *s) {
  size_t digits = s[0] == '+' ? strspn(s + 1, "0123456789") : 0;
  return digits >= 2 && digits <= 15 && s[1] != '0' && s[digits + 1] == '\0';
}

/* Fails with a message that lists the allowed values. */
static bool fail_values(lua_State *L, const struct raia_field *f) {
  lua_pushstring(L, f->name);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "must be ");
  for (int i = 0; f->values[i] != NULL; i++) {
    luaL_addstring(&b, i == 0                     ? "'"
                       : f->values[i + 1] == NULL ? " or '"
                                                  : ", '");
    luaL_addstring(&b, f->values[i]);
    luaL_addchar(&b, '\'');
  }
  luaL_pushresult(&b);
  return false;
}

/* Checks the string at the top, which is a field of the table at `index`. */
static bool check_string(lua_State *L, int index, const struct raia_field *f) {
  size_t length;
  const char *s = lua_tolstring(L, -1, &length);
  if (f->values != NULL &&
      (strlen(s) != length || find_field(f->values, s) < 0))
    return fail_values(L, f);
  if (f->phone && !is_true(L, index, f->unless) &&
      (strlen(s) != length || !is_phone(s)))
    return refuse_field(
        L, f->name,
        "must be an E.164 phone number with a leading '+', such as "
        "+15551234567");
  long characters = f->greatest == 0 ? 0 : raia_utf8_length(s, length);
  if (characters <= f->greatest)
    return true;
  lua_pushstring(L, f->name);
  lua_pushfstring(L, "has %d characters; at most %d are allowed",
                  (int)characters, (int)f->greatest);
  return false;
}

const struct raia_field raia_strings[] = {{0}};

/* Refuses the string or number `key` of element `i` of list `f`. */
static bool refuse_element(lua_State *L, const struct raia_field *f,
                           lua_Integer i, const char *name, const char *what) {
  lua_pushfstring(L, "%s[%I]%s%s", f->name, (LUAI_UACINT)i,
                  name == NULL ? "" : ".", name == NULL ? "" : name);
  lua_pushstring(L, what);
  return false;
}

/* Checks the elements of the list at the top: strings, or tables with strings
   as fields. */
static bool check_elements(lua_State *L, const struct raia_field *f) {
  bool strings = f->of == raia_strings;
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    if (lua_rawgeti(L, -1, i) != (strings ? LUA_TSTRING : LUA_TTABLE))
      return refuse_element(L, f, i, NULL,
                            strings ? "must be a string" : "must be a table");
    for (const struct raia_field *of = f->of; of->name != NULL; of++) {
      lua_pushstring(L, of->name);
      if (lua_rawget(L, -2) != LUA_TSTRING)
        return refuse_element(L, f, i, of->name, "must be a string");
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return true;
}

/* Checks the value at the top, which is a field of the table at `index`. */
static bool check_field(lua_State *L, int index, const struct raia_field *f,
                        int variant) {
  static const int types[] = {LUA_TSTRING, LUA_TNUMBER, LUA_TBOOLEAN,
                              LUA_TTABLE, LUA_TTABLE};
  static const char *const names[] = {"string", "number", "boolean", "table",
                                      "list"};
  int type = lua_type(L, -1);
  if (type == LUA_TNIL)
    return (f->required & variant) == 0 ||
           refuse_field(L, f->name, "is required");
  if ((f->refused & variant) && lua_toboolean(L, -1))
    return refuse_field(L, f->name, "is not allowed here");
  if (type != types[f->type]) {
    lua_pushstring(L, f->name);
    lua_pushfstring(L, "must be a %s, not %s", names[f->type],
                    raia_json_is_null(L, -2) ? "null" : luaL_typename(L, -2));
    return false;
  }
  if (f->type == RAIA_OBJECT && lua_rawlen(L, -1) > 0)
    return refuse_field(L, f->name, "must have names, not numbered elements");
  if (f->type == RAIA_LIST && !raia_object_is_list(L))
    return refuse_field(L, f->name, "must be a list");
  if (f->of != NULL && !check_elements(L, f))
    return false;
  return type != LUA_TSTRING || check_string(L, index, f);
}

/* Refuses the table at `index` if it has none of the fields `any`. */
static bool check_any(lua_State *L, int index, const char *const *any) {
  for (int i = 0; any[i] != NULL; i++) {
    lua_pushstring(L, any[i]);
    int type = lua_rawget(L, index);
    lua_pop(L, 1);
    if (type != LUA_TNIL)
      return true;
  }
  lua_pushstring(L, any[0]);
  lua_pushliteral(L, "is required");
  for (int i = 1; any[i] != NULL; i++) {
    lua_pushfstring(L, ", or %s", any[i]);
    lua_concat(L, 2);
  }
  return false;
}

static bool check(lua_State *L, int index, const struct raia_schema *schema) {
  int variant = 1;
  if (schema->variant != NULL) {
    lua_pushstring(L, schema->variant);
    lua_rawget(L, index);
    int which = lua_type(L, -1) == LUA_TSTRING
                    ? find_field(schema->variants, lua_tostring(L, -1))
                    : -1;
    variant = which < 0 ? RAIA_ALWAYS
                        : 1 << which; /* the check of its field will fail */
    lua_pop(L, 1);
  }
  for (const struct raia_field *f = schema->fields; f->name != NULL; f++) {
    lua_pushstring(L, f->name);
    lua_rawget(L, index);
    if (!check_field(L, index, f, variant))
      return false;
    lua_pop(L, 1);
  }
  return schema->any == NULL || check_any(L, index, schema->any);
}

/* Whether two names differ in case and underscores alone. */
static bool are_alike(const char *a, const char *b) {
  for (;; a++, b++) {
    a += strspn(a, "_");
    b += strspn(b, "_");
    if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
      return false;
    if (*a == '\0')
      return true;
  }
}

/* Checks that no name in the table at `index` is a field's but for case and
   underscores: it would be sent, and mean nothing. */
static bool check_names(lua_State *L, int index, const struct raia_field *f) {
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    const char *name =
        lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    const struct raia_field *alike = NULL, *same = f;
    while (name != NULL && same->name != NULL && strcmp(same->name, name) != 0)
      same++;
    if (name == NULL || same->name != NULL)
      continue;
    for (same = f; same->name != NULL; same++)
      if (are_alike(same->name, name))
        alike = same;
    if (alike != NULL) {
      lua_pushstring(L, name);
      lua_pushfstring(L, "is unknown: did you mean '%s'?", alike->name);
      return false;
    }
  }
  return true;
}

/* The field that is a list, or NULL. */
static const char *list_of(const struct raia_schema *schema) {
  for (const struct raia_field *f = schema->fields; f->name != NULL; f++)
    if (f->type == RAIA_LIST)
      return f->name;
  return NULL;
}

bool raia_schema_check(lua_State *L, int index,
                       const struct raia_schema *schema) {
  int top = lua_gettop(L);
  index = lua_absindex(L, index);
  if (check_names(L, index, schema->fields) && check(L, index, schema))
    return true;
  lua_insert(L, top + 1); /* the value is below path and message */
  lua_insert(L, top + 1);
  lua_settop(L, top + 2);
  return false;
}

bool raia_schema_write(lua_State *L, int index,
                       const struct raia_schema *schema) {
  if (schema != NULL && !raia_schema_check(L, index, schema))
    return false;
  return raia_json_write(L, index, schema == NULL ? NULL : list_of(schema));
}
