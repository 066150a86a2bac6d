/* What exists once in a process, however many Lua states it has. */
#ifndef RAIA_PROCESS_H
#define RAIA_PROCESS_H

/* The version of the loaded libcurl if it is too old, or NULL. */
const char *raia_process_old_libcurl(void);

/* Initialises libcurl and keeps the module loaded: otherwise closing a Lua
   state would unload it under libcurl's threads. */
void raia_process_init(void);

/* The number of forks between the process that called init and this one. */
extern unsigned raia_process_forks;

#endif
