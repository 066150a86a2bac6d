/* Reads tables of options by descriptors, one row per option. */
#ifndef RAIA_OPTIONS_H
#define RAIA_OPTIONS_H

#include <lua.h>
#include <stddef.h>

enum raia_option_type {
  RAIA_OPTION_STRING,  /* const char *, without NUL, owned by the table */
  RAIA_OPTION_SECONDS, /* double */
  RAIA_OPTION_COUNT,   /* long */
  RAIA_OPTION_BOOLEAN, /* bool */
  RAIA_OPTION_HEADERS, /* struct raia_headers *, which receives them */
  RAIA_OPTION_TABLE,   /* checked, not stored */
  RAIA_OPTION_FUNCTION,
  RAIA_OPTION_ANY /* checked by whoever uses it */
};

struct raia_option {
  const char *name;
  enum raia_option_type type;
  size_t offset;      /* of the field in `out` */
  double least, most; /* range of a number */
};

/* Reads the table at argument `arg` (nil: no options) into *out, which holds
   the defaults. Raises, naming the option, if one is unknown or invalid. It
   allocates no Lua memory unless it raises, so no finalizer can change a table
   between the check of a value and its use, or free a string before the
   caller's next allocation. */
void raia_options_read(lua_State *L, int arg, const struct raia_option *rows,
                       void *out);

/* Pushes field `name` of the table at `index` without metamethods, and returns
   its type. */
int raia_options_field(lua_State *L, int index, const char *name);

#endif
