/* Facts that libcurl reports only in its debug output. */
#ifndef RAIA_TRACE_H
#define RAIA_TRACE_H

#include "delivery.h"

struct raia_endpoint;
struct raia_handle;

/* What the handles of a client share. */
struct raia_trace_config {
  const struct raia_endpoint *endpoint; /* knows what is not shown */
  bool verbose;  /* libcurl's own account is shown on stderr */
  bool fold_bug; /* libcurl takes a folded header for another's */
};

/* Of one handle. */
struct raia_trace {
  struct raia_trace_config *config;
  struct raia_handle *handle; /* is told libcurl's notes */
  CURL *easy;
  bool listening; /* to libcurl's notes, while the attempt is under way */
  bool watching;  /* the next header */
  bool folded;    /* the header watched was; see raia_trace_watch */
  bool cut_line;  /* what libcurl showed last did not end its line */
};

/* Initialises the state shared by a client's handles. */
void raia_trace_config_init(struct raia_trace_config *config,
                            const struct raia_endpoint *endpoint,
                            bool verbose);

/* Sets a zeroed trace on a handle. */
CURLcode raia_trace_put(struct raia_trace *trace,
                        struct raia_trace_config *config,
                        struct raia_handle *handle, CURL *easy);

/* Listens to libcurl's notes, or no longer. */
void raia_trace_listen(struct raia_trace *trace, bool on);

/* Watches the next header, or no longer: trace->folded is set when it is a
   folded one, which libcurl may not see as such. */
void raia_trace_watch(struct raia_trace *trace, bool on);

#endif
