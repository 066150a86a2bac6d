/* What libcurl's TLS library can tell about a connection. Its functions are
   looked up by name, so raia needs no TLS headers and works with whichever
   library libcurl was built with. */
#include "tls.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* The functions used; NULL if libcurl's library lacks them. */
static struct {
  int (*ssl_has_pending)(const void *session);
  void (*ssl_get0_alpn_selected)(const void *session,
                                 const unsigned char **name, unsigned *size);
  size_t (*gnutls_record_check_pending)(const void *session);
  int (*gnutls_alpn_get_selected_protocol)(const void *session, void *datum);
} ask;

/* GnuTLS's gnutls_datum_t. */
struct datum {
  const unsigned char *data;
  unsigned size;
};

/* Stores a function pointer at `out`. */
static void find_function(void *library, const char *name, void *out) {
  void *found = dlsym(library, name);
  memcpy(out, &found, sizeof found);
}

/* Searches libcurl and its dependencies, not the whole process: the program
   may have another TLS library. */
static void find_all(void) {
  Dl_info libcurl;
  CURL *(*address)(void) = curl_easy_init;
  void *symbol;
  memcpy(&symbol, &address, sizeof symbol);
  void *library = dladdr(symbol, &libcurl) == 0
                      ? NULL
                      : dlopen(libcurl.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (library == NULL)
    return;
  find_function(library, "SSL_has_pending", &ask.ssl_has_pending);
  find_function(library, "SSL_get0_alpn_selected",
                &ask.ssl_get0_alpn_selected);
  find_function(library, "gnutls_record_check_pending",
                &ask.gnutls_record_check_pending);
  find_function(library, "gnutls_alpn_get_selected_protocol",
                &ask.gnutls_alpn_get_selected_protocol);
}

static const struct curl_tlssessioninfo *info_of(CURL *easy) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct curl_tlssessioninfo *info = NULL;
  pthread_once(&once, find_all);
  return curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK
             ? info
             : NULL;
}

const void *raia_tls_session(CURL *easy) {
  const struct curl_tlssessioninfo *info = info_of(easy);
  return info == NULL ? NULL : info->internals;
}

enum raia_protocol raia_tls_protocol(CURL *easy) {
  const struct curl_tlssessioninfo *info = info_of(easy);
  struct datum name = {NULL, 0};
  if (info == NULL || info->internals == NULL)
    return RAIA_PROTOCOL_UNKNOWN;
  if (info->backend == CURLSSLBACKEND_OPENSSL &&
      ask.ssl_get0_alpn_selected != NULL)
    ask.ssl_get0_alpn_selected(info->internals, &name.data, &name.size);
  else if (info->backend == CURLSSLBACKEND_GNUTLS &&
           ask.gnutls_alpn_get_selected_protocol != NULL)
    (void)ask.gnutls_alpn_get_selected_protocol(info->internals, &name);
  else
    return RAIA_PROTOCOL_UNKNOWN;
  return name.size == 2 && memcmp(name.data, "h2", 2) == 0 ? RAIA_HTTP2
                                                           : RAIA_HTTP1;
}

bool raia_tls_holds_bytes(CURL *easy) {
  const struct curl_tlssessioninfo *info = info_of(easy);
  if (info == NULL || info->internals == NULL)
    return true;
  if (info->backend == CURLSSLBACKEND_OPENSSL && ask.ssl_has_pending != NULL)
    return ask.ssl_has_pending(info->internals) != 0;
  if (info->backend == CURLSSLBACKEND_GNUTLS &&
      ask.gnutls_record_check_pending != NULL)
    return ask.gnutls_record_check_pending(info->internals) != 0;
  return true;
}
