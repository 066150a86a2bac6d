/* Bodies: sent from memory or a file, received into memory or a file. */
#include "body.h"

#include "handle.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

long long raia_source_length(const struct raia_source *s) {
  return (long long)s->head_length + s->bytes + (long long)s->tail_length;
}

/* Copies what `text` has from `at` on. */
static size_t copy_from(char *out, size_t room, const char *text,
                        size_t length, size_t at) {
  size_t n = length - at < room ? length - at : room;
  memcpy(out, text + at, n);
  return n;
}

/* libcurl asks for more of the body. A file that has become shorter ends the
   attempt. */
size_t raia_on_read(char *out, size_t size, size_t n, void *handle) {
  struct raia_exchange *x = ((struct raia_handle *)handle)->exchange;
  const struct raia_source *s = &x->asked->source;
  long long head = (long long)s->head_length, at = x->progress.sent;
  size_t room = size * n, got = 0;
  if (at < head) {
    got = copy_from(out, room, s->head, s->head_length, (size_t)at);
  } else if (at < head + s->bytes) {
    long long left = head + s->bytes - at;
    ssize_t read =
        pread(s->fd, out, left < (long long)room ? (size_t)left : room,
              (off_t)(at - head));
    if (read <= 0) {
      x->progress.error = read < 0 ? errno : EIO;
      return CURL_READFUNC_ABORT;
    }
    got = (size_t)read;
  } else if (at < raia_source_length(s)) {
    got = copy_from(out, room, s->tail, s->tail_length,
                    (size_t)(at - head - s->bytes));
  }
  x->progress.sent += (long long)got;
  return got;
}

/* Appends bytes of a reply to its file. */
static enum raia_append append_to_file(struct raia_exchange *x,
                                       const char *bytes, size_t n) {
  const struct raia_sink *sink = &x->asked->sink;
  long long at = x->progress.received;
  if ((long long)n > sink->most - at)
    return RAIA_OVER_LIMIT;
  while (n > 0) {
    ssize_t written = pwrite(sink->fd, bytes, n, (off_t)at);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0) {
      x->progress.error = written < 0 ? errno : EIO;
      return RAIA_NO_ROOM;
    }
    at += written;
    bytes += written;
    n -= (size_t)written;
  }
  return RAIA_APPENDED;
}

/* Whether the reply goes into a file: errors do not. */
static bool into_file(const struct raia_exchange *x) {
  long status = 0;
  if (!x->asked->sink.file)
    return false;
  curl_easy_getinfo(x->handle->easy, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status <= 299;
}

/* cppcheck-suppress constParameterPointer ; as libcurl has it */
size_t raia_on_write(char *bytes, size_t size, size_t n, void *handle) {
  struct raia_exchange *x = ((struct raia_handle *)handle)->exchange;
  struct raia_buffer *reply = &x->outcome->reply;
  bool file = into_file(x);
  long long limit = file ? x->asked->sink.most : (long long)reply->limit;
  enum raia_append appended = RAIA_APPENDED;
  n *= size;
  if (x->progress.received == 0) {
    curl_off_t total = -1;
    curl_easy_getinfo(x->handle->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                      &total);
    x->progress.expected = total;
    if (total > limit)
      appended = RAIA_OVER_LIMIT;
  }
  if (appended == RAIA_APPENDED)
    appended = file ? append_to_file(x, bytes, n)
                    : raia_buffer_append(reply, bytes, n);
  x->progress.received += (long long)n;
  x->outcome->over_limit |= appended == RAIA_OVER_LIMIT;
  x->no_room |= appended == RAIA_NO_ROOM;
  return appended == RAIA_APPENDED ? n : 0;
}

void raia_body_close(struct raia_source *source, struct raia_sink *sink) {
  if (source->file)
    close(source->fd);
  if (sink->file)
    close(sink->fd);
  source->file = sink->file = false;
}
