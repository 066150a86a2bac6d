/* Converts between Lua values and JSON (RFC 8259). */
#ifndef RAIA_JSON_H
#define RAIA_JSON_H

#include <lua.h>
#include <stdbool.h>

enum { RAIA_DEPTH_MAX = 100 };

/* The metatable of tables that are arrays even when they are empty. */
#define RAIA_ARRAY "raia.array"

/* Prepares a Lua state. */
void raia_json_open(lua_State *L);

/* Pushes the JSON of the table at `index`, and returns true. If it cannot be
   written, pushes the path of what is wrong and a message, and returns false.
   `array` is the name of a member of the table that is written as an array
   when it is empty, or NULL. Calls no metamethods. */
bool raia_json_write(lua_State *L, int index, const char *array);

/* Pushes the value of a JSON text and returns true, or what is wrong with it
   and returns false. A NUL follows the text, which stays until this returns.
   Raises only when out of memory. Members that are null are left out, whole
   numbers become integers as far as they are exact, and empty arrays have the
   metatable RAIA_ARRAY. */
bool raia_json_read(lua_State *L, const char *text, size_t length);

enum { RAIA_NUMBER_MAX = 40 }; /* bytes of a number as text */

/* Writes the number at `index` to `text` as the shortest text that reads back
   the same, and returns its length; 0 for NaN and infinities. */
size_t raia_json_number(lua_State *L, int index, char *text);

/* Whether the value at `index` is JSON's null, which is a null pointer. */
bool raia_json_is_null(lua_State *L, int index);

#endif
