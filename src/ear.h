/* What is heard from libcurl at work, and nothing else tells. */
#ifndef RAIA_EAR_H
#define RAIA_EAR_H

#include "libcurl.h"

#include <stdbool.h>

/* The last stream that a server looks at on a connection. */
struct raia_goaway {
  int port; /* ours, of the connection */
  unsigned last;
};

enum { RAIA_GOAWAYS = 16 };

/* What the ears of a client share: one hears of another's connection. */
struct raia_listener {
  const char *key; /* masked in what is shown */
  bool verbose;    /* libcurl's own account is shown on stderr */
  bool http2;      /* the server may speak it */
  bool fold_bug;   /* libcurl takes a folded header for another's */
  struct raia_goaway goaways[RAIA_GOAWAYS]; /* the latest */
  unsigned heard;                           /* how many there were */
};

/* One at each handle of libcurl. */
struct raia_ear {
  struct raia_listener *listener;
  CURL *easy;
  bool watched;    /* libcurl is to say what it does */
  bool folded;     /* the header watched was; see raia_ear_watch */
  bool moving;     /* libcurl looks for another connection */
  bool cut_line;   /* what libcurl showed last did not end its line */
  int port;        /* ours, of the connection it is on, 0 when not known */
  unsigned stream; /* of HTTP/2 there, 0 when not known */
};

/* Makes one with no ears. The key stays the caller's. */
void raia_listener_init(struct raia_listener *listener, const char *key,
                        bool verbose, bool http2);

/* Puts an ear of only zeros to a handle. */
CURLcode raia_ear_put(struct raia_ear *ear, struct raia_listener *listener,
                      CURL *easy);

/* Listens to what libcurl says, from when the request leaves on a connection
   with that local port, until the reply begins. One that is not kept may be of
   HTTP/2; others, when the server `multiplexes`. */
void raia_ear_listen(struct raia_ear *ear, int port, bool kept,
                     bool multiplexes);

/* Watches the next header, or no longer: ear->folded is set when it is a
   folded one, which libcurl may not see as such. */
void raia_ear_watch(struct raia_ear *ear, bool on);

/* Whether the server has said that it did not look at the request: by GOAWAY
   with a lower stream. */
bool raia_ear_heard_refusal(const struct raia_ear *ear);

#endif
