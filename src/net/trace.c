/* Facts that libcurl reports only in its debug output. */
#include "trace.h"

#include "endpoint.h"
#include "handle.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* libcurl 7.83.0 to 8.1.0 treats a first header that is folded (begins with a
   blank) as a continuation of the last header the handle saw, which it has
   freed. It shows the line to on_debug first, which can overwrite the blank.
   So the line after a status line is watched. */
static bool has_fold_bug(void) {
  unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
  return version >= 0x075300 && version < 0x080100;
}

void raia_trace_config_init(struct raia_trace_config *config,
                            const struct raia_endpoint *endpoint,
                            bool verbose) {
  *config = (struct raia_trace_config){
      .endpoint = endpoint, .verbose = verbose, .fold_bug = has_fold_bug()};
}

/* ---- what libcurl says ---- */

static void unfold(struct raia_trace *trace, char *data, size_t size) {
  if (size > 0 && (*data == ' ' || *data == '\t')) {
    *data = '-';
    trace->folded = true;
  }
}

/* Truncates a line after one of these names, if it has one. Returns whether it
   did. */
static bool cut_credentials(const char *line, size_t *length) {
  static const char *const signs[] = {"agent-secret-key", "authorization",
                                      "with user "};
  for (size_t at = 0; at < *length; at++)
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
      if (*length - at >= strlen(signs[i]) &&
          strncasecmp(line + at, signs[i], strlen(signs[i])) == 0) {
        *length = at + strlen(signs[i]);
        return true;
      }
  return false;
}

/* Prints one note or header line, truncated at 1 KiB. The values of credential
   headers are masked, and so are the endpoint's secrets. */
static void show_line(char mark, const char *line, size_t length,
                      const struct raia_endpoint *endpoint) {
  char out[1024];
  while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
    length--;
  length = length < sizeof out ? length : sizeof out;
  memcpy(out, line, length);
  raia_endpoint_mask_words(endpoint, out, length);
  bool cut = cut_credentials(out, &length);
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)out[i] < ' ' || out[i] == 127)
      out[i] = '?';
  fprintf(stderr, "raia: %c %.*s%s\n", mark, (int)length, out,
          cut ? ": ***" : "");
}

/* libcurl passes a request's headers in pieces that may end within a line. The
   rest of such a line is not printed: it could be part of the key. */
static void show(struct raia_trace *trace, curl_infotype type,
                 const char *data, size_t size) {
  static const char marks[] = {'*', '<',
                               '>'}; /* note, header in, header out */
  while (size > 0) {
    const char *end = memchr(data, '\n', size);
    size_t line = end == NULL ? size : (size_t)(end - data) + 1;
    bool whole =
        type != CURLINFO_HEADER_OUT || (!trace->cut_line && end != NULL);
    if (whole)
      show_line(marks[type], data, line, trace->config->endpoint);
    if (type == CURLINFO_HEADER_OUT)
      trace->cut_line = end == NULL;
    data += line;
    size -= line;
  }
}

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size,
                    void *owner) {
  struct raia_trace *trace = owner;
  (void)easy;
  if (trace->watching && type == CURLINFO_HEADER_IN)
    unfold(trace, data, size);
  if (trace->listening && type == CURLINFO_TEXT)
    raia_on_note(trace->handle, data, size);
  if (trace->config->verbose && type <= CURLINFO_HEADER_OUT)
    show(trace, type, data, size);
  return 0;
}

/* ---- turning it on and off ---- */

CURLcode raia_trace_put(struct raia_trace *trace,
                        struct raia_trace_config *config,
                        struct raia_handle *handle, CURL *easy) {
  trace->config = config;
  trace->handle = handle;
  trace->easy = easy;
  CURLcode code =
      curl_easy_setopt(easy, CURLOPT_VERBOSE, (long)config->verbose);
  code = code ? code : curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
  return code ? code : curl_easy_setopt(easy, CURLOPT_DEBUGDATA, trace);
}

/* Enables libcurl's debug output if anybody wants it. */
static void set(struct raia_trace *trace, bool listening, bool watching) {
  bool before = trace->listening || trace->watching;
  trace->listening = listening;
  trace->watching = watching;
  if (before != (listening || watching) && !trace->config->verbose)
    curl_easy_setopt(trace->easy, CURLOPT_VERBOSE, (long)!before);
}

void raia_trace_watch(struct raia_trace *trace, bool on) {
  set(trace, trace->listening, on && trace->config->fold_bug);
}

void raia_trace_listen(struct raia_trace *trace, bool on) {
  set(trace, on, trace->watching);
}
