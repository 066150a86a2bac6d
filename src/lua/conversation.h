/* A conversation: its client, its fields, and what can be done with it. */
#ifndef RAIA_CONVERSATION_H
#define RAIA_CONVERSATION_H

#include <lua.h>

#define RAIA_CONVERSATION "raia.conversation"

/* In the user value, a table, of a conversation; and, by the operations' rows,
   the paths that its id has made. */
enum { RAIA_CONVERSATION_CLIENT = 1, RAIA_CONVERSATION_FIELDS };

/* Pushes a conversation of the client at `client` with the table of fields at
   the top, which it pops; one of them is `id`. */
void raia_conversation_new(lua_State *L, int client);

/* Gives the conversation at `index` the fields at the top, which it pops. */
void raia_conversation_set(lua_State *L, int index, int client);

/* client:conversation(id) */
int raia_conversation_of_id(lua_State *L);

/* Raises unless argument `arg` is a string that can be an id. */
void raia_conversation_check_id(lua_State *L, int arg);

/* Registers the metatable. */
void raia_conversation_open(lua_State *L);

#endif
