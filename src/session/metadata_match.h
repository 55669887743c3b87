/* Names and patterns of metadata calls: our own rule, so that the same call gives the same rows whatever the server makes of it. */
#ifndef DBSQL_SESSION_METADATA_MATCH_H
#define DBSQL_SESSION_METADATA_MATCH_H

#include "base/buf.h"

/* `%` is any sequence, `_` one character, `\` takes the next one literally. Case does not count. NULL matches everything. */
bool metadata_matches_pattern(const char *pattern, struct slice text);
/* NULL matches everything. Case does not count. */
bool metadata_matches_name(const char *name, struct slice text);

/* A pattern for the server that matches at least what `pattern` does: no character in it has a meaning that servers disagree about. */
void metadata_append_wide_pattern(struct buf *out, const char *pattern);
/* The same for SHOW ... LIKE, where `*` is any sequence. Safe between single quotes. */
void metadata_append_glob(struct buf *out, const char *pattern);
/* `pattern` such that it matches `text` and nothing else. */
void metadata_append_escaped(struct buf *out, const char *text);
/* An identifier in back-ticks. */
void metadata_append_identifier(struct buf *out, struct slice name);
/* A text in single quotes. */
void metadata_append_literal(struct buf *out, const char *text);

#endif
