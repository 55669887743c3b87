/*
 * From Databricks' SQL to the engine's: what a statement is, and the same in the engine's words. The dialect stays the engine's; what is
 * translated is listed in docs/warehouse.md.
 */
#ifndef DBSQL_WAREHOUSE_SQL_H
#define DBSQL_WAREHOUSE_SQL_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

enum sql_kind {
  SQL_ROWS,   /* the engine answers with rows */
  SQL_CHANGE, /* INSERT, UPDATE, DELETE, MERGE: the engine answers with a count. Catalog, schema, table */
  SQL_PLAIN,  /* anything else: the answer has one column and no rows */
  /* The warehouse's own; `arguments` as said. NULL where it was not given. */
  SQL_SET,              /* key, value; neither: all settings (`flag`: with meanings) */
  SQL_RESET,            /* key */
  SQL_SET_ZONE,         /* zone; NULL: LOCAL */
  SQL_USE,              /* catalog, schema */
  SQL_SHOW_CATALOGS,    /* pattern */
  SQL_SHOW_SCHEMAS,     /* catalog, pattern */
  SQL_SHOW_TABLES,      /* catalog, schema, pattern; `flag`: views only */
  SQL_SHOW_COLUMNS,     /* catalog, schema, table */
  SQL_SHOW_FUNCTIONS,   /* pattern */
  SQL_SHOW_CREATE,      /* catalog, schema, table */
  SQL_DESCRIBE_TABLE,   /* catalog, schema, table; `flag`: EXTENDED */
  SQL_DESCRIBE_QUERY,   /* `text` is the query */
  SQL_DESCRIBE_SCHEMA,  /* catalog, schema */
  SQL_DESCRIBE_CATALOG, /* catalog */
  SQL_CREATE_CATALOG,   /* name; `flag`: IF NOT EXISTS */
  SQL_DROP_CATALOG,     /* name; `flag`: IF EXISTS */
  SQL_BEGIN,
  SQL_COMMIT,
  SQL_ROLLBACK,
  SQL_AUTOCOMMIT /* "true", "false"; NULL: to be told */
};

enum sql_verb { SQL_OTHER, SQL_INSERT, SQL_UPDATE, SQL_DELETE, SQL_MERGE };

struct sql_statement {
  enum sql_kind kind;
  enum sql_verb verb;
  bool flag;
  const char *refused_inside; /* the subclass that a transaction refuses it with; NULL: it does not. Static */
  bool returning;             /* a change that answers with rows of its own */
  char *text;                 /* for the engine */
  char *arguments[3];
  /* Statements to be run after it, in the same words: comments that CREATE TABLE gave. */
  char **after;
  size_t after_count;
  /* What each SQL_MARKER of `text` stands for: a name, or NULL for the next one in order. */
  char **markers;
  size_t marker_count;
  /* Columns of a SELECT that are the literal NULL: the engine gives them the type of integers. */
  size_t *nulls;
  size_t null_count;
};

/* Stands in `text` where a parameter is wanted. */
#define SQL_MARKER '\x01'

/* Fails for a text that is no single statement, or for one that asks for what the warehouse does not have. */
bool sql_translate(const char *source, struct sql_statement *statement, struct failure *failure);
void sql_statement_free(struct sql_statement *statement);
/* The engine's name of a type: all of the text must be one. `*out` is the caller's. */
bool sql_type(const char *type, char **out, struct failure *failure);

#endif
