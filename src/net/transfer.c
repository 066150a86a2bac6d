/* One call over HTTP as a state machine: queued, tried, waiting, tried again,
   done. Its state is written here alone. */
#include "transfer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void begin(struct raia_transfer *t);

/* ---- from state to state ---- */

/* Begins queued calls while there is room. */
static void begin_queued(struct raia_limiter *limiter) {
  while (raia_limiter_open(limiter) && !raia_list_empty(&limiter->queue))
    begin(RAIA_OF(struct raia_transfer, link, limiter->queue.next));
}

static void recheck(struct raia_deferred *deferred) {
  begin_queued(RAIA_OF(struct raia_limiter, recheck, deferred));
}

/* Removes `t` from wherever its state has put it. An attempt that was running
   makes room for a queued call. */
static void take_out(struct raia_transfer *t) {
  bool running = t->state == RAIA_RUNNING;
  raia_list_remove(&t->link);
  if (t->timer.in != NULL)
    raia_timer_stop(&t->timer);
  t->state = RAIA_READY;
  if (!running)
    return;
  raia_exchange_leave(&t->exchange);
  t->exchange.limiter->active--;
  begin_queued(t->exchange.limiter);
}

static void finish(struct raia_transfer *t, enum raia_kind kind) {
  t->outcome.kind = kind;
  if (kind != RAIA_OK && kind != RAIA_HTTP)
    t->outcome.status = 0; /* it may be left from an earlier attempt */
  t->state = RAIA_DONE;
  raia_transfer_release(t);
  raia_loop_remove(t->exchange.loop, &t->job);
  raia_loop_complete(t->exchange.loop, &t->completion);
}

static void end_attempt(struct raia_transfer *t);

/* Times out the attempt under way, or begins the next one. */
static void on_timer(struct raia_timer *timer) {
  struct raia_transfer *t = RAIA_OF(struct raia_transfer, timer, timer);
  if (t->state == RAIA_RUNNING) {
    raia_exchange_judge_timeout(&t->exchange);
    end_attempt(t);
  } else {
    begin(t);
  }
}

static void set_timer(struct raia_transfer *t, double due) {
  raia_timer_set(&t->exchange.loop->timers, &t->timer, due, on_timer);
}

static void wait_until(struct raia_transfer *t, double due) {
  t->state = RAIA_WAITING;
  set_timer(t, due);
}

/* ---- held back by others of the client ---- */

/* Delays `t` until the time set by a 429, or ends it if that is longer than
   its timeout. */
static void hold_back(struct raia_transfer *t, double until, double now) {
  if (until - t->held_from <= t->asked.timeout) {
    wait_until(t, until);
    return;
  }
  t->outcome.status = 429;
  t->outcome.retry_after = until - now;
  t->outcome.sent = false;
  finish(t, RAIA_HTTP);
}

/* Queues `t` behind other calls of its client. That ends when they do or,
   while the protocol is unknown, with its timeout. */
static void queue(struct raia_transfer *t, struct raia_limiter *limiter,
                  double now) {
  if (limiter->cold && now - t->held_from >= t->asked.timeout) {
    snprintf(t->outcome.detail, sizeof t->outcome.detail,
             "no connection to the server");
    t->outcome.sent = false;
    finish(t, RAIA_TIMEOUT);
    return;
  }
  if (limiter->cold)
    set_timer(t, t->held_from + t->asked.timeout);
  else
    t->held_from = 0;
  t->state = RAIA_QUEUED;
  limiter->recheck.run = recheck;
  raia_list_insert(limiter->queue.previous, &t->link);
}

/* ---- an attempt ---- */

static void on_ended(struct raia_exchange *x, int code) {
  struct raia_transfer *t = RAIA_OF(struct raia_transfer, exchange, x);
  if (code == RAIA_MULTI_FAILED) {
    raia_transfer_stop(t, RAIA_NO_MEMORY);
    return;
  }
  raia_exchange_judge(x, code);
  end_attempt(t);
}

/* Begins an attempt of `t` now. */
static void attempt(struct raia_transfer *t, struct raia_limiter *limiter) {
  struct raia_loop *loop = t->exchange.loop;
  t->held_from = 0;
  t->probes = limiter->cold;
  if (!raia_exchange_begin(&t->exchange, limiter->protocol, on_ended)) {
    finish(t, RAIA_NO_MEMORY);
    return;
  }
  t->outcome.attempts++;
  t->state = RAIA_RUNNING;
  limiter->active++;
  raia_timer_set(&loop->timers, &t->timer,
                 t->exchange.started + t->asked.timeout, on_timer);
}

