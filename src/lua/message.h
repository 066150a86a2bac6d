/* A message: the fields of one, as they came. */
#ifndef RAIA_MESSAGE_H
#define RAIA_MESSAGE_H

#include <lua.h>

#define RAIA_MESSAGE "raia.message"

/* Pushes a message of the table of fields at the top, which it pops. */
void raia_message_new(lua_State *L, int metatable);

/* Registers the metatable. */
void raia_message_open(lua_State *L);

#endif
