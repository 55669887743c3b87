/*
 * Reads a million rows as Arrow batches and adds them up.
 *
 *    million DSN [ROWS]
 *
 * The batches come through the Arrow C data interface: any Arrow implementation could take them over as they are. Here they are
 * read by hand, to show how little there is to it.
 */
#include <dbsql/arrow.h>
#include <dbsql/dbsql.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_set(const uint8_t *bits, int64_t i) {
  return bits == NULL || (bits[i / 8] >> (i % 8) & 1) != 0;
}

int main(int argc, char **argv) {
  dbsql_error *error = NULL;
  dbsql_config *config = NULL;
  dbsql_connection *connection = NULL;
  dbsql_result *result = NULL;
  struct ArrowSchema schema = {0};
  char sql[100];
  int64_t rows = 0;
  int64_t batches = 0;
  int64_t sum = 0;
  int exit_code = 1;

  long long wanted = argc == 3 ? strtoll(argv[2], NULL, 10) : 1000000;
  if (argc < 2 || argc > 3 || wanted < 0 || wanted > 1000000000) {
    fprintf(stderr, "usage: million DSN [ROWS]\n");
    return 2;
  }
  snprintf(sql, sizeof sql, "SELECT * FROM range(%lld)", wanted);

  if (dbsql_config_new(&config, &error) != DBSQL_OK) goto cleanup;
  if (dbsql_config_parse(config, argv[1], strlen(argv[1]), &error) != DBSQL_OK) goto cleanup;
  if (dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) goto cleanup;
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) goto cleanup;

  /* One column of 64-bit integers: "l" in the Arrow C data interface. */
  if (dbsql_result_schema(result, &schema, &error) != DBSQL_OK) goto cleanup;
  if (schema.n_children != 1 || strcmp(schema.children[0]->format, "l") != 0) {
    fprintf(stderr, "million: expected one column of 64-bit integers\n");
    goto cleanup;
  }

  for (;;) {
    struct ArrowArray batch;
    if (dbsql_result_next_batch(result, NULL, &batch, &error) != DBSQL_OK) goto cleanup;
    if (batch.release == NULL) break;
    const struct ArrowArray *column = batch.children[0];
    const uint8_t *valid = column->null_count == 0 ? NULL : column->buffers[0];
    const int64_t *values = column->buffers[1];
    for (int64_t i = 0; i < batch.length; i++) {
      int64_t at = batch.offset + column->offset + i;
      if (is_set(valid, at)) sum += values[at];
    }
    rows += batch.length;
    batches++;
    batch.release(&batch);
  }

  printf("%" PRId64 " rows in %" PRId64 " batches, sum %" PRId64 "\n", rows, batches, sum);
  if (rows != wanted || sum != wanted * (wanted - 1) / 2) {
    fprintf(stderr, "million: expected %lld rows with the sum %lld\n", wanted, wanted * (wanted - 1) / 2);
    goto cleanup;
  }
  exit_code = 0;

cleanup:
  if (error) fprintf(stderr, "million: %s (SQLSTATE %s)\n", dbsql_error_message(error), dbsql_error_sqlstate(error));
  dbsql_error_free(error);
  if (schema.release) schema.release(&schema);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  dbsql_config_free(config);
  return exit_code;
}
