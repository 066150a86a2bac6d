/* Whatever an id, path, query or base URL holds, a request stays under its
   prefix. The input: which of them, and its bytes. */
#include "../../src/lua/call.c"

#include "fuzz.h"

#include "../../src/net/handle.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

/* The part of the handle's URL, NULL where it has none. curl_free() it. */
static char *part(struct raia_handle *handle, CURLUPart which) {
  char *text = NULL;
  curl_url_get(handle->url, which, &text, 0);
  return text;
}

/* Checks that no segment of a path but the last is empty, none "." or "..",
 * escaped or not. */
static void check_segments(const char *path) {
  while (*path == '/') {
    char plain[3] = "";
    size_t n = 0;
    for (path++; *path != '/' && *path != '\0'; n++) {
      bool escaped = strncasecmp(path, "%2e", 3) == 0;
      if (n < 2)
        plain[n] = escaped ? '.' : *path;
      path += escaped ? 3 : 1;
    }
    CHECK(n == 0 ? *path == '\0' : n > 2 || strspn(plain, ".") < n);
  }
}

/* Checks that a request of `endpoint` for path and query would be one for just
   that under `prefix`, in what libcurl reads and in what it writes. (It makes
   the digits of escapes small.) */
static void check_aim(struct raia_endpoint *endpoint, const char *prefix,
                      const char *path, const char *query) {
  struct raia_asked ask = {
      .endpoint = endpoint, .method = "GET", .path = path, .query = query};
  struct raia_handle *handle = raia_handle_take(endpoint, NULL);
  CHECK(handle != NULL && raia_handle_prepare(handle, &ask, false));
  char *url = part(handle, CURLUPART_URL), *all = part(handle, CURLUPART_PATH),
       *asked = part(handle, CURLUPART_QUERY), *again = NULL;
  CHECK(strncmp(all, prefix, strlen(prefix)) == 0);
  CHECK(strcasecmp(all + strlen(prefix), path) == 0);
  CHECK(query == NULL ? asked == NULL : strcasecmp(asked, query) == 0);
  CHECK(part(handle, CURLUPART_FRAGMENT) == NULL);
  CHECK(part(handle, CURLUPART_USER) == NULL);
  CHECK(part(handle, CURLUPART_PASSWORD) == NULL);
  for (const char *c = url; *c != '\0'; c++)
    CHECK(*c > ' ' && *c < 127);
  CURLU *parsed = curl_url(); /* no dots or slashes that mean something else */
  CHECK(curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK);
  CHECK(curl_url_get(parsed, CURLUPART_URL, &again, 0) == CURLUE_OK);
  CHECK(strcmp(url, again) == 0);
  check_segments(all);
  curl_url_cleanup(parsed);
  curl_free(url);
  curl_free(all);
  curl_free(asked);
  curl_free(again);
  raia_handle_put_back(endpoint, handle);
}

static struct raia_endpoint *some_endpoint(void) {
  static struct raia_endpoint *endpoint;
  const char *option;
  struct raia_endpoint_options options = {.base_url =
                                              "https://h:8443/pre/fix/",
                                          .secret_key = "k",
                                          .user_agent = "u",
                                          .max_connections = 1};
  if (endpoint == NULL)
    CHECK(raia_endpoint_open(&endpoint, &options, &option) == NULL);
  return endpoint;
}

/* Checks that `text` is `length` bytes percent-encoded, up to `end`. */
static const char *check_encoded(const char *text, const char *bytes,
                                 size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned c = (unsigned char)*text++;
    if (c == '%') {
      CHECK(sscanf(text, "%2X", &c) == 1);
      text += 2;
    } else {
      CHECK(isalnum((int)c) || strchr("-._~", (int)c) != NULL);
    }
    CHECK(c == (unsigned char)bytes[i]);
  }
  return text;
}

static void try_id(lua_State *L, const char *id, size_t length) {
  bool dots = (length == 1 || length == 2) && strspn(id, ".") == length;
  bool bad = raia_path_bad_id(id, length) != NULL;
  CHECK(bad == (dots || length == 0));
  if (bad)
    return;
  lua_pushlstring(L, id, length);
  for (const struct raia_operation *row = raia_operations; row->name; row++) {
    push_path(L, row, 0, 1);
    size_t n;
    const char *path = lua_tolstring(L, -1, &n), *at = path, *rest = row->path,
               *hole;
    CHECK(raia_path_bad(path, n) == NULL);
    for (; (hole = strstr(rest, "{}")) != NULL; rest = hole + 2) {
      size_t skip = (size_t)(hole - rest);
      CHECK(strncmp(at, rest, skip) == 0);
      at = check_encoded(at + skip, id, length);
    }
    CHECK(strcmp(at, rest) == 0);
    check_aim(some_endpoint(), "/pre/fix", path, NULL);
    lua_pop(L, 1);
  }
}

