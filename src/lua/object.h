/* What objects with fields, messages and conversations, have in common. */
#ifndef RAIA_OBJECT_H
#define RAIA_OBJECT_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the table of fields of the object at `index` and returns true; false,
   pushing nothing, if it is none. */
bool raia_object_push_fields(lua_State *L, int index);

/* Adds the common metamethods to the metatables, which exist: pairs goes
   through a copy of the fields, == compares class and id, .. uses tostring,
   and an assignment raises. */
void raia_object_open(lua_State *L);

/* Makes the table at the top, a list of objects, print its elements. */
void raia_object_mark_list(lua_State *L);

/* Whether the table at the top has elements, or nothing. */
bool raia_object_is_list(lua_State *L);

/* raia.totable(value): a copy of the fields of an object; or of a table, with
   the objects in it as tables, too. */
int raia_object_totable(lua_State *L);

#endif
