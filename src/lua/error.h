/* What went wrong, in words and as a table. */
#ifndef RAIA_ERROR_H
#define RAIA_ERROR_H

#include "request.h"

#define RAIA_ERROR "raia.error"

enum { RAIA_EXCERPT = 1024 }; /* bytes of a reply that an error shows */

/* What a table of an error says besides what its transfer knows. */
struct raia_failure {
  const char *why;   /* what happened, or NULL: as the transfer says */
  const char *field; /* of an invalid body, or NULL */
  int body;          /* stack index of the server's decoded error, or 0 */
};

/* Pushes nil, message, err, in which the key is masked wherever a server or
   libcurl may have quoted it. Returns 3. Raises only when out of memory. */
int raia_error_push(lua_State *L, struct raia_request *request,
                    const struct raia_failure *failure);

/* Pushes `text`, at most `most` characters of it, with what could steer a
   terminal escaped. */
void raia_error_push_clean(lua_State *L, const char *text, size_t length,
                           size_t most);

/* Warns of what nobody would hear of else: a warning of Lua's, and a line of
   the log. Needs no memory. */
void raia_error_warn(lua_State *L, const char *text);

/* Registers the metatable. */
void raia_error_open(lua_State *L);

#endif
