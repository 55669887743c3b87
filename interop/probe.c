/*
 * What the interop judges drive: the library, by lines on standard input, with answers as JSON lines on standard output.
 *
 *    probe DSN
 *
 * A line is a command and its arguments, separated by tabs; an empty argument means "not given":
 *    sql TEXT                         runs it; all rows
 *    count TEXT                       runs it; the number of rows and the sum of the first column (64-bit integers), batch by batch
 *    cancel MS TEXT                   runs it and triggers the cancel handle after so many milliseconds
 *    statement-cancel MS TEXT         the same through dbsql_statement_cancel() from another thread
 *    timeout MS TEXT                  runs it with that time limit
 *    catalogs | schemas C S | tables C S T TYPES | types | columns C S T C | functions C S F | typeinfo
 *    bound TYPE VALUE TEXT            runs it with one positional parameter
 *    ping
 * The answer: {"columns":[[name,type,arrow format]...],"rows":[...],"affected":n} or {"error":message,"sqlstate":s,"kind":k,"ms":elapsed}.
 */
#include <dbsql/dbsql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static dbsql_connection *connection;

static void print_json_text(const char *text) {
  putchar('"');
  for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
    if (*at == '"' || *at == '\\') {
      printf("\\%c", *at);
    } else if (*at < 0x20) {
      printf("\\u%04x", *at);
    } else {
      putchar(*at);
    }
  }
  putchar('"');
}

static void print_error(dbsql_error *error) {
  printf("{\"error\":");
  print_json_text(dbsql_error_message(error));
  printf(",\"sqlstate\":");
  print_json_text(dbsql_error_sqlstate(error));
  printf(",\"class\":");
  print_json_text(dbsql_error_class(error));
  printf(",\"kind\":");
  print_json_text(dbsql_status_name(dbsql_error_kind(error)));
  printf(",\"ms\":%lld}\n", (long long)dbsql_error_elapsed_ms(error));
  dbsql_error_free(error);
}

static void print_rows(dbsql_result *result) {
  struct ArrowSchema schema;
  dbsql_error *error = NULL;
  if (dbsql_result_schema(result, &schema, &error) != DBSQL_OK) return print_error(error);
  printf("{\"columns\":[");
  for (size_t i = 0; i < dbsql_result_column_count(result); i++) {
    dbsql_column column;
    dbsql_result_column(result, i, &column);
    printf("%s[", i ? "," : "");
    print_json_text(column.name);
    putchar(',');
    print_json_text(column.type_text);
    putchar(',');
    print_json_text(schema.children[i]->format);
    putchar(']');
  }
  schema.release(&schema);
  printf("],\"affected\":%lld,\"rows\":[", (long long)dbsql_result_affected_rows(result));
  bool has_row, first = true;
  while (dbsql_row_next(result, NULL, &has_row, &error) == DBSQL_OK && has_row) {
    printf("%s[", first ? "" : ",");
    first = false;
    for (size_t i = 0; i < dbsql_result_column_count(result); i++) {
      const char *value;
      if (dbsql_get_json(result, i, &value, NULL, &error) != DBSQL_OK) break;
      printf("%s%s", i ? "," : "", value);
    }
    putchar(']');
  }
  printf("]");
  if (error) {
    printf(",\"failed\":");
    print_error(error);
  }
  printf("}\n");
}

static void print_count(dbsql_result *result) {
  int64_t rows = 0, sum = 0;
  for (;;) {
    struct ArrowArray batch;
    dbsql_error *error = NULL;
    if (dbsql_result_next_batch(result, NULL, &batch, &error) != DBSQL_OK) return print_error(error);
    if (!batch.release) break;
    const int64_t *values = batch.children[0]->buffers[1];
    for (int64_t i = 0; i < batch.length; i++) sum += values[i + batch.children[0]->offset];
    rows += batch.length;
    batch.release(&batch);
  }
  printf("{\"count\":%lld,\"sum\":%lld}\n", (long long)rows, (long long)sum);
}

struct later {
  long ms;
  dbsql_cancel *cancel;
  dbsql_statement *statement;
};

static void *do_later(void *user) {
  struct later *later = user;
  struct timespec wait = {later->ms / 1000, later->ms % 1000 * 1000000};
  nanosleep(&wait, NULL);
  if (later->cancel) dbsql_cancel_trigger(later->cancel);
  if (later->statement) dbsql_statement_cancel(later->statement, NULL, NULL);
  return NULL;
}

