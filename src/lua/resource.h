/* Resources, the objects with an id and methods: conversations and users. */
#ifndef RAIA_RESOURCE_H
#define RAIA_RESOURCE_H

#include "operations.h"

#include <lua.h>

/* Indexes in the table that is a resource's user value. It also caches the
   paths of operations, by their rows. */
enum { RAIA_RESOURCE_CLIENT = 1, RAIA_RESOURCE_FIELDS };

/* Pops the table of fields at the top, one of which is `id`, and pushes a
   resource of the client at `client`. */
void raia_resource_new(lua_State *L, enum raia_owner class, int client);

/* Pops the table at the top and makes it the fields of the resource at
   `index`. */
void raia_resource_set(lua_State *L, int index, int client);

/* client:conversation(id) */
int raia_resource_conversation(lua_State *L);

/* client_of(object): the client of a resource or group. Private. */
int raia_resource_client_of(lua_State *L);

/* Replaces argument `arg`, an id or an object of `class` (or NULL), by the id.
   Raises if it is not valid. */
void raia_resource_to_id(lua_State *L, int arg, const char *class);

/* Registers the metatables. */
void raia_resource_open(lua_State *L);

#endif
