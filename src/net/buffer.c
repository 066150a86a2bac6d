/* A growing byte buffer with a hard limit. */
#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool resize(struct raia_buffer *b, size_t capacity) {
  char *data = capacity == SIZE_MAX ? NULL : realloc(b->data, capacity + 1);
  if (data == NULL)
    return false;
  b->data = data;
  b->capacity = capacity;
  return true;
}

enum { LEAST = 128 }; /* bytes at first, unless more come at once */

bool raia_buffer_reserve(struct raia_buffer *b, size_t n) {
  size_t capacity = b->capacity;
  if (n <= b->capacity - b->length)
    return true;
  if (capacity == 0)
    capacity = n < LEAST ? LEAST : n;
  while (capacity - b->length < n)
    capacity *= 2;
  return resize(b, capacity > b->limit ? b->limit : capacity);
}

enum raia_append raia_buffer_append(struct raia_buffer *b, const void *bytes,
                                    size_t n) {
  if (n > b->limit - b->length)
    return RAIA_OVER_LIMIT;
  if (!raia_buffer_reserve(b, n))
    return RAIA_NO_ROOM;
  if (n > 0) { /* otherwise data may still be NULL */
    memcpy(b->data + b->length, bytes, n);
    b->length += n;
    b->data[b->length] = '\0';
  }
  return RAIA_APPENDED;
}

void raia_buffer_shrink(struct raia_buffer *b, size_t n) {
  if (b->length <= n)
    return;
  b->length = n;
  b->data[n] = '\0';
  (void)resize(b, n); /* on failure the buffer stays as it is */
}