static void run(const char *command, const char *sql, long ms) {
  dbsql_error *error = NULL;
  dbsql_result *result = NULL;
  dbsql_statement *statement = NULL;
  dbsql_call call = DBSQL_CALL_INIT;
  struct later later = {ms, NULL, NULL};
  pthread_t thread;
  bool threaded = false;
  if (dbsql_statement_new(connection, &statement, &error) != DBSQL_OK) return print_error(error);
  if (strcmp(command, "timeout") == 0) call.timeout_ms = ms;
  if (strcmp(command, "cancel") == 0 && dbsql_cancel_new(&later.cancel, &error) == DBSQL_OK) call.cancel = later.cancel;
  if (strcmp(command, "statement-cancel") == 0) later.statement = statement;
  if (later.cancel || later.statement) threaded = pthread_create(&thread, NULL, do_later, &later) == 0;
  dbsql_status status = dbsql_statement_execute(statement, sql, SIZE_MAX, &call, &result, &error);
  if (status != DBSQL_OK) {
    print_error(error);
  } else if (strcmp(command, "count") == 0) {
    print_count(result);
  } else {
    print_rows(result);
  }
  if (threaded) pthread_join(thread, NULL);
  dbsql_result_free(result);
  dbsql_statement_free(statement);
  dbsql_cancel_free(later.cancel);
}

static void run_bound(const char *type, const char *value, const char *sql) {
  dbsql_error *error = NULL;
  dbsql_result *result = NULL;
  dbsql_statement *statement = NULL;
  if (dbsql_statement_new(connection, &statement, &error) != DBSQL_OK ||
      dbsql_bind_typed(statement, 1, NULL, type, value, SIZE_MAX, &error) != DBSQL_OK ||
      dbsql_statement_execute(statement, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) {
    print_error(error);
  } else {
    print_rows(result);
  }
  dbsql_result_free(result);
  dbsql_statement_free(statement);
}

static void metadata(char **part) {
  dbsql_error *error = NULL;
  dbsql_result *result = NULL;
  dbsql_status status = DBSQL_ERROR_DRIVER;
  const char *command = part[0];
  for (int i = 1; i < 5; i++) {
    if (part[i] && !*part[i]) part[i] = NULL;
  }
  if (strcmp(command, "catalogs") == 0) status = dbsql_get_catalogs(connection, NULL, &result, &error);
  if (strcmp(command, "schemas") == 0) status = dbsql_get_schemas(connection, part[1], part[2], NULL, &result, &error);
  if (strcmp(command, "tables") == 0) {
    const char *types[1] = {part[4]};
    status = dbsql_get_tables(connection, part[1], part[2], part[3], types, part[4] ? 1 : 0, NULL, &result, &error);
  }
  if (strcmp(command, "types") == 0) status = dbsql_get_table_types(connection, NULL, &result, &error);
  if (strcmp(command, "columns") == 0) status = dbsql_get_columns(connection, part[1], part[2], part[3], part[4], NULL, &result, &error);
  if (strcmp(command, "functions") == 0) status = dbsql_get_functions(connection, part[1], part[2], part[3], NULL, &result, &error);
  if (strcmp(command, "typeinfo") == 0) status = dbsql_get_type_info(connection, NULL, &result, &error);
  if (strcmp(command, "keys") == 0) status = dbsql_get_primary_keys(connection, part[1], part[2], part[3], NULL, &result, &error);
  if (status == DBSQL_OK) {
    print_rows(result);
  } else if (error) {
    print_error(error);
  } else {
    printf("{\"error\":\"unknown command\"}\n");
  }
  dbsql_result_free(result);
}

int main(int argc, char **argv) {
  dbsql_config *config = NULL;
  dbsql_error *error = NULL;
  if (argc != 2) {
    fprintf(stderr, "usage: probe DSN\n");
    return 2;
  }
  if (dbsql_config_new(&config, &error) != DBSQL_OK || dbsql_config_parse(config, argv[1], strlen(argv[1]), &error) != DBSQL_OK ||
      dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) {
    print_error(error);
    dbsql_config_free(config);
    return 1;
  }
  dbsql_config_free(config);
  char *line = NULL;
  size_t capacity = 0;
  ssize_t length;
  while ((length = getline(&line, &capacity, stdin)) > 0) {
    if (line[length - 1] == '\n') line[length - 1] = 0;
    char *part[5] = {line, NULL, NULL, NULL, NULL};
    int count = 1;
    while (count < 5 && (part[count] = strchr(part[count - 1], '\t')) != NULL) *part[count++]++ = 0;
    if (strcmp(line, "ping") == 0) {
      if (dbsql_connection_ping(connection, NULL, &error) == DBSQL_OK) {
        printf("{\"ok\":true}\n");
      } else {
        print_error(error);
        error = NULL;
      }
    } else if (strcmp(line, "sql") == 0 || strcmp(line, "count") == 0) {
      run(line, part[1] ? part[1] : "", 0);
    } else if (strcmp(line, "bound") == 0) {
      run_bound(part[1] ? part[1] : "STRING", part[2] ? part[2] : "", part[3] ? part[3] : "");
    } else if (strcmp(line, "cancel") == 0 || strcmp(line, "statement-cancel") == 0 || strcmp(line, "timeout") == 0) {
      run(line, part[2] ? part[2] : "", part[1] ? atol(part[1]) : 0);
    } else {
      metadata(part);
    }
    fflush(stdout);
  }
  free(line);
  dbsql_connection_close(connection, NULL, NULL);
  return 0;
}
