/* Runs a Lua script again and again, each time in a new state, in which the
   n-th allocation of Lua, of libcurl or of raia itself fails:
   failing_alloc SCRIPT KIND WIDTH RUNS ARGUMENTS...

   KIND is lua, curl or raia. WIDTH is how many allocations fail from the n-th
   on, 0: all. RUNS is how many times to try at the most, spread evenly over
   all n there are, 0: each n from 1 until none fails. The script is called
   with n and the arguments; 0 means that none is to fail. In it, fault(n, f,
   ...) calls f in protected mode and gives how many allocations failed, the
   status, and what f returned or raised. When the script returns true, they
   go on failing while the state is closed. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { NONE, OF_LUA, OF_CURL, OF_RAIA, KINDS };
enum { SECONDS_OF_A_RUN = 60, PROBLEMS_MAX = 10 };

static const char *const kinds[] = {"none", "lua", "curl", "raia", NULL};
static enum kind wanted, armed;
static long width, first, calls, failed; /* calls: since it was armed */
/* Blocks that are not freed yet. A thread of libcurl's may free some. */
static long live[KINDS];

static void arm(long n) {
  first = n;
  calls = failed = 0;
  armed = wanted;
}

static bool fails(enum kind kind) {
  if (kind != armed)
    return false;
  calls++;
  if (first == 0 || calls < first || (width > 0 && calls >= first + width))
    return false;
  failed++;
  return true;
}

/* ---- the allocators ---- */

static void *counted(enum kind kind, void *block) {
  __atomic_fetch_add(&live[kind], block != NULL, __ATOMIC_SEQ_CST);
  return block;
}

static void release(enum kind kind, void *block) {
  __atomic_fetch_sub(&live[kind], block != NULL, __ATOMIC_SEQ_CST);
  free(block);
}

static void *resize(enum kind kind, void *block, size_t size) {
  if (fails(kind))
    return NULL;
  return block == NULL ? counted(kind, malloc(size)) : realloc(block, size);
}

static void *of_lua(void *data, void *block, size_t old, size_t size) {
  (void)data;
  if (size == 0) {
    release(OF_LUA, block);
    return NULL;
  }
  if (block != NULL && size <= old) /* Lua counts on this one */
    return realloc(block, size);
  return resize(OF_LUA, block, size);
}

#define ALLOCATORS(name, kind)                                                \
  void *name##_malloc(size_t size);                                           \
  void *name##_calloc(size_t count, size_t size);                             \
  void *name##_realloc(void *block, size_t size);                             \
  char *name##_strdup(const char *text);                                      \
  void name##_free(void *block);                                              \
  void *name##_malloc(size_t size) { return resize(kind, NULL, size); }       \
  void *name##_calloc(size_t count, size_t size) {                            \
    return fails(kind) ? NULL : counted(kind, calloc(count, size));           \
  }                                                                           \
  void *name##_realloc(void *block, size_t size) {                            \
    return resize(kind, block, size);                                         \
  }                                                                           \
  char *name##_strdup(const char *text) {                                     \
    return fails(kind) ? NULL : counted(kind, strdup(text));                  \
  }                                                                           \
  void name##_free(void *block) { release(kind, block); }

ALLOCATORS(libcurl, OF_CURL)
ALLOCATORS(fault, OF_RAIA) /* what raia was compiled to call */

/* ---- the runs ---- */

static int fault(lua_State *L) {
  long n = (long)luaL_checkinteger(L, 1);
  arm(n);
  int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  armed = NONE;
  lua_pushinteger(L, failed);
  lua_replace(L, 1);
  lua_pushinteger(L, status);
  lua_insert(L, 2);
  return lua_gettop(L);
}

static int problems;
static lua_State *volatile healthy; /* the first one, never closed */

static void problem(long n, const char *what, const char *detail) {
  printf("problem: n = %ld: %s%s\n", n, what, detail);
  if (++problems == PROBLEMS_MAX) {
    printf("problem: and so on\n");
    exit(1);
  }
}

/* Runs the script in a new state, which is left open. */
static lua_State *run(long n, char **words, bool *to_the_end) {
  alarm(SECONDS_OF_A_RUN);
  printf("n = %ld\n", n);
  fflush(stdout);
  lua_State *L = lua_newstate(of_lua, NULL);
  luaL_openlibs(L);
  lua_register(L, "fault", fault);
  calls = failed = 0;
  int status = luaL_loadfile(L, words[0]);
  lua_pushinteger(L, n);
  int count = 1;
  for (char **word = words + 4; *word != NULL; word++, count++)
    lua_pushstring(L, *word);
  if (status == LUA_OK)
    status = lua_pcall(L, count, 1, 0);
  if (status != LUA_OK)
    problem(n, "", luaL_tolstring(L, -1, NULL));
  *to_the_end = status == LUA_OK && lua_toboolean(L, -1);
  return L;
}

static void close_state(lua_State *L, long n, bool to_the_end) {
  if (to_the_end)
    arm(n);
  lua_close(L);
  armed = NONE;
}

static void check_balance(long n, const long *before) {
  for (int kind = OF_LUA; kind < KINDS; kind++) {
    /* libcurl does not wait for the end of a thread that looks up a name. */
    for (int i = 0; kind == OF_CURL && i < 100 && live[kind] != before[kind];
         i++)
      usleep(10000);
    if (live[kind] == before[kind])
      continue;
    char text[64];
    snprintf(text, sizeof text, ": %ld blocks leaked",
             live[kind] - before[kind]);
    problem(n, kinds[kind], text);
    live[kind] = before[kind];
  }
}

const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }

int main(int count, char **words) {
  if (count < 5) {
    fprintf(stderr, "usage: failing_alloc SCRIPT KIND WIDTH RUNS ...\n");
    return 2;
  }
  words++;
  for (int kind = OF_LUA; kind < KINDS; kind++)
    if (strcmp(words[1], kinds[kind]) == 0)
      wanted = (enum kind)kind;
  width = atol(words[2]);
  long runs = atol(words[3]), done = 0, injected = 0;
  curl_global_init_mem(CURL_GLOBAL_ALL, libcurl_malloc, libcurl_free,
                       libcurl_realloc, libcurl_strdup, libcurl_calloc);
  /* The first state is not closed: so the modules stay loaded, by which the
     leaks of each are known. */
  bool to_the_end;
  healthy = run(0, words, &to_the_end);
  if (to_the_end) { /* it counts what a second one does at its close */
    lua_State *second = run(0, words, &to_the_end);
    close_state(second, 0, to_the_end);
  }
  if (problems > 0)
    return 1;
  long total = calls, step = runs > 0 && total > runs ? total / runs : 1;
  long before[KINDS];
  memcpy(before, live, sizeof before);
  for (long n = 1;; n += step) {
    lua_State *L = run(n, words, &to_the_end);
    close_state(L, n, to_the_end);
    check_balance(n, before);
    injected += failed;
    done += failed > 0;
    if (failed == 0)
      break;
  }
  printf("%ld allocations, each %ldth tried: %ld runs, %ld failed\n", total,
         step, done, injected);
  return problems > 0;
}
