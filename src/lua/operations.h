/* The API as a table: a row an operation. */
#ifndef RAIA_OPERATIONS_H
#define RAIA_OPERATIONS_H

#include "schema.h"

/* The object that an operation is a method of. */
enum raia_owner { RAIA_ON_CONVERSATIONS, RAIA_ON_CONVERSATION };

/* What a call takes besides its options. */
enum raia_takes { RAIA_TAKES_NOTHING, RAIA_TAKES_ID, RAIA_TAKES_BODY };

/* What the reply becomes. */
enum raia_result {
  RAIA_RESULT_NOTHING,      /* true */
  RAIA_RESULT_TABLE,        /* the decoded table, true when there is none */
  RAIA_RESULT_CONVERSATION, /* a conversation */
  RAIA_RESULT_STARTED,      /* a conversation of which only the id is known */
  RAIA_RESULT_REFRESH,      /* the conversation it was called on, anew */
  RAIA_RESULT_MESSAGE,      /* a message */
  RAIA_RESULT_MESSAGES      /* an array of messages */
};

struct raia_operation {
  const char *name; /* of the Lua method */
  enum raia_owner owner;
  const char *method, *path; /* {} stands for an id */
  enum raia_takes takes;
  const char *shorthand; /* the field that a string given as body means */
  const char *option;    /* a field of the body that may be an option */
  const struct raia_schema *schema;
  enum raia_result result;
  double timeout; /* seconds, 0: the client's */
  bool large;     /* the reply may be large */
};

extern const struct raia_operation raia_operations[]; /* ends with {0} */

/* client:request's row, of which method and path are the caller's. */
extern const struct raia_operation raia_request_operation;

/* How errors name the call. */
const char *raia_operation_owner(const struct raia_operation *operation);

#endif
