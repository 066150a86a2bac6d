/* Lists of request headers: one name once, and wiped when they are freed. */
#ifndef RAIA_HEADERS_H
#define RAIA_HEADERS_H

#include <stddef.h>

/* The header that the key is in. */
#define RAIA_KEY_HEADER "Agent-Secret-Key"

struct curl_slist;

/* One of only zeros is empty. */
struct raia_headers {
  struct curl_slist *lines;
};

/* NULL when the header may be sent, else why not. */
const char *raia_header_bad(const char *name, size_t name_length,
                            const char *value, size_t value_length);

/* Adds a header, in place of one of that name. 0 when out of memory. */
int raia_headers_set(struct raia_headers *headers, const char *name,
                     const char *value);

/* Adds those of `more` whose names are not there yet. 0 when out of memory. */
int raia_headers_join(struct raia_headers *headers,
                      const struct curl_slist *more);

void raia_headers_free(struct raia_headers *headers);

/* Overwrites a string that may hold the key. NULL is fine. */
void raia_wipe(char *s);

#endif
