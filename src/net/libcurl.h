/* libcurl's header, with a check for the oldest version that raia supports. */
#ifndef RAIA_LIBCURL_H
#define RAIA_LIBCURL_H

#include <curl/curl.h>

#define RAIA_LIBCURL_LEAST 0x075700

#if defined LIBCURL_VERSION_NUM && LIBCURL_VERSION_NUM < RAIA_LIBCURL_LEAST
#error "raia needs libcurl 7.87 or later, and these headers are older"
#endif

/* Sets an option of `easy` unless `code` says that an earlier one failed. */
#define SET(option, value)                                                    \
  (code = code ? code : curl_easy_setopt(easy, option, value))

#endif
