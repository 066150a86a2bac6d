/* What a request body may hold, and the check of a Lua table against it. */
#ifndef RAIA_SCHEMA_H
#define RAIA_SCHEMA_H

#include <lua.h>
#include <stdbool.h>

enum raia_type { RAIA_STRING, RAIA_BOOLEAN, RAIA_OBJECT };

/* Sets of the schema's variants, as bits in the order of their names. */
enum { RAIA_ALWAYS = -1 };

struct raia_field {
  const char *name;
  enum raia_type type;
  int required;              /* in which variants */
  int refused;               /* in which variants */
  long greatest;             /* characters, 0: any number */
  const char *const *values; /* of an enumeration, ends with NULL */
  bool phone;                /* E.164 */
};

struct raia_schema {
  const struct raia_field *fields; /* ends with {0} */
  const char *variant; /* the first field, if its value tells, or NULL */
  const char *const *variants; /* its values, ends with NULL */
};

/* Whether the table at `index` is what the schema says, and JSON. If not,
   pushes the path of what is wrong, and what is wrong with it. Fields that
   the schema does not know pass. A NULL schema asks for JSON alone. */
bool raia_schema_check(lua_State *L, int index,
                       const struct raia_schema *schema);

#endif
