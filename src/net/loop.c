/* All that is in flight: libcurl's multi handles, their sockets and timers. */
#include "loop.h"

#include "events.h"
#include "handle.h"
#include "process.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Attempts in a multi of which each has a connection; the last takes more. */
enum { MULTI_ROOM = 256 };

/* Seconds after which a multi that nothing is in is closed, but the first: so
   that what many calls at once have opened does not stay open. */
static const double IDLE_LIMIT = 5;

static struct raia_transfer *of_link(struct raia_link *link) {
  return RAIA_OF(struct raia_transfer, link, link);
}

/* ---- sockets ---- */

int raia_loop_socket(const struct raia_loop *loop, int own, int peer) {
  return raia_sockets_find(&loop->sockets, own, peer);
}

void raia_loop_connected(struct raia_loop *loop, int fd, int own, int peer,
                         bool multiplexes) {
  raia_sockets_add(&loop->sockets, fd, own, peer, multiplexes);
  if (!multiplexes) /* a connection of HTTP/2 is never idle for long */
    raia_events_opened(loop->events, fd);
}

void raia_loop_closing(struct raia_loop *loop, int fd) {
  raia_sockets_remove(&loop->sockets, fd);
  raia_events_closing(loop->events, fd);
}

/* ---- open, close ---- */

static void renew(struct raia_loop *loop);

/* The multi for one more attempt through `limiter`, open; NULL when out of
   memory. */
static struct raia_multi *choose_multi(struct raia_loop *loop,
                                       const struct raia_limiter *limiter) {
  struct raia_multi *multi = loop->multis;
  const struct raia_multi *last = multi + RAIA_MULTIS - 1;
  bool multiplexes =
      limiter->protocol == RAIA_HTTP2 && loop->multiplexed != NULL;
  if (multiplexes)
    multi = loop->multiplexed;
  else
    while (multi == loop->multiplexed ||
           (multi < last && multi->active >= MULTI_ROOM))
      multi++;
  int i = (int)(multi - loop->multis);
  if (i >= loop->open)
    loop->open = i + 1;
  if (multi->curl == NULL && !raia_multi_open(multi, loop->events, i))
    return NULL;
  if (multiplexes)
    raia_multi_multiplex(multi);
  return multi;
}

bool raia_loop_open(struct raia_loop *loop) {
  raia_process_init();
  loop->forks = raia_process_forks();
  raia_list_init(&loop->running);
  raia_list_init(&loop->waiting);
  raia_list_init(&loop->completions);
  raia_list_init(&loop->widened);
  loop->random = (unsigned)time(NULL) ^ (unsigned)(uintptr_t)loop;
  loop->events = raia_events_open();
  return loop->events != NULL;
}

static void leave(struct raia_transfer *t) {
  t->forked = true;
  raia_loop_stop(t, RAIA_CLOSED);
}

static void leave_all(struct raia_loop *loop) {
  while (!raia_list_empty(&loop->running)) /* those queued begin, and follow */
    leave(of_link(loop->running.next));
  while (!raia_list_empty(&loop->waiting))
    leave(of_link(loop->waiting.next));
}

void raia_loop_close(struct raia_loop *loop) {
  renew(loop);
  if (loop->events == NULL)
    return;
  leave_all(loop);
  while (loop->timers.first != NULL)
    raia_timer_stop(loop->timers.first);
  while (raia_loop_completion(loop) != NULL)
    ;
  for (int i = 0; i < loop->open; i++)
    raia_multi_close(&loop->multis[i]);
  raia_sockets_free(&loop->sockets);
  raia_events_close(loop->events);
  loop->events = NULL;
}

/* In the child of a fork, begins anew: connections, descriptors and threads
   of libcurl's are the parent's. So the child leaves them as they are, for
   good: cleaning up would say goodbye on the parent's connections. */
static void renew(struct raia_loop *loop) {
  if (loop->events == NULL || loop->forks == raia_process_forks())
    return;
  loop->forks = raia_process_forks();
  for (int i = 0; i < loop->open; i++)
    raia_multi_leave(&loop->multis[i]);
  raia_sockets_free(&loop->sockets);
  loop->events = raia_events_open(); /* NULL: all calls fail as closed */
  leave_all(loop);
}

/* ---- timers and completion ---- */

