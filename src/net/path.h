/* Paths and queries: nothing a caller passes can leave its place in them. */
#ifndef RAIA_PATH_H
#define RAIA_PATH_H

#include <stddef.h>

enum { RAIA_PATH_MAX = 16384 }; /* bytes of a path, an id, a query */

/* NULL when `id` can be one segment of a path, else why not. */
const char *raia_path_bad_id(const char *id, size_t length);

/* Writes `text` percent-encoded, so that it is one segment or one word of a
   query and nothing else, to `out`, which has room for three times `length`
   bytes. Returns the end of what it wrote. */
char *raia_path_encode(char *out, const char *text, size_t length);

/* NULL when `path`, given whole by the caller, can be sent as it is under the
   base URL's own, else why not. */
const char *raia_path_bad(const char *path, size_t length);

#endif
