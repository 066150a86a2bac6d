/* The client: options, endpoint, and the requests that are its own. */
#ifndef RAIA_CLIENT_H
#define RAIA_CLIENT_H

#include "net/endpoint.h"

#include <lua.h>

#define RAIA_CLIENT "raia.client"
#define RAIA_CONVERSATIONS "raia.conversations" /* client.conversations */

/* In the user value, a table, of a client. */
enum { RAIA_CLIENT_CONVERSATIONS = 1, RAIA_CLIENT_ON_EVENT };

struct raia_client {
  struct raia_endpoint *endpoint; /* NULL: closed */
  struct raia_headers headers;    /* until there is an endpoint */
  struct raia_link requests;      /* all that have not been collected */
  double timeout;                 /* seconds, 0: the operation's */
  long max_retries, max_response_bytes;
  bool on_event, log; /* whether there is one; whether RAIA_LOG asks */
};

/* raia.client(options): pushes a client. */
int raia_client_new(lua_State *L);

/* Registers the metatables of client and conversations. */
void raia_client_open(lua_State *L);

#endif
