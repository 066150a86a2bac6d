/* What is known of an attempt and its reply. */
#ifndef RAIA_INFO_H
#define RAIA_INFO_H

#include "request.h"

/* Pushes a table with the fields that request:info() and events share:
   elapsed, and status, request_id and headers as far as there are any. */
void raia_info_push(lua_State *L, const struct raia_request *r);

#endif
