/* What is heard from libcurl at work, and nothing else tells. */
#include "ear.h"

#include "log.h"

#include <string.h>

/* libcurl from 7.83.0 on, up to 8.1.0, takes a reply whose first header is
   folded (begins with a blank) for more of the last header that the handle
   saw, which it has freed. But it shows the header to on_debug before, which
   can take the blank away. So the one line after a status line is watched. */
static bool has_fold_bug(void) {
  unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
  return version >= 0x075300 && version < 0x080100;
}

void raia_listener_init(struct raia_listener *listener,
                        const struct raia_origin *origin, bool verbose) {
  *listener = (struct raia_listener){
      .origin = origin, .verbose = verbose, .fold_bug = has_fold_bug()};
}

/* ---- what libcurl says ---- */

static void unfold(struct raia_ear *ear, char *data, size_t size) {
  if (size > 0 && (*data == ' ' || *data == '\t')) {
    *data = '-';
    ear->folded = true;
  }
}

/* libcurl shows a request's headers in pieces that may end in the middle of a
   line. Then the rest of that line is not shown: it could be of the key. */
static void show(struct raia_ear *ear, curl_infotype type, const char *data,
                 size_t size) {
  static const char marks[] = {'*', '<', '>'}; /* note, header in, out */
  while (size > 0) {
    const char *end = memchr(data, '\n', size);
    size_t line = end == NULL ? size : (size_t)(end - data) + 1;
    bool whole =
        type != CURLINFO_HEADER_OUT || (!ear->cut_line && end != NULL);
    if (whole)
      raia_log_line(marks[type], data, line, ear->listener->origin);
    if (type == CURLINFO_HEADER_OUT)
      ear->cut_line = end == NULL;
    data += line;
    size -= line;
  }
}

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size,
                    void *owner) {
  struct raia_ear *ear = owner;
  (void)easy;
  if (ear->watched && type == CURLINFO_HEADER_IN)
    unfold(ear, data, size);
  if (ear->watched && type == CURLINFO_TEXT)
    raia_delivery_note(ear->delivery, data, size);
  if (ear->listener->verbose && type <= CURLINFO_HEADER_OUT)
    show(ear, type, data, size);
  return 0;
}

/* ---- when it is listened to ---- */

CURLcode raia_ear_put(struct raia_ear *ear, struct raia_listener *listener,
                      struct raia_delivery *delivery, CURL *easy) {
  ear->listener = listener;
  ear->delivery = delivery;
  ear->easy = easy;
  CURLcode code =
      curl_easy_setopt(easy, CURLOPT_VERBOSE, (long)listener->verbose);
  code = code ? code : curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
  return code ? code : curl_easy_setopt(easy, CURLOPT_DEBUGDATA, ear);
}

static void set_watched(struct raia_ear *ear, bool on) {
  if (ear->watched != on)
    curl_easy_setopt(ear->easy, CURLOPT_VERBOSE,
                     (long)(on || ear->listener->verbose));
  ear->watched = on;
}

void raia_ear_watch(struct raia_ear *ear, bool on) {
  set_watched(ear, on && ear->listener->fold_bug);
}

void raia_ear_listen(struct raia_ear *ear, bool on) { set_watched(ear, on); }