static void tell(struct raia_loop *loop, struct raia_completion *completion,
                 enum raia_source source) {
  completion->source = source;
  raia_list_remove(&completion->link);
  raia_list_insert(loop->completions.previous, &completion->link);
}

struct raia_completion *raia_loop_completion(struct raia_loop *loop) {
  struct raia_link *link = loop->completions.next;
  return raia_list_remove(link) ? RAIA_OF(struct raia_completion, link, link)
                                : NULL;
}

void raia_loop_alarm(struct raia_loop *loop, struct raia_alarm *alarm,
                     double seconds) {
  raia_timer_set(&loop->timers, &alarm->timer, raia_now() + seconds,
                 RAIA_OF_TIMER);
}

void raia_loop_calm(struct raia_alarm *alarm) {
  raia_timer_stop(&alarm->timer);
  raia_list_remove(&alarm->completion.link);
}

/* ---- a transfer's way through the loop ---- */

static void begin(struct raia_loop *loop, struct raia_transfer *t);

/* Begins what is queued as far as there is room. */
static void begin_queued(struct raia_loop *loop,
                         struct raia_limiter *limiter) {
  while (raia_limiter_open(limiter) && !raia_list_empty(&limiter->queue))
    begin(loop, of_link(limiter->queue.next));
}

static void begin_widened(struct raia_loop *loop) {
  while (!raia_list_empty(&loop->widened)) {
    struct raia_link *link = loop->widened.next;
    raia_list_remove(link);
    begin_queued(loop, RAIA_OF(struct raia_limiter, widened, link));
  }
}

void raia_loop_learned(struct raia_transfer *t, enum raia_protocol protocol) {
  struct raia_loop *loop = t->loop;
  struct raia_limiter *limiter = raia_endpoint_gate(t->endpoint);
  bool was_open = raia_limiter_open(limiter);
  if (protocol == RAIA_HTTP2 && loop->multiplexed == NULL)
    loop->multiplexed = t->multi; /* which has the connection */
  limiter->protocol = protocol == RAIA_HTTP2 ? RAIA_HTTP2 : RAIA_HTTP1;
  limiter->cold = false;
  if (!was_open && !raia_list_empty(&limiter->queue)) {
    raia_list_remove(&limiter->widened);
    raia_list_insert(loop->widened.previous, &limiter->widened);
  }
}

/* Takes `t` from where its state has put it. An attempt that was under way
   makes room for one that is queued. */
static void take_out(struct raia_transfer *t) {
  struct raia_limiter *limiter = raia_endpoint_gate(t->endpoint);
  bool running = t->state == RAIA_RUNNING;
  raia_list_remove(&t->link);
  raia_timer_stop(&t->timer);
  t->state = RAIA_READY;
  if (!running)
    return;
  raia_multi_remove(t->multi, t->handle);
  if (t->multi->curl == NULL) /* the parent's, see renew */
    t->handle = NULL;
  raia_transfer_put_back(t);
  limiter->active--;
  begin_queued(t->loop, limiter);
}

static void finish(struct raia_transfer *t, enum raia_kind kind) {
  t->outcome.kind = kind;
  if (kind != RAIA_OK && kind != RAIA_HTTP)
    t->outcome.status = 0; /* it may be of an attempt before */
  t->state = RAIA_DONE;
  t->loop->in_flight--;
  raia_transfer_release(t);
  tell(t->loop, &t->completion, RAIA_OF_TRANSFER);
}

