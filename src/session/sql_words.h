/* The little of SQL that is read here: blanks, comments and words, as Spark's lexer takes them. */
#ifndef DBSQL_SESSION_SQL_WORDS_H
#define DBSQL_SESSION_SQL_WORDS_H

#include <stdbool.h>

#include "base/buf.h"

struct sql_words {
  const char *at, *end;
};

struct sql_words sql_words_of(struct slice sql);
/* Letters, digits and `_` as in Spark's IDENTIFIER; what is not ASCII counts as a letter. */
bool sql_is_word_byte(char c);
/* Blanks and comments. Comments in brackets nest; a hint, which begins with a plus sign, is none. False at the end of a text whose comment
 * is not closed. */
bool sql_skip_blanks(struct sql_words *in);
/* The next word behind blanks; empty if there is none. */
struct slice sql_next_word(struct sql_words *in);
bool sql_word_is(struct slice word, const char *text);
/* Steps over the word or symbol, behind blanks, if it is the next. */
bool sql_accept_word(struct sql_words *in, const char *text);
bool sql_accept_symbol(struct sql_words *in, char symbol);
/* Whether nothing follows but blanks and semicolons, which are stepped over. */
bool sql_at_end(struct sql_words *in);

#endif
