/* What is not to be shown: found however it is quoted, and hidden. */
#ifndef RAIA_SECRETS_H
#define RAIA_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

enum { RAIA_SECRETS_MAX = 3 };

/* One of only zeros is empty. */
struct raia_secrets {
  char *texts[RAIA_SECRETS_MAX];
  int count;
};

/* Adds a copy of `text`, unless it is NULL or shorter than `least`: that may
   stand anywhere. False when out of memory. */
bool raia_secrets_add(struct raia_secrets *secrets, const char *text,
                      size_t least);

/* Adds what Base64 makes of `text`. */
bool raia_secrets_add_base64(struct raia_secrets *secrets, const char *text,
                             size_t least);

/* Overwrites the secrets with stars wherever they stand in the bytes: as they
   are, or with characters of them escaped as in JSON, URLs or HTML. `cut`: the
   bytes have been cut at their end, so what only begins there is hidden, too.
   Returns whether there was something. */
bool raia_secrets_mask(const struct raia_secrets *secrets, char *bytes,
                       size_t length, bool cut);

/* Wipes and frees them. */
void raia_secrets_free(struct raia_secrets *secrets);

#endif
