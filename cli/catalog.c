/* The commands that look into the catalog. */
#include "catalog.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct shown_column catalog_columns[] = {{"TABLE_CAT", 0, "catalog"}};
static const struct shown_column schema_columns[] = {{"TABLE_CATALOG", 1, "catalog"}, {"TABLE_SCHEM", 0, "schema"}};
static const struct shown_column table_columns[] = {{"TABLE_CAT", 0, "catalog"},
                                                    {"TABLE_SCHEM", 1, "schema"},
                                                    {"TABLE_NAME", 2, "name"},
                                                    {"TABLE_TYPE", 3, "type"},
                                                    {"REMARKS", 4, "comment"}};
static const struct shown_column column_columns[] = {{"TABLE_SCHEM", 1, "schema"},    {"TABLE_NAME", 2, "table"},
                                                     {"COLUMN_NAME", 3, "column"},    {"TYPE_NAME", 5, "type"},
                                                     {"IS_NULLABLE", 17, "nullable"}, {"REMARKS", 11, "comment"}};
enum { COLUMNS_OF_ONE_TABLE = 2 }; /* the first of them that is shown where the table is known */
static const struct shown_column function_columns[] = {
    {"FUNCTION_CAT", 0, "catalog"}, {"FUNCTION_SCHEM", 1, "schema"}, {"FUNCTION_NAME", 2, "name"}, {"REMARKS", 3, "comment"}};
static const struct shown_column type_columns[] = {
    {"TYPE_NAME", 0, "type"}, {"DATA_TYPE", 1, "code"}, {"PRECISION", 2, "precision"}, {"CREATE_PARAMS", 5, "parameters"}};

static const char *const types_of_tables[] = {"TABLE", "EXTERNAL", "STREAMING_TABLE", "SYSTEM TABLE"};
static const char *const types_of_views[] = {"VIEW", "MATERIALIZED_VIEW", "METRIC_VIEW"};

/* What a metadata call is asked with. */
struct question {
  char *catalog; /* taken literally; NULL for all */
  char *schema;  /* patterns; NULL for all */
  char *name;
  bool is_wild;
  struct limit limit;
};

/* Where the session stands. Both stay NULL if the server does not say: then all catalogs are asked. */
static void ask_current(struct shell *shell, struct limit *limit, char **catalog, char **schema) {
  static const char sql[] = "SELECT current_catalog(), current_schema()";
  dbsql_result *result = NULL;
  bool has_row = false;
  if (dbsql_execute(shell->connection, sql, sizeof sql - 1, limit_call(limit), &result, NULL) != DBSQL_OK) return;
  if (dbsql_row_next(result, limit_call(limit), &has_row, NULL) == DBSQL_OK && has_row) {
    char **into[] = {catalog, schema};
    for (size_t i = 0; i < 2; i++) {
      const char *text = NULL;
      if (dbsql_get_text(result, i, &text, NULL, NULL) == DBSQL_OK && text != NULL) *into[i] = memory_copy(text);
    }
  }
  dbsql_result_free(result);
}

static char *literal_pattern(const char *text) {
  struct names names = {{NULL}, {true}};
  names.parts[0] = memory_copy(text);
  char *pattern = names_pattern(&names, 0);
  names_free(&names);
  return pattern;
}

/* What the user left out is where the session stands. `level` is 0 for names in schemas, 1 for schemas. */
static int question_make(struct shell *shell, const char *text, size_t level, struct question *question) {
  memset(question, 0, sizeof *question);
  struct names names = {{NULL}, {false}};
  if (text != NULL && (!names_parse(&names, text) || (level == 1 && names.parts[2] != NULL))) {
    report_message(&shell->place, "'%s' is no name: write %s, with backquotes where needed", text,
                   level == 1 ? "[catalog.]schema" : "[[catalog.]schema.]name");
    names_free(&names);
    return EXIT_USAGE;
  }
  int code = run_ensure_connection(shell);
  if (code != EXIT_OK) {
    names_free(&names);
    return code;
  }
  run_begin(shell);
  question->limit = shell_limit(shell);
  size_t catalog_part = level == 1 ? 1 : 2;
  const char *catalog = names.parts[catalog_part];
  if (catalog != NULL && !(names_is_wild(&names, catalog_part) && (strcmp(catalog, "*") == 0 || strcmp(catalog, "%") == 0))) {
    question->catalog = memory_copy(catalog);
  }
  if (level == 0) question->name = names_pattern(&names, 0);
  question->schema = names_pattern(&names, level == 1 ? 0 : 1);
  question->is_wild = names_is_wild(&names, 0) || names_is_wild(&names, 1);
  if (catalog == NULL) {
    char *current_schema = NULL;
    ask_current(shell, &question->limit, &question->catalog, &current_schema);
    if (level == 0 && question->schema == NULL && current_schema != NULL) question->schema = literal_pattern(current_schema);
    free(current_schema);
  }
  names_free(&names);
  return EXIT_OK;
}

