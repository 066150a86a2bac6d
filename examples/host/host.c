/* A program with a frame loop that embeds Lua and runs a user's script beside
   its own work: host SCRIPT [ARGS…]. See the Makefile here. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void pause_for(long milliseconds) {
  struct timespec time = {0, milliseconds * 1000000};
  nanosleep(&time, NULL);
}

/* Calls raia's function `name` with one argument, which it pops, and leaves
   one result. */
static int call_raia(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "raia");
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    return 0;
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  lua_insert(L, -2);
  return lua_pcall(L, 1, 1, 0) == LUA_OK;
}

/* Calls a method of the task at the bottom of the stack: one result. */
static int call_task(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  lua_pushvalue(L, 1);
  return lua_pcall(L, 1, 1, 0) == LUA_OK;
}

static int fail(lua_State *L) {
  fprintf(stderr, "host: %s\n", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  return 1;
}

int main(int argc, char **argv) {
  int ticks = 0, done = 0;
  if (argc < 2) {
    fprintf(stderr, "usage: host SCRIPT [ARGS...]\n");
    return 2;
  }
  lua_State *L = luaL_newstate();
  if (L == NULL)
    return 1;
  luaL_openlibs(L);
  lua_newtable(L); /* arg, as lua itself has it */
  for (int i = 1; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  if (luaL_loadfile(L, argv[1]) != LUA_OK || !call_raia(L, "spawn"))
    return fail(L); /* else: the task */
  while (!done) {
    lua_settop(L, 1);
    lua_pushnumber(L, 0); /* seconds that a frame may wait */
    if (!call_raia(L, "step") || !call_task(L, "done"))
      return fail(L);
    done = lua_toboolean(L, -1);
    ticks++; /* the program's own work: a frame in ten milliseconds */
    pause_for(10);
  }
  if (!call_task(L, "join"))
    return fail(L);
  printf("%d ticks\n", ticks);
  lua_close(L);
  return 0;
}
