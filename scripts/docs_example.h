/* What the pieces of programs in the documentation may take for granted: scripts/docs_examples.sh puts them into example(). */
#include <dbsql/dbsql.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Connected to a local warehouse, whose connection string is `dsn`. `error` must be NULL at the end. */
static const char *dsn;
static dbsql_config *config;
static dbsql_connection *connection;
static dbsql_error *error;

/* Where a program has its secrets: anywhere. */
struct vault {
  char token[256];
};
static struct vault the_vault, *vault = &the_vault;
static inline const char *vault_read(struct vault *self, const char *host) {
  return *host ? self->token : NULL;
}
static inline int64_t vault_expiry(struct vault *self) {
  return *self->token ? 0 : -1;
}

static void example(void);

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  dsn = argv[1];
  const char *token = strstr(dsn, "token:");
  if (token) {
    token += strlen("token:");
    snprintf(the_vault.token, sizeof the_vault.token, "%.*s", (int)strcspn(token, "@"), token);
  }
  if (dbsql_config_new(&config, &error) == DBSQL_OK && dbsql_config_parse(config, dsn, SIZE_MAX, &error) == DBSQL_OK &&
      dbsql_connect(config, NULL, &connection, &error) == DBSQL_OK) {
    example();
  }
  if (error) fprintf(stderr, "%s\n", dbsql_error_message(error));
  return error ? 1 : 0;
}
