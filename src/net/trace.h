/* Facts that libcurl reports only in its debug output. */
#ifndef RAIA_TRACE_H
#define RAIA_TRACE_H

#include "delivery.h"

struct raia_endpoint;
struct raia_handle;

/* The state shared by a client's handles. */
struct raia_trace_config {
  const struct raia_endpoint *endpoint; /* knows what must be masked */
  bool verbose;  /* print libcurl's debug output on stderr */
  bool fold_bug; /* this libcurl mistakes a folded first header for a
                    continuation */
};

/* The state of one handle. */
struct raia_trace {
  struct raia_trace_config *config;
  struct raia_handle *handle; /* receives libcurl's notes */
  CURL *easy;
  bool listening; /* listening to libcurl's notes during the attempt */
  bool watching;  /* watch the next header */
  bool folded;    /* the watched header was folded; see raia_trace_watch */
  bool cut_line;  /* libcurl's last output did not end its line */
};

/* Initialises the state shared by a client's handles. */
void raia_trace_config_init(struct raia_trace_config *config,
                            const struct raia_endpoint *endpoint,
                            bool verbose);

/* Installs a zeroed trace on a handle. */
CURLcode raia_trace_put(struct raia_trace *trace,
                        struct raia_trace_config *config,
                        struct raia_handle *handle, CURL *easy);

/* Starts or stops listening to libcurl's notes. */
void raia_trace_listen(struct raia_trace *trace, bool on);

/* Starts or stops watching for the next header; trace->folded is set if it is
   a folded one, which libcurl may mistake for a continuation. */
void raia_trace_watch(struct raia_trace *trace, bool on);

#endif