/* Begins an attempt of `t`, or makes it wait for its turn. */
static void begin(struct raia_transfer *t) {
  struct raia_limiter *limiter = t->exchange.limiter;
  take_out(t);
  if (limiter->protocol == RAIA_HTTP2 &&
      t->exchange.loop->sockets.multiplexing == 0)
    limiter->cold = true; /* the next connection may differ */
  bool open = raia_limiter_open(limiter);
  if (open && limiter->not_before == 0) { /* most often; no clock needed */
    attempt(t, limiter);
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
    attempt(t, limiter);
}

/* A 429 applies to all calls of the client: none begins an attempt before the
   time that the service has named. */
static void slow_down(const struct raia_transfer *t, double now,
                      double random) {
  struct raia_limiter *limiter = t->exchange.limiter;
  const struct raia_outcome *o = &t->outcome;
  if (o->status != 429)
    return;
  double wait = raia_retry_wait(o, o->attempts, o->attempts, random);
  if (wait > 0)
    limiter->not_before = fmax(limiter->not_before, now + wait);
}

/* Decides what follows an attempt that has been judged. */
static void end_attempt(struct raia_transfer *t) {
  struct raia_limiter *limiter = t->exchange.limiter;
  struct raia_loop *loop = t->exchange.loop;
  if (t->exchange.unusable) { /* as if it had not begun */
    t->exchange.fresh = true;
    t->outcome.attempts--;
    begin(t);
    return;
  }
  if (t->probes && limiter->cold && /* it failed: the others may go on */
      raia_limiter_learned(limiter, RAIA_HTTP1))
    raia_loop_defer(loop, &limiter->recheck);
  t->attempt_ended = true;
  t->retry_in = -1;
  if (t->outcome.kind == RAIA_OK) {
    take_out(t);
    finish(t, RAIA_OK);
    return;
  }
  double now = raia_now(), random = raia_loop_random(loop);
  slow_down(t, now, random);
  take_out(t);
  t->retry_in = raia_retry_wait(&t->outcome, t->outcome.attempts,
                                t->asked.max_retries, random);
  if (t->retry_in < 0) {
    finish(t, t->outcome.kind);
  } else {
    wait_until(t, now + t->retry_in);
    raia_loop_complete(loop, &t->completion);
  }
}

/* ---- start and stop ---- */

static void stop_job(struct raia_job *job, bool forked) {
  struct raia_transfer *t = RAIA_OF(struct raia_transfer, job, job);
  t->outcome.forked = forked;
  raia_transfer_stop(t, RAIA_CLOSED);
}

void raia_transfer_start(struct raia_loop *loop, struct raia_transfer *t) {
  raia_loop_after_fork(loop);
  t->exchange.asked = &t->asked;
  t->exchange.outcome = &t->outcome;
  t->exchange.loop = loop;
  t->job.stop = stop_job;
  raia_loop_add(loop, &t->job);
  t->exchange.limiter = raia_endpoint_limiter(t->asked.endpoint);
  if (loop->events == NULL)
    finish(t, RAIA_CLOSED);
  else
    begin(t);
}

static bool is_under_way(const struct raia_transfer *t) {
  return t->state != RAIA_READY && t->state != RAIA_DONE;
}

void raia_transfer_stop(struct raia_transfer *t, enum raia_kind kind) {
  if (is_under_way(t))
    raia_loop_after_fork(t->exchange.loop); /* which may end `t` */
  if (!is_under_way(t))
    return;
  if (t->state == RAIA_RUNNING) /* to record how much was sent */
    raia_exchange_judge_stopped(&t->exchange);
  take_out(t);
  finish(t, kind);
  raia_loop_wake(t->exchange.loop);
}

void raia_transfer_refuse(struct raia_transfer *t, enum raia_kind kind) {
  raia_transfer_release(t);
  t->outcome.kind = kind;
  t->state = RAIA_DONE;
}

void raia_transfer_detach(struct raia_transfer *t) {
  raia_transfer_stop(t, RAIA_CANCELLED);
  raia_list_remove(&t->completion.link);
}

void raia_transfer_release(struct raia_transfer *t) {
  if (t->exchange.handle != NULL)
    raia_exchange_leave(&t->exchange);
  raia_headers_free(&t->asked.headers);
  raia_body_close(&t->asked.source, &t->asked.sink);
}
