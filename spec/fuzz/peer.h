/* A server inside a fuzz target: it reads all that reaches it on loopback, and
   sends what it is told to. With TLS or without, HTTP/1 or HTTP/2. */
#ifndef RAIA_FUZZ_PEER_H
#define RAIA_FUZZ_PEER_H

#include "seen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE_REPLY = 20000, FRAME_MAX = 16384 };

/* ---- TLS ---- */

static inline int peer_choose(SSL *tls, const unsigned char **out,
                              unsigned char *size, const unsigned char *offer,
                              unsigned offered, void *data) {
  static const unsigned char http1[] = "\x08http/1.1", http2[] = "\x02h2";
  const struct peer *peer = SSL_get_app_data(tls);
  (void)data;
  return SSL_select_next_proto((unsigned char **)(uintptr_t)out, size,
                               peer->http2 ? http2 : http1,
                               peer->http2 ? 3 : 9, offer,
                               offered) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_NOACK;
}

/* Makes a certificate of its own, and writes it to a file to be trusted. */
static inline void server_certify(struct server *s, const char *path) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *own = X509_new();
  X509_EXTENSION *names =
      X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
  FILE *file = fopen(path, "w");
  CHECK(key != NULL && own != NULL && names != NULL && file != NULL);
  X509_set_version(own, 2);
  X509_NAME *name = X509_get_subject_name(own);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             (const unsigned char *)"peer", -1, -1, 0);
  X509_set_issuer_name(own, name);
  X509_gmtime_adj(X509_getm_notBefore(own), -60);
  X509_gmtime_adj(X509_getm_notAfter(own), 7L * 24 * 60 * 60);
  X509_add_ext(own, names, -1);
  X509_set_pubkey(own, key);
  CHECK(X509_sign(own, key, EVP_sha256()) > 0);
  CHECK(PEM_write_X509(file, own) == 1 && fclose(file) == 0);
  s->tls = SSL_CTX_new(TLS_server_method());
  CHECK(SSL_CTX_use_certificate(s->tls, own) == 1);
  CHECK(SSL_CTX_use_PrivateKey(s->tls, key) == 1);
  SSL_CTX_set_alpn_select_cb(s->tls, peer_choose, NULL);
  X509_EXTENSION_free(names);
  X509_free(own);
  EVP_PKEY_free(key);
}

/* ---- connections ---- */

static inline void server_open(struct server *s, const char *path) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK(bind(s->listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(s->listener, PEERS_MAX) == 0);
  getsockname(s->listener, (struct sockaddr *)&address, &size);
  s->port = ntohs(address.sin_port);
  signal(SIGPIPE, SIG_IGN);
  server_certify(s, path);
}

static inline void peer_accept(struct server *s, int fd) {
  CHECK(s->peer_count < PEERS_MAX);
  struct peer *p = &s->peers[s->peer_count++];
  *p = (struct peer){.fd = fd, .goaway = 0x7FFFFFFF};
  p->http2 = s->speech == TLS_HTTP2 ||
             (s->speech == TLS_EITHER && s->peer_count % 2 == 1);
  /* What is sent is to be with the client at once. */
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (s->speech == PLAIN)
    return;
  p->tls = SSL_new(s->tls);
  CHECK(p->tls != NULL);
  SSL_set_app_data(p->tls, p);
  SSL_set_fd(p->tls, fd);
  SSL_set_accept_state(p->tls);
}

static inline void peer_read(struct server *s, int peer) {
  struct peer *p = &s->peers[peer];
  static uint8_t bytes[65536];
  for (int n = 1; p->fd >= 0 && n > 0;) {
    n = p->tls != NULL ? SSL_read(p->tls, bytes, sizeof bytes)
                       : (int)recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
      flow_add(&p->in, bytes, (size_t)n);
  }
  ERR_clear_error(); /* libcurl has the same list */
  if (p->in.length == 0)
    return;
  if (p->http2)
    peer_parse_http2(s, peer);
  else
    peer_parse(s, peer);
}

/* Takes connections, and reads all that has come by any. */
static inline void server_read(struct server *s) {
  int fd;
  while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
    peer_accept(s, fd);
  for (int i = 0; i < s->peer_count; i++)
    peer_read(s, i);
}

/* Sends, if it can be sent at once. */
static inline void peer_send(struct server *s, int peer, const void *bytes,
                             size_t n) {
  struct peer *p = &s->peers[peer];
  if (p->fd < 0 || p->ended || n == 0)
    return;
  int sent = p->tls != NULL ? SSL_write(p->tls, bytes, (int)n)
                            : (int)send(p->fd, bytes, n, MSG_DONTWAIT);
  ERR_clear_error();
  if (sent <= 0)
    return;
  flow_add(&p->out, bytes, (size_t)sent);
  if (p->http2)
    peer_note_said(s, peer);
}

