/* A multi handle of libcurl: its transfers, its sockets and its timer. */
#include "multi.h"

#include "events.h"
#include "handle.h"
#include "timer.h"

#include <stddef.h>

/* From 8.20 on, closing a multi handle waits for a resolver that hangs unless
   this option is set on it. */
static const CURLMoption QUICK_EXIT = CURLOPTTYPE_LONG + 21;
static const unsigned QUICK_EXIT_SINCE = 0x081400;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *socket) {
  struct raia_multi *multi = data;
  int watch = what == CURL_POLL_IN      ? RAIA_READABLE
              : what == CURL_POLL_OUT   ? RAIA_WRITABLE
              : what == CURL_POLL_INOUT ? RAIA_READABLE | RAIA_WRITABLE
                                        : 0;
  (void)easy;
  (void)socket;
  /* A socket that cannot be watched ends by its timeout; returning an error
     would end everything in flight. */
  (void)raia_events_set(multi->events, fd, watch, multi->tag);
  return 0;
}

static int on_multi_timer(CURLM *curl, long milliseconds, void *data) {
  struct raia_multi *multi = data;
  (void)curl;
  if (milliseconds < 0)
    multi->due = 0;
  else if (milliseconds == 0)
    multi->due = 1e-9; /* now, without reading the clock */
  else
    multi->due = raia_now() + (double)milliseconds * 1e-3;
  return 0;
}

bool raia_multi_open(struct raia_multi *multi, struct raia_events *events,
                     int tag) {
  multi->events = events;
  multi->tag = tag;
  if (multi->handles.next == NULL)
    raia_list_init(&multi->handles);
  multi->curl = curl_multi_init();
  if (multi->curl == NULL)
    return false;
  CURLMcode code = CURLM_OK;
#define SET_MULTI(option, value)                                              \
  (code = code ? code : curl_multi_setopt(multi->curl, option, value))
  SET_MULTI(CURLMOPT_SOCKETFUNCTION, on_socket);
  SET_MULTI(CURLMOPT_SOCKETDATA, multi);
  SET_MULTI(CURLMOPT_TIMERFUNCTION, on_multi_timer);
  SET_MULTI(CURLMOPT_TIMERDATA, multi);
  if (curl_version_info(CURLVERSION_NOW)->version_num >= QUICK_EXIT_SINCE)
    SET_MULTI(QUICK_EXIT, 1L);
#undef SET_MULTI
  return code == CURLM_OK;
}

void raia_multi_multiplex(struct raia_multi *multi) {
  /* Without these, libcurl assumes that a connection has room for 100 streams
     and opens one for each request beyond them until it knows better. */
  curl_multi_setopt(multi->curl, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
  curl_multi_setopt(multi->curl, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
}

void raia_multi_close(struct raia_multi *multi) {
  curl_multi_cleanup(multi->curl);
  raia_multi_abandon(multi);
}

void raia_multi_abandon(struct raia_multi *multi) {
  multi->curl = NULL;
  multi->due = 0;
}

bool raia_multi_add(struct raia_multi *multi, struct raia_handle *handle) {
  if (curl_multi_add_handle(multi->curl, handle->easy) != CURLM_OK)
    return false;
  multi->active++;
  handle->multi = multi;
  raia_list_insert(multi->handles.previous, &handle->link);
  return true;
}

void raia_multi_remove(struct raia_multi *multi, struct raia_handle *handle) {
  if (multi->curl != NULL)
    curl_multi_remove_handle(multi->curl, handle->easy);
  multi->active--;
  handle->multi = NULL;
  raia_list_remove(&handle->link);
}

bool raia_multi_act(struct raia_multi *multi, int fd, int what) {
  int running;
  int ready = ((what & RAIA_READABLE) ? CURL_CSELECT_IN : 0) |
              ((what & RAIA_WRITABLE) ? CURL_CSELECT_OUT : 0);
  return multi->curl == NULL ||
         curl_multi_socket_action(multi->curl, fd, ready, &running) ==
             CURLM_OK;
}

bool raia_multi_advance(struct raia_multi *multi) {
  if (multi->due == 0 || multi->due > raia_now())
    return true;
  multi->due = 0;
  return raia_multi_act(multi, CURL_SOCKET_TIMEOUT, 0);
}

struct raia_handle *raia_multi_ended(struct raia_multi *multi, int *code) {
  int left;
  CURLMsg *message =
      multi->curl == NULL ? NULL : curl_multi_info_read(multi->curl, &left);
  if (message == NULL)
    return NULL;
  char *handle = NULL;
  *code = (int)message->data.result; /* freed with the handle */
  curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle);
  return (void *)handle;
}
