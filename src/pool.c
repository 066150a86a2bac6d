/* All that is in flight: libcurl's multi handles, their sockets and timers. */
#include "pool.h"

#include "events.h"
#include "origin_curl.h"
#include "process.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Attempts in a lane of which each has a connection; the last takes more. */
enum { LANE_ROOM = 256 };

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
  struct raia_lane *lane = data;
  int watch = what == CURL_POLL_IN      ? RAIA_READABLE
              : what == CURL_POLL_OUT   ? RAIA_WRITABLE
              : what == CURL_POLL_INOUT ? RAIA_READABLE | RAIA_WRITABLE
                                        : 0;
  (void)easy;
  (void)socket;
  /* A socket that can't be watched ends by its timeout; an error from here
     would end all that is in flight. */
  (void)raia_events_set(lane->pool->events, fd, watch,
                        (int)(lane - lane->pool->lanes));
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

/* ---- sockets ---- */

int raia_pool_socket(const struct raia_pool *pool, int port) {
  return raia_sockets_find(&pool->sockets, port);
}

/* Remembers the socket of the connection that `t` made. */
static void remember_socket(struct raia_pool *pool, struct raia_transfer *t) {
  long port = 0;
  curl_socket_t fd = CURL_SOCKET_BAD;
  if (t->reused)
    return;
  curl_easy_getinfo(t->handle->easy, CURLINFO_LOCAL_PORT, &port);
  curl_easy_getinfo(t->handle->easy, CURLINFO_ACTIVESOCKET, &fd);
  if (fd != CURL_SOCKET_BAD)
    raia_sockets_add(&pool->sockets, fd, (int)port);
}

void raia_pool_opened(struct raia_pool *pool, int fd) {
  raia_events_opened(pool->events, fd);
}

void raia_pool_closing(struct raia_pool *pool, int fd) {
  raia_sockets_remove(&pool->sockets, fd);
  raia_events_closing(pool->events, fd);
}

/* ---- open, close ---- */

static void renew(struct raia_pool *pool);

/* The lane for one more attempt through `gate`. */
static struct raia_lane *choose_lane(struct raia_pool *pool,
                                     const struct raia_gate *gate) {
  int i = gate->multiplexes ? RAIA_MULTIPLEXED : RAIA_PLAIN;
  while (i != RAIA_MULTIPLEXED && i < RAIA_LANES - 1 &&
         pool->lanes[i].active >= LANE_ROOM)
    i++;
  return &pool->lanes[i];
}

