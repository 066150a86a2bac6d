/* All that is in flight: libcurl's multi handles, their sockets and timers. */
#include "pool.h"

#include "events.h"
#include "origin_curl.h"
#include "process.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Attempts in a lane of which each has a connection; the last takes more. */
enum { LANE_ROOM = 256 };

/* Seconds after which a lane that nothing is in is closed, but the first: so
   that what many calls at once have opened does not stay open. */
static const double lane_patience = 5;

static struct raia_transfer *of_link(struct raia_link *link) {
  return RAIA_OF(struct raia_transfer, link, link);
}

/* ---- sockets ---- */

int raia_pool_socket(const struct raia_pool *pool, int own, int peer) {
  return raia_sockets_find(&pool->sockets, own, peer);
}

void raia_pool_connected(struct raia_pool *pool, int fd, int own, int peer,
                         bool multiplexes) {
  raia_sockets_add(&pool->sockets, fd, own, peer, multiplexes);
  if (!multiplexes) /* a connection of HTTP/2 is never idle for long */
    raia_events_opened(pool->events, fd);
}

void raia_pool_closing(struct raia_pool *pool, int fd) {
  raia_sockets_remove(&pool->sockets, fd);
  raia_events_closing(pool->events, fd);
}

/* ---- open, close ---- */

static void renew(struct raia_pool *pool);

/* The lane for one more attempt through `gate`, open; NULL when out of
   memory. */
static struct raia_lane *choose_lane(struct raia_pool *pool,
                                     const struct raia_gate *gate) {
  struct raia_lane *lane = pool->lanes;
  const struct raia_lane *last = lane + RAIA_LANES - 1;
  bool multiplexes = gate->protocol == RAIA_HTTP2 && pool->multiplexed != NULL;
  if (multiplexes)
    lane = pool->multiplexed;
  else
    while (lane == pool->multiplexed ||
           (lane < last && lane->active >= LANE_ROOM))
      lane++;
  int i = (int)(lane - pool->lanes);
  if (i >= pool->open)
    pool->open = i + 1;
  if (lane->multi == NULL && !raia_lane_open(lane, pool->events, i))
    return NULL;
  if (multiplexes)
    raia_lane_multiplex(lane);
  return lane;
}

bool raia_pool_open(struct raia_pool *pool) {
  raia_process_init();
  pool->forks = raia_process_forks();
  raia_ring_init(&pool->running);
  raia_ring_init(&pool->waiting);
  raia_ring_init(&pool->news);
  raia_ring_init(&pool->widened);
  pool->random = (unsigned)time(NULL) ^ (unsigned)(uintptr_t)pool;
  pool->events = raia_events_open();
  return pool->events != NULL;
}

static void leave(struct raia_transfer *t) {
  t->forked = true;
  raia_pool_stop(t, RAIA_CLOSED);
}

static void leave_all(struct raia_pool *pool) {
  while (!raia_ring_empty(&pool->running)) /* those queued begin, and follow */
    leave(of_link(pool->running.next));
  while (!raia_ring_empty(&pool->waiting))
    leave(of_link(pool->waiting.next));
}

void raia_pool_close(struct raia_pool *pool) {
  renew(pool);
  if (pool->events == NULL)
    return;
  leave_all(pool);
  while (pool->timers.first != NULL)
    raia_timer_stop(pool->timers.first);
  while (raia_pool_news(pool) != NULL)
    ;
  for (int i = 0; i < pool->open; i++)
    raia_lane_close(&pool->lanes[i]);
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
  for (int i = 0; i < pool->open; i++)
    raia_lane_leave(&pool->lanes[i]);
  raia_sockets_free(&pool->sockets);
  pool->events = raia_events_open(); /* NULL: all calls fail as closed */
  leave_all(pool);
}

/* ---- timers and news ---- */

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
  raia_timer_set(&pool->timers, &alarm->timer, raia_now() + seconds,
                 RAIA_OF_TIMER);
}

void raia_pool_calm(struct raia_alarm *alarm) {
  raia_timer_stop(&alarm->timer);
  raia_ring_out(&alarm->news.link);
}

/* ---- a transfer's way through the pool ---- */

static void begin(struct raia_pool *pool, struct raia_transfer *t);

/* Begins what is queued as far as there is room. */
static void begin_queued(struct raia_pool *pool, struct raia_gate *gate) {
  while (raia_gate_open(gate) && !raia_ring_empty(&gate->queue))
    begin(pool, of_link(gate->queue.next));
}

static void begin_widened(struct raia_pool *pool) {
  while (!raia_ring_empty(&pool->widened)) {
    struct raia_link *link = pool->widened.next;
    raia_ring_out(link);
    begin_queued(pool, RAIA_OF(struct raia_gate, widened, link));
  }
}

