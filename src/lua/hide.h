/* Values of Lua made of what a server or libcurl has said, without the key. */
#ifndef RAIA_HIDE_H
#define RAIA_HIDE_H

#include "request.h"

/* Masks the key in what the request's transfer has to say for itself, of which
   the reply is cut to what an error shows. */
void raia_hide_transfer(struct raia_request *request);

/* Pushes a copy of `text` in which the key is masked. */
const char *raia_hide_push(lua_State *L, const struct raia_request *request,
                           const char *text, size_t length);

/* Replaces the table at `index` by a copy in which the key is masked, in names
   and values, and in the tables within. */
void raia_hide_table(lua_State *L, const struct raia_request *request,
                     int index);

/* Whether the string at `index` holds the key. */
bool raia_hide_has_key(lua_State *L, const struct raia_request *request,
                       int index);

#endif
