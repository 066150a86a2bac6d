/* Lua values made from text of a server or libcurl, with the key masked. */
#ifndef RAIA_HIDE_H
#define RAIA_HIDE_H

#include "net/transfer.h"

#include <lua.h>

enum { RAIA_EXCERPT = 1024 }; /* bytes of a reply that errors show */

/* `endpoint` knows the key to mask. It is NULL if the client is closed:
   everything was masked when it closed. */

/* Masks the key in an outcome, and truncates its reply to what errors show. */
void raia_hide_outcome(struct raia_outcome *outcome,
                       const struct raia_endpoint *endpoint);

/* Pushes a copy of `text` in which the key is masked. */
const char *raia_hide_push(lua_State *L, const struct raia_endpoint *endpoint,
                           const char *text, size_t length);

/* Replaces the table at `index` by a copy with the key masked in names and
   values, recursively. */
void raia_hide_table(lua_State *L, const struct raia_endpoint *endpoint,
                     int index);

/* Whether the string at `index` contains the key. */
bool raia_hide_has_key(lua_State *L, const struct raia_endpoint *endpoint,
                       int index);

#endif