static void question_free(struct question *question) {
  free(question->catalog);
  free(question->schema);
  free(question->name);
}

int catalog_catalogs(struct shell *shell, const char *pattern) {
  (void)pattern;
  int code = run_ensure_connection(shell);
  if (code != EXIT_OK) return code;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  uint64_t rows;
  run_begin(shell);
  struct limit limit = shell_limit(shell);
  dbsql_status status = dbsql_get_catalogs(shell->connection, limit_call(&limit), &result, &error);
  return run_shown(shell, status, result, error, catalog_columns, COUNT(catalog_columns), &limit, &rows);
}

int catalog_schemas(struct shell *shell, const char *pattern) {
  struct question question;
  int code = question_make(shell, pattern, 1, &question);
  if (code != EXIT_OK) return code;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  uint64_t rows;
  dbsql_status status =
      dbsql_get_schemas(shell->connection, question.catalog, question.schema, limit_call(&question.limit), &result, &error);
  code = run_shown(shell, status, result, error, schema_columns, COUNT(schema_columns), &question.limit, &rows);
  question_free(&question);
  return code;
}

static int show_tables(struct shell *shell, const char *pattern, const char *const *types, size_t type_count) {
  struct question question;
  int code = question_make(shell, pattern, 0, &question);
  if (code != EXIT_OK) return code;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  uint64_t rows;
  dbsql_status status = dbsql_get_tables(shell->connection, question.catalog, question.schema, question.name, types, type_count,
                                         limit_call(&question.limit), &result, &error);
  code = run_shown(shell, status, result, error, table_columns, COUNT(table_columns), &question.limit, &rows);
  question_free(&question);
  return code;
}

int catalog_tables(struct shell *shell, const char *pattern) {
  return show_tables(shell, pattern, types_of_tables, COUNT(types_of_tables));
}

int catalog_views(struct shell *shell, const char *pattern) {
  return show_tables(shell, pattern, types_of_views, COUNT(types_of_views));
}

int catalog_describe(struct shell *shell, const char *name) {
  if (name == NULL) return show_tables(shell, NULL, NULL, 0);
  struct question question;
  int code = question_make(shell, name, 0, &question);
  if (code != EXIT_OK) return code;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  uint64_t rows = 0;
  size_t skipped = question.is_wild ? 0 : COLUMNS_OF_ONE_TABLE;
  dbsql_status status = dbsql_get_columns(shell->connection, question.catalog, question.schema, question.name, NULL,
                                          limit_call(&question.limit), &result, &error);
  code = run_shown(shell, status, result, error, column_columns + skipped, COUNT(column_columns) - skipped, &question.limit, &rows);
  if (code == EXIT_OK && rows == 0) {
    report_message(&shell->place, "there is no table or view '%s'", name);
    code = EXIT_STATEMENT;
  }
  question_free(&question);
  return code;
}

int catalog_functions(struct shell *shell, const char *pattern) {
  struct question question;
  int code = question_make(shell, pattern, 0, &question);
  if (code != EXIT_OK) return code;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  uint64_t rows;
  dbsql_status status = dbsql_get_functions(shell->connection, question.catalog, question.schema, question.name,
                                            limit_call(&question.limit), &result, &error);
  code = run_shown(shell, status, result, error, function_columns, COUNT(function_columns), &question.limit, &rows);
  question_free(&question);
  return code;
}

int catalog_types(struct shell *shell, const char *pattern) {
  (void)pattern;
  int code = run_ensure_connection(shell);
  if (code != EXIT_OK) return code;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  uint64_t rows;
  run_begin(shell);
  struct limit limit = shell_limit(shell);
  dbsql_status status = dbsql_get_type_info(shell->connection, limit_call(&limit), &result, &error);
  return run_shown(shell, status, result, error, type_columns, COUNT(type_columns), &limit, &rows);
}
