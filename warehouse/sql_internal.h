/* Shared by the parts of the SQL layer. */
#ifndef DBSQL_WAREHOUSE_SQL_INTERNAL_H
#define DBSQL_WAREHOUSE_SQL_INTERNAL_H

#include "sql.h"
#include "sql_token.h"

/* Appends the engine's name of the type that begins at token `*i`, and moves behind it. */
bool sql_append_type(const struct tokens *tokens, size_t *i, struct buf *out, struct failure *failure);
/* Statements that the warehouse answers itself. `*found` says whether this is one. */
bool sql_read_command(const struct tokens *tokens, struct sql_statement *statement, bool *found, struct failure *failure);
/* Tokens [first, end) in the engine's words. */
bool sql_append_translation(const struct tokens *tokens, size_t first, size_t end, struct sql_statement *statement, struct buf *out,
                            struct failure *failure);
/* Literals from token `*i` on, which is moved behind them: neighbouring texts as one, X'1F', numbers with suffixes, and intervals of more
 * than one unit (`*done`: this is one). */
bool sql_append_string(const struct tokens *tokens, size_t *i, size_t end, struct buf *out, struct failure *failure);
bool sql_append_hex(const struct tokens *tokens, size_t *i, struct buf *out, struct failure *failure);
void sql_append_number(const struct tokens *tokens, size_t *i, struct buf *out);
bool sql_append_interval(const struct tokens *tokens, size_t *i, size_t end, struct buf *out, bool *done, struct failure *failure);
void sql_append_literal(struct buf *out, const char *text, size_t length);
void sql_append_quoted_name(struct buf *out, const char *name);

#endif
