/* Lists of request headers: each name at most once, wiped when freed. */
#ifndef RAIA_HEADERS_H
#define RAIA_HEADERS_H

#include <stddef.h>

/* The header that carries the key. */
#define RAIA_KEY_HEADER "Agent-Secret-Key"

struct curl_slist;

/* A zeroed one is empty. */
struct raia_headers {
  struct curl_slist *lines;
};

/* Returns NULL if the header may be sent, otherwise why not. */
const char *raia_header_bad(const char *name, size_t name_length,
                            const char *value, size_t value_length);

/* Adds a header, replacing one of the same name. 0 when out of memory. */
int raia_headers_set(struct raia_headers *headers, const char *name,
                     const char *value);

/* Adds the headers of `more` whose names are not in the list. 0 when out of
   memory. */
int raia_headers_join(struct raia_headers *headers,
                      const struct curl_slist *more);

void raia_headers_free(struct raia_headers *headers);

/* Overwrites a string that may hold the key. NULL is fine. */
void raia_wipe(char *s);

#endif
