/* The headers of a libcurl of Debian 11, as far as they say which it is. */
#include_next <curl/curl.h>
#undef LIBCURL_VERSION_NUM
#define LIBCURL_VERSION_NUM 0x074a00
