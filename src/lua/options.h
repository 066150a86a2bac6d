/* Tables of options read by descriptors: a row an option. */
#ifndef RAIA_OPTIONS_H
#define RAIA_OPTIONS_H

#include <lua.h>
#include <stddef.h>

enum raia_option_type {
  RAIA_OPTION_STRING,  /* const char *; without NUL; the table holds it */
  RAIA_OPTION_SECONDS, /* double */
  RAIA_OPTION_COUNT,   /* long */
  RAIA_OPTION_BOOLEAN, /* bool */
  RAIA_OPTION_HEADERS, /* struct raia_headers *: they are put in there */
  RAIA_OPTION_TABLE,   /* checked, not stored */
  RAIA_OPTION_FUNCTION,
  RAIA_OPTION_ANY /* whoever uses it checks it */
};

struct raia_option {
  const char *name;
  enum raia_option_type type;
  size_t offset;      /* of its place in `out` */
  double least, most; /* of a number */
};

/* Reads the table that is argument `arg` (nil: no options) into *out, which
   holds the defaults. Raises, naming the option, when one is unknown or not
   what its row says. It allocates nothing of Lua's before it raises: so no
   finalizer can change a table between the check of a value and its use, nor
   before the next allocation take away a string. */
void raia_options_read(lua_State *L, int arg, const struct raia_option *rows,
                       void *out);

/* Pushes field `name` of the table at `index`, whatever its metatable says,
   and returns its type. */
int raia_options_field(lua_State *L, int index, const char *name);

#endif
