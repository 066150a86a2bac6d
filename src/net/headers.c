/* Lists of request headers: each name at most once, wiped when freed. */
#include "headers.h"

#include "libcurl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADER_MAX = 16384 }; /* bytes of one header */

void raia_wipe(char *s) {
  for (volatile char *c = s; c != NULL && *c != '\0'; c++)
    *c = '*';
}

const char *raia_header_bad(const char *name, size_t name_length,
                            const char *value, size_t value_length) {
  static const char *const reserved[] = {
      RAIA_KEY_HEADER, "Host",       "Content-Length",  "Content-Type",
      "Expect",        "Connection", "Accept-Encoding", "Transfer-Encoding"};
  if (name_length == 0 || strlen(name) != name_length)
    return "has an empty name or one with NUL";
  for (const char *c = name; *c != '\0'; c++)
    if (!isalnum((unsigned char)*c) && strchr("!#$%&'*+-.^_`|~", *c) == NULL)
      return "has a character in its name that is not allowed in header names";
  for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
    if (strcasecmp(name, reserved[i]) == 0)
      return "is set by raia itself";
  if (name_length + value_length > HEADER_MAX)
    return "has more than 16,384 bytes, which servers reject";
  for (size_t i = 0; i < value_length; i++)
    if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 127)
      return "has a control character (CR, LF, NUL, …) in its value";
  return NULL;
}

static void free_lines(struct curl_slist *lines) {
  for (struct curl_slist *line = lines; line != NULL; line = line->next)
    raia_wipe(line->data);
  curl_slist_free_all(lines);
}

/* The line of the header named by the first `length` bytes of `name`, or NULL.
 */
static struct curl_slist *find_header(const struct raia_headers *headers,
                                      const char *name, size_t length) {
  struct curl_slist *line = headers->lines;
  while (line != NULL &&
         !(strncasecmp(line->data, name, length) == 0 &&
           (line->data[length] == ':' || line->data[length] == ';')))
    line = line->next;
  return line;
}

static int append(struct raia_headers *headers, const char *text) {
  struct curl_slist *lines = curl_slist_append(headers->lines, text);
  if (lines != NULL)
    headers->lines = lines;
  return lines != NULL;
}

/* Replaces a header's text. */
static int replace(struct curl_slist *old, const char *text) {
  struct raia_headers one = {NULL};
  if (!append(&one, text))
    return 0;
  char *data = old->data;
  old->data = one.lines->data;
  one.lines->data = data;
  free_lines(one.lines);
  return 1;
}

int raia_headers_set(struct raia_headers *headers, const char *name,
                     const char *value) {
  size_t length = strlen(name) + strlen(value) + 3;
  char *text = malloc(length);
  if (text == NULL)
    return 0;
  strcpy(text, name);
  strcat(text, *value == '\0'
                   ? ";"
                   : ": "); /* libcurl's notation for an empty header */
  strcat(text, value);
  struct curl_slist *old = find_header(headers, name, strlen(name));
  int done = old == NULL ? append(headers, text) : replace(old, text);
  raia_wipe(text);
  free(text);
  return done;
}

int raia_headers_join(struct raia_headers *headers,
                      const struct curl_slist *more) {
  for (; more != NULL; more = more->next)
    if (find_header(headers, more->data, strcspn(more->data, ":;")) == NULL &&
        !append(headers, more->data))
      return 0;
  return 1;
}

void raia_headers_free(struct raia_headers *headers) {
  free_lines(headers->lines);
  headers->lines = NULL;
}