void raia_pool_learned(struct raia_transfer *t, enum raia_protocol protocol) {
  struct raia_pool *pool = t->pool;
  struct raia_gate *gate = raia_origin_gate(t->origin);
  bool was_open = raia_gate_open(gate);
  if (protocol == RAIA_HTTP2 && pool->multiplexed == NULL)
    pool->multiplexed = t->lane; /* which has the connection */
  gate->protocol = protocol == RAIA_HTTP2 ? RAIA_HTTP2 : RAIA_HTTP1;
  gate->cold = false;
  if (!was_open && !raia_ring_empty(&gate->queue)) {
    raia_ring_out(&gate->widened);
    raia_ring_in(pool->widened.previous, &gate->widened);
  }
}

/* Takes `t` from where its state has put it. An attempt that was under way
   makes room for one that is queued. */
static void take_out(struct raia_transfer *t) {
  struct raia_gate *gate = raia_origin_gate(t->origin);
  bool running = t->state == RAIA_RUNNING;
  raia_ring_out(&t->link);
  raia_timer_stop(&t->timer);
  t->state = RAIA_READY;
  if (!running)
    return;
  raia_lane_remove(t->lane, t->handle);
  if (t->lane->multi == NULL) /* the parent's, see renew */
    t->handle = NULL;
  raia_transfer_put_back(t);
  gate->active--;
  begin_queued(t->pool, gate);
}

static void finish(struct raia_transfer *t, enum raia_kind kind) {
  t->outcome.kind = kind;
  if (kind != RAIA_OK && kind != RAIA_HTTP)
    t->outcome.status = 0; /* it may be of an attempt before */
  t->state = RAIA_DONE;
  t->pool->in_flight--;
  raia_transfer_release(t);
  tell(t->pool, &t->news, RAIA_OF_TRANSFER);
}

static void wait_until(struct raia_transfer *t, double due) {
  t->state = RAIA_WAITING;
  raia_ring_in(t->pool->waiting.previous, &t->link);
  raia_timer_set(&t->pool->timers, &t->timer, due, RAIA_OF_TRANSFER);
}

/* Ends `t`, which a 429 that another call got keeps from beginning for longer
   than its own timeout. */
static void refuse(struct raia_transfer *t, double wait) {
  t->outcome.status = 429;
  t->outcome.retry_after = wait;
  t->outcome.sent = false;
  finish(t, RAIA_HTTP);
}

/* Ends `t`, which had to wait for its timeout to hear what the server speaks.
 */
static void time_out(struct raia_transfer *t) {
  snprintf(t->detail, sizeof t->detail, "no connection to the server");
  t->outcome.sent = false;
  finish(t, RAIA_TIMEOUT);
}

/* Keeps `t` from beginning until the time that a 429 has named. */
static void hold_back(struct raia_transfer *t, double until, double now) {
  if (until - t->held_from > t->timeout)
    refuse(t, until - now);
  else
    wait_until(t, until);
}

/* Has `t` wait for others of its client. That takes no longer than they do,
   once the protocol is known. */
static void queue(struct raia_transfer *t, struct raia_gate *gate,
                  double now) {
  if (!gate->cold) {
    t->held_from = 0;
  } else if (now - t->held_from >= t->timeout) {
    time_out(t);
    return;
  } else {
    raia_timer_set(&t->pool->timers, &t->timer, t->held_from + t->timeout,
                   RAIA_OF_TRANSFER);
  }
  t->state = RAIA_QUEUED;
  raia_ring_in(gate->queue.previous, &t->link);
}

/* Begins an attempt of `t` now. */
static void attempt(struct raia_pool *pool, struct raia_transfer *t,
                    struct raia_gate *gate) {
  struct raia_lane *lane = choose_lane(pool, gate);
  t->held_from = 0;
  t->probes = gate->cold;
  t->lane = lane;
  if (lane == NULL || !raia_transfer_begin(t) ||
      !raia_lane_add(lane, t->handle)) {
    finish(t, RAIA_NO_MEMORY);
    return;
  }
  t->attempts++;
  t->started = raia_now();
  raia_timer_set(&pool->timers, &t->timer, t->started + t->timeout,
                 RAIA_OF_TRANSFER);
  t->state = RAIA_RUNNING;
  gate->active++;
  raia_ring_in(pool->running.previous, &t->link);
}

