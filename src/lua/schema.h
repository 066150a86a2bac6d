/* Schemas of request bodies, and the check of a Lua table against one. */
#ifndef RAIA_SCHEMA_H
#define RAIA_SCHEMA_H

#include <lua.h>
#include <stdbool.h>

enum raia_type {
  RAIA_STRING,
  RAIA_NUMBER,
  RAIA_BOOLEAN,
  RAIA_OBJECT,
  RAIA_LIST
};

/* Sets of the schema's variants, as bits in the order of their names. */
enum { RAIA_ALWAYS = -1 };

struct raia_field {
  const char *name;
  enum raia_type type;
  int required;                /* in which variants */
  int refused;                 /* in which variants */
  long greatest;               /* maximum number of characters, 0: no limit */
  const char *const *values;   /* allowed values, ending with NULL */
  bool phone;                  /* a phone number in E.164 form, … */
  const char *unless;          /* … unless this field is true */
  const struct raia_field *of; /* the fields of a list's elements */
};

/* The elements of a list are strings. */
#define RAIA_STRINGS raia_strings
extern const struct raia_field raia_strings[];

struct raia_schema {
  const struct raia_field *fields; /* ends with {0} */
  const char *variant; /* the field whose value selects the variant, or NULL */
  const char *const *variants; /* its values, ending with NULL */
  const char *const *any;      /* fields of which one is required, or NULL */
};

/* Whether the table at `index` matches the schema. If not, pushes the path of
   the offending value and a message. */
bool raia_schema_check(lua_State *L, int index,
                       const struct raia_schema *schema);

/* Pushes the JSON of the table at `index` and returns true, if it matches the
   schema and can be written. If not, pushes the path of the offending value
   and a message, and returns false. Unknown fields pass. A NULL schema checks
   nothing. */
bool raia_schema_write(lua_State *L, int index,
                       const struct raia_schema *schema);

#endif
