/* What a finished request is worth: values, or nil, message, err. */
#ifndef RAIA_RESULT_H
#define RAIA_RESULT_H

#include "request.h"

/* Pushes the results of the finished request at `index` and returns how many.
   Raises only when out of memory. */
int raia_result_push(lua_State *L, int index);

/* Pushes nil, message, err for a request that is refused: path and message of
   what is wrong are on top and are popped. */
int raia_result_push_invalid(lua_State *L, struct raia_request *request);

#endif
