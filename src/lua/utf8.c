/* UTF-8. */
#include "utf8.h"

#include <stdbool.h>

size_t raia_utf8_character(const char *at, const char *end) {
  const unsigned char *c = (const unsigned char *)at;
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t bytes = *c < 0x80             ? 1
                 : (*c & 0xE0) == 0xC0 ? 2
                 : (*c & 0xF0) == 0xE0 ? 3
                 : (*c & 0xF8) == 0xF0 ? 4
                                       : 0;
  if (bytes < 2 || bytes > (size_t)(end - at))
    return bytes == 1;
  unsigned code = *c & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; i++) {
    if ((c[i] & 0xC0) != 0x80)
      return 0;
    code = code << 6 | (c[i] & 0x3Fu);
  }
  bool bad = code < least[bytes] || code > 0x10FFFF ||
             (code >= 0xD800 && code <= 0xDFFF);
  return bad ? 0 : bytes;
}

long raia_utf8_length(const char *s, size_t length) {
  long characters = 0;
  for (const char *end = s + length; s < end; characters++) {
    size_t bytes = raia_utf8_character(s, end);
    if (bytes == 0)
      return -1;
    s += bytes;
  }
  return characters;
}