static bool open_lane(struct raia_pool *pool, struct raia_lane *lane) {
  if (lane->multi != NULL)
    return true;
  if (lane - pool->lanes >= pool->open)
    pool->open = (int)(lane - pool->lanes) + 1;
  lane->pool = pool;
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
  if (lane == &pool->lanes[RAIA_MULTIPLEXED]) {
    /* libcurl else takes it that a connection has room for 100, and opens one
       for each request beyond them until it knows better. */
    SET(CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
#if LIBCURL_VERSION_NUM >= 0x074300
    SET(CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
#endif
  }
#undef SET
  return code == CURLM_OK;
}

static void close_lane(struct raia_lane *lane) {
  curl_multi_cleanup(lane->multi);
  lane->multi = NULL;
  lane->due = 0;
}

bool raia_pool_open(struct raia_pool *pool) {
  raia_process_init();
  pool->forks = raia_process_forks();
  raia_ring_init(&pool->running);
  raia_ring_init(&pool->timers);
  raia_ring_init(&pool->news);
  pool->random = (unsigned)time(NULL) ^ (unsigned)(uintptr_t)pool;
  pool->events = raia_events_open();
  return pool->events != NULL && open_lane(pool, &pool->lanes[RAIA_PLAIN]);
}

static void leave(struct raia_transfer *t) {
  t->forked = true;
  raia_pool_stop(t, RAIA_CLOSED);
}

static void leave_all(struct raia_pool *pool) {
  while (!raia_ring_empty(&pool->running)) /* those queued begin, and follow */
    leave(of_link(pool->running.next));
  struct raia_link *link = pool->timers.next;
  while (link != &pool->timers) {
    struct raia_timer *timer = RAIA_OF(struct raia_timer, link, link);
    link = link->next;
    if (timer->source == RAIA_OF_TRANSFER)
      leave(RAIA_OF(struct raia_transfer, retry, timer));
  }
}

void raia_pool_close(struct raia_pool *pool) {
  renew(pool);
  if (pool->events == NULL)
    return;
  leave_all(pool);
  while (!raia_ring_empty(&pool->timers))
    raia_ring_out(pool->timers.next);
  while (raia_pool_news(pool) != NULL)
    ;
  for (int i = 0; i < pool->open; i++)
    close_lane(&pool->lanes[i]);
  raia_sockets_free(&pool->sockets);
  raia_events_close(pool->events);
  pool->events = NULL;
}

/* In the child of a fork, begins anew: connections, descriptors and threads
   of libcurl's are the parent's. So the child leaves them as they are, for
   good: cleaning up would say goodbye on the parent's connections. */
static void renew(struct raia_pool *pool) {
  if (pool->events == NULL || pool->forks == raia_process_forks())
    return;
  pool->forks = raia_process_forks();
  for (int i = 0; i < pool->open; i++) {
    pool->lanes[i].multi = NULL;
    pool->lanes[i].due = 0;
  }
  pool->widened = NULL;
  raia_sockets_free(&pool->sockets);
  pool->events = raia_events_open(); /* NULL: all calls fail as closed */
  leave_all(pool);
}

/* ---- timers and news ---- */

/* In order of time; most come last. */
static void set_timer(struct raia_pool *pool, struct raia_timer *timer,
                      double due, enum raia_source source) {
  struct raia_link *place = pool->timers.previous;
  while (place != &pool->timers &&
         RAIA_OF(struct raia_timer, link, place)->due > due)
    place = place->previous;
  timer->due = due;
  timer->source = source;
  raia_ring_in(place, &timer->link);
}

static void tell(struct raia_pool *pool, struct raia_news *news,
                 enum raia_source source) {
  news->source = source;
  raia_ring_out(&news->link);
  raia_ring_in(pool->news.previous, &news->link);
}

struct raia_news *raia_pool_news(struct raia_pool *pool) {
  struct raia_link *link = pool->news.next;
  return raia_ring_out(link) ? RAIA_OF(struct raia_news, link, link) : NULL;
}

void raia_pool_alarm(struct raia_pool *pool, struct raia_alarm *alarm,
                     double seconds) {
  set_timer(pool, &alarm->timer, raia_now() + seconds, RAIA_OF_TIMER);
}

void raia_pool_calm(struct raia_alarm *alarm) {
  raia_ring_out(&alarm->timer.link);
  raia_ring_out(&alarm->news.link);
}

/* ---- a transfer's way through the pool ---- */

static void begin(struct raia_pool *pool, struct raia_transfer *t);

/* Begins what is queued as far as there is room. */
static void begin_queued(struct raia_pool *pool, struct raia_gate *gate) {
  while (raia_gate_open(gate) && !raia_ring_empty(&gate->queue))
    begin(pool, of_link(gate->queue.next));
}

/* Takes `t` from where its state has put it. An attempt that was under way
   makes room for one that is queued. */
static void take_out(struct raia_transfer *t) {
  struct raia_gate *gate = raia_origin_gate(t->origin);
  bool running = t->state == RAIA_RUNNING;
  raia_ring_out(&t->link);
  raia_ring_out(&t->retry.link);
  t->state = RAIA_READY;
  if (!running)
    return;
  if (t->lane->multi != NULL)
    curl_multi_remove_handle(t->lane->multi, t->handle->easy);
  else /* the parent's, see renew */
    t->handle = NULL;
  gate->active--;
  t->lane->active--;
  if (gate->user == t)
    gate->user = NULL;
  begin_queued(t->pool, gate);
}

static void finish(struct raia_transfer *t, enum raia_kind kind) {
  t->outcome.kind = kind;
  t->state = RAIA_DONE;
  t->pool->in_flight--;
  raia_transfer_release(t);
  tell(t->pool, &t->news, RAIA_OF_TRANSFER);
}

static void wait_until(struct raia_transfer *t, double due) {
  t->state = RAIA_WAITING;
  set_timer(t->pool, &t->retry, due, RAIA_OF_TRANSFER);
}

/* Begins an attempt of `t`, or has it wait for its turn. */
static void begin(struct raia_pool *pool, struct raia_transfer *t) {
  struct raia_gate *gate = raia_origin_gate(t->origin);
  take_out(t);
  struct raia_lane *lane = choose_lane(pool, gate);
  if (gate->not_before > 0 && gate->not_before > raia_now()) {
    wait_until(t, gate->not_before);
  } else if (!raia_gate_open(gate)) {
    t->state = RAIA_QUEUED;
    raia_ring_in(gate->queue.previous, &t->link);
  } else if (!open_lane(pool, lane) || !raia_transfer_begin(t) ||
             curl_multi_add_handle(lane->multi, t->handle->easy)) {
    finish(t, RAIA_NO_MEMORY);
  } else {
    t->lane = lane;
    t->attempts++;
    t->state = RAIA_RUNNING;
    gate->active++;
    lane->active++;
    raia_ring_in(pool->running.previous, &t->link);
  }
}

void raia_pool_start(struct raia_pool *pool, struct raia_transfer *t) {
  renew(pool);
  t->pool = pool;
  pool->in_flight++;
  if (pool->events == NULL)
    finish(t, RAIA_CLOSED);
  else
    begin(pool, t);
}

void raia_pool_stop(struct raia_transfer *t, enum raia_kind kind) {
  if (t->state != RAIA_READY && t->state != RAIA_DONE)
    renew(t->pool); /* which may end it */
  if (t->state == RAIA_READY || t->state == RAIA_DONE)
    return;
  if (t->state == RAIA_RUNNING) {
    raia_transfer_end(t, CURLE_OK); /* for what was sent */
    t->outcome.status = 0;
  }
  take_out(t);
  finish(t, kind);
  if (t->pool->events != NULL)
    raia_events_wake(t->pool->events);
}

void raia_pool_forget(struct raia_transfer *t) {
  raia_pool_stop(t, RAIA_CANCELLED);
  raia_ring_out(&t->news.link);
}

static double next_random(struct raia_pool *pool) {
  pool->random = pool->random * 1664525u + 1013904223u;
  return (pool->random >> 8) / 16777216.0;
}

/* A 429 is for all calls of the client: none of them begins an attempt until
   the service wants to be asked again. */
static void slow_down(struct raia_transfer *t, double now, double random) {
  struct raia_gate *gate = raia_origin_gate(t->origin);
  double wait = raia_retry_wait(&t->outcome, t->attempts, t->attempts, random);
  if (t->outcome.status == 429 && wait > 0)
    gate->not_before = fmax(gate->not_before, now + wait);
}

static void end_attempt(struct raia_pool *pool, struct raia_transfer *t,
                        CURLcode code) {
  double now = raia_now(), random = next_random(pool);
  if (t->stale) { /* as if it had not begun: another connection */
    take_out(t);
    t->attempts--;
    begin(pool, t);
    return;
  }
  raia_transfer_end(t, (int)code);
  remember_socket(pool, t);
  t->attempt_ended = true;
  if (t->answered)
    raia_origin_gate(t->origin)->multiplexes = t->multiplexed;
  slow_down(t, now, random);
  take_out(t);
  double wait =
      raia_retry_wait(&t->outcome, t->attempts, t->max_retries, random);
  if (wait < 0) {
    finish(t, t->outcome.kind);
  } else {
    wait_until(t, now + wait);
    tell(pool, &t->news, RAIA_OF_TRANSFER);
  }
}

/* ---- moving everything along ---- */

static void collect(struct raia_pool *pool, struct raia_lane *lane) {
  int left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(lane->multi, &left)) != NULL) {
    char *handle = NULL;
    CURLcode code = message->data.result; /* gone with the handle */
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle);
    end_attempt(pool, ((struct raia_handle *)(void *)handle)->transfer, code);
  }
}

