/* One to five calls at once through the loop, over HTTP/1 or HTTP/2, to a
   server that breaks: each message is delivered once, each outcome is true,
   each answer belongs to its call, and all of it ends. The input: the calls,
   then step by step what the server and the caller do. */
#include "peer.h"

#include "../../src/net/libcurl.h"
#include "../../src/net/transfer.h"

#include <math.h>
#include <poll.h>
#include <time.h>

/* A clock that jumps over waits for a time: the linker (--wrap) has raia's
   files use it. */
static double skipped; /* seconds */
int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
  int status = __real_clock_gettime(id, now);
  double seconds = (double)now->tv_sec + skipped;
  now->tv_sec = (time_t)seconds;
  now->tv_nsec += (long)((seconds - (double)now->tv_sec) * 1e9);
  return status;
}

enum { CALLS_MAX = 5, LARGE_BODY = 100000, TIMEOUT = 10 };

struct call {
  struct raia_transfer t;
  bool started, cancelled;
  int refusals; /* attempts that the server has answered with 429 */
};

static struct server server;
static struct raia_endpoint *endpoint;
static struct raia_loop loop;
static struct call calls[CALLS_MAX];
static int call_count;
static bool overslept; /* the input has had the time of calls pass */

/* ---- moving along ---- */

static void start(struct call *call) {
  if (!call->started)
    raia_transfer_start(&loop, &call->t);
  call->started = true;
}

static void heed_news(void) {
  for (struct raia_completion *completion;
       (completion = raia_loop_completion(&loop)) != NULL;) {
    struct raia_transfer *t =
        RAIA_OF(struct raia_transfer, completion, completion);
    struct call *call = RAIA_OF(struct call, t, t);
    CHECK(t->state == RAIA_DONE || raia_retryable(&t->outcome));
    if (t->attempt_ended && t->outcome.kind == RAIA_HTTP &&
        t->outcome.status == 429)
      call->refusals++;
    t->attempt_ended = false;
  }
}

/* Has the client do what is due, or wait for it. */
static void step(double seconds) {
  raia_loop_step(&loop, seconds);
  server_read(&server);
  heed_news();
}

static bool is_running(void) {
  for (int i = 0; i < call_count; i++)
    if (calls[i].t.state == RAIA_RUNNING)
      return true;
  return false;
}

/* Has the client do all that it can, and the clock jump to what it only waits
   for. libcurl may go on as long as a window of HTTP/2 is closed. */
static void settle(void) {
  struct pollfd look = {.events = POLLIN};
  bool more = true;
  for (int steps = 0; more && steps < 100; steps++) {
    step(0);
    look.fd = raia_loop_fd(&loop);
    more = raia_loop_next_timeout(&loop) == 0 || poll(&look, 1, 0) > 0;
    const struct raia_timer *timer = loop.timers.first;
    if (!more && timer != NULL && !is_running()) {
      skipped += fmax(timer->due - raia_now(), 0) + 1e-3;
      more = true;
    }
  }
}

/* ---- what an input can do ---- */

/* What a thing is done to: one of the calls, connections and requests. */
struct aim {
  struct call *call;
  int peer;          /* -1: none, or it is reset */
  struct seen *seen; /* or NULL */
};

static void do_settle(struct bytes *b, struct aim at) {
  (void)b, (void)at;
  settle();
}

static void do_step(struct bytes *b, struct aim at) {
  (void)b, (void)at;
  step(0);
}

static void do_start(struct bytes *b, struct aim at) {
  (void)b;
  start(at.call);
}

static void do_cancel(struct bytes *b, struct aim at) {
  (void)b;
  if (!at.call->started || at.call->t.state == RAIA_DONE)
    return;
  raia_transfer_stop(&at.call->t, RAIA_CANCELLED);
  at.call->cancelled = true;
}

static void do_oversleep(struct bytes *b, struct aim at) {
  (void)b, (void)at;
  skipped += TIMEOUT + 1;
  overslept = true;
}

static void do_answer(struct bytes *b, struct aim at) {
  unsigned how = take(b);
  if (at.seen != NULL)
    answer(&server, at.seen, how);
}

static void do_end(struct bytes *b, struct aim at) {
  unsigned how = take(b);
  if (at.peer >= 0)
    peer_end(&server, at.peer, how & 1);
}

static void do_reset(struct bytes *b, struct aim at) {
  (void)b;
  if (at.peer >= 0)
    peer_reset(&server, at.peer);
}

static void do_greet(struct bytes *b, struct aim at) {
  (void)b;
  if (at.peer >= 0)
    greet(&server, at.peer);
}

