/*
 * How text looks on a terminal: how many columns it takes, and what is shown in place of bytes that must not reach a terminal.
 *
 * Control characters (an escape sequence in a value must not move the cursor), the invisible characters that reorder text, and bytes
 * that are no UTF-8 are shown as escapes: \n, \t, \r, \x1B, \u202E.
 */
#ifndef DBSQL_CLI_WIDTH_H
#define DBSQL_CLI_WIDTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

/* The length of the UTF-8 sequence at `bytes` and its code point; 0 if it is not valid or not whole. */
size_t utf8_decode(const char *bytes, size_t size, uint32_t *code_point);

/* Checks text that comes in pieces. */
struct utf8_check {
  unsigned char pending[4]; /* the beginning of a sequence that the next piece goes on with */
  size_t pending_size;
  uint64_t position; /* bytes that were found right */
};
enum utf8_verdict { UTF8_RIGHT, UTF8_NUL, UTF8_WRONG };
/* On a bad verdict `check->position` is the offset of the bad byte from the beginning of everything. */
enum utf8_verdict utf8_check_piece(struct utf8_check *check, const char *bytes, size_t size);
/* At the end: a sequence that is not whole is wrong. */
enum utf8_verdict utf8_check_end(const struct utf8_check *check);

/* 0, 1 or 2 columns. */
int code_point_width(uint32_t code_point);

/* The columns that the text takes when it is shown with its escapes. */
size_t display_width(const char *text, size_t length);
/* Appends the text as it is shown. If it takes more than `limit` columns (0: no limit), it is cut so that it does not, with an ellipsis
 * as its end. Answers the columns that were used. */
size_t display_append(struct text *out, const char *text, size_t length, size_t limit);

#endif