static void try_path(const char *path, size_t length) {
  if (raia_path_bad(path, length) != NULL)
    return;
  CHECK(path[0] == '/' && strlen(path) == length);
  check_aim(some_endpoint(), "/pre/fix", path, NULL);
}

/* A query of one name and value. */
static void try_query(lua_State *L, const char *text, size_t length) {
  size_t name = length / 2, value = length - name;
  lua_newtable(L);
  lua_pushlstring(L, text, name);
  lua_pushlstring(L, text + name, value);
  lua_rawset(L, -3);
  lua_pushliteral(L, "");
  lua_insert(L, -2);
  raia_query_add(L, -2, 1);
  const char *query = lua_tostring(L, -1);
  const char *sign = check_encoded(query, text, name);
  CHECK(*sign == '=');
  CHECK(*check_encoded(sign + 1, text + name, value) == '\0');
  check_aim(some_endpoint(), "/pre/fix", "/x", query);
}

static bool is_this_machine(const char *host) {
  struct in_addr four;
  struct in6_addr six;
  char bare[64] = "";
  if (*host == '[' && strlen(host) < sizeof bare)
    memcpy(bare, host + 1, strlen(host) - 2);
  return strcasecmp(host, "localhost") == 0 ||
         (inet_aton(host, &four) && ntohl(four.s_addr) >> 24 == 127) ||
         (inet_pton(AF_INET6, bare, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six));
}

static void try_base_url(const char *url, bool allow_insecure) {
  struct raia_endpoint *endpoint;
  const char *option;
  struct raia_endpoint_options options = {.base_url = url,
                                          .secret_key = "k",
                                          .user_agent = "u",
                                          .max_connections = 1,
                                          .allow_insecure = allow_insecure};
  const char *wrong = raia_endpoint_open(&endpoint, &options, &option);
  CHECK((wrong == NULL) == (endpoint != NULL));
  if (wrong != NULL)
    return;
  struct raia_asked ask = {
      .endpoint = endpoint, .method = "GET", .path = "/x"};
  struct raia_handle *handle = raia_handle_take(endpoint, NULL);
  CHECK(handle != NULL && raia_handle_prepare(handle, &ask, false));
  char *scheme = part(handle, CURLUPART_SCHEME),
       *host = part(handle, CURLUPART_HOST),
       *prefix = part(handle, CURLUPART_PATH);
  raia_handle_put_back(endpoint, handle);
  CHECK(strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);
  CHECK(*host != '\0');
  CHECK(allow_insecure || strcmp(scheme, "https") == 0 ||
        is_this_machine(host));
  CHECK(strncasecmp(url, scheme, strlen(scheme)) == 0 &&
        url[strlen(scheme)] == ':');
  prefix[strlen(prefix) - 2] = '\0';
  check_aim(endpoint, prefix, "/x", NULL);
  CHECK(*prefix == '\0' || raia_path_bad(prefix, strlen(prefix)) == NULL);
  const char *shown = raia_endpoint_url(endpoint);
  size_t all = strlen(shown), end = strlen(prefix);
  CHECK(all > end && strcasecmp(shown + all - end, prefix) == 0);
  CHECK(strncmp(shown, url, strlen(shown)) == 0);
  CHECK(shown[strlen(shown) - 1] != '/');
  CHECK(strpbrk(shown, "@?#") == NULL);
  curl_free(scheme);
  curl_free(host);
  curl_free(prefix);
  raia_endpoint_close(endpoint);
}

static int one(lua_State *L) {
  struct bytes *b = lua_touserdata(L, 1);
  unsigned what = take(b);
  size_t length;
  char *text = take_string(b, b->left, &length);
  lua_settop(L, 0);
  switch (what % 5) {
  case 0:
    try_id(L, text, length);
    break;
  case 1:
    try_path(text, length);
    break;
  case 2:
    try_query(L, text, length);
    break;
  default:
    try_base_url(text, what % 5 == 4);
  }
  free(text);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  run(one, data, size);
  return 0;
}
