/* What is known of an attempt and its reply. */
#include "info.h"

#include "hide.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

/* Pushes a header's name in lower case. */
static void push_name(lua_State *L, const char *name, size_t length) {
  luaL_Buffer b;
  char *copy = luaL_buffinitsize(L, &b, length);
  for (size_t i = 0; i < length; i++)
    copy[i] = (char)tolower((unsigned char)name[i]);
  luaL_pushresultsize(&b, length);
}

/* Adds the header in `line` to the table at the top, after what one of the
   same name has said before. */
static void add_header(lua_State *L, const char *line, size_t length) {
  int table = lua_gettop(L);
  const char *colon = memchr(line, ':', length), *end = line + length;
  if (colon == NULL)
    return;
  push_name(L, line, (size_t)(colon - line));
  lua_pushvalue(L, -1);
  if (lua_rawget(L, table) == LUA_TSTRING) {
    lua_pushliteral(L, ", ");
  } else {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_pushliteral(L, "");
  }
  for (colon++; colon < end && isspace((unsigned char)*colon);)
    colon++;
  while (end > colon && isspace((unsigned char)end[-1]))
    end--;
  lua_pushlstring(L, colon, (size_t)(end - colon));
  lua_concat(L, 3);
  lua_rawset(L, table);
}

static void push_headers(lua_State *L, const struct raia_buffer *headers) {
  const char *line = headers->data, *end = line + headers->length;
  lua_newtable(L);
  while (line < end) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    stop = stop != NULL ? stop : end;
    add_header(L, line, (size_t)(stop - line));
    line = stop + 1;
  }
}

void raia_info_push(lua_State *L, const struct raia_request *r) {
  const struct raia_outcome *o = &r->transfer.outcome;
  luaL_checkstack(L, 12, NULL);
  lua_createtable(L, 0, 9);
  lua_pushnumber(L, o->elapsed);
  lua_setfield(L, -2, "elapsed");
  if (o->status != 0) {
    lua_pushinteger(L, (lua_Integer)o->status);
    lua_setfield(L, -2, "status");
  }
  if (*o->request_id != '\0') {
    raia_hide_push(L, r->client->endpoint, o->request_id,
                   strlen(o->request_id));
    lua_setfield(L, -2, "request_id");
  }
  if (o->headers.length > 0) {
    push_headers(L, &o->headers);
    lua_setfield(L, -2, "headers");
  }
}
