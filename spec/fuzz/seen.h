/* What a server inside a fuzz target has read and said, over HTTP/1 or HTTP/2:
   which requests have come whole, which it has refused. */
#ifndef RAIA_FUZZ_SEEN_H
#define RAIA_FUZZ_SEEN_H

#include "fuzz.h"

#include "../../src/net/buffer.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Begins the path of each request, then comes the number of its call. HPACK
   does not compress these characters: its code for them is longer. */
#define PATH_MARK "/!!!!"

enum { PEERS_MAX = 64, SEEN_MAX = 64 };
enum { DATA, HEADERS, RST_STREAM = 3, SETTINGS, GOAWAY = 7, WINDOW_UPDATE };
enum { END_STREAM = 1, END_HEADERS = 4 };
enum { NO_ERROR, REFUSED_STREAM = 7 };

/* What one side of a connection has sent, and how much of it was parsed. */
struct flow {
  uint8_t *bytes;
  size_t length, at;
};

/* A request that has begun to arrive. */
struct seen {
  int call, peer;
  unsigned stream; /* of HTTP/2, else 0 */
  bool whole, refused;
  bool answered;
  bool ended, cut; /* of HTTP/2: its stream was, or may seem to be */
};

/* A connection. */
struct peer {
  int fd;   /* -1: reset */
  SSL *tls; /* NULL: plain */
  bool http2, ended, garbled;
  struct flow in, out;
  size_t body;     /* of HTTP/1: what is to come of the latest request's */
  unsigned goaway; /* the last stream it will look at */
};

/* What connections speak: with EITHER, the first and each second HTTP/2. */
enum speech { PLAIN, TLS_HTTP1, TLS_HTTP2, TLS_EITHER };

struct server {
  enum speech speech;
  SSL_CTX *tls;
  int listener, port;
  unsigned run; /* in each answer, so that no input can know it */
  struct peer peers[PEERS_MAX];
  struct seen seen[SEEN_MAX];
  int peer_count, seen_count;
};

static inline void flow_add(struct flow *flow, const void *bytes, size_t n) {
  flow->bytes = realloc(flow->bytes, flow->length + n);
  CHECK(flow->bytes != NULL);
  memcpy(flow->bytes + flow->length, bytes, n);
  flow->length += n;
}

/* The number behind `mark` in the bytes, or -1. */
static inline long number_after(const uint8_t *bytes, size_t n,
                                const char *mark) {
  const uint8_t *found = memmem(bytes, n, mark, strlen(mark));
  if (found == NULL)
    return -1;
  long number = 0;
  for (found += strlen(mark);
       found < bytes + n && *found >= '0' && *found <= '9'; found++)
    number = number * 10 + *found - '0';
  return number;
}

static inline struct seen *peer_begins(struct server *s, int peer, long call,
                                       unsigned stream) {
  CHECK(s->seen_count < SEEN_MAX && call >= 0);
  struct seen *seen = &s->seen[s->seen_count++];
  *seen = (struct seen){.call = (int)call, .peer = peer, .stream = stream};
  seen->refused = stream > s->peers[peer].goaway;
  return seen;
}

/* The latest request on a connection, or on a stream of it; or NULL. */
static inline struct seen *peer_latest(struct server *s, int peer,
                                       unsigned stream) {
  for (int i = s->seen_count - 1; i >= 0; i--)
    if (s->seen[i].peer == peer &&
        (stream == 0 || s->seen[i].stream == stream))
      return &s->seen[i];
  return NULL;
}

/* Whether a client can tell what an answer to the request is to: without
   HTTP/2, it has begun none since on the connection. */
static inline bool is_awaited(struct server *s, const struct seen *seen) {
  return s->peers[seen->peer].http2 || seen == peer_latest(s, seen->peer, 0);
}

/* ---- HTTP/1 ---- */

static inline void peer_parse(struct server *s, int peer) {
  struct flow *in = &s->peers[peer].in;
  size_t *body = &s->peers[peer].body;
  for (;;) {
    const uint8_t *at = in->bytes + in->at;
    size_t left = in->length - in->at, part = left < *body ? left : *body;
    in->at += part;
    *body -= part;
    if (part > 0 && *body == 0)
      peer_latest(s, peer, 0)->whole = true;
    if (part > 0)
      continue;
    const uint8_t *end = left == 0 ? NULL : memmem(at, left, "\r\n\r\n", 4);
    if (end == NULL || *body > 0)
      return;
    size_t head = (size_t)(end - at) + 4;
    long length = number_after(at, head, "Content-Length: ");
    struct seen *seen =
        peer_begins(s, peer, number_after(at, head, PATH_MARK), 0);
    *body = length > 0 ? (size_t)length : 0;
    seen->whole = *body == 0;
    in->at += head;
  }
}

