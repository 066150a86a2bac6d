/* A Lua module for hosts that use libcurl themselves, beside raia. */
#include <curl/curl.h>
#include <lauxlib.h>

static int init(lua_State *L) {
  lua_pushinteger(L, curl_global_init(CURL_GLOBAL_ALL));
  return 1;
}

static int cleanup(lua_State *L) {
  (void)L;
  curl_global_cleanup();
  return 0;
}

static size_t ignore(char *bytes, size_t size, size_t n, void *data) {
  (void)bytes;
  (void)data;
  return size * n;
}

/* get(url): its HTTP status. */
static int get(lua_State *L) {
  long status = 0;
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, luaL_checkstring(L, 1));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_perform(easy);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup(easy);
  lua_pushinteger(L, status);
  return 1;
}

int luaopen_host_curl(lua_State *L);

int luaopen_host_curl(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"init", init}, {"cleanup", cleanup}, {"get", get}, {0, 0}};
  luaL_newlib(L, functions);
  return 1;
}