/* Closes its side, and goes on to read; `cut`: TLS is not told. */
static inline void peer_end(struct server *s, int peer, bool cut) {
  struct peer *p = &s->peers[peer];
  if (p->tls != NULL && !cut && !p->ended)
    SSL_shutdown(p->tls);
  ERR_clear_error();
  p->ended = true;
  shutdown(p->fd, SHUT_WR);
}

/* Closes by a reset, which leaves nothing behind with the system. */
static inline void peer_reset(struct server *s, int peer) {
  struct peer *p = &s->peers[peer];
  struct linger linger = {1, 0};
  peer_read(s, peer);
  setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(p->fd);
  SSL_free(p->tls);
  p->tls = NULL;
  p->fd = -1;
}

/* Resets what is left, and is as new. */
static inline void server_renew(struct server *s) {
  server_read(s);
  for (int i = 0; i < s->peer_count; i++) {
    if (s->peers[i].fd >= 0)
      peer_reset(s, i);
    free(s->peers[i].in.bytes);
    free(s->peers[i].out.bytes);
  }
  s->peer_count = s->seen_count = 0;
}

/* ---- what it says ---- */

static inline void send_frame(struct server *s, int peer, unsigned type,
                              unsigned flags, unsigned stream,
                              const void *payload, size_t length) {
  uint8_t frame[9 + LARGE_REPLY] = {
      (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length,
      (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
      (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
  CHECK(length <= LARGE_REPLY);
  if (length > 0)
    memcpy(frame + 9, payload, length);
  peer_send(s, peer, frame, 9 + length);
}

/* Says what a server of HTTP/2 begins with, windows for all that is sent. */
static inline void greet(struct server *s, int peer) {
  static const uint8_t window[] = {0, 4, 0, 16, 0, 0}, more[] = {0, 16, 0, 0};
  send_frame(s, peer, SETTINGS, 0, 0, window, sizeof window);
  send_frame(s, peer, WINDOW_UPDATE, 0, 0, more, sizeof more);
}

/* An answer: the first `given` bytes of its body of `size`. */
struct answer {
  int status;
  bool retry_after;
  size_t size, given;
  char body[LARGE_REPLY];
};

static inline void answer_http1(struct server *s, const struct seen *seen,
                                const struct answer *a) {
  char head[256];
  int n =
      snprintf(head, sizeof head,
               "HTTP/1.1 %d \r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n%s\r\n",
               a->status, a->size, a->retry_after ? "Retry-After: 2\r\n" : "");
  peer_send(s, seen->peer, head, (size_t)n);
  peer_send(s, seen->peer, a->body, a->given);
}

static inline void answer_http2(struct server *s, const struct seen *seen,
                                const struct answer *a) {
  char head[256]; /* fields that are in no table of HPACK's afterwards */
  int n = snprintf(head, sizeof head, "\x08\x03%d\x0f\x10\x10%s%s", a->status,
                   "application/json", a->retry_after ? "\x0f\x26\1\62" : "");
  send_frame(s, seen->peer, HEADERS,
             END_HEADERS | (a->size == 0 ? END_STREAM : 0), seen->stream, head,
             (size_t)n);
  for (size_t at = 0, part; at < a->given; at += part) {
    part = a->given - at < FRAME_MAX ? a->given - at : FRAME_MAX;
    send_frame(s, seen->peer, DATA, at + part == a->size ? END_STREAM : 0,
               seen->stream, a->body + at, part);
  }
}

/* Answers a request, or only begins to. The answer names its call. */
static inline void answer(struct server *s, struct seen *seen, unsigned how) {
  static const int statuses[] = {200, 201, 204, 404, 429, 503, 302, 100};
  static struct answer a;
  a.status = statuses[how & 7];
  a.size = a.status == 204 ? 0 : how & 8 ? LARGE_REPLY : 64;
  a.retry_after = how & 16;
  a.given = how & 32 ? a.size / 2 : a.size;
  memset(a.body, ' ', sizeof a.body);
  int n = snprintf(a.body, sizeof a.body, "{\"answer\":\"%u.%d.\"}", s->run,
                   seen->call);
  a.body[n] = ' ';
  seen->answered |= a.given == a.size;
  if (s->peers[seen->peer].http2)
    answer_http2(s, seen, &a);
  else
    answer_http1(s, seen, &a);
}

#endif
