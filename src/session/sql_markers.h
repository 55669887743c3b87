/*
 * Parameter markers in a statement's text: `?` and `:name` where Spark's grammar takes them for such (results.md 6.2), found without
 * parsing the SQL. Texts, names in quotes and comments are skipped by the rules of Spark's lexer.
 */
#ifndef DBSQL_SESSION_SQL_MARKERS_H
#define DBSQL_SESSION_SQL_MARKERS_H

#include "base/arena.h"
#include "base/buf.h"

struct sql_marker {
  size_t start, end; /* in the text, from the `?` or `:` on */
  const char *name;  /* without quotes; NULL: `?` */
  size_t name_size;
  /* `word :name`, where `word` is no keyword that an expression follows: nearly always a path into a VARIANT (`column:field`) or a label.
   * Counts as a marker only if a parameter of that name is bound. */
  bool is_doubtful;
  bool in_unhex; /* unhex(?) */
};

struct sql_markers {
  struct sql_marker *items; /* in the order of the text */
  size_t count;
  size_t positional, named, doubtful; /* how many of each; `named` without the doubtful */
  struct slice verb;                  /* the first word, behind comments; empty if something else comes first */
  bool is_unclosed;                   /* a text or comment does not end: what stands behind is not known, and the server will refuse it */
  /* INSERT INTO ... VALUES (row), where all markers are in the one row, which ends the statement, and the row may be written several
   * times: the row's place with its brackets. Otherwise both are 0. */
  size_t row_start, row_end;
  struct arena names;
};

/* On failure (out of memory only) there is nothing to free. */
dbsql_status sql_markers_scan(struct slice sql, struct sql_markers *markers, dbsql_error **error);
void sql_markers_free(struct sql_markers *markers);
/* True if the statement's first word is `word`, in any case. */
bool sql_markers_verb_is(const struct sql_markers *markers, const char *word);
/* Whether the marker is of that name. */
bool sql_marker_is(const struct sql_marker *marker, const char *name);

#endif
