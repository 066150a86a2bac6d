/* The results of a finished call: values, or nil, message, err. */
#ifndef RAIA_RESULT_H
#define RAIA_RESULT_H

#include "error.h"

/* Pushes the results of a call that has ended and returns their number.
   `client` and `target` are the indexes of its client and of the conversation
   it was made on, or nil. Raises only when out of memory. */
int raia_result_push(lua_State *L, const struct raia_subject *subject,
                     int client, int target);

#endif
