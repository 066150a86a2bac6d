/* What exists once in a process, however many Lua states it has. */
#include "process.h"

#include "libcurl.h"

#include <dlfcn.h>
#include <pthread.h>

unsigned raia_process_forks;

static void on_fork(void) { raia_process_forks++; } /* in the child */

/* Never undone: others in the process may use libcurl, too. */
static void init(void) {
  Dl_info self;
  (void)curl_global_init(CURL_GLOBAL_ALL);
  (void)pthread_atfork(NULL, NULL, on_fork);
  if (dladdr(&raia_process_forks, &self) != 0)
    (void)dlopen(self.dli_fname, RTLD_LAZY | RTLD_NODELETE);
}

const char *raia_process_old_libcurl(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  return info->version_num < RAIA_LIBCURL_LEAST ? info->version : NULL;
}

void raia_process_init(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, init);
}
