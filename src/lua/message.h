/* Messages: userdata with the fields that came. */
#ifndef RAIA_MESSAGE_H
#define RAIA_MESSAGE_H

#include <lua.h>

#define RAIA_MESSAGE "raia.message"

/* Pops the table of fields at the top and pushes a message with them;
   `metatable` is the index of RAIA_MESSAGE's. */
void raia_message_new(lua_State *L, int metatable);

/* Registers the metatable. */
void raia_message_open(lua_State *L);

#endif
