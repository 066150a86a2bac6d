/* Clients: their options, endpoint and requests. */
#ifndef RAIA_CLIENT_H
#define RAIA_CLIENT_H

#include "net/endpoint.h"

#include <lua.h>

#define RAIA_CLIENT "raia.client"

/* Indexes in the table that is a client's user value. */
enum { RAIA_CLIENT_ON_EVENT = 1, RAIA_CLIENT_ELSEWHERE, RAIA_CLIENT_GROUPS };

struct raia_client {
  struct raia_endpoint *endpoint; /* NULL: closed */
  struct raia_headers headers;    /* until the endpoint takes them */
  struct raia_link requests;      /* those not collected yet */
  double timeout;                 /* seconds, 0: the operation's */
  long max_retries, max_response_bytes;
  bool on_event, log; /* there is a callback; RAIA_LOG asks for lines */
};

/* raia.client(options): pushes a client. */
int raia_client_new(lua_State *L);

/* Pushes the client that reaches the server at `base_url`, without the key, as
   the open one at `client` reaches its own; it is closed with that one. If it
   cannot be, pushes why not and returns false. */
bool raia_client_push_elsewhere(lua_State *L, int client,
                                const char *base_url);

/* Registers the metatables of clients and of their groups. */
void raia_client_open(lua_State *L);

#endif
