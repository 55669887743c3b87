/*
 * What repeating the row of an INSERT brings: the same rows of three columns, as parameter sets of one execution, and with one execution
 * for each.
 *
 *    bench_params DSN [ROWS]
 */
#include <dbsql/dbsql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arrow/builder.h"

static void check(dbsql_status status, dbsql_error *error, const char *what) {
  if (status == DBSQL_OK) return;
  fprintf(stderr, "bench_params: %s: %s\n", what, dbsql_error_message(error));
  exit(1);
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void run(dbsql_connection *connection, const char *sql) {
  dbsql_error *error = NULL;
  dbsql_result *result = NULL;
  dbsql_status status = dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error);
  check(status, error, sql);
  dbsql_result_free(result);
}

static void name_of(int64_t row, char name[32]) {
  snprintf(name, 32, "row number %lld", (long long)row);
}

static void make_rows(int64_t rows, struct ArrowArray *array, struct ArrowSchema *schema) {
  struct arrow_builder builder;
  dbsql_error *error = NULL;
  check(arrow_schema_make(schema, "+s", "", 0, 3, &error), error, "schema");
  check(arrow_schema_make(schema->children[0], "l", "id", 0, 0, &error), error, "schema");
  check(arrow_schema_make(schema->children[1], "u", "name", 0, 0, &error), error, "schema");
  check(arrow_schema_make(schema->children[2], "g", "value", 0, 0, &error), error, "schema");
  check(arrow_builder_init(&builder, schema, &error), error, "builder");
  for (int64_t row = 0; row < rows; row++) {
    char name[32];
    double value = (double)row * 0.5;
    name_of(row, name);
    arrow_builder_append_fixed(&builder.children[0], &row);
    arrow_builder_append_bytes(&builder.children[1], slice_text(name));
    arrow_builder_append_fixed(&builder.children[2], &value);
    arrow_builder_append_entry(&builder);
  }
  check(arrow_builder_finish(&builder, array, &error), error, "array");
  arrow_builder_free(&builder);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: bench_params DSN [ROWS]\n");
    return 2;
  }
  int64_t rows = argc > 2 ? atoll(argv[2]) : 5000, single_rows = rows / 10 > 0 ? rows / 10 : 1;
  static const char insert[] = "INSERT INTO bench_params VALUES (?, ?, ?)";
  dbsql_error *error = NULL;
  dbsql_config *config = NULL;
  dbsql_connection *connection = NULL;
  dbsql_statement *statement = NULL;
  dbsql_result *result = NULL;
  check(dbsql_config_new(&config, &error), error, "configuration");
  check(dbsql_config_parse(config, argv[1], strlen(argv[1]), &error), error, "configuration");
  check(dbsql_connect(config, NULL, &connection, &error), error, "connecting");
  run(connection, "CREATE OR REPLACE TABLE bench_params (id BIGINT, name STRING, value DOUBLE)");
  check(dbsql_statement_new(connection, &statement, &error), error, "statement");
  struct ArrowArray array;
  struct ArrowSchema schema;
  make_rows(rows, &array, &schema);
  check(dbsql_statement_bind(statement, &array, &schema, &error), error, "bind");
  double start = now();
  check(dbsql_statement_execute(statement, insert, SIZE_MAX, NULL, &result, &error), error, insert);
  double multi = (double)rows / (now() - start);
  if (dbsql_result_affected_rows(result) != rows) {
    fprintf(stderr, "bench_params: %lld rows instead of %lld\n", (long long)dbsql_result_affected_rows(result), (long long)rows);
    return 1;
  }
  dbsql_result_free(result);
  dbsql_statement_clear_parameters(statement);
  start = now();
  for (int64_t row = 0; row < single_rows; row++) {
    char name[32];
    name_of(row, name);
    check(dbsql_bind_int64(statement, 1, NULL, row, &error), error, "bind");
    check(dbsql_bind_text(statement, 2, NULL, name, SIZE_MAX, &error), error, "bind");
    check(dbsql_bind_double(statement, 3, NULL, (double)row * 0.5, &error), error, "bind");
    check(dbsql_statement_execute(statement, insert, SIZE_MAX, NULL, &result, &error), error, insert);
    dbsql_result_free(result);
  }
  double single = (double)single_rows / (now() - start);
  printf("bench\tparams.multi_row_rows_per_s\t%.0f\trows/s\n", multi);
  printf("bench\tparams.single_row_rows_per_s\t%.0f\trows/s\n", single);
  printf("bench\tparams.ratio\t%.2f\tratio\n", multi / single);
  dbsql_statement_free(statement);
  dbsql_connection_close(connection, NULL, NULL);
  dbsql_config_free(config);
  return 0;
}