static void do_goaway(struct bytes *b, struct aim at) {
  uint8_t payload[8] = {0, 0, 0, (uint8_t)take(b), 0, 0, 0, 0};
  if (at.peer >= 0)
    send_frame(&server, at.peer, GOAWAY, 0, 0, payload, 8);
}

static void do_reset_stream(struct bytes *b, struct aim at) {
  uint8_t payload[4] = {0, 0, 0, (uint8_t)take(b)};
  if (at.seen != NULL)
    send_frame(&server, at.seen->peer, RST_STREAM, 0, at.seen->stream, payload,
               4);
}

static void do_frame(struct bytes *b, struct aim at) {
  unsigned type = take(b), flags = take(b), stream = take(b);
  size_t length;
  char *payload = take_string(b, take(b), &length);
  if (at.peer >= 0)
    send_frame(&server, at.peer, type, flags, stream, payload, length);
  free(payload);
}

/* Sends bytes as they are. */
static void do_send(struct bytes *b, struct aim at) {
  size_t length;
  char *bytes = take_string(b, take(b), &length);
  if (at.peer >= 0) {
    server.peers[at.peer].garbled = true;
    peer_send(&server, at.peer, bytes, length);
  }
  free(bytes);
}

/* Sends bytes past TLS. */
static void do_send_below(struct bytes *b, struct aim at) {
  size_t length;
  char *bytes = take_string(b, take(b), &length);
  if (at.peer >= 0)
    (void)send(server.peers[at.peer].fd, bytes, length, MSG_DONTWAIT);
  free(bytes);
}

/* Does what the low half of the next byte says, to what its high half says. */
static void act(struct bytes *b) {
  static void (*const acts[])(struct bytes *, struct aim) = {
      do_settle, do_start,      do_cancel,       do_answer, do_end,
      do_reset,  do_greet,      do_reset_stream, do_goaway, do_frame,
      do_send,   do_send_below, do_oversleep,    do_step};
  enum { COUNT = sizeof acts / sizeof *acts };
  unsigned what = take(b), which = what >> 4;
  struct aim at = {&calls[which % (unsigned)call_count], -1, NULL};
  server_read(&server);
  if (server.peer_count > 0)
    at.peer = (int)(which % (unsigned)server.peer_count);
  if (at.peer >= 0 && server.peers[at.peer].fd < 0)
    at.peer = -1;
  if (server.seen_count > 0)
    at.seen = &server.seen[which % (unsigned)server.seen_count];
  if (at.seen != NULL && !is_awaited(&server, at.seen))
    at.seen = peer_latest(&server, at.seen->peer, 0);
  acts[(what & 15) % COUNT](b, at);
}

/* Answers all that is not answered, and greets. */
static void answer_all(void) {
  for (int i = 0; i < server.peer_count; i++)
    if (server.peers[i].http2 && server.peers[i].out.length == 0)
      greet(&server, i);
  for (int i = 0; i < server.seen_count; i++) {
    struct seen *seen = &server.seen[i];
    if (seen->whole && !seen->answered && is_awaited(&server, seen))
      answer(&server, seen, 0);
  }
}

static void reset_all(void) {
  for (int i = 0; i < server.peer_count; i++)
    if (server.peers[i].fd >= 0)
      peer_reset(&server, i);
}

/* Brings all to an end: by answers for a while, if they are wanted. */
static void end_all(bool answers) {
  for (int i = 0; i < call_count; i++)
    start(&calls[i]);
  settle();
  for (int turn = 0; loop.in_flight > 0; turn++) {
    CHECK(turn < 500);
    if (answers && turn < 10)
      answer_all();
    else
      reset_all();
    step(turn > 20 ? 0.01 : 0);
    settle();
  }
}

/* ---- what has to be so ---- */

/* Whether libcurl can take a reply over HTTP/2 for whole that was not: when
   its stream is reset without an error or, until 8.0, its connection ends by
   one, and nothing has said that there is more to come. */
static bool may_seem_whole(const struct raia_outcome *o, struct known known) {
  bool old = curl_version_info(CURLVERSION_NOW)->version_num < 0x080100;
  return (known.cut || old) &&
         (o->reply.length > 0 || o->content_type[0] == '\0');
}

static void check_outcome(const struct call *call, struct known known) {
  const struct raia_outcome *o = &call->t.outcome;
  switch (o->kind) {
  case RAIA_OK:
    CHECK(o->status >= 200 && o->status <= 299);
    CHECK(known.begun > 0 && o->sent);
    CHECK(known.ended || may_seem_whole(o, known));
    CHECK(known.whole > 0 || known.http2 ||
          call->t.asked.body_length == LARGE_BODY);
    break;
  case RAIA_HTTP:
    CHECK(o->status >= 300);
    CHECK(known.begun > 0 || o->status == 429);
    break;
  case RAIA_CANCELLED:
    CHECK(call->cancelled && o->status == 0);
    break;
  case RAIA_TIMEOUT:
    CHECK(overslept && o->status == 0);
    break;
  case RAIA_TLS:
    CHECK(server.speech != PLAIN && !o->sent);
    break;
  default:
    CHECK(o->kind == RAIA_CONNECTION || o->kind == RAIA_TOO_LARGE);
    CHECK(o->status == 0 && call->t.outcome.detail[0] != '\0');
  }
}

