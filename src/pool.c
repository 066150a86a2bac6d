/* All that is in flight: libcurl's multi handle, its sockets and timers. */
#include "pool.h"

#include "events.h"
#include "origin_curl.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

double raia_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct raia_transfer *of_link(struct raia_link *link) {
  return RAIA_OF(struct raia_transfer, link, link);
}

/* ---- libcurl's callbacks ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *socket) {
  struct raia_pool *pool = data;
  int watch = what == CURL_POLL_IN      ? RAIA_READABLE
              : what == CURL_POLL_OUT   ? RAIA_WRITABLE
              : what == CURL_POLL_INOUT ? RAIA_READABLE | RAIA_WRITABLE
                                        : 0;
  (void)easy;
  (void)socket;
  /* A socket that can't be watched ends by its timeout; an error from here
     would end all that is in flight. */
  (void)raia_events_set(pool->events, fd, watch);
  return 0;
}

static int on_timer(CURLM *multi, long milliseconds, void *data) {
  struct raia_pool *pool = data;
  (void)multi;
  pool->curl_due = milliseconds < 0 ? 0
                   : milliseconds == 0
                       ? 1e-9 /* now: the clock not asked */
                       : raia_now() + (double)milliseconds * 1e-3;
  return 0;
}

/* ---- open, close ---- */

/* Once a process, and never undone: others may be using libcurl, too. */
static void init_libcurl(void) { (void)curl_global_init(CURL_GLOBAL_ALL); }

bool raia_pool_open(struct raia_pool *pool) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, init_libcurl);
  raia_ring_init(&pool->running);
  raia_ring_init(&pool->waiting);
  raia_ring_init(&pool->ended);
  pool->random = (unsigned)time(NULL) ^ (unsigned)(uintptr_t)pool;
  pool->events = raia_events_open();
  if (pool->events != NULL)
    pool->multi = curl_multi_init();
  return pool->multi != NULL &&
         !curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket) &&
         !curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) &&
         !curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer) &&
         !curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
}

void raia_pool_close(struct raia_pool *pool) {
  if (pool->multi == NULL && pool->events == NULL)
    return;
  while (!raia_ring_empty(&pool->running))
    raia_pool_stop(of_link(pool->running.next), RAIA_CLOSED);
  while (!raia_ring_empty(&pool->waiting))
    raia_pool_stop(of_link(pool->waiting.next), RAIA_CLOSED);
  while (raia_pool_ended(pool) != NULL)
    ;
  curl_multi_cleanup(pool->multi);
  raia_events_close(pool->events);
  pool->multi = NULL;
  pool->events = NULL;
}

/* ---- a transfer's way through the pool ---- */

static void tell(struct raia_transfer *t) {
  raia_ring_out(&t->ended);
  raia_ring_in(t->pool->ended.previous, &t->ended);
}

static void done(struct raia_transfer *t) {
  raia_ring_out(&t->link);
  t->state = RAIA_DONE;
  raia_transfer_release(t);
  tell(t);
}

static void fail(struct raia_transfer *t, enum raia_kind kind) {
  t->outcome.kind = kind;
  done(t);
}

static void begin(struct raia_pool *pool, struct raia_transfer *t) {
  raia_ring_out(&t->link);
  if (!raia_transfer_begin(t) ||
      curl_multi_add_handle(pool->multi, t->handle->easy) != CURLM_OK) {
    fail(t, RAIA_NO_MEMORY);
    return;
  }
  t->attempts++;
  t->state = RAIA_RUNNING;
  raia_ring_in(pool->running.previous, &t->link);
}

void raia_pool_start(struct raia_pool *pool, struct raia_transfer *t) {
  t->pool = pool;
  if (pool->multi == NULL)
    fail(t, RAIA_CLOSED);
  else
    begin(pool, t);
}

