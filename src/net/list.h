/* Intrusive, circular, doubly linked lists. */
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

/* The struct that contains a link. */
#define RAIA_OF(type, member, link)                                           \
  ((type *)raia_before(link, offsetof(type, member)))

static inline void raia_list_init(struct raia_link *link) {
  link->previous = link->next = link;
}

static inline bool raia_list_empty(const struct raia_link *head) {
  return head->next == head;
}

/* Removes a link from its list, if it is in one, and marks it as removed. A
   zeroed link is in none. */
static inline bool raia_list_remove(struct raia_link *link) {
  bool was_in = link->next != NULL && link->next != link;
  if (was_in) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
  }
  raia_list_init(link);
  return was_in;
}

/* Inserts a link that is in no list after `place`. */
static inline void raia_list_insert(struct raia_link *place,
                                    struct raia_link *link) {
  link->previous = place;
  link->next = place->next;
  place->next->previous = link;
  place->next = link;
}

#endif
