/* What is heard from libcurl at work, and nothing else tells. */
#ifndef RAIA_EAR_H
#define RAIA_EAR_H

#include "delivery.h"

struct raia_origin;

/* What the ears of a client share. */
struct raia_listener {
  const struct raia_origin *origin; /* knows what is not shown */
  bool verbose;  /* libcurl's own account is shown on stderr */
  bool fold_bug; /* libcurl takes a folded header for another's */
};

/* One at each handle of libcurl. */
struct raia_ear {
  struct raia_listener *listener;
  struct raia_delivery *delivery; /* is told libcurl's notes */
  CURL *easy;
  bool watched;  /* libcurl is to say what it does */
  bool folded;   /* the header watched was; see raia_ear_watch */
  bool cut_line; /* what libcurl showed last did not end its line */
};

/* Makes one with no ears, of `origin`. */
void raia_listener_init(struct raia_listener *listener,
                        const struct raia_origin *origin, bool verbose);

/* Puts an ear of only zeros to a handle. */
CURLcode raia_ear_put(struct raia_ear *ear, struct raia_listener *listener,
                      struct raia_delivery *delivery, CURL *easy);

/* Listens to libcurl's notes until the reply begins, or no longer. */
void raia_ear_listen(struct raia_ear *ear, bool on);

/* Watches the next header, or no longer: ear->folded is set when it is a
   folded one, which libcurl may not see as such. */
void raia_ear_watch(struct raia_ear *ear, bool on);

#endif
