/* Bodies: sent from memory or a file, received into memory or a file. */
#ifndef RAIA_BODY_H
#define RAIA_BODY_H

#include <stdbool.h>
#include <stddef.h>

/* A body that is read from a file, between two texts as a form has them. The
   texts belong to the caller. */
struct raia_source {
  bool file; /* there is one: it is open */
  int fd;
  long long bytes; /* of the file */
  const char *head, *tail;
  size_t head_length, tail_length;
};

/* A file that the body of a reply with 2xx is written to. */
struct raia_sink {
  bool file;
  int fd;
  long long most; /* bytes */
};

/* How far the bodies of an attempt have got, in bytes. */
struct raia_progress {
  long long sent, received, expected; /* expected: to receive, or negative */
  int error; /* errno of the file that could not be read or written, or 0 */
};

/* The length of the whole body. */
long long raia_source_length(const struct raia_source *s);

/* Closes the files. Idempotent. */
void raia_body_close(struct raia_source *source, struct raia_sink *sink);

#endif
