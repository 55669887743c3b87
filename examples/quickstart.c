/*
 * Connects, runs one statement and prints its rows.
 *
 *    quickstart DSN [SQL]
 *
 * DSN is a connection string such as token:TOKEN@HOST:443/sql/1.0/warehouses/ID.
 */
#include <dbsql/dbsql.h>
#include <stdio.h>
#include <string.h>

static const char default_sql[] =
    "SELECT 1 AS id, 'Grüße' AS greeting, CAST(19.90 AS DECIMAL(10,2)) AS price, DATE '2024-02-29' AS day, CAST(NULL AS STRING) AS nothing "
    "UNION ALL SELECT 2, 'hello', CAST(-0.05 AS DECIMAL(10,2)), DATE '1969-07-20', 'something' ORDER BY id";

int main(int argc, char **argv) {
  dbsql_error *error = NULL;
  dbsql_config *config = NULL;
  dbsql_connection *connection = NULL;
  dbsql_result *result = NULL;
  bool has_row = false;
  int exit_code = 1;

  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: quickstart DSN [SQL]\n");
    return 2;
  }

  /* At most 30 seconds for each call, whatever the network does. */
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 30000;

  if (dbsql_config_new(&config, &error) != DBSQL_OK) goto cleanup;
  if (dbsql_config_parse(config, argv[1], strlen(argv[1]), &error) != DBSQL_OK) goto cleanup;
  if (dbsql_connect(config, &call, &connection, &error) != DBSQL_OK) goto cleanup;
  if (dbsql_execute(connection, argc > 2 ? argv[2] : default_sql, SIZE_MAX, &call, &result, &error) != DBSQL_OK) goto cleanup;

  size_t columns = dbsql_result_column_count(result);
  for (size_t i = 0; i < columns; i++) {
    dbsql_column column;
    if (!dbsql_result_column(result, i, &column)) goto cleanup;
    printf("%s%s %s", i ? " | " : "", column.name, column.type_text);
  }
  printf("\n");

  for (;;) {
    if (dbsql_row_next(result, &call, &has_row, &error) != DBSQL_OK) goto cleanup;
    if (!has_row) break;
    for (size_t i = 0; i < columns; i++) {
      const char *text;
      if (dbsql_get_text(result, i, &text, NULL, &error) != DBSQL_OK) goto cleanup;
      printf("%s%s", i ? " | " : "", text ? text : "NULL");
    }
    printf("\n");
  }
  exit_code = 0;

cleanup:
  if (error) fprintf(stderr, "quickstart: %s (SQLSTATE %s)\n", dbsql_error_message(error), dbsql_error_sqlstate(error));
  dbsql_error_free(error);
  dbsql_result_free(result);
  dbsql_connection_close(connection, &call, NULL);
  dbsql_config_free(config);
  return exit_code;
}
