/* The API as a table, one row per operation. */
#ifndef RAIA_OPERATIONS_H
#define RAIA_OPERATIONS_H

#include "schema.h"

/* The objects that have operations as methods: groups, which are fields of a
   client, and resources, which have an id. */
enum raia_owner {
  RAIA_ON_CONVERSATIONS,
  RAIA_ON_USERS,
  RAIA_ON_PROMPTS,
  RAIA_ON_AGENT,
  RAIA_ON_FILES,
  RAIA_ON_USAGE,
  RAIA_ON_FEEDBACKS,
  RAIA_GROUPS, /* their number */
  RAIA_ON_CONVERSATION = RAIA_GROUPS,
  RAIA_ON_USER,
  RAIA_OWNERS
};

/* The argument of a call besides its options. */
enum raia_takes {
  RAIA_TAKES_NOTHING,
  RAIA_TAKES_ID,
  RAIA_TAKES_BODY,
  RAIA_TAKES_QUERY /* or nil */
};

/* What the reply becomes. */
enum raia_result {
  RAIA_RESULT_NOTHING,      /* true */
  RAIA_RESULT_TABLE,        /* the decoded value, true if the reply is empty */
  RAIA_RESULT_LIST,         /* an array, of one element if it came alone */
  RAIA_RESULT_CONVERSATION, /* a conversation */
  RAIA_RESULT_STARTED,      /* a conversation with only its id */
  RAIA_RESULT_REFRESH,      /* the conversation it was called on, updated */
  RAIA_RESULT_USER,         /* a user */
  RAIA_RESULT_FOUND,        /* a user, and the ids of its conversations */
  RAIA_RESULT_CONVERSATIONS, /* a page of conversations */
  RAIA_RESULT_USERS,         /* a page of users, or the decoded value */
  RAIA_RESULT_MESSAGE,       /* a message */
  RAIA_RESULT_MESSAGES,      /* an array of messages */
  RAIA_RESULT_ANSWER,        /* a message, or false while there is none */
  RAIA_RESULT_PROMPT,        /* a prompt's reply as a table, or false */
  RAIA_RESULT_PROMPT_ID,     /* the id of a prompt */
  RAIA_RESULT_BYTES          /* a string; true if they went into a file */
};

struct raia_operation {
  const char *name; /* name of the Lua method */
  enum raia_owner owner;
  const char *method, *path; /* each {} is replaced by an id: the resource's,
                                then the argument's */
  enum raia_takes takes;
  const char
      *class; /* whose objects stand for their id as argument, or NULL */
  const char *shorthand; /* the field that a string as body stands for */
  const char *option; /* a field of the body that may be given as an option */
  const struct raia_schema *schema; /* of the body or query, or NULL */
  enum raia_result result;
  double timeout; /* seconds, 0: the client's */
  bool large;     /* the reply may be large */
};

extern const struct raia_operation raia_operations[]; /* ends with {0} */

/* The row of client:request, whose method and path come from the caller. */
extern const struct raia_operation raia_request_operation;

/* The name of an owner's class, which is that of its metatable: raia.users. */
const char *raia_owner_class(enum raia_owner owner);

/* The object's name in error messages. */
const char *raia_operation_owner(const struct raia_operation *operation);

#endif
