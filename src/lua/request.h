/* A request: a call under way, or what it came to. */
#ifndef RAIA_REQUEST_H
#define RAIA_REQUEST_H

#include "client.h"
#include "net/transfer.h"
#include "operations.h"

#include <lua.h>

#define RAIA_REQUEST "raia.request"

/* The user values of a request. */
enum {
  RAIA_REQUEST_CLIENT = 1,
  RAIA_REQUEST_TARGET, /* the conversation it was called on */
  RAIA_REQUEST_METHOD, /* the strings that the transfer points to */
  RAIA_REQUEST_PATH,
  RAIA_REQUEST_QUERY,
  RAIA_REQUEST_BODY,
  RAIA_REQUEST_RESULTS, /* packed, once they are made */
  RAIA_REQUEST_ERROR,   /* raised by on_event, in a table */
  RAIA_REQUEST_WAITER,  /* what to wake when it is done */
  RAIA_REQUEST_VALUES = RAIA_REQUEST_WAITER /* how many there are */
};

struct raia_request {
  struct raia_transfer transfer;
  const struct raia_operation *operation;
  struct raia_client *client;
  struct raia_link of_client;
  bool awaited; /* there is somebody to wake */
  bool held;    /* by the caller, who may ask for its results again */
  bool dropped; /* ended by nobody's wish, and nobody has heard of it yet */
};

/* Pushes a request of the client at `client`, ready to be filled in. */
struct raia_request *raia_request_new(lua_State *L, int client,
                                      const struct raia_operation *operation);

/* Starts the request at `index`, or ends it as closed with its client. */
void raia_request_start(lua_State *L, int index);

/* Ends the request at `index` as invalid, without sending it: path and
   message of what is wrong are on top and are popped. */
void raia_request_refuse(lua_State *L, int index);

/* Ends a request, if it is under way, without its caller's wish. When it is
   collected and nobody has asked what came of it, there is a warning. */
void raia_request_drop(struct raia_request *request, enum raia_kind kind);

/* Waits until the request at `index` is done, or for `seconds`, and returns
   what it came to, or nil and a message. The end of a C function: it may
   yield. Raises when a hook (Ctrl-C) does; the request is then cancelled. */
int raia_request_wait(lua_State *L, int index, double seconds);

/* Pushes what the finished request at `index` came to and returns how many
   values that is. Raises what on_event raised. */
int raia_request_results(lua_State *L, int index);

/* Registers the metatable. */
void raia_request_open(lua_State *L);

#endif
