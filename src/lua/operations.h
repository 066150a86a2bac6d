/* The API as a table, one row per operation. */
#ifndef RAIA_OPERATIONS_H
#define RAIA_OPERATIONS_H

#include "schema.h"

/* The object that has the operation as a method. */
enum raia_owner { RAIA_ON_CONVERSATIONS, RAIA_ON_CONVERSATION };

/* The argument of a call besides its options. */
enum raia_takes { RAIA_TAKES_NOTHING, RAIA_TAKES_ID, RAIA_TAKES_BODY };

/* What the reply becomes. */
enum raia_result {
  RAIA_RESULT_NOTHING,      /* true */
  RAIA_RESULT_TABLE,        /* the decoded value, true if the reply is empty */
  RAIA_RESULT_CONVERSATION, /* a conversation */
  RAIA_RESULT_STARTED,      /* a conversation with only its id */
  RAIA_RESULT_REFRESH,      /* the conversation it was called on, updated */
  RAIA_RESULT_MESSAGE,      /* a message */
  RAIA_RESULT_MESSAGES      /* an array of messages */
};

struct raia_operation {
  const char *name; /* name of the Lua method */
  enum raia_owner owner;
  const char *method, *path; /* {} is replaced by an id */
  enum raia_takes takes;
  const char *shorthand; /* the field that a string as body stands for */
  const char *option; /* a field of the body that may be given as an option */
  const struct raia_schema *schema;
  enum raia_result result;
  double timeout; /* seconds, 0: the client's */
  bool large;     /* the reply may be large */
};

extern const struct raia_operation raia_operations[]; /* ends with {0} */

/* The row of client:request, whose method and path come from the caller. */
extern const struct raia_operation raia_request_operation;

/* The object's name in error messages. */
const char *raia_operation_owner(const struct raia_operation *operation);

#endif
