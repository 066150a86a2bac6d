/* The functions of raia/schedule.lua that C calls. If they are not set,
   nothing runs in a task. */
#include "hooks.h"

/* Registry keys of the functions, by address. */
static char hook_keys[4];
enum { SUSPEND, CHANGED, WAKE, REPORT, HOOKS };

static bool push_hook(lua_State *L, int hook) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hook_keys[hook]) == LUA_TFUNCTION)
    return true;
  lua_pop(L, 1);
  return false;
}

bool raia_hooks_push_suspend(lua_State *L) { return push_hook(L, SUSPEND); }

void raia_hooks_changed(lua_State *L, int started) {
  if (!push_hook(L, CHANGED))
    return;
  if (started != 0)
    lua_pushvalue(L, started);
  else
    lua_pushnil(L);
  lua_call(L, 1, 0);
}

void raia_hooks_wake(lua_State *L, bool late) {
  if (!lua_toboolean(L, -1) || !push_hook(L, WAKE)) {
    lua_pop(L, 1);
    return;
  }
  lua_insert(L, -2);
  lua_pushboolean(L, late);
  lua_call(L, 2, 0);
}

void raia_hooks_report(lua_State *L) {
  if (push_hook(L, REPORT) && lua_pcall(L, 0, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

int raia_hooks_set(lua_State *L) {
  lua_settop(L, HOOKS);
  for (int i = HOOKS - 1; i >= 0; i--)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hook_keys[i]);
  return 0;
}
