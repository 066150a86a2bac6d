/* Requests: calls under way or finished. */
#ifndef RAIA_REQUEST_H
#define RAIA_REQUEST_H

#include "client.h"
#include "net/transfer.h"
#include "operations.h"

#include <lua.h>

#define RAIA_REQUEST "raia.request"

/* Indexes of a request's user values. */
enum {
  RAIA_REQUEST_CLIENT = 1,
  RAIA_REQUEST_TARGET, /* the conversation it was called on */
  RAIA_REQUEST_METHOD, /* strings that the transfer points to */
  RAIA_REQUEST_PATH,
  RAIA_REQUEST_QUERY,
  RAIA_REQUEST_BODY,
  RAIA_REQUEST_RESULTS, /* packed, once they exist */
  RAIA_REQUEST_ERROR,   /* error raised by on_event, in a table */
  RAIA_REQUEST_WAITER,  /* the waiter to wake when it is done */
  RAIA_REQUEST_VALUES = RAIA_REQUEST_WAITER /* their number */
};

struct raia_request {
  struct raia_transfer transfer;
  const struct raia_operation *operation;
  struct raia_client *client;
  struct raia_link of_client;
  bool awaited; /* there is a waiter */
  bool held;    /* held by the caller, who may ask for the results again */
  bool dropped; /* ended without anybody's wish, and not reported yet */
};

/* Pushes a request of the client at `client`, to be filled in. */
struct raia_request *raia_request_new(lua_State *L, int client,
                                      const struct raia_operation *operation);

/* Starts the request at `index`; if its client is closed, ends it as closed.
 */
void raia_request_start(lua_State *L, int index);

/* Ends the request at `index` as invalid without sending it. Pops the path of
   the invalid field and the message. */
void raia_request_refuse(lua_State *L, int index);

/* Ends a request that is under way without its caller's wish. If nobody asks
   for its results, its collection warns. */
void raia_request_drop(struct raia_request *request, enum raia_kind kind);

/* Waits for the request at `index` for at most `seconds` and returns its
   results, or nil and a message. Must end a C function, as it may yield. If a
   hook raises (Ctrl-C), cancels the request and raises. */
int raia_request_wait(lua_State *L, int index, double seconds);

/* Pushes the results of the finished request at `index` and returns their
   number. Raises what on_event raised. */
int raia_request_results(lua_State *L, int index);

/* Registers the metatable. */
void raia_request_open(lua_State *L);

#endif