static void check(int number) {
  const struct call *call = &calls[number];
  const struct raia_transfer *t = &call->t;
  const struct raia_outcome *o = &t->outcome;
  struct known known = known_of(&server, number);
  bool post = strcmp(t->asked.method, "POST") == 0,
       last = t->outcome.attempts <= 1;
  CHECK(t->state == RAIA_DONE &&
        t->outcome.attempts <= 1 + t->asked.max_retries);
  CHECK(known.begun <= t->outcome.attempts);
  CHECK(!post || known.whole <= 1 + call->refusals);
  CHECK(t->outcome.reach != RAIA_UNSENT || known.whole == 0);
  CHECK(o->sent || !last || known.whole == 0);
  CHECK(o->sent || !last || known.begun == 0 || known.http2);
  CHECK(t->outcome.reply.length <= t->outcome.reply.limit);
  CHECK(known.garbled || is_own(&o->reply, server.run, number));
  CHECK(t->outcome.attempts == 0 || o->idempotent == !post);
  check_outcome(call, known);
}

/* ---- a run ---- */

static char trusted[64]; /* the file of the server's certificate */

static void leave(void) { unlink(trusted); }

static void open_server(void) {
  snprintf(trusted, sizeof trusted, "build/fuzz-%ld.pem", (long)getpid());
  server_open(&server, trusted);
  atexit(leave);
}

static void open_client(unsigned max_connections) {
  char url[64];
  const char *option;
  snprintf(url, sizeof url, "http%s://127.0.0.1:%d",
           server.speech == PLAIN ? "" : "s", server.port);
  struct raia_endpoint_options options = {.base_url = url,
                                          .secret_key = "secret-key",
                                          .user_agent = "u",
                                          .ca_file = trusted,
                                          .connect_timeout = 5,
                                          .max_connections = max_connections};
  memset(&loop, 0, sizeof loop);
  CHECK(raia_loop_open(&loop));
  CHECK(raia_endpoint_open(&endpoint, &options, &option) == NULL);
}

static void fill_in(struct call *call, int number, unsigned bits) {
  static const char *const methods[] = {"POST", "GET", "PUT", "DELETE"};
  static const char small[] = "{\"message\":\"once\"}";
  static char large[LARGE_BODY], paths[CALLS_MAX][32];
  if (large[0] == 0)
    memset(large, ' ', sizeof large);
  snprintf(paths[number], sizeof paths[number], PATH_MARK "%d", number);
  memset(call, 0, sizeof *call);
  struct raia_transfer *t = &call->t;
  t->asked.endpoint = endpoint;
  t->asked.method = methods[bits & 3];
  t->asked.path = paths[number];
  t->asked.timeout = TIMEOUT;
  t->asked.max_retries = (bits >> 2) & 1;
  t->asked.large = bits & 8;
  if (!(bits & 16) && (bits & 3) != 1) {
    t->asked.body = bits & 32 ? large : small;
    t->asked.body_length = bits & 32 ? sizeof large : sizeof small - 1;
  }
  raia_buffer_init(&t->outcome.reply, bits & 64 ? 1000 : 1 << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes b = {data, size};
  unsigned bits = take(&b);
  if (server.port == 0)
    open_server();
  overslept = false;
  server.run = server.run * 1664525 + 1013904223;
  server.speech = (enum speech)(bits & 3);
  call_count = 1 + (int)((bits >> 2) & 7) % CALLS_MAX;
  open_client(1 + ((bits >> 5) & 3));
  for (int i = 0; i < call_count; i++) {
    unsigned of_call = take(&b);
    fill_in(&calls[i], i, of_call);
    if (!(of_call & 128))
      start(&calls[i]);
  }
  while (b.left > 0)
    act(&b);
  end_all(bits & 128);
  CHECK(!is_running() && loop.timers.first == NULL);
  CHECK(raia_endpoint_limiter(endpoint)->active == 0);
  raia_loop_close(&loop);
  raia_endpoint_close(endpoint);
  server_read(&server);
  for (int i = 0; i < call_count; i++) {
    check(i);
    raia_buffer_free(&calls[i].t.outcome.reply);
  }
  server_renew(&server);
  return 0;
}
