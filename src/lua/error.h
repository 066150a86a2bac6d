/* Errors: a message and a table. */
#ifndef RAIA_ERROR_H
#define RAIA_ERROR_H

#include "net/transfer.h"
#include "operations.h"

#include <lua.h>

#define RAIA_ERROR "raia.error"

/* The call that has failed. */
struct raia_subject {
  const struct raia_operation *operation;
  const struct raia_asked *asked;
  struct raia_outcome *outcome;
  const struct raia_endpoint *endpoint; /* NULL: the client is closed */
};

/* Details beyond the outcome. */
struct raia_failure {
  const char *why;   /* a description, or NULL: the outcome's */
  const char *field; /* the invalid field of a body, or NULL */
  int body;          /* stack index of the server's decoded error, or 0 */
};

/* Pushes nil, message, err and returns 3. The key is masked wherever a server
   or libcurl may have quoted it. Raises only when out of memory. */
int raia_error_push(lua_State *L, const struct raia_subject *subject,
                    const struct raia_failure *failure);

/* Pushes at most `most` characters of `text`, with control characters and
   invalid UTF-8 escaped. */
void raia_error_push_clean(lua_State *L, const char *text, size_t length,
                           size_t most);

/* Registers the metatable. */
void raia_error_open(lua_State *L);

#endif
