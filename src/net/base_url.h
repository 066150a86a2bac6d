/* A client's base URL, checked as the user wrote it. */
#ifndef RAIA_BASE_URL_H
#define RAIA_BASE_URL_H

#include <curl/curl.h>
#include <stdbool.h>

struct raia_base_url {
  char *text;         /* without a trailing slash or /external */
  const char *prefix; /* the path within it, "" if there is none */
  CURLU *parsed;
  bool https, loopback;
};

/* Parses `text` into *url, or returns what is wrong with it ("out of memory"
   among others). The caller frees *url either way. */
const char *raia_base_url_read(struct raia_base_url *url, const char *text,
                               bool allow_insecure);

void raia_base_url_free(struct raia_base_url *url);

#endif