static void fire(struct raia_pool *pool, struct raia_timer *timer) {
  raia_ring_out(&timer->link);
  if (timer->source == RAIA_OF_TRANSFER)
    begin(pool, RAIA_OF(struct raia_transfer, retry, timer));
  else
    tell(pool, &RAIA_OF(struct raia_alarm, timer, timer)->news, RAIA_OF_TIMER);
}

static struct raia_timer *first_timer(const struct raia_pool *pool) {
  return raia_ring_empty(&pool->timers)
             ? NULL
             : RAIA_OF(struct raia_timer, link, pool->timers.next);
}

static void fire_due(struct raia_pool *pool) {
  struct raia_timer *timer = first_timer(pool);
  double now = timer == NULL ? 0 : raia_now();
  for (; timer != NULL && timer->due <= now; timer = first_timer(pool))
    fire(pool, timer);
}

/* Has libcurl look at a socket, or at what is due. When it is out of memory it
   loses sockets, does not say whose, and may crash at the next one: so all
   ends that is under way in the lane, and the handle goes. */
static void act(struct raia_lane *lane, curl_socket_t fd, int what) {
  struct raia_pool *pool = lane->pool;
  int running;
  if (lane->multi == NULL ||
      curl_multi_socket_action(lane->multi, fd, what, &running) == CURLM_OK)
    return;
  collect(pool, lane);
  struct raia_link *kept = &pool->running; /* of another lane, or the head */
  while (kept->next != &pool->running) { /* what begins meanwhile comes last */
    struct raia_transfer *t = of_link(kept->next);
    if (t->lane == lane)
      raia_pool_stop(t, RAIA_NO_MEMORY);
    else
      kept = kept->next;
  }
  close_lane(lane);
}

