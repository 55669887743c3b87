#include "lookup.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/column.h"
#include "base/error.h"
#include "base/text.h"
#include "memory.h"

const char lookup_catalogs[] = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory' ORDER BY 1";

/* The engine's own schema "main" is shown if somebody has put something there. */
const char lookup_schemas[] =
    "SELECT DISTINCT database_name, schema_name FROM duckdb_schemas() s WHERE database_name NOT IN ('memory', 'system', 'temp') AND "
    "schema_name <> 'pg_catalog' AND (schema_name <> 'main' OR EXISTS (SELECT 1 FROM duckdb_tables() t WHERE t.database_name = "
    "s.database_name AND t.schema_name = 'main') OR EXISTS (SELECT 1 FROM duckdb_views() v WHERE v.database_name = s.database_name AND "
    "v.schema_name = 'main' AND NOT v.internal)) ORDER BY 1, 2";

const char lookup_tables[] =
    "SELECT database_name, schema_name, table_name, 'TABLE', comment, sql FROM duckdb_tables() WHERE NOT internal AND database_name <> "
    "'memory' UNION ALL SELECT database_name, schema_name, view_name, 'VIEW', comment, sql FROM duckdb_views() WHERE NOT internal AND "
    "database_name <> 'memory' ORDER BY 4, 1, 2, 3";

const char lookup_columns[] =
    "SELECT database_name, schema_name, table_name, column_name, data_type, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END, "
    "column_default, "
    "comment, CAST(column_index AS VARCHAR) FROM duckdb_columns() WHERE NOT internal AND database_name <> 'memory' ORDER BY database_name, "
    "schema_name, table_name, column_index";

struct lookup {
  struct result result;
  struct arrow_column *columns;
  struct buf *texts;
  int64_t batch, row;
};

struct lookup *lookup_run(struct session *session, const char *sql, struct failure *failure) {
  struct engine_error error = {0};
  struct ArrowArrayStream stream = {0};
  struct result_shape shape = {0};
  struct result_limits limits = {.bytes = session->warehouse->limits.result_bytes};
  struct lookup *lookup = wh_new(1, sizeof *lookup);
  dbsql_error *problem = NULL;
  if (!engine_execute(session->connection, sql, NULL, NULL, &stream, &error)) {
    failure_from_engine(failure, &error, sql);
    engine_error_clear(&error);
    free(lookup);
    return NULL;
  }
  bool good = stream.release && result_read(&lookup->result, session->connection, &stream, &shape, session->zone, &limits, sql, failure);
  engine_finish(session->connection);
  if (!good) {
    free(lookup);
    return NULL;
  }
  lookup->row = -1;
  lookup->columns = wh_new((size_t)lookup->result.column_count, sizeof *lookup->columns);
  lookup->texts = wh_new((size_t)lookup->result.column_count, sizeof *lookup->texts);
  for (int64_t i = 0; good && i < lookup->result.column_count; i++)
    good = arrow_column_bind(&lookup->columns[i], lookup->result.schema.children[i], &problem) == DBSQL_OK;
  if (good) return lookup;
  failure_from_library(failure, &problem);
  lookup_free(lookup);
  return NULL;
}

bool lookup_next(struct lookup *lookup) {
  lookup->row++;
  while (lookup->batch < lookup->result.batch_count && lookup->row >= lookup->result.batches[lookup->batch].length) {
    lookup->batch++;
    lookup->row = 0;
  }
  if (lookup->batch >= lookup->result.batch_count) return false;
  if (lookup->row == 0) {
    for (int64_t i = 0; i < lookup->result.column_count; i++)
      arrow_column_attach(&lookup->columns[i], lookup->result.batches[lookup->batch].children[i]);
  }
  return true;
}

const char *lookup_text(struct lookup *lookup, int64_t column) {
  if (column >= lookup->result.column_count || arrow_column_is_null(&lookup->columns[column], lookup->row)) return NULL;
  struct buf *text = &lookup->texts[column];
  buf_reset(text);
  dbsql_error *error = NULL;
  if (arrow_column_text(&lookup->columns[column], lookup->row, text, &error) != DBSQL_OK) buf_reset(text);
  error_clear(&error);
  const char *out = buf_text(text);
  wh_check(text);
  return out;
}

int64_t lookup_int(struct lookup *lookup, int64_t column) {
  const char *text = lookup_text(lookup, column);
  return text ? strtoll(text, NULL, 10) : 0;
}

void lookup_free(struct lookup *lookup) {
  if (!lookup) return;
  for (int64_t i = 0; i < lookup->result.column_count; i++) {
    arrow_column_free(&lookup->columns[i]);
    buf_free(&lookup->texts[i]);
  }
  free(lookup->columns);
  free(lookup->texts);
  result_free(&lookup->result);
  free(lookup);
}

/* ---- Patterns -------------------------------------------------------------------------------------------------------------------------
 */

static size_t character_size(const char *text) {
  size_t size = 1;
  while (((unsigned char)text[size] & 0xC0) == 0x80) size++;
  return size;
}

bool pattern_matches(const char *pattern, const char *text) {
  if (!pattern || !*pattern) return true;
  const char *star = NULL, *retry = NULL; /* the last %, and where its sequence may end next */
  while (*text) {
    if (*pattern == '%') {
      star = ++pattern;
      retry = text;
      continue;
    }
    bool escaped = *pattern == '\\' && pattern[1];
    char wanted = escaped ? pattern[1] : *pattern;
    if (!escaped && wanted == '_') {
      pattern++;
      text += character_size(text);
    } else if (wanted && text_lower(wanted) == text_lower(*text)) {
      pattern += escaped ? 2 : 1;
      text++;
    } else if (star) {
      pattern = star;
      retry += character_size(retry);
      text = retry;
    } else {
      return false;
    }
  }
  while (*pattern == '%') pattern++;
  return !*pattern;
}

bool identifier_matches(const char *identifier, const char *text) {
  return !identifier || !*identifier || strcmp(identifier, "%") == 0 || text_equal_nocase(identifier, text);
}

/* One alternative, [pattern, end). */
static bool alternative_matches(const char *pattern, const char *end, const char *text) {
  const char *star = NULL, *retry = NULL;
  while (*text) {
    if (pattern < end && *pattern == '*') {
      star = ++pattern;
      retry = text;
    } else if (pattern < end && text_lower(*pattern) == text_lower(*text)) {
      pattern++;
      text++;
    } else if (star) {
      pattern = star;
      text = ++retry;
    } else {
      return false;
    }
  }
  while (pattern < end && *pattern == '*') pattern++;
  return pattern == end;
}

bool show_pattern_matches(const char *pattern, const char *text) {
  if (!pattern) return true;
  for (;;) {
    const char *end = pattern + strcspn(pattern, "|");
    if (alternative_matches(pattern, end, text)) return true;
    if (!*end) return false;
    pattern = end + 1;
  }
}
