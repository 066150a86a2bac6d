/* What the fuzz targets share: checks, bytes to draw from, a Lua state. Each
   target is one file with LLVMFuzzerTestOneInput. */
#ifndef RAIA_FUZZ_H
#define RAIA_FUZZ_H

#include "../../src/lua/json.h"
#include "../../src/lua/module.h"
#include "../../src/lua/operations.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(holds)                                                          \
  ((holds) ? (void)0                                                          \
           : (fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,         \
                      __LINE__, #holds),                                      \
              abort()))

/* What is left of an input. */
struct bytes {
  const uint8_t *at;
  size_t left;
};

/* The next byte, 0 at the end. */
static inline unsigned take(struct bytes *b) {
  if (b->left == 0)
    return 0;
  b->left--;
  return *b->at++;
}

/* The next `most` bytes, or those left, as a string of exactly that size, so
   that a sanitizer sees who reads past its end. The caller frees it. */
/* An operation's row, or the {0} after the last. */
static inline const struct raia_operation *take_operation(struct bytes *b) {
  unsigned count = 0;
  while (raia_operations[count].name != NULL)
    count++;
  unsigned i = take(b) % (count + 1);
  return &raia_operations[i < 7 ? i : i == 7 ? count : i - 1];
}

static inline char *take_string(struct bytes *b, size_t most, size_t *length) {
  *length = b->left < most ? b->left : most;
  char *s = malloc(*length + 1);
  CHECK(s != NULL);
  if (*length > 0)
    memcpy(s, b->at, *length);
  s[*length] = '\0';
  b->at += *length;
  b->left -= *length;
  return s;
}

/* Calls f in a Lua state with raia loaded and a client as global `client`. It
   finds the bytes as argument 1 and may not raise. */
static inline void run(lua_CFunction f, const uint8_t *data, size_t size) {
  static lua_State *L;
  struct bytes bytes = {data, size};
  if (L == NULL) {
    unsetenv("RAIA_LOG");
    L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "raia.core", luaopen_raia_core, 0);
    lua_pop(L, 1);
    CHECK(luaL_dostring(L, "client = require 'raia.core'.client {"
                           "secret_key = 'k', base_url = 'https://h/pre' }") ==
          LUA_OK);
  }
  lua_pushcfunction(L, f);
  lua_pushlightuserdata(L, &bytes);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "raised: %s\n", lua_tostring(L, -1));
    abort();
  }
  lua_settop(L, 0);
}

/* Whether the string at `index` is UTF-8, as Lua sees it. */
static inline int is_utf8(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lua_getglobal(L, "utf8");
  lua_getfield(L, -1, "len");
  lua_pushvalue(L, index);
  lua_call(L, 1, 1);
  int is = lua_isinteger(L, -1);
  lua_pop(L, 2);
  return is;
}

/* Checks that the string at `index` is UTF-8 that steers no terminal. */
static inline void check_clean(lua_State *L, int index) {
  size_t length;
  const char *s = lua_tolstring(L, index, &length);
  CHECK(lua_type(L, index) == LUA_TSTRING && length < 8192);
  CHECK(is_utf8(L, index));
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)s[i];
    CHECK(c >= ' ' && c != 127);
    CHECK(c != 0xC2 || (unsigned char)s[i + 1] >= 0xA0);
  }
}

/* Checks nil, message, err from `index` on. */
static inline void check_failure(lua_State *L, int index, const char *kind) {
  CHECK(lua_gettop(L) == index + 2 && lua_isnil(L, index));
  check_clean(L, index + 1);
  CHECK(lua_getfield(L, index + 2, "kind") == LUA_TSTRING);
  CHECK(strcmp(lua_tostring(L, -1), kind) == 0);
  lua_getfield(L, index + 2, "message");
  CHECK(lua_rawequal(L, -1, index + 1));
  lua_pop(L, 2);
}

#endif
