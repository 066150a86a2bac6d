/* Bytes with a cap: a buffer that grows with what comes, up to its limit. */
#ifndef RAIA_BUFFER_H
#define RAIA_BUFFER_H

#include <stddef.h>

enum raia_append { RAIA_APPENDED, RAIA_OVER_LIMIT, RAIA_NO_ROOM };

struct raia_buffer {
  char *data;
  size_t length, capacity, limit;
};

void raia_buffer_init(struct raia_buffer *b, size_t limit);

/* Appends n bytes, or leaves the buffer as it was and says why not. */
enum raia_append raia_buffer_append(struct raia_buffer *b, const void *bytes,
                                    size_t n);

/* Keeps only the first n bytes, if there are more. */
void raia_buffer_shrink(struct raia_buffer *b, size_t n);

/* Frees the memory and keeps the limit: the buffer can be filled again. */
void raia_buffer_free(struct raia_buffer *b);

#endif
