/* Secrets: found in text however they are quoted, and masked. */
#ifndef RAIA_SECRETS_H
#define RAIA_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

enum { RAIA_SECRETS_MAX = 3 };

/* A zeroed one is empty. */
struct raia_secrets {
  char *texts[RAIA_SECRETS_MAX];
  int count;
};

/* Adds a copy of `text` unless it is NULL or shorter than `least`, as short
   text may occur anywhere. False when out of memory. */
bool raia_secrets_add(struct raia_secrets *secrets, const char *text,
                      size_t least);

/* Adds `text` in Base64. */
bool raia_secrets_add_base64(struct raia_secrets *secrets, const char *text,
                             size_t least);

/* Overwrites the secrets with stars wherever they occur, literally or with
   characters escaped for JSON, URLs or HTML. `cut`: the bytes were truncated,
   so a secret that only begins at their end is masked, too. Returns whether
   anything was masked. */
bool raia_secrets_mask(const struct raia_secrets *secrets, char *bytes,
                       size_t length, bool cut);

/* Wipes and frees them. */
void raia_secrets_free(struct raia_secrets *secrets);

#endif