/* Begins an attempt of `t`, or has it wait for its turn. */
static void begin(struct raia_pool *pool, struct raia_transfer *t) {
  struct raia_gate *gate = raia_origin_gate(t->origin);
  take_out(t);
  if (gate->protocol == RAIA_HTTP2 && pool->sockets.multiplexing == 0)
    gate->cold = true; /* the next connection may be of another */
  bool open = raia_gate_open(gate);
  if (open && gate->not_before == 0) { /* as most: the clock is not asked */
    attempt(pool, t, gate);
    return;
  }
  double now = raia_now();
  if (t->held_from == 0)
    t->held_from = now;
  if (gate->not_before <= now)
    gate->not_before = 0;
  if (gate->not_before != 0)
    hold_back(t, gate->not_before, now);
  else if (!open)
    queue(t, gate, now);
  else
    attempt(pool, t, gate);
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
  if (t->state == RAIA_RUNNING) /* for what was sent */
    raia_transfer_end(t, CURLE_ABORTED_BY_CALLBACK);
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
                        int code) {
  double now = raia_now(), random = next_random(pool);
  const struct raia_gate *gate = raia_origin_gate(t->origin);
  raia_transfer_end(t, code);
  if (raia_transfer_was_offered_a_bad_connection(t)) {
    t->fresh = true;
    t->attempts--;
    begin(pool, t);
    return;
  }
  if (t->probes && gate->cold) /* in vain */
    raia_pool_learned(t, RAIA_HTTP1);
  t->attempt_ended = true;
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
  int code;
  struct raia_handle *handle;
  while ((handle = raia_lane_ended(lane, &code)) != NULL)
    end_attempt(pool, handle->transfer, code);
}

static void fire(struct raia_pool *pool, struct raia_timer *timer) {
  struct raia_transfer *t = RAIA_OF(struct raia_transfer, timer, timer);
  raia_timer_stop(timer);
  if (timer->source == RAIA_OF_TIMER)
    tell(pool, &RAIA_OF(struct raia_alarm, timer, timer)->news, RAIA_OF_TIMER);
  else if (t->state == RAIA_RUNNING)
    end_attempt(pool, t, CURLE_OPERATION_TIMEDOUT);
  else
    begin(pool, t);
}

static void fire_due(struct raia_pool *pool) {
  struct raia_timer *timer = pool->timers.first;
  double now = timer == NULL ? 0 : raia_now();
  for (; timer != NULL && timer->due <= now; timer = pool->timers.first)
    fire(pool, timer);
}

/* Ends all that is under way in a lane that is out of memory, and the lane. */
static void give_up(struct raia_pool *pool, struct raia_lane *lane) {
  collect(pool, lane);
  struct raia_link *kept = &pool->running; /* of another lane, or the head */
  while (kept->next != &pool->running) { /* what begins meanwhile comes last */
    struct raia_transfer *t = of_link(kept->next);
    if (t->lane == lane)
      raia_pool_stop(t, RAIA_NO_MEMORY);
    else
      kept = kept->next;
  }
  raia_lane_close(lane);
}

/* Closes what idle lanes keep open that only many calls at once have needed.
 */
static void tidy(struct raia_pool *pool) {
  for (int i = 1; i < pool->open; i++) {
    struct raia_lane *lane = &pool->lanes[i];
    if (lane->multi == NULL || lane == pool->multiplexed)
      continue;
    if (lane->active > 0)
      lane->idle_from = 0;
    else if (lane->idle_from == 0)
      lane->idle_from = raia_now();
    else if (raia_now() - lane->idle_from > lane_patience)
      raia_lane_close(lane);
  }
}

/* Has libcurl do what is due, and takes in what has ended. */
static void advance(struct raia_pool *pool) {
  for (int i = 0; i < pool->open; i++) {
    struct raia_lane *lane = &pool->lanes[i];
    if (!raia_lane_advance(lane))
      give_up(pool, lane);
    collect(pool, lane);
  }
  tidy(pool);
  begin_widened(pool);
}

double raia_pool_patience(const struct raia_pool *pool) {
  const struct raia_timer *timer = pool->timers.first;
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
  advance(pool);
  if (pool->in_flight == 0 && !raia_ring_empty(&pool->news))
    return true; /* there is nothing to look for */
  double patience = raia_pool_patience(pool);
  if (patience >= 0 && patience < seconds)
    seconds = patience;
  int n = raia_events_wait(pool->events, seconds, broken, data, ready, 64);
  for (int i = 0; i < n; i++) {
    struct raia_lane *lane = &pool->lanes[ready[i].tag];
    if (!raia_lane_act(lane, ready[i].fd, ready[i].what))
      give_up(pool, lane);
  }
  advance(pool);
  fire_due(pool); /* last: what has come is not too late */
  return n >= 0;
}
