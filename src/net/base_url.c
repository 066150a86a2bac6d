/* A client's base URL, checked as the user wrote it: libcurl versions differ
   in how they normalise escapes and dots. */
#include "base_url.h"

#include "path.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char no_memory[] = "out of memory";

static const char api[] = "/external"; /* the prefix of the API's own paths */

static bool is_loopback(const char *host) {
  struct in_addr address;
  if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
    return true;
  return inet_pton(AF_INET, host, &address) == 1 &&
         (ntohl(address.s_addr) >> 24) == 127;
}

/* Whether `text` ends in the API's prefix, which is dropped: the vendor's
   documentation includes it in the base URL. */
static bool ends_like_api(const char *text, size_t length) {
  size_t n = sizeof api - 1;
  return length >= n && memcmp(text + length - n, api, n) == 0;
}

/* Copies `text` up to the end of its path, and locates the path. */
static const char *take_apart(struct raia_base_url *url, const char *text) {
  for (const char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
      return "contains a space, a control character or a non-ASCII character";
  if (strpbrk(text, "?#@") != NULL)
    return "must not contain a user, password, query or fragment";
  url->https = strncasecmp(text, "https://", 8) == 0;
  if (!url->https && strncasecmp(text, "http://", 7) != 0)
    return "must start with https:// (or http:// for this machine)";
  size_t host = url->https ? 8 : 7;
  size_t path = host + strcspn(text + host, "/");
  size_t length = strlen(text);
  if (path == host)
    return "names no host";
  if (text[host + strcspn(text + host, "/[%")] == '%') /* no IPv6 zone */
    return "must not contain an escape in its host";
  while (length > path && text[length - 1] == '/')
    length--;
  url->text = strdup(text);
  if (url->text == NULL)
    return no_memory;
  url->text[length] = '\0';
  url->prefix = url->text + path;
  const char *bad =
      length > path ? raia_path_bad(url->prefix, length - path) : NULL;
  if (ends_like_api(url->prefix, length - path))
    url->text[length - (sizeof api - 1)] = '\0';
  return bad;
}

const char *raia_base_url_read(struct raia_base_url *url, const char *text,
                               bool allow_insecure) {
  memset(url, 0, sizeof *url);
  const char *wrong = take_apart(url, text);
  if (wrong != NULL)
    return wrong;
  url->parsed = curl_url();
  if (url->parsed == NULL)
    return no_memory;
  CURLUcode code = curl_url_set(url->parsed, CURLUPART_URL, url->text, 0);
  if (code != CURLUE_OK)
    return code == CURLUE_OUT_OF_MEMORY ? no_memory : "is not a URL";
  char *host = NULL;
  code = curl_url_get(url->parsed, CURLUPART_HOST, &host, 0);
  if (code != CURLUE_OK || *host == '\0')
    wrong = code == CURLUE_OUT_OF_MEMORY ? no_memory : "names no host";
  else
    url->loopback = is_loopback(host);
  curl_free(host);
  if (wrong == NULL && !url->https && !url->loopback && !allow_insecure)
    wrong = "uses plain http to another machine, which exposes the key to "
            "everyone in between: use https, or set allow_insecure";
  return wrong;
}

void raia_base_url_free(struct raia_base_url *url) {
  curl_url_cleanup(url->parsed);
  free(url->text);
  memset(url, 0, sizeof *url);
}
