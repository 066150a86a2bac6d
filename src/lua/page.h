/* Pages: lists of objects that come in parts. */
#ifndef RAIA_PAGE_H
#define RAIA_PAGE_H

#include <lua.h>

/* Gives the decoded page at the top its method `next`. `target` is the stack
   index of what the page was asked with: a table of group, method, query and
   options. */
void raia_page_complete(lua_State *L, int target);

#endif
