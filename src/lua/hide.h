/* Lua values made of what a server or libcurl has said, without the key. */
#ifndef RAIA_HIDE_H
#define RAIA_HIDE_H

#include "net/transfer.h"

#include <lua.h>

enum { RAIA_EXCERPT = 1024 }; /* bytes of a reply that an error shows */

/* `endpoint` is that of the client whose key is masked. It is NULL once the
   client is closed: the key is not known any more then, and what had to be
   hidden was masked before. */

/* Masks the key in an outcome, whose reply is cut to what an error shows. */
void raia_hide_outcome(struct raia_outcome *outcome,
                       const struct raia_endpoint *endpoint);

/* Pushes a copy of `text` in which the key is masked. */
const char *raia_hide_push(lua_State *L, const struct raia_endpoint *endpoint,
                           const char *text, size_t length);

/* Replaces the table at `index` by a copy in which the key is masked, in names
   and values, and in the tables within. */
void raia_hide_table(lua_State *L, const struct raia_endpoint *endpoint,
                     int index);

/* Whether the string at `index` holds the key. */
bool raia_hide_has_key(lua_State *L, const struct raia_endpoint *endpoint,
                       int index);

#endif
