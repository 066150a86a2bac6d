/* The base URL of a client, checked as it was written. */
#ifndef RAIA_BASE_URL_H
#define RAIA_BASE_URL_H

#include <curl/curl.h>
#include <stdbool.h>

struct raia_base_url {
  char *text;         /* without a slash, or the API's /external, at its end */
  const char *prefix; /* the path in there, "" if it has none */
  CURLU *parsed;
  bool https, loopback;
};

/* Reads `text` into *url, or returns what is wrong with it ("out of memory"
   last of all). Either way, *url is to be freed. */
const char *raia_base_url_read(struct raia_base_url *url, const char *text,
                               bool allow_insecure);

void raia_base_url_free(struct raia_base_url *url);

#endif
