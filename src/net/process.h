/* What a process has once, however many Lua states are in it. */
#ifndef RAIA_PROCESS_H
#define RAIA_PROCESS_H

/* The version of the libcurl that is loaded, where it is too old, or NULL. */
const char *raia_process_old_libcurl(void);

/* Readies libcurl, and has the module stay loaded: a Lua state that is closed
   would else take it away from under threads of libcurl that still run. */
void raia_process_init(void);

/* How many forks are between this process and the one that called init. */
unsigned raia_process_forks(void);

#endif
