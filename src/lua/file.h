/* Uploads and downloads. */
#ifndef RAIA_FILE_H
#define RAIA_FILE_H

#include <lua.h>

/* Adds to the table at the top the functions that raia/files.lua builds on. */
void raia_file_open(lua_State *L);

#endif
