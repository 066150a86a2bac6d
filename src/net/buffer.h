/* A growing byte buffer with a hard limit. */
#ifndef RAIA_BUFFER_H
#define RAIA_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

enum raia_append { RAIA_APPENDED, RAIA_OVER_LIMIT, RAIA_NO_ROOM };

/* `data` is NULL until something is appended; a NUL follows what was. */
struct raia_buffer {
  char *data;
  size_t length, capacity, limit;
};

static inline void raia_buffer_init(struct raia_buffer *b, size_t limit) {
  *b = (struct raia_buffer){.limit = limit};
}

/* Makes room for n more bytes, which are within the limit. False if there is
   no memory. */
bool raia_buffer_reserve(struct raia_buffer *b, size_t n);

/* Appends n bytes, or leaves the buffer unchanged and returns why. */
enum raia_append raia_buffer_append(struct raia_buffer *b, const void *bytes,
                                    size_t n);

/* Truncates to at most n bytes. */
void raia_buffer_shrink(struct raia_buffer *b, size_t n);

/* Frees the memory but keeps the limit, so the buffer can be reused. */
static inline void raia_buffer_free(struct raia_buffer *b) {
  free(b->data);
  raia_buffer_init(b, b->limit);
}

#endif
