/* Everything in flight in a Lua state: libcurl's multi handles, their sockets,
   timers and completions. */
#include "loop.h"

#include "events.h"
#include "handle.h"
#include "process.h"

#include <math.h>
#include <stdint.h>
#include <time.h>

/* Attempts with a connection each in one multi handle; the last multi handle
   takes the rest. */
enum { MULTI_ROOM = 256 };

/* Seconds after which an empty multi handle is closed, so that the connections
   of a burst do not stay open. */
static const double IDLE_LIMIT = 5;

/* How many times sockets are read before a due timer fires: enough for the
   answers that arrived while the program was busy, but bounded, so that a
   server that never stops sending cannot hold the timer up. */
enum { LOOKS = 256 };

/* ---- sockets and multi handles ---- */

int raia_loop_socket(const struct raia_loop *loop, int own, int peer) {
  return raia_sockets_find(&loop->sockets, own, peer);
}

void raia_loop_connected(struct raia_loop *loop, int fd, int own, int peer,
                         bool multiplexes) {
  raia_sockets_add(&loop->sockets, fd, own, peer, multiplexes);
  if (!multiplexes) /* an HTTP/2 connection is never idle for long */
    raia_events_opened(loop->events, fd);
}

void raia_loop_closing(struct raia_loop *loop, int fd) {
  raia_sockets_remove(&loop->sockets, fd);
  raia_events_closing(loop->events, fd);
}

void raia_loop_multiplexes(struct raia_loop *loop, struct raia_multi *multi) {
  if (loop->multiplexed == NULL)
    loop->multiplexed = multi;
}