/* Has libcurl do what is due, and takes in what has ended. */
static void advance(struct raia_pool *pool) {
  for (int i = 0; i < pool->open; i++) {
    struct raia_lane *lane = &pool->lanes[i];
    if (lane->due != 0 && lane->due <= raia_now()) {
      lane->due = 0;
      act(lane, CURL_SOCKET_TIMEOUT, 0);
    }
    if (lane->multi != NULL)
      collect(pool, lane);
  }
  if (pool->widened != NULL)
    begin_queued(pool, pool->widened);
  pool->widened = NULL;
}

double raia_pool_patience(const struct raia_pool *pool) {
  const struct raia_timer *timer = first_timer(pool);
  double due = timer == NULL ? HUGE_VAL : timer->due;
  /* With nothing in flight, what libcurl would still do can wait. */
  for (int i = 0; i < pool->open && pool->in_flight > 0; i++)
    if (pool->lanes[i].due != 0 && pool->lanes[i].due < due)
      due = pool->lanes[i].due;
  if (!raia_ring_empty(&pool->news))
    due = 0;
  return due == HUGE_VAL ? -1 : fmax(due - raia_now(), 0);
}

int raia_pool_fd(const struct raia_pool *pool) {
  return pool->events == NULL ? -1 : raia_events_fd(pool->events);
}

bool raia_pool_step(struct raia_pool *pool, double seconds,
                    bool (*broken)(const void *data), const void *data) {
  struct raia_event ready[64];
  renew(pool);
  if (pool->events == NULL)
    return true;
  fire_due(pool); /* not again after the wait: first, the news are told */
  advance(pool);
  if (pool->in_flight == 0 && !raia_ring_empty(&pool->news))
    return true; /* there is nothing to look for */
  double patience = raia_pool_patience(pool);
  if (patience >= 0 && patience < seconds)
    seconds = patience;
  int n = raia_events_wait(pool->events, seconds, broken, data, ready, 64);
  for (int i = 0; i < n; i++)
    act(&pool->lanes[ready[i].tag], ready[i].fd,
        ((ready[i].what & RAIA_READABLE) ? CURL_CSELECT_IN : 0) |
            ((ready[i].what & RAIA_WRITABLE) ? CURL_CSELECT_OUT : 0));
  advance(pool);
  return n >= 0;
}
