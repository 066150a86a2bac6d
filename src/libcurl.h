/* libcurl, from the oldest version on that raia works with. */
#ifndef RAIA_LIBCURL_H
#define RAIA_LIBCURL_H

#include <curl/curl.h>

#define RAIA_LIBCURL_LEAST 0x075700

#if LIBCURL_VERSION_NUM < RAIA_LIBCURL_LEAST
#error                                                                        \
    "raia needs libcurl 7.87 or later, and these headers are of an older one"
#endif

#endif