struct raia_multi *raia_loop_choose(struct raia_loop *loop,
                                    enum raia_protocol protocol) {
  struct raia_multi *multi = loop->multis;
  const struct raia_multi *last = multi + RAIA_MULTIS - 1;
  bool multiplexes = protocol == RAIA_HTTP2 && loop->multiplexed != NULL;
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

/* ---- jobs, completions, alarms, deferred work ---- */

void raia_loop_add(struct raia_loop *loop, struct raia_job *job) {
  loop->in_flight++;
  raia_list_insert(loop->jobs.previous, &job->link);
}

void raia_loop_remove(struct raia_loop *loop, struct raia_job *job) {
  loop->in_flight--;
  raia_list_remove(&job->link);
}

void raia_loop_complete(struct raia_loop *loop,
                        struct raia_completion *completion) {
  raia_list_remove(&completion->link);
  raia_list_insert(loop->completions.previous, &completion->link);
}

struct raia_completion *raia_loop_completion(struct raia_loop *loop) {
  struct raia_link *link = loop->completions.next;
  return raia_list_remove(link) ? RAIA_OF(struct raia_completion, link, link)
                                : NULL;
}

static void fire_alarm(struct raia_timer *timer) {
  struct raia_alarm *alarm = RAIA_OF(struct raia_alarm, timer, timer);
  raia_loop_complete(alarm->loop, &alarm->completion);
}

void raia_loop_alarm(struct raia_loop *loop, struct raia_alarm *alarm,
                     double seconds) {
  alarm->loop = loop;
  raia_timer_set(&loop->timers, &alarm->timer, raia_now() + seconds,
                 fire_alarm);
}

void raia_alarm_stop(struct raia_alarm *alarm) {
  raia_timer_stop(&alarm->timer);
  raia_list_remove(&alarm->completion.link);
}

void raia_loop_defer(struct raia_loop *loop, struct raia_deferred *deferred) {
  raia_list_remove(&deferred->link);
  raia_list_insert(loop->deferred.previous, &deferred->link);
}

static void run_deferred(struct raia_loop *loop) {
  while (!raia_list_empty(&loop->deferred)) {
    struct raia_deferred *deferred =
        RAIA_OF(struct raia_deferred, link, loop->deferred.next);
    raia_list_remove(&deferred->link);
    deferred->run(deferred);
  }
}

double raia_loop_random(struct raia_loop *loop) {
  loop->random = loop->random * 1664525u + 1013904223u;
  return (loop->random >> 8) / 16777216.0;
}

/* ---- open, close, fork ---- */

bool raia_loop_open(struct raia_loop *loop) {
  raia_process_init();
  loop->forks = raia_process_forks;
  raia_list_init(&loop->jobs);
  raia_list_init(&loop->completions);
  raia_list_init(&loop->deferred);
  loop->random = (unsigned)time(NULL) ^ (unsigned)(uintptr_t)loop;
  loop->events = raia_events_open();
  return loop->events != NULL;
}

/* Newest first, so that ending one does not start another. */
static void stop_all(struct raia_loop *loop, bool forked) {
  while (!raia_list_empty(&loop->jobs)) {
    struct raia_job *job = RAIA_OF(struct raia_job, link, loop->jobs.previous);
    job->stop(job, forked);
  }
}

void raia_loop_close(struct raia_loop *loop) {
  raia_loop_after_fork(loop);
  if (loop->events == NULL)
    return;
  stop_all(loop, false);
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

/* libcurl's connections, descriptors and threads belong to the parent. The
   child abandons them for good: cleaning up would close the parent's TLS
   sessions. */
void raia_loop_after_fork(struct raia_loop *loop) {
  if (loop->events == NULL || loop->forks == raia_process_forks)
    return;
  loop->forks = raia_process_forks;
  for (int i = 0; i < loop->open; i++)
    raia_multi_abandon(&loop->multis[i]);
  raia_sockets_free(&loop->sockets);
  loop->events = raia_events_open(); /* NULL: all calls end as closed */
  stop_all(loop, true);
}

/* ---- a step ---- */

static void collect(struct raia_multi *multi) {
  int code;
  struct raia_handle *handle;
  while ((handle = raia_multi_ended(multi, &code)) != NULL)
    handle->ended(handle->exchange, code);
}

/* Ends everything in a multi handle that ran out of memory, and closes it. */
static void give_up(struct raia_multi *multi) {
  collect(multi);
  while (!raia_list_empty(&multi->handles)) {
    struct raia_handle *handle =
        RAIA_OF(struct raia_handle, link, multi->handles.next);
    handle->ended(handle->exchange, RAIA_MULTI_FAILED);
  }
  raia_multi_close(multi);
}

/* Closes multi handles that only a burst of calls has needed. */
static void close_idle(struct raia_loop *loop) {
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

/* Lets libcurl do what is due and collects the handles that have ended. */
static void advance(struct raia_loop *loop) {
  for (int i = 0; i < loop->open; i++) {
    struct raia_multi *multi = &loop->multis[i];
    if (!raia_multi_advance(multi))
      give_up(multi);
    collect(multi);
  }
  close_idle(loop);
  run_deferred(loop);
}

static void fire_due(struct raia_loop *loop) {
  struct raia_timer *timer = loop->timers.first;
  double now = timer == NULL ? 0 : raia_now();
  for (; timer != NULL && timer->due <= now; timer = loop->timers.first) {
    raia_timer_stop(timer);
    timer->fire(timer);
  }
}

double raia_loop_next_timeout(const struct raia_loop *loop) {
  const struct raia_timer *timer = loop->timers.first;
  double due = timer == NULL ? HUGE_VAL : timer->due;
  /* With nothing in flight, libcurl's own timers can wait. */
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

void raia_loop_wake(struct raia_loop *loop) {
  if (loop->events != NULL)
    raia_events_wake(loop->events);
}

static bool is_due(const struct raia_loop *loop) {
  const struct raia_timer *timer = loop->timers.first;
  return timer != NULL && timer->due <= raia_now();
}

/* Waits for sockets and lets libcurl handle those that are ready. Returns
   their number. */
static int look(struct raia_loop *loop, double seconds) {
  struct raia_event ready[64];
  int n = raia_events_wait(loop->events, seconds, ready, 64);
  for (int i = 0; i < n; i++) {
    struct raia_multi *multi = &loop->multis[ready[i].tag];
    if (!raia_multi_act(multi, ready[i].fd, ready[i].what))
      give_up(multi);
  }
  advance(loop);
  return n;
}

/* The order of a step. First libcurl does what is due: it begins what was
   added since the last step. Then we wait for sockets, at most until the next
   timer is due. Before a timer fires, sockets are read until nothing more is
   ready: an answer that has arrived is never late. */
void raia_loop_step(struct raia_loop *loop, double seconds) {
  raia_loop_after_fork(loop);
  if (loop->events == NULL)
    return;
  advance(loop);
  if (loop->in_flight == 0 && !raia_list_empty(&loop->completions))
    return; /* nothing is in flight */
  double timeout = raia_loop_next_timeout(loop);
  if (timeout >= 0 && timeout < seconds)
    seconds = timeout;
  for (int looks = 0; looks < LOOKS && look(loop, seconds) > 0; looks++) {
    if (!is_due(loop))
      return;
    seconds = 0;
  }
  fire_due(loop);
}
