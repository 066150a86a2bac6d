/* A libcurl of Debian 11, as far as a module that is loaded asks which it is.
 */
#include <curl/curl.h>

curl_version_info_data *curl_version_info(CURLversion stamp) {
  static curl_version_info_data old = {.version = "7.74.0",
                                       .version_num = 0x074a00};
  (void)stamp;
  return &old;
}
