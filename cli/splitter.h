/*
 * Cuts a script into statements and shell commands, as the text comes in.
 *
 * A statement ends with `;` outside of quotes and comments. Known are '..', ".." (both with backslash escapes, and doubled quotes), raw
 * strings r'..' without escapes, `..`, $$..$$ and $tag$..$tag$, -- comments (which go on after a backslash at the line's end, as Spark's
 * do) and nested comments in slash and star. A line whose statement would begin with a backslash is a command for the shell and ends
 * with the line. What holds nothing but space and comments is no statement.
 */
#ifndef DBSQL_CLI_SPLITTER_H
#define DBSQL_CLI_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

struct splitter {
  struct text text; /* what was fed and not yet given out */
  size_t start;     /* where the piece in work begins */
  size_t scanned;   /* how far it was looked at */
  int state;        /* enum in splitter.c */
  unsigned depth;   /* of nested comments */
  size_t tag_start; /* of the dollar quote that is open */
  size_t tag_size;
  bool has_content;  /* something but space and comments was seen */
  size_t line;       /* of `scanned`, from 1 */
  size_t start_line; /* of the first content */
};
#define SPLITTER_INIT \
  { .text = TEXT_INIT, .line = 1 }

struct piece {
  bool is_command;  /* begins with a backslash */
  const char *text; /* trimmed, without the `;`; valid until the next call */
  size_t length;
  size_t line; /* of its first character that counts */
};

void splitter_feed(struct splitter *splitter, const char *text, size_t length);
/* The next whole piece; false if more text is needed. */
bool splitter_next(struct splitter *splitter, struct piece *piece);
/* At the end of the text: what is left, if anything. `*open` (may be NULL) tells what was not closed, such as "a '...' string". */
bool splitter_finish(struct splitter *splitter, struct piece *piece, const char **open);
/* Nothing is pending but space. */
bool splitter_is_idle(const struct splitter *splitter);
/* What the next line goes on with, as the mark of a prompt: '=' a new statement, '-' a statement, '\'', '"', '`', '$', '*' (comment). */
char splitter_mark(const struct splitter *splitter);
/* Forgets what is pending. */
void splitter_reset(struct splitter *splitter);
void splitter_free(struct splitter *splitter);

#endif
