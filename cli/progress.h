/*
 * The progress line: after a second of waiting, "12 s, 400000 rows" on standard error, erased afterwards. A thread prints it; it makes
 * no library calls. Only for terminals.
 */
#ifndef DBSQL_CLI_PROGRESS_H
#define DBSQL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress;

/* NULL if standard error is no terminal (or no thread can be had): all calls accept it. */
struct progress *progress_start(void);
void progress_rows(struct progress *progress, uint64_t rows);
/* Ends the thread, erases the line and frees. */
void progress_stop(struct progress *progress);

#endif
