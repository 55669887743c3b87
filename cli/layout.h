/* The widths of a table's columns. */
#ifndef DBSQL_CLI_LAYOUT_H
#define DBSQL_CLI_LAYOUT_H

#include <stddef.h>

enum { LAYOUT_NARROWEST = 4 }; /* no column is cut to less */

/* Sets `widths` from what each column would like to have, so that a line (one space, cells, " | " between them) takes at most
 * `terminal_columns`: the widest columns give first, all to the same width. 0: as they like. Where even the narrowest do not fit, a
 * line is longer than the terminal. */
void layout_fit(const size_t *natural, size_t *widths, size_t count, size_t terminal_columns);

#endif
