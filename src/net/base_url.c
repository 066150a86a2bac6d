/* The base URL of a client, checked as it was written: libcurls differ in what
   they make of escapes and dots before one can look. */
#include "base_url.h"

#include "path.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char no_memory[] = "out of memory";

static const char api[] =
    "/external"; /* what the API's own paths begin with */

static bool is_loopback(const char *host) {
  struct in_addr address;
  if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
    return true;
  return inet_pton(AF_INET, host, &address) == 1 &&
         (ntohl(address.s_addr) >> 24) == 127;
}

/* Whether `text` has an end like the API's, which is left out: the vendor
   writes its base URL with it. */
static bool ends_like_api(const char *text, size_t length) {
  size_t n = sizeof api - 1;
  return length >= n && memcmp(text + length - n, api, n) == 0;
}

/* Copies `text`, up to its path's end, and finds the path. */
static const char *take_apart(struct raia_base_url *url, const char *text) {
  for (const char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
      return "holds a space, a control character or one beyond ASCII";
  if (strpbrk(text, "?#@") != NULL)
    return "must hold no user, password, query or fragment";
  url->https = strncasecmp(text, "https://", 8) == 0;
  if (!url->https && strncasecmp(text, "http://", 7) != 0)
    return "must begin with https:// (or http:// to this machine)";
  size_t host = url->https ? 8 : 7;
  size_t path = host + strcspn(text + host, "/");
  size_t length = strlen(text);
  if (path == host)
    return "names no host";
  if (text[host + strcspn(text + host, "/[%")] == '%') /* no zone of IPv6 */
    return "must hold no escape in its host";
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
    wrong = "uses plain http to another machine, which shows the key to "
            "all between: use https, or set allow_insecure";
  return wrong;
}

void raia_base_url_free(struct raia_base_url *url) {
  curl_url_cleanup(url->parsed);
  free(url->text);
  memset(url, 0, sizeof *url);
}
