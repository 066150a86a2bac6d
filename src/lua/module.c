/* The module raia.core. */
#include "module.h"

#include "call.h"
#include "client.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "message.h"
#include "net/process.h"
#include "object.h"
#include "request.h"
#include "resource.h"
#include "tasks.h"
#include "version.h"
#include "wait.h"

#include <lauxlib.h>

/* raia.array(table): marks it as an array, and returns it. */
static int array(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argcheck(L, !lua_getmetatable(L, 1), 1,
                "the table has a metatable already");
  lua_settop(L, 1);
  luaL_setmetatable(L, RAIA_ARRAY);
  return 1;
}

int luaopen_raia_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"client", raia_client_new},
                                       {"totable", raia_object_totable},
                                       {"array", array},
                                       {"client_of", raia_resource_client_of},
                                       {0, 0}};
  static const char too_old[] =
      "raia needs libcurl 7.87 or later; this process has loaded %s";
  const char *old = raia_process_old_libcurl();
  luaL_checkversion(L);
  if (old != NULL)
    return luaL_error(L, too_old, old);
  raia_json_open(L);
  raia_wait_open(L);
  raia_error_open(L);
  raia_message_open(L);
  raia_resource_open(L);
  raia_object_open(L);
  raia_request_open(L);
  raia_client_open(L);
  luaL_newlib(L, functions);
  lua_newtable(L);
  raia_tasks_open(L);
  lua_setfield(L, -2, "scheduler");
  lua_newtable(L);
  raia_file_open(L);
  lua_setfield(L, -2, "file");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, RAIA_METHODS);
  lua_setfield(L, -2, "methods");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushliteral(L, "raia " RAIA_VERSION);
  lua_setfield(L, -2, "_VERSION");
  return 1;
}
