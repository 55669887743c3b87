/* A statement as tokens: words, names, literals and symbols, with the places where they stand. Comments lie between tokens. */
#ifndef DBSQL_WAREHOUSE_SQL_TOKEN_H
#define DBSQL_WAREHOUSE_SQL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "failure.h"

/* The byte that stands for a parameter in translated text counts as a blank in the source. */
#define SQL_TOKEN_CONTROL '\x01'

enum token_kind {
  TOKEN_END,
  TOKEN_WORD,   /* keyword or plain name */
  TOKEN_NAME,   /* `name` */
  TOKEN_STRING, /* 'text', "text", r'text' */
  TOKEN_HEX,    /* X'1F' */
  TOKEN_NUMBER,
  TOKEN_PARAMETER, /* :name or ? */
  TOKEN_SYMBOL     /* one byte, or "::" */
};

struct token {
  enum token_kind kind;
  size_t start, end; /* bytes of the source */
};

struct tokens {
  const char *source;
  struct token *items; /* the last is TOKEN_END */
  size_t count;        /* without it */
};

/* Fails for text that is not closed. Freed with tokens_free(). */
bool tokens_read(const char *source, struct tokens *tokens, struct failure *failure);
void tokens_free(struct tokens *tokens);
/* True if token `i` is that word (in any case). Beyond the end it is not. */
bool token_is(const struct tokens *tokens, size_t i, const char *word);
bool token_is_symbol(const struct tokens *tokens, size_t i, char symbol);
/* True for TOKEN_WORD and TOKEN_NAME. */
bool token_is_name(const struct tokens *tokens, size_t i);
/* The text of a name, without quotes; the caller's. */
char *token_name(const struct tokens *tokens, size_t i);
/* The value of a string literal: without quotes, escapes resolved. Fails for a zero byte. */
bool token_string(const struct tokens *tokens, size_t i, struct buf *value, struct failure *failure);
/* The error of a real server at that token. Returns false. */
bool token_error(const struct tokens *tokens, size_t i, struct failure *failure);

#endif
