/* A program of its own that uses an installed dbsql: it shows how a connection string is understood, and connects to nothing. */
#include <dbsql/dbsql.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  const char *dsn = argc > 1 ? argv[1] : "token:secret@example.cloud.databricks.com:443/sql/1.0/warehouses/abc";
  dbsql_error *error = NULL;
  dbsql_config *config = NULL;
  char *host = NULL;
  int exit_code = 1;

  if (dbsql_config_new(&config, &error) != DBSQL_OK) goto cleanup;
  if (dbsql_config_parse(config, dsn, strlen(dsn), &error) != DBSQL_OK) goto cleanup;
  if (dbsql_config_get(config, "host", &host, &error) != DBSQL_OK) goto cleanup;
  printf("the host is %s\n", host ? host : "not set");
  printf("dbsql %s\n", dbsql_version());
  exit_code = 0;

cleanup:
  if (error) fprintf(stderr, "outside: %s\n", dbsql_error_message(error));
  dbsql_free(host);
  dbsql_error_free(error);
  dbsql_config_free(config);
  return exit_code;
}
