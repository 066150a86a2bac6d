/* Paths and queries, encoded so that nothing a caller passes can escape its
   segment or word. */
#ifndef RAIA_PATH_H
#define RAIA_PATH_H

#include <stddef.h>

enum { RAIA_PATH_MAX = 16384 }; /* bytes of a path, an id, a query */

/* Returns NULL if `id` can be a path segment, otherwise why not. */
const char *raia_path_bad_id(const char *id, size_t length);

/* Percent-encodes `text` into a single path segment or query word. `out` has
   room for 3 * `length` bytes. Returns the end of the output. */
char *raia_path_encode(char *out, const char *text, size_t length);

/* Returns NULL if `path`, given whole by the caller, can be appended to the
   base URL as it is, otherwise why not. */
const char *raia_path_bad(const char *path, size_t length);

#endif
