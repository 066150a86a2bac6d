/* A multi handle of libcurl: its transfers, its sockets and its timer. */
#include "lane.h"

#include "events.h"
#include "origin_curl.h"
#include "timer.h"

#include <stddef.h>

/* Since 8.20 it is the multi handle that waits for a resolver that hangs, when
   it is closed, and this option of it that has it not wait. */
static const CURLMoption QUICK_EXIT = CURLOPTTYPE_LONG + 21;
static const unsigned QUICK_EXIT_SINCE = 0x081400;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *socket) {
  struct raia_lane *lane = data;
  int watch = what == CURL_POLL_IN      ? RAIA_READABLE
              : what == CURL_POLL_OUT   ? RAIA_WRITABLE
              : what == CURL_POLL_INOUT ? RAIA_READABLE | RAIA_WRITABLE
                                        : 0;
  (void)easy;
  (void)socket;
  /* A socket that can't be watched ends by its timeout; an error from here
     would end all that is in flight. */
  (void)raia_events_set(lane->events, fd, watch, lane->tag);
  return 0;
}

static int on_timer(CURLM *multi, long milliseconds, void *data) {
  struct raia_lane *lane = data;
  (void)multi;
  if (milliseconds < 0)
    lane->due = 0;
  else if (milliseconds == 0)
    lane->due = 1e-9; /* now: the clock is not asked */
  else
    lane->due = raia_now() + (double)milliseconds * 1e-3;
  return 0;
}

bool raia_lane_open(struct raia_lane *lane, struct raia_events *events,
                    int tag) {
  lane->events = events;
  lane->tag = tag;
  lane->multi = curl_multi_init();
  if (lane->multi == NULL)
    return false;
  CURLMcode code = CURLM_OK;
#define SET(option, value)                                                    \
  (code = code ? code : curl_multi_setopt(lane->multi, option, value))
  SET(CURLMOPT_SOCKETFUNCTION, on_socket);
  SET(CURLMOPT_SOCKETDATA, lane);
  SET(CURLMOPT_TIMERFUNCTION, on_timer);
  SET(CURLMOPT_TIMERDATA, lane);
  if (curl_version_info(CURLVERSION_NOW)->version_num >= QUICK_EXIT_SINCE)
    SET(QUICK_EXIT, 1L);
#undef SET
  return code == CURLM_OK;
}

void raia_lane_multiplex(struct raia_lane *lane) {
  /* Without these, libcurl assumes that a connection has room for 100 streams,
     and makes one for each request beyond them until it knows better. */
  curl_multi_setopt(lane->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
  curl_multi_setopt(lane->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
}

void raia_lane_close(struct raia_lane *lane) {
  curl_multi_cleanup(lane->multi);
  raia_lane_leave(lane);
}

void raia_lane_leave(struct raia_lane *lane) {
  lane->multi = NULL;
  lane->due = 0;
}

bool raia_lane_add(struct raia_lane *lane, struct raia_handle *handle) {
  if (curl_multi_add_handle(lane->multi, handle->easy) != CURLM_OK)
    return false;
  lane->active++;
  return true;
}

void raia_lane_remove(struct raia_lane *lane, struct raia_handle *handle) {
  if (lane->multi != NULL)
    curl_multi_remove_handle(lane->multi, handle->easy);
  lane->active--;
}

bool raia_lane_act(struct raia_lane *lane, int fd, int what) {
  int running;
  int ready = ((what & RAIA_READABLE) ? CURL_CSELECT_IN : 0) |
              ((what & RAIA_WRITABLE) ? CURL_CSELECT_OUT : 0);
  return lane->multi == NULL ||
         curl_multi_socket_action(lane->multi, fd, ready, &running) ==
             CURLM_OK;
}

bool raia_lane_advance(struct raia_lane *lane) {
  if (lane->due == 0 || lane->due > raia_now())
    return true;
  lane->due = 0;
  return raia_lane_act(lane, CURL_SOCKET_TIMEOUT, 0);
}

struct raia_handle *raia_lane_ended(struct raia_lane *lane, int *code) {
  int left;
  CURLMsg *message =
      lane->multi == NULL ? NULL : curl_multi_info_read(lane->multi, &left);
  if (message == NULL)
    return NULL;
  char *handle = NULL;
  *code = (int)message->data.result; /* gone with the handle */
  curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle);
  return (void *)handle;
}
