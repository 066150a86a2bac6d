/* Conversations: their client, fields and methods. */
#ifndef RAIA_CONVERSATION_H
#define RAIA_CONVERSATION_H

#include <lua.h>

#define RAIA_CONVERSATION "raia.conversation"

/* Indexes in the table that is a conversation's user value. It also caches the
   paths of operations, by their rows. */
enum { RAIA_CONVERSATION_CLIENT = 1, RAIA_CONVERSATION_FIELDS };

/* Pops the table of fields at the top, one of which is `id`, and pushes a
   conversation of the client at `client`. */
void raia_conversation_new(lua_State *L, int client);

/* Pops the table at the top and makes it the fields of the conversation at
   `index`. */
void raia_conversation_set(lua_State *L, int index, int client);

/* client:conversation(id) */
int raia_conversation_of_id(lua_State *L);

/* Raises unless argument `arg` is a valid id. */
void raia_conversation_check_id(lua_State *L, int arg);

/* Registers the metatable. */
void raia_conversation_open(lua_State *L);

#endif
