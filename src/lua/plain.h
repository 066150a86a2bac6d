/* Bytes that stand for themselves within a JSON string. */
#ifndef RAIA_PLAIN_H
#define RAIA_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { RAIA_BLOCK = 16 };

/* The index of the first byte of eight, as they are in memory, that is not 0.
 */
static inline int raia_first(uint64_t bytes) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return __builtin_ctzll(bytes) / 8;
#else
  return __builtin_clzll(bytes) / 8;
#endif
}

/* The end of their run at `c`; if `ascii`, only ASCII counts. By blocks as far
   as there are whole ones: saves a third of the time of texts. */
static inline const char *raia_plain(const char *c, const char *end,
                                     bool ascii) {
  typedef unsigned char block __attribute__((vector_size(RAIA_BLOCK)));
  typedef signed char signed_block __attribute__((vector_size(RAIA_BLOCK)));
  for (; end - c >= RAIA_BLOCK; c += RAIA_BLOCK) {
    block b;
    uint64_t half[2];
    memcpy(&b, c, sizeof b);
    signed_block low = ascii ? (signed_block)b < ' ' : b < ' ';
    low |= (b == '"') | (b == '\\');
    memcpy(half, &low, sizeof half);
    if (half[0] != 0)
      return c + raia_first(half[0]);
    if (half[1] != 0)
      return c + 8 + raia_first(half[1]);
  }
  while (c < end && *c != '"' && *c != '\\' && (unsigned char)*c >= ' ' &&
         !(ascii && (unsigned char)*c >= 0x80))
    c++;
  return c;
}

#endif
