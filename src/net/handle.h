/* An easy handle of libcurl's and what raia keeps with it. */
#ifndef RAIA_HANDLE_H
#define RAIA_HANDLE_H

#include "exchange.h"
#include "libcurl.h"
#include "list.h"
#include "trace.h"

struct raia_multi;

enum { RAIA_SOCKETS_KEPT = 4 };

struct raia_handle {
  CURL *easy;
  CURLU *url;
  char detail[CURL_ERROR_SIZE]; /* libcurl's error message */
  bool spoiled; /* an attempt on it has failed: do not reuse it */
  struct raia_trace trace;
  struct raia_handle *next; /* while it is idle */
  /* The attempt under way: */
  struct raia_exchange *exchange;
  void (*ended)(struct raia_exchange *x, int code);
  struct raia_delivery delivery;
  int sockets[RAIA_SOCKETS_KEPT], sockets_made; /* the latest opened for it */
  struct raia_multi *multi; /* the multi handle it is in, or NULL */
  struct raia_link link;    /* in that multi handle's list */
};

/* libcurl's callbacks, defined in exchange.c and body.c. */
size_t raia_on_read(char *out, size_t size, size_t n, void *handle);
size_t raia_on_write(char *bytes, size_t size, size_t n, void *handle);
size_t raia_on_header(char *line, size_t size, size_t n, void *handle);
int raia_on_socket(void *handle, curl_socket_t fd, curlsocktype purpose);
int raia_on_close(void *loop, curl_socket_t fd);
int raia_on_ready(void *handle, char *ip, char *own_ip, int port,
                  int own_port);
void raia_on_note(struct raia_handle *handle, const char *text, size_t size);

/* Returns an idle or new handle with all the options set that a client's
   attempts share, or NULL when out of memory. */
struct raia_handle *raia_handle_take(struct raia_endpoint *endpoint,
                                     struct raia_loop *loop);

/* Sets the options of one attempt. False when out of memory. */
bool raia_handle_prepare(struct raia_handle *handle, struct raia_asked *asked,
                         bool fresh);

/* Returns a handle to the idle ones, or frees it if it is spoiled. */
void raia_handle_put_back(struct raia_endpoint *endpoint,
                          struct raia_handle *handle);

/* Frees one handle; frees all idle ones. */
void raia_handle_free(struct raia_handle *handle);
void raia_handle_free_idle(struct raia_endpoint *endpoint);

#endif
