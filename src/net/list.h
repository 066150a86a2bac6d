/* Rings: doubly linked lists through a head of their own, the links being
   part of what is listed. */
#ifndef RAIA_LIST_H
#define RAIA_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct raia_link {
  struct raia_link *previous, *next;
};

static inline void *raia_before(const void *link, size_t bytes) {
  return (char *)link - bytes;
}

/* The struct whose member a link is. */
#define RAIA_OF(type, member, link)                                           \
  ((type *)raia_before(link, offsetof(type, member)))

static inline void raia_list_init(struct raia_link *link) {
  link->previous = link->next = link;
}

static inline bool raia_list_empty(const struct raia_link *head) {
  return head->next == head;
}

/* Takes a link out of its list, if it is in one, and says so. A link of only
   zeros is in none. */
static inline bool raia_list_remove(struct raia_link *link) {
  bool was_in = link->next != NULL && link->next != link;
  if (was_in) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
  }
  raia_list_init(link);
  return was_in;
}

/* Puts a link that is in no list behind `place`. */
static inline void raia_list_insert(struct raia_link *place,
                                    struct raia_link *link) {
  link->previous = place;
  link->next = place->next;
  place->next->previous = link;
  place->next = link;
}

#endif
