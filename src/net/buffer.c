/* A growing byte buffer with a hard limit. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

static int resize(struct raia_buffer *b, size_t capacity) {
  char *data = realloc(b->data, capacity);
  if (data == NULL)
    return 0;
  b->data = data;
  b->capacity = capacity;
  return 1;
}

enum raia_append raia_buffer_append(struct raia_buffer *b, const void *bytes,
                                    size_t n) {
  if (n > b->limit - b->length)
    return RAIA_OVER_LIMIT;
  if (n > b->capacity - b->length) {
    size_t capacity = b->capacity < 512 ? 512 : b->capacity;
    while (capacity - b->length < n)
      capacity *= 2;
    if (capacity > b->limit)
      capacity = b->limit;
    if (!resize(b, capacity))
      return RAIA_NO_ROOM;
  }
  if (n > 0) /* otherwise data may still be NULL */
    memcpy(b->data + b->length, bytes, n);
  b->length += n;
  return RAIA_APPENDED;
}

void raia_buffer_shrink(struct raia_buffer *b, size_t n) {
  if (b->length <= n)
    return;
  b->length = n;
  (void)resize(b, n); /* on failure the buffer stays as it is */
}