void raia_pool_stop(struct raia_transfer *t, enum raia_kind kind) {
  if (t->state == RAIA_RUNNING) {
    raia_transfer_end(t, CURLE_OK); /* for what was sent */
    t->outcome.status = 0;
    curl_multi_remove_handle(t->pool->multi, t->handle->easy);
  }
  if (t->state == RAIA_RUNNING || t->state == RAIA_WAITING)
    fail(t, kind);
}

/* Waits for the next attempt, in order of time; most come last. */
static void wait_until(struct raia_pool *pool, struct raia_transfer *t,
                       double due) {
  struct raia_link *place = pool->waiting.previous;
  while (place != &pool->waiting && of_link(place)->due > due)
    place = place->previous;
  t->due = due;
  t->state = RAIA_WAITING;
  raia_ring_out(&t->link);
  raia_ring_in(place, &t->link);
}

static double next_random(struct raia_pool *pool) {
  pool->random = pool->random * 1664525u + 1013904223u;
  return (pool->random >> 8) / 16777216.0;
}

static void end_attempt(struct raia_pool *pool, struct raia_transfer *t,
                        CURLcode code) {
  raia_transfer_end(t, (int)code);
  curl_multi_remove_handle(pool->multi, t->handle->easy);
  double wait = raia_retry_wait(&t->outcome, t->attempts, t->max_retries,
                                next_random(pool));
  if (wait < 0)
    done(t);
  else
    wait_until(pool, t, raia_now() + wait);
  t->attempt_ended = true;
  tell(t);
}

struct raia_transfer *raia_pool_ended(struct raia_pool *pool) {
  struct raia_link *link = pool->ended.next;
  return raia_ring_out(link) ? RAIA_OF(struct raia_transfer, ended, link)
                             : NULL;
}

void raia_pool_forget(struct raia_transfer *t) {
  raia_pool_stop(t, RAIA_CANCELLED);
  raia_ring_out(&t->ended);
}

/* ---- moving everything along ---- */

static void collect(struct raia_pool *pool) {
  int left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
    char *t = NULL;
    CURLcode code = message->data.result; /* gone with the handle */
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
    end_attempt(pool, (struct raia_transfer *)(void *)t, code);
  }
}

static void run_timers(struct raia_pool *pool) {
  int running;
  if (!raia_ring_empty(&pool->waiting)) {
    double now = raia_now();
    while (!raia_ring_empty(&pool->waiting) &&
           of_link(pool->waiting.next)->due <= now)
      begin(pool, of_link(pool->waiting.next));
  }
  if (pool->curl_due != 0 && pool->curl_due <= raia_now()) {
    pool->curl_due = 0;
    curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

/* How long to wait for sockets, in milliseconds, at most `seconds`. */
static int patience(const struct raia_pool *pool, double seconds) {
  double now = raia_now(), due = now + seconds;
  if (pool->curl_due != 0 && pool->curl_due < due)
    due = pool->curl_due;
  if (!raia_ring_empty(&pool->waiting) &&
      of_link(pool->waiting.next)->due < due)
    due = of_link(pool->waiting.next)->due;
  return due <= now        ? 0
         : due - now > 1e6 ? 1000000000
                           : (int)ceil((due - now) * 1000);
}

bool raia_pool_step(struct raia_pool *pool, double seconds) {
  struct raia_event ready[64];
  int running;
  if (pool->multi == NULL)
    return true;
  run_timers(pool);
  collect(pool);
  if (!raia_ring_empty(&pool->ended))
    seconds = 0;
  int n = raia_events_wait(pool->events, patience(pool, seconds), ready, 64);
  for (int i = 0; i < n; i++)
    curl_multi_socket_action(
        pool->multi, ready[i].fd,
        (ready[i].what & RAIA_READABLE ? CURL_CSELECT_IN : 0) |
            (ready[i].what & RAIA_WRITABLE ? CURL_CSELECT_OUT : 0),
        &running);
  run_timers(pool);
  collect(pool);
  return n >= 0;
}
