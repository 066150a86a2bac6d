/* What RAIA_LOG asks to see, on stderr: never the key, never a text. */
#ifndef RAIA_LOG_H
#define RAIA_LOG_H

#include "transfer.h"

enum raia_log_level { RAIA_LOG_NONE, RAIA_LOG_INFO, RAIA_LOG_DEBUG };

/* The level that RAIA_LOG names; *unknown is set to its value when it names
   none, else to NULL. */
enum raia_log_level raia_log_level(const char **unknown);

/* A line of its own, if RAIA_LOG asks for any. */
void raia_log_note(const char *line);

/* A line on the attempt that `t` has ended. NULL: the endpoint is closed. */
void raia_log_attempt(const struct raia_transfer *t,
                      const struct raia_endpoint *endpoint);

/* Prints one note or header line of libcurl's, cut at 1 KiB. What follows the
   name of a header that holds credentials is masked, and so is what the
   endpoint hides. */
void raia_log_line(char mark, const char *line, size_t length,
                   const struct raia_endpoint *endpoint);

#endif
