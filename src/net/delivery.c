/* Why a message is delivered once, and an answer belongs to its call.

   Once. libcurl starts a request again by itself: when a kept connection dies
   before the reply, also one that another request has joined meanwhile, and
   after REFUSED_STREAM, GOAWAY and HTTP_1_1_REQUIRED. Which of these it does,
   and what it says of it, differs between 7.87 and 8.23. So nothing here
   depends on it: whatever the reason, a start passes the callback for a ready
   connection (CURLOPT_PREREQFUNCTION), and each attempt passes it once. For
   an attempt that has passed it, a new socket (CURLOPT_SOCKOPTFUNCTION) is
   refused, too: the connection would be made for nothing. What is sent again,
   raia sends, as a new attempt. An easy handle whose attempt failed is thrown
   away, because libcurl keeps flags of the failure in it.

   A POST may be sent again only where none of it can have been read. There
   are three proofs: the attempt was not started; over HTTP/1 libcurl has not
   handed a byte to the socket; over HTTP/2 the server says that it has not
   looked at the stream (GOAWAY with a lower one, REFUSED_STREAM). libcurl
   passes the last on in notes for its debug callback only. They are matched
   whole, and one that is missing or worded otherwise proves nothing. A GOAWAY
   belongs to the connection that libcurl is on as it says so: while it looks
   for a connection it reads from others, too. The TLS session tells them
   apart, but only while the attempt's own connection is open: later, another
   may have its address. So connections are numbered, and notes that come
   after theirs was closed are not heard.

   Its own answer. Over HTTP/1 a connection is one call's at a time. libcurl
   7.88 puts a second one on it where it knows another connection to the host
   that multiplexes, so raia keeps account of who uses which, and refuses. And
   bytes that lie on a kept connection before the
   request has left would be taken for its answer. They may be in the socket
   or in the TLS library, so both are asked. Where one can't be, the
   connection is not used again. HTTP/2 has stream numbers, and needs none of
   it; only a connection that the peer has closed is not used. */
#include "delivery.h"

#include "tls.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#ifndef POLLRDHUP /* Linux reports that the peer has closed, bytes or not */
#define POLLRDHUP 0
#endif

/* ---- the starts of an attempt ---- */

bool raia_delivery_may_connect(struct raia_delivery *d) {
  d->again |= d->begun;
  return !d->begun;
}

/* Whether a kept connection may be used for one more request. */
static bool is_clean(const struct raia_delivery *d, int fd, bool tls) {
  struct pollfd look = {.fd = fd, .events = POLLIN | POLLRDHUP};
  if (fd < 0) /* unknown protocol: treat it as HTTP/1 */
    return d->protocol == RAIA_HTTP2;
  if (poll(&look, 1, 0) < 0)
    return false;
  if (d->protocol == RAIA_HTTP2)
    return (look.revents & ~POLLIN) == 0;
  return look.revents == 0 && !(tls && raia_tls_holds_bytes(d->easy));
}

bool raia_delivery_start(struct raia_delivery *d, int fd, bool tls) {
  long connects = 0;
  if (!raia_delivery_may_connect(d))
    return false;
  curl_easy_getinfo(d->easy, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(d->easy, CURLINFO_REQUEST_SIZE, &d->bytes_before);
  d->kept = connects == 0;
  d->protocol = tls ? raia_tls_protocol(d->easy) : RAIA_HTTP1;
  d->session = tls ? raia_tls_session(d->easy) : NULL;
  d->unclean = d->kept && !is_clean(d, fd, tls);
  if (d->unclean) /* no later call uses it */
    curl_easy_setopt(d->easy, CURLOPT_FORBID_REUSE, 1L);
  d->begun = !d->unclean;
  return d->begun;
}

/* ---- what the server says ---- */

/* Matches `note` against `format`, which has one %u and ends in %n. Returns
   the length matched and sets the number, or returns 0. */
static int filled_in(const char *note, const char *format, unsigned *number) {
  int end = 0;
  return sscanf(note, format, number, &end) == 1 ? end : 0;
}

static bool is_note(const char *note, const char *format, unsigned *number) {
  int end = filled_in(note, format, number);
  return end > 0 && note[end] == '\0';
}

/* Parses the last stream id of a GOAWAY. libcurl 7.88 to 8.5 misspell
   "received". */
static bool is_goaway(const char *note, unsigned *last) {
  return is_note(note, "received GOAWAY, error=%*u, last_stream=%u%n", last) ||
         is_note(note, "recveived GOAWAY, error=%*u, last_stream=%u%n", last);
}

/* Whether the server has refused this request's stream, by RST_STREAM or by
   GOAWAY. libcurl up to 8.18 reports the first, later versions the second. */
static bool is_refusal(const char *note, unsigned stream) {
  unsigned number;
  return strcmp(note, "REFUSED_STREAM, retrying a fresh connect") == 0 ||
         (is_note(note,
                  "HTTP/2 stream %u refused by server, try again on a new "
                  "connection%n",
                  &number) &&
          number == stream);
}

bool raia_delivery_note(struct raia_delivery *d, const char *text,
                        size_t size) {
  char note[128];
  unsigned number;
  if (!d->begun || d->protocol != RAIA_HTTP2 || size >= sizeof note)
    return false;
  memcpy(note, text, size);
  note[size] = '\0';
  note[strcspn(note, "\r\n")] = '\0';
  if (d->stream == 0 && (filled_in(note, "Using Stream ID: %u%n", &number) ||
                         filled_in(note, "[HTTP/2] [%u] OPENED%n", &number)))
    d->stream = number;
  else if (is_refusal(note, d->stream))
    d->refused = true;
  bool goaway =
      is_goaway(note, &number) && raia_tls_session(d->easy) == d->session;
  if (goaway)
    d->goaways->list[d->goaways->count++ % RAIA_GOAWAYS] =
        (struct raia_goaway){d->connection, number};
  return goaway || raia_delivery_is_refused(d);
}

bool raia_delivery_is_refused(const struct raia_delivery *d) {
  if (d->refused)
    return true;
  for (int i = 0; i < RAIA_GOAWAYS && d->connection != 0; i++)
    if (d->goaways->list[i].connection == d->connection &&
        d->stream > d->goaways->list[i].last)
      return true;
  return false;
}

bool raia_delivery_may_be_read(const struct raia_delivery *d) {
  long bytes = 0;
  if (!d->begun || raia_delivery_is_refused(d))
    return false;
  if (d->protocol != RAIA_HTTP1) /* libcurl's count may or may not include what
                                    it has only queued */
    return true;
  curl_easy_getinfo(d->easy, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > d->bytes_before;
}
