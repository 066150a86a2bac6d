/* What RAIA_LOG asks to see, on stderr: never the key, never a text. */
#ifndef RAIA_LOG_H
#define RAIA_LOG_H

#include "transfer.h"

enum raia_log_level { RAIA_LOG_NONE, RAIA_LOG_INFO, RAIA_LOG_DEBUG };

/* The level that RAIA_LOG names; *unknown is set to its value when it names
   none, else to NULL. */
enum raia_log_level raia_log_level(const char **unknown);

/* A line on the attempt that `t` has ended. */
void raia_log_attempt(const struct raia_transfer *t);

/* Prints one note or header line of libcurl's with every `secret` in it, and
   all credentials of proxies, masked. Cut at 1 KiB. */
void raia_log_line(char mark, const char *line, size_t length,
                   const char *secret);

#endif
