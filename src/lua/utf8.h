/* UTF-8. */
#ifndef RAIA_UTF8_H
#define RAIA_UTF8_H

#include <stddef.h>

/* The length of the character at `at`, 0 if there is none before `end`. */
size_t raia_utf8_character(const char *at, const char *end);

/* The number of characters of a string, or -1 if it is not UTF-8. */
long raia_utf8_length(const char *s, size_t length);

#endif
