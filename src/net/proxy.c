/* The proxy for connections: which one, and whether its URL is usable. */
#include "proxy.h"

#include "headers.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char no_memory[] = "out of memory";

/* Users and passwords shorter than this are not searched for. */
enum { LOGIN_MIN = 4 };

const char *raia_proxy_of_environment(bool https, const char **variable) {
  static const char *const names[] = {"https_proxy", "HTTPS_PROXY",
                                      "http_proxy", "all_proxy", "ALL_PROXY"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    bool of_other = strncasecmp(names[i], "all", 3) != 0 &&
                    (strncasecmp(names[i], "https", 5) == 0) != https;
    *variable = names[i];
    if (!of_other && value != NULL && *value != '\0')
      return value;
  }
  return "";
}

/* ---- the check ---- */

/* Characters that a user or password must not hold unescaped: libcurl would
   take the rest for a host or port and print it. */
static const char ends[] = "/?#\\";

/* What is wrong with the text, checked before libcurl parses it. */
static const char *check_text(const char *url) {
  const char *rest = url + strcspn(url, ":@/?#\\");
  rest = strncmp(rest, "://", 3) == 0 ? rest + 3 : url;
  const char *at = strrchr(rest, '@'), *end = strpbrk(rest, ends);
  for (const char *c = url; *c != '\0'; c++)
    if ((unsigned char)*c <= ' ' || *c == 127)
      return "contains a space or a control character (a line end that came "
             "with "
             "it?)";
  if (at != NULL && end != NULL && end < at)
    return "has one of / ? # \\ in its user or password: write %2F %3F %23 "
           "%5C";
  if (at != NULL && strchr(rest, '@') != at)
    return "has an @ in its user or password: write %40";
  return strpbrk(rest, "?#\\") != NULL ? "has a query or a fragment" : NULL;
}

/* Whether libcurl supports proxies with this scheme. */
static bool is_known(const char *scheme) {
  static const char *const schemes[] = {"http", "socks4", "socks4a", "socks5",
                                        "socks5h"};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
    if (strcasecmp(scheme, schemes[i]) == 0)
      return true;
  return strcasecmp(scheme, "https") == 0 &&
         (curl_version_info(CURLVERSION_NOW)->features &
          CURL_VERSION_HTTPS_PROXY) != 0;
}

/* Whether there is an escape for a control character, which libcurl rejects.
 */
static bool has_control(const char *part) {
  for (const char *c = part; (c = strchr(c, '%')) != NULL; c++)
    if (((c[1] == '0' || c[1] == '1') && isxdigit((unsigned char)c[2])) ||
        strncasecmp(c, "%7f", 3) == 0)
      return true;
  return false;
}

/* Adds the proxy's user and password (or NULL) to the secrets. */
static bool add_login(struct raia_secrets *secrets, const char *user,
                      const char *password) {
  user = user == NULL ? "" : user;
  password = password == NULL ? "" : password;
  char *names = curl_easy_unescape(NULL, user, 0, NULL);
  char *opens = curl_easy_unescape(NULL, password, 0, NULL);
  size_t length =
      names == NULL || opens == NULL ? 0 : strlen(names) + strlen(opens) + 2;
  char *both = length == 0 ? NULL : malloc(length);
  bool added = both != NULL;
  if (added) {
    snprintf(both, length, "%s:%s", names, opens);
    added = raia_secrets_add(secrets, names, LOGIN_MIN) &&
            raia_secrets_add(secrets, opens, LOGIN_MIN) &&
            raia_secrets_add_base64(secrets, both, LOGIN_MIN);
  }
  raia_wipe(both);
  raia_wipe(names);
  raia_wipe(opens);
  free(both);
  curl_free(names);
  curl_free(opens);
  return added;
}

/* The parts of a URL in the order they are checked. */
enum { SCHEME, HOST, PATH, USER, PASSWORD, PARTS };

static const struct {
  CURLUPart part;
  CURLUcode none; /* the code for an optional part that is missing */
} parts[PARTS] = {{CURLUPART_SCHEME, CURLUE_OK},
                  {CURLUPART_HOST, CURLUE_NO_HOST},
                  {CURLUPART_PATH, CURLUE_OK},
                  {CURLUPART_USER, CURLUE_NO_USER},
                  {CURLUPART_PASSWORD, CURLUE_NO_PASSWORD}};

static const char *check_parts(char *const got[PARTS],
                               struct raia_secrets *secrets) {
  if (!is_known(got[SCHEME]))
    return "has a scheme that libcurl does not support for proxies";
  if (got[HOST] == NULL || *got[HOST] == '\0')
    return "names no host";
  if (strcmp(got[PATH], "/") != 0 && strncasecmp(got[SCHEME], "socks", 5) != 0)
    return "has a path";
  for (int i = USER; i <= PASSWORD; i++)
    if (got[i] != NULL && has_control(got[i]))
      return "has a control character in its user or password";
  return add_login(secrets, got[USER], got[PASSWORD]) ? NULL : no_memory;
}

/* Checks the parts of a URL that libcurl has parsed. */
static const char *check_parsed(CURLU *parsed, struct raia_secrets *secrets) {
  char *got[PARTS] = {NULL};
  const char *wrong = NULL;
  for (int i = 0; i < PARTS; i++) {
    CURLUcode code = curl_url_get(parsed, parts[i].part, &got[i], 0);
    if (code != CURLUE_OK && code != parts[i].none)
      wrong = code == CURLUE_OUT_OF_MEMORY ? no_memory : "is not a URL";
  }
  if (wrong == NULL)
    wrong = check_parts(got, secrets);
  for (int i = 0; i < PARTS; i++) {
    raia_wipe(got[i]);
    curl_free(got[i]);
  }
  return wrong;
}

const char *raia_proxy_check(const char *url, struct raia_secrets *secrets) {
  const char *wrong = check_text(url);
  if (wrong != NULL)
    return wrong;
  CURLU *parsed = curl_url();
  CURLUcode code = CURLUE_OUT_OF_MEMORY;
  if (parsed != NULL)
    code = curl_url_set(parsed, CURLUPART_URL, url,
                        CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
  if (code == CURLUE_OK)
    wrong = check_parsed(parsed, secrets);
  else if (code == CURLUE_BAD_PORT_NUMBER)
    wrong = "has an invalid port";
  else if (code == CURLUE_OUT_OF_MEMORY || code == CURLUE_BAD_LOGIN)
    wrong = no_memory; /* a login fails only when out of memory */
  else
    wrong = "is not a URL";
  curl_url_cleanup(parsed);
  return wrong;
}
