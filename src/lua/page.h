/* Pages: lists of objects that come in parts. */
#ifndef RAIA_PAGE_H
#define RAIA_PAGE_H

#include <lua.h>

/* Pushes a table of what a page is asked with: the group that is argument 1,
   its method `name`, and copies of the query that is argument 2 and of the
   options at `options`. */
void raia_page_push_target(lua_State *L, const char *name, int options);

/* Gives the decoded page at the top its method `next`. `target` is the stack
   index of the table of what it was asked with. */
void raia_page_complete(lua_State *L, int target);

#endif