static void wait_until(struct raia_transfer *t, double due) {
  t->state = RAIA_WAITING;
  raia_list_insert(t->loop->waiting.previous, &t->link);
  raia_timer_set(&t->loop->timers, &t->timer, due, RAIA_OF_TRANSFER);
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
static void queue(struct raia_transfer *t, struct raia_limiter *limiter,
                  double now) {
  if (!limiter->cold) {
    t->held_from = 0;
  } else if (now - t->held_from >= t->timeout) {
    time_out(t);
    return;
  } else {
    raia_timer_set(&t->loop->timers, &t->timer, t->held_from + t->timeout,
                   RAIA_OF_TRANSFER);
  }
  t->state = RAIA_QUEUED;
  raia_list_insert(limiter->queue.previous, &t->link);
}

/* Begins an attempt of `t` now. */
static void attempt(struct raia_loop *loop, struct raia_transfer *t,
                    struct raia_limiter *limiter) {
  struct raia_multi *multi = choose_multi(loop, limiter);
  t->held_from = 0;
  t->probes = limiter->cold;
  t->multi = multi;
  if (multi == NULL || !raia_transfer_begin(t) ||
      !raia_multi_add(multi, t->handle)) {
    finish(t, RAIA_NO_MEMORY);
    return;
  }
  t->attempts++;
  t->started = raia_now();
  raia_timer_set(&loop->timers, &t->timer, t->started + t->timeout,
                 RAIA_OF_TRANSFER);
  t->state = RAIA_RUNNING;
  limiter->active++;
  raia_list_insert(loop->running.previous, &t->link);
}

/* Begins an attempt of `t`, or has it wait for its turn. */
static void begin(struct raia_loop *loop, struct raia_transfer *t) {
  struct raia_limiter *limiter = raia_endpoint_gate(t->endpoint);
  take_out(t);
  if (limiter->protocol == RAIA_HTTP2 && loop->sockets.multiplexing == 0)
    limiter->cold = true; /* the next connection may be of another */
  bool open = raia_limiter_open(limiter);
  if (open && limiter->not_before == 0) { /* as most: the clock is not asked */
    attempt(loop, t, limiter);
    return;
  }
  double now = raia_now();
  if (t->held_from == 0)
    t->held_from = now;
  if (limiter->not_before <= now)
    limiter->not_before = 0;
  if (limiter->not_before != 0)
    hold_back(t, limiter->not_before, now);
  else if (!open)
    queue(t, limiter, now);
  else
    attempt(loop, t, limiter);
}

void raia_loop_start(struct raia_loop *loop, struct raia_transfer *t) {
  renew(loop);
  t->loop = loop;
  loop->in_flight++;
  if (loop->events == NULL)
    finish(t, RAIA_CLOSED);
  else
    begin(loop, t);
}

void raia_loop_stop(struct raia_transfer *t, enum raia_kind kind) {
  if (t->state != RAIA_READY && t->state != RAIA_DONE)
    renew(t->loop); /* which may end it */
  if (t->state == RAIA_READY || t->state == RAIA_DONE)
    return;
  if (t->state == RAIA_RUNNING) /* for what was sent */
    raia_transfer_end(t, CURLE_ABORTED_BY_CALLBACK);
  take_out(t);
  finish(t, kind);
  if (t->loop->events != NULL)
    raia_events_wake(t->loop->events);
}

void raia_loop_forget(struct raia_transfer *t) {
  raia_loop_stop(t, RAIA_CANCELLED);
  raia_list_remove(&t->completion.link);
}

static double next_random(struct raia_loop *loop) {
  loop->random = loop->random * 1664525u + 1013904223u;
  return (loop->random >> 8) / 16777216.0;
}

/* A 429 is for all calls of the client: none of them begins an attempt until
   the service wants to be asked again. */
static void slow_down(struct raia_transfer *t, double now, double random) {
  struct raia_limiter *limiter = raia_endpoint_gate(t->endpoint);
  double wait = raia_retry_wait(&t->outcome, t->attempts, t->attempts, random);
  if (t->outcome.status == 429 && wait > 0)
    limiter->not_before = fmax(limiter->not_before, now + wait);
}

static void end_attempt(struct raia_loop *loop, struct raia_transfer *t,
                        int code) {
  double now = raia_now(), random = next_random(loop);
  const struct raia_limiter *limiter = raia_endpoint_gate(t->endpoint);
  raia_transfer_end(t, code);
  if (raia_transfer_was_offered_a_bad_connection(t)) {
    t->fresh = true;
    t->attempts--;
    begin(loop, t);
    return;
  }
  if (t->probes && limiter->cold) /* in vain */
    raia_loop_learned(t, RAIA_HTTP1);
  t->attempt_ended = true;
  slow_down(t, now, random);
  take_out(t);
  double wait =
      raia_retry_wait(&t->outcome, t->attempts, t->max_retries, random);
  if (wait < 0) {
    finish(t, t->outcome.kind);
  } else {
    wait_until(t, now + wait);
    tell(loop, &t->completion, RAIA_OF_TRANSFER);
  }
}

/* ---- moving everything along ---- */

static void collect(struct raia_loop *loop, struct raia_multi *multi) {
  int code;
  struct raia_handle *handle;
  while ((handle = raia_multi_ended(multi, &code)) != NULL)
    end_attempt(loop, handle->transfer, code);
}

static void fire(struct raia_loop *loop, struct raia_timer *timer) {
  struct raia_transfer *t = RAIA_OF(struct raia_transfer, timer, timer);
  raia_timer_stop(timer);
  if (timer->source == RAIA_OF_TIMER)
    tell(loop, &RAIA_OF(struct raia_alarm, timer, timer)->completion,
         RAIA_OF_TIMER);
  else if (t->state == RAIA_RUNNING)
    end_attempt(loop, t, CURLE_OPERATION_TIMEDOUT);
  else
    begin(loop, t);
}

static void fire_due(struct raia_loop *loop) {
  struct raia_timer *timer = loop->timers.first;
  double now = timer == NULL ? 0 : raia_now();
  for (; timer != NULL && timer->due <= now; timer = loop->timers.first)
    fire(loop, timer);
}

/* Ends all that is under way in a multi that is out of memory, and the multi.
 */
static void give_up(struct raia_loop *loop, struct raia_multi *multi) {
  collect(loop, multi);
  struct raia_link *kept = &loop->running; /* of another multi, or the head */
  while (kept->next != &loop->running) { /* what begins meanwhile comes last */
    struct raia_transfer *t = of_link(kept->next);
    if (t->multi == multi)
      raia_loop_stop(t, RAIA_NO_MEMORY);
    else
      kept = kept->next;
  }
  raia_multi_close(multi);
}

/* Closes what idle multis keep open that only many calls at once have needed.
 */
static void tidy(struct raia_loop *loop) {
  for (int i = 1; i < loop->open; i++) {
    struct raia_multi *multi = &loop->multis[i];
    if (multi->curl == NULL || multi == loop->multiplexed)
      continue;
    if (multi->active > 0)
      multi->idle_from = 0;
    else if (multi->idle_from == 0)
      multi->idle_from = raia_now();
    else if (raia_now() - multi->idle_from > IDLE_LIMIT)
      raia_multi_close(multi);
  }
}

/* Has libcurl do what is due, and takes in what has ended. */
static void advance(struct raia_loop *loop) {
  for (int i = 0; i < loop->open; i++) {
    struct raia_multi *multi = &loop->multis[i];
    if (!raia_multi_advance(multi))
      give_up(loop, multi);
    collect(loop, multi);
  }
  tidy(loop);
  begin_widened(loop);
}

double raia_loop_patience(const struct raia_loop *loop) {
  const struct raia_timer *timer = loop->timers.first;
  double due = timer == NULL ? HUGE_VAL : timer->due;
  /* With nothing in flight, what libcurl would still do can wait. */
  for (int i = 0; i < loop->open && loop->in_flight > 0; i++)
    if (loop->multis[i].due != 0 && loop->multis[i].due < due)
      due = loop->multis[i].due;
  if (!raia_list_empty(&loop->completions))
    due = 0;
  return due == HUGE_VAL ? -1 : fmax(due - raia_now(), 0);
}

int raia_loop_fd(const struct raia_loop *loop) {
  return loop->events == NULL ? -1 : raia_events_fd(loop->events);
}

bool raia_loop_step(struct raia_loop *loop, double seconds,
                    bool (*broken)(const void *data), const void *data) {
  struct raia_event ready[64];
  renew(loop);
  if (loop->events == NULL)
    return true;
  advance(loop);
  if (loop->in_flight == 0 && !raia_list_empty(&loop->completions))
    return true; /* there is nothing to look for */
  double patience = raia_loop_patience(loop);
  if (patience >= 0 && patience < seconds)
    seconds = patience;
  int n = raia_events_wait(loop->events, seconds, broken, data, ready, 64);
  for (int i = 0; i < n; i++) {
    struct raia_multi *multi = &loop->multis[ready[i].tag];
    if (!raia_multi_act(multi, ready[i].fd, ready[i].what))
      give_up(loop, multi);
  }
  advance(loop);
  fire_due(loop); /* last: what has come is not too late */
  return n >= 0;
}