/* ---- HTTP/2 ---- */

static inline unsigned number_at(const uint8_t *at) {
  return (unsigned)(at[0] & 127) << 24 | (unsigned)at[1] << 16 |
         (unsigned)at[2] << 8 | at[3];
}

/* The next whole frame, or NULL; and how long what it carries is. */
static inline const uint8_t *flow_frame(struct flow *flow, size_t *length) {
  const uint8_t *at = flow->bytes + flow->at;
  size_t left = flow->length - flow->at;
  if (left < 9)
    return NULL;
  *length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
  if (left < 9 + *length)
    return NULL;
  flow->at += 9 + *length;
  return at;
}

static inline void peer_parse_http2(struct server *s, int peer) {
  struct flow *in = &s->peers[peer].in;
  const uint8_t *frame;
  size_t length;
  if (in->at == 0 && in->length >= 24)
    in->at = 24; /* the preface */
  while (in->at > 0 && (frame = flow_frame(in, &length)) != NULL) {
    unsigned stream = number_at(frame + 5);
    struct seen *seen = peer_latest(s, peer, stream);
    if (frame[3] == HEADERS)
      seen = peer_begins(s, peer, number_after(frame + 9, length, PATH_MARK),
                         stream);
    if (frame[3] <= HEADERS && (frame[4] & END_STREAM) && seen != NULL)
      seen->whole = true;
  }
}

/* Notes what a frame that was sent says of a request. libcurl takes a stream
   that is reset without an error for one that has ended. */
static inline void seen_told(struct seen *seen, const struct peer *p,
                             const uint8_t *frame, size_t length) {
  bool own = number_at(frame + 5) == seen->stream;
  bool reset = own && frame[3] == RST_STREAM && length == 4;
  seen->refused |= seen->stream > p->goaway ||
                   (reset && number_at(frame + 9) == REFUSED_STREAM);
  seen->ended |= own && frame[3] <= HEADERS && (frame[4] & END_STREAM);
  seen->cut |= reset && number_at(frame + 9) == NO_ERROR;
}

static inline void peer_note_said(struct server *s, int peer) {
  struct peer *p = &s->peers[peer];
  const uint8_t *frame;
  size_t length;
  while ((frame = flow_frame(&p->out, &length)) != NULL) {
    if (frame[3] == GOAWAY && length >= 8 && number_at(frame + 9) < p->goaway)
      p->goaway = number_at(frame + 9);
    for (int i = 0; i < s->seen_count; i++)
      if (s->seen[i].peer == peer)
        seen_told(&s->seen[i], p, frame, length);
  }
}

/* ---- what comes of it ---- */

/* Whether each answer in what the client has got is to this call. */
static inline bool is_own(const struct raia_buffer *got, unsigned run,
                          int number) {
  char mark[32], own[64];
  snprintf(mark, sizeof mark, "{\"answer\":\"%u.", run);
  snprintf(own, sizeof own, "%s%d.", mark, number);
  const char *at = got->length == 0 ? "" : got->data;
  const char *end = at + got->length;
  while ((at = memmem(at, (size_t)(end - at), mark, strlen(mark))) != NULL) {
    if ((size_t)(end - at) >= strlen(own) && memcmp(at, own, strlen(own)) != 0)
      return false;
    at++;
  }
  return true;
}

/* What the server knows of a call. */
struct known {
  int begun, whole;    /* how often it came; how often to be acted on */
  bool http2, garbled; /* by such connections, too */
  bool ended, cut;     /* an answer to it was, or may seem so */
};

static inline struct known known_of(const struct server *s, int number) {
  struct known known = {0};
  for (int i = 0; i < s->seen_count; i++) {
    const struct seen *seen = &s->seen[i];
    const struct peer *peer = &s->peers[seen->peer];
    if (seen->call != number)
      continue;
    known.begun++;
    known.whole += seen->whole && !seen->refused;
    known.http2 |= peer->http2;
    known.ended |= seen->ended || !peer->http2;
    known.cut |= seen->cut;
    known.garbled |= peer->http2 && peer->garbled;
  }
  return known;
}

#endif
