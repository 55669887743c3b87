/*
 * Ctrl-C and the like. A signal triggers the cancel handle, so that what waits for the server ends; nothing else happens in the handler.
 * The third signal in a row ends the program at once, in case something does not listen.
 */
#ifndef DBSQL_CLI_SIGNALS_H
#define DBSQL_CLI_SIGNALS_H

#include <stdbool.h>

#include <dbsql/dbsql.h>

/* Handles SIGINT, SIGTERM and SIGHUP, and ignores SIGPIPE: a closed pipe is an error of write(). `cancel` must live until
 * signals_remove(). */
void signals_install(dbsql_cancel *cancel);
void signals_remove(void);
/* The number of the signal that came since the last signals_clear(); 0 if none. */
int signals_pending(void);
bool signals_interrupted(void);
/* Readable when a signal came; for poll(). Also SIGCONT and SIGWINCH, once signals_watch_terminal() was called. */
int signals_fd(void);
void signals_watch_terminal(void);
/* Empties signals_fd(). True if the program was continued or the window changed: what is on the screen must be shown again. */
bool signals_drain(void);
/* Waits until there is something to read, at most so long (-1: for ever). False if a signal came, or at the end of the time. */
bool signals_wait_readable(int fd, int timeout_ms);
/* Forgets an interrupt and resets the cancel handle; a request to end (SIGTERM, SIGHUP) stays. No call may be running. */
void signals_clear(void);

#endif
