/* What went wrong, in words and as a table. */
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

/* What the error says besides. */
struct raia_failure {
  const char *why;   /* what happened, or NULL: as the outcome says */
  const char *field; /* of an invalid body, or NULL */
  int body;          /* stack index of the server's decoded error, or 0 */
};

/* Pushes nil, message, err, in which the key is masked wherever a server or
   libcurl may have quoted it. Returns 3. Raises only when out of memory. */
int raia_error_push(lua_State *L, const struct raia_subject *subject,
                    const struct raia_failure *failure);

/* Pushes `text`, at most `most` characters of it, with what could steer a
   terminal escaped. */
void raia_error_push_clean(lua_State *L, const char *text, size_t length,
                           size_t most);

/* Registers the metatable. */
void raia_error_open(lua_State *L);

#endif
