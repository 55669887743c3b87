/*
 * What was typed, kept in a file that only its owner can read: $XDG_STATE_HOME/dbsql/history, or ~/.local/state/dbsql/history. Each
 * entry is a line; a line end within one is written as \n and a backslash as \\. What looks as if it held a secret is not kept.
 */
#ifndef DBSQL_CLI_HISTORY_H
#define DBSQL_CLI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

enum { HISTORY_KEPT = 2000 }; /* entries that are loaded; the file is shortened to them when it has twice as many */

/* The path, freed by the caller, with its folders made (mode 0700); NULL if there is no home. */
char *history_path(void);
/* Calls `each` for the last entries, oldest first. A file that is missing or cannot be read is an empty history. */
void history_load(const char *path, void (*each)(void *user, const char *entry), void *user);
/* Appends one entry, unless it looks like a secret or is empty. Failures are no reason to stop: false. */
bool history_append(const char *path, const char *entry);
/* True for statements with tokens, passwords, keys and the like in them. */
bool history_is_secret(const char *entry);

#endif
