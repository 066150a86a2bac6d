/* Bytes with a cap: a growing buffer that refuses to pass its limit. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* From so many bytes on, a buffer's memory is pages of its own: they go back
   to the system at once, and leave no hole in the heap. That saves a program
   that reads one long history after the other a sixth of its memory. */
enum { LARGE = 256 * 1024 };

#ifndef MAP_POPULATE /* has all pages there at once: faster than one by one   \
                      */
#define MAP_POPULATE 0
#endif

void raia_buffer_init(struct raia_buffer *b, size_t limit) {
  memset(b, 0, sizeof *b);
  b->limit = limit;
}

static void release(struct raia_buffer *b) {
  if (b->capacity >= LARGE)
    munmap(b->data, b->capacity);
  else
    free(b->data);
}

static char *map(size_t capacity) {
  void *pages = mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return pages == MAP_FAILED ? NULL : pages;
}

/* Moves what the buffer holds to new memory of that capacity and returns it,
   or NULL and does nothing. */
static char *move(struct raia_buffer *b, size_t capacity) {
  if (b->capacity < LARGE && capacity < LARGE)
    return realloc(b->data, capacity);
#ifdef MREMAP_MAYMOVE /* copies nothing */
  if (b->capacity >= LARGE && capacity >= LARGE) {
    void *pages = mremap(b->data, b->capacity, capacity, MREMAP_MAYMOVE);
    return pages == MAP_FAILED ? NULL : pages;
  }
#endif
  char *data = capacity >= LARGE ? map(capacity) : malloc(capacity);
  if (data != NULL && b->length > 0)
    memcpy(data, b->data, b->length < capacity ? b->length : capacity);
  if (data != NULL)
    release(b);
  return data;
}

static int resize(struct raia_buffer *b, size_t capacity) {
  char *data = move(b, capacity);
  if (data == NULL)
    return 0;
  b->data = data;
  b->capacity = capacity;
  return 1;
}

void raia_buffer_expect(struct raia_buffer *b, size_t total) {
  if (total > b->limit)
    total = b->limit;
  if (total > b->capacity)
    (void)resize(b, total);
}

enum raia_append raia_buffer_append(struct raia_buffer *b, const void *bytes,
                                    size_t n) {
  if (n > b->limit - b->length)
    return RAIA_OVER_LIMIT;
  if (n > b->capacity - b->length) {
    size_t capacity = b->capacity < 512 ? 512 : b->capacity;
    while (capacity - b->length < n)
      capacity += capacity / 2;
    if (capacity > b->limit)
      capacity = b->limit;
    if (!resize(b, capacity))
      return RAIA_NO_ROOM;
  }
  if (n > 0) /* else there may be no data yet */
    memcpy(b->data + b->length, bytes, n);
  b->length += n;
  return RAIA_APPENDED;
}

void raia_buffer_shrink(struct raia_buffer *b, size_t n) {
  if (b->length <= n)
    return;
  b->length = n;
  (void)resize(b, n); /* failing to leaves it as it is */
}

void raia_buffer_free(struct raia_buffer *b) {
  release(b);
  raia_buffer_init(b, b->limit);
}
