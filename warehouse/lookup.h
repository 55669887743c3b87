/* Asking the engine's catalog: the rows of a query as texts. */
#ifndef DBSQL_WAREHOUSE_LOOKUP_H
#define DBSQL_WAREHOUSE_LOOKUP_H

#include "warehouse.h"

struct lookup;
/* Runs the query on the session's connection; the worker's. NULL on failure. */
struct lookup *lookup_run(struct session *session, const char *sql, struct failure *failure);
bool lookup_next(struct lookup *lookup);
/* A column of the current row, NULL for NULL; lives until the next row. */
const char *lookup_text(struct lookup *lookup, int64_t column);
int64_t lookup_int(struct lookup *lookup, int64_t column);
void lookup_free(struct lookup *lookup);

/* Patterns of metadata calls: % any sequence, _ one character, \ escape; without regard to case. NULL and "" match all. */
bool pattern_matches(const char *pattern, const char *text);
/* Names that are no patterns. NULL, "" and "%" match all. */
bool identifier_matches(const char *identifier, const char *text);
/* Patterns of SHOW: * any sequence, | between alternatives; without regard to case. NULL matches all. */
bool show_pattern_matches(const char *pattern, const char *text);

/* The queries that more than one answer is made of. Catalogs are named as the engine names them. */
extern const char lookup_catalogs[]; /* name */
extern const char lookup_schemas[];  /* catalog, schema */
extern const char lookup_tables[];   /* catalog, schema, table, TABLE or VIEW, comment, definition */
extern const char lookup_columns[];  /* catalog, schema, table, column, engine's type, nullable as YES or NO, default, comment, position */

#endif
