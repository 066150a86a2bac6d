/* Converts between Lua values and JSON, by a private instance of lua-cjson. */
#ifndef RAIA_JSON_H
#define RAIA_JSON_H

#include <lua.h>
#include <stdbool.h>

enum { RAIA_DEPTH_MAX = 100 };

/* Makes the instance and keeps it in the registry. Raises when lua-cjson is
   missing. */
void raia_json_open(lua_State *L);

/* The characters of a string, or -1 when it is not UTF-8. */
long raia_utf8_length(const char *s, size_t length);

/* Whether lua-cjson would carry all of the table at `index` as it is. If not,
   pushes the path of what is wrong, and what is wrong with it. */
bool raia_json_check(lua_State *L, int index);

/* Pushes the JSON of the table at `index`, which passed the check. */
void raia_json_encode(lua_State *L, int index);

/* Replaces the JSON text at the top by its value, whole numbers as integers,
   and returns true; or by what is wrong. Raises only when out of memory. */
bool raia_json_decode(lua_State *L);

/* Whether the value at `index` is JSON's null. */
bool raia_json_is_null(lua_State *L, int index);

/* Pushes a copy of the table at `index`, and of those in it. */
void raia_json_copy(lua_State *L, int index);

#endif
