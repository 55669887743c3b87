/*
 * A stand-in for the library, to test the shell as a whole program. It knows a few statements of its own:
 *
 *    rows N        N rows (id BIGINT, name STRING)         nothing [N]   no columns; N rows affected
 *    breaks N      N rows, then an error                   columns N     one row of N columns
 *    types         one row of difficult values             empty         columns, no rows
 *    echo TEXT     the text of the statement               length ...    its length
 *    fail          an error of the server                  lost          the session is gone
 *    sleep MS      waits; cancel and time limit work       zero N        N rows without columns
 *
 * Metadata calls answer with what they were asked.
 */
#include <dbsql/dbsql.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct dbsql_error {
  dbsql_status kind;
  const char *state;
  const char *class;
  const char *query_id;
  char message[512];
};

static dbsql_status fail(dbsql_error **error, dbsql_status kind, const char *state, const char *class, const char *message) {
  if (error == NULL) return kind;
  *error = calloc(1, sizeof **error);
  (*error)->kind = kind;
  (*error)->state = state;
  (*error)->class = class;
  (*error)->query_id = kind == DBSQL_ERROR_EXECUTION ? "query-1" : "";
  snprintf((*error)->message, sizeof(*error)->message, "%s", message);
  return kind;
}

void dbsql_error_free(dbsql_error *error) {
  free(error);
}
dbsql_status dbsql_error_kind(const dbsql_error *error) {
  return error == NULL ? DBSQL_OK : error->kind;
}
const char *dbsql_error_message(const dbsql_error *error) {
  return error == NULL ? "" : error->message;
}
const char *dbsql_error_sqlstate(const dbsql_error *error) {
  return error == NULL ? "" : error->state;
}
const char *dbsql_error_class(const dbsql_error *error) {
  return error == NULL ? "" : error->class;
}
const char *dbsql_error_query_id(const dbsql_error *error) {
  return error == NULL ? "" : error->query_id;
}
const char *dbsql_error_request_id(const dbsql_error *error) {
  (void)error;
  return "";
}
int dbsql_error_attempts(const dbsql_error *error) {
  (void)error;
  return 1;
}
int dbsql_error_http_status(const dbsql_error *error) {
  (void)error;
  return 0;
}
const char *dbsql_version(void) {
  return "0.0.0-fake";
}
void dbsql_free(void *block) {
  free(block);
}

struct dbsql_cancel {
  _Atomic int triggered;
};
dbsql_status dbsql_cancel_new(dbsql_cancel **cancel, dbsql_error **error) {
  (void)error;
  *cancel = calloc(1, sizeof **cancel);
  return DBSQL_OK;
}
void dbsql_cancel_trigger(dbsql_cancel *cancel) {
  atomic_store(&cancel->triggered, 1);
}
void dbsql_cancel_reset(dbsql_cancel *cancel) {
  atomic_store(&cancel->triggered, 0);
}
void dbsql_cancel_free(dbsql_cancel *cancel) {
  free(cancel);
}

/* ---- Configuration ---- */

struct dbsql_config {
  char host[256];
  char token[256];
  char options[512]; /* what was set, one after the other */
  bool effective;
  dbsql_browser_function browser;
  void *browser_user;
};

dbsql_status dbsql_config_new(dbsql_config **config, dbsql_error **error) {
  (void)error;
  *config = calloc(1, sizeof **config);
  return DBSQL_OK;
}
void dbsql_config_free(dbsql_config *config) {
  free(config);
}
dbsql_status dbsql_config_set(dbsql_config *config, const char *name, const char *value, dbsql_error **error) {
  if (strcmp(name, "wrong") == 0) return fail(error, DBSQL_ERROR_DRIVER, "HY092", "", "there is no option 'wrong'");
  if (strcmp(name, "access_token") == 0) {
    snprintf(config->token, sizeof config->token, "%s", value);
  } else if (strcmp(name, "host") == 0) {
    snprintf(config->host, sizeof config->host, "%s", value);
  } else {
    size_t used = strlen(config->options);
    snprintf(config->options + used, sizeof config->options - used, "%s=%s;", name, value);
  }
  return DBSQL_OK;
}
dbsql_status dbsql_config_get(const dbsql_config *config, const char *name, char **value, dbsql_error **error) {
  (void)error;
  *value = NULL;
  if (strcmp(name, "host") == 0 && config->host[0] != '\0') *value = strdup(config->host);
  if (strcmp(name, "auth_type") == 0 && config->effective)
    *value = strdup(config->token[0] != '\0' ? "pat" : strstr(config->options, "oauth-u2m") ? "oauth-u2m" : "none");
  return DBSQL_OK;
}
/* [token@]host */
dbsql_status dbsql_config_parse(dbsql_config *config, const char *text, size_t length, dbsql_error **error) {
  if (memchr(text, ' ', length) != NULL) return fail(error, DBSQL_ERROR_DRIVER, "HY024", "", "bad connection string");
  const char *at = memchr(text, '@', length);
  if (at != NULL) snprintf(config->token, sizeof config->token, "%.*s", (int)(at - text), text);
  const char *host = at == NULL ? text : at + 1;
  snprintf(config->host, sizeof config->host, "%.*s", (int)(text + length - host), host);
  return DBSQL_OK;
}
dbsql_status dbsql_config_load_environment(dbsql_config *config, dbsql_error **error) {
  (void)error;
  const char *host = getenv("DATABRICKS_HOST");
  const char *token = getenv("DATABRICKS_TOKEN");
  if (host != NULL && config->host[0] == '\0') snprintf(config->host, sizeof config->host, "%s", host);
  if (token != NULL && config->token[0] == '\0') snprintf(config->token, sizeof config->token, "%s", token);
  return DBSQL_OK;
}
/* What was set counts as it is: nothing follows from anything. */
dbsql_status dbsql_config_effective(const dbsql_config *config, dbsql_config **effective, dbsql_error **error) {
  if (strcmp(config->host, "refused") == 0) return fail(error, DBSQL_ERROR_DRIVER, "HY024", "", "invalid configuration");
  *effective = malloc(sizeof **effective);
  **effective = *config;
  (*effective)->effective = true;
  return DBSQL_OK;
}
const char *dbsql_config_source(const dbsql_config *config, const char *name) {
  if (strcmp(name, "host") == 0) return config->host[0] != '\0' ? "option" : "default";
  if (strcmp(name, "access_token") == 0) return config->token[0] != '\0' ? "environment" : "default";
  return strstr(config->options, name) != NULL ? "option" : "default";
}
void dbsql_config_set_browser(dbsql_config *config, dbsql_browser_function open, void *user) {
  config->browser = open;
  config->browser_user = user;
}
/* A token that was set is the token; the host "person" shows a page. */
dbsql_status dbsql_sign_in(const dbsql_config *config, const dbsql_call *call, char **token, int64_t *expires_at_ms, dbsql_error **error) {
  (void)call;
  if (strcmp(config->host, "person") == 0 && !(config->browser != NULL && config->browser(config->browser_user, "https://page")))
    return fail(error, DBSQL_ERROR_REQUEST, "28000", "", "no page");
  if (strcmp(config->host, "secure") == 0) return fail(error, DBSQL_ERROR_REQUEST, "28000", "", "not let in");
  *token = strdup(config->token[0] != '\0' ? config->token : "it's a token");
  if (expires_at_ms != NULL) *expires_at_ms = 1700000000000;
  return DBSQL_OK;
}
dbsql_status dbsql_sign_out(const dbsql_config *config, const dbsql_call *call, bool *was_there, dbsql_error **error) {
  (void)call;
  (void)error;
  if (was_there != NULL) *was_there = strcmp(config->host, "person") == 0;
  return DBSQL_OK;
}
bool dbsql_option_describe(size_t index, dbsql_option_info *info) {
  static const dbsql_option_info table[] = {
      {"host", "server_hostname,hostname", "string", "", "", "", false, "Name of the \"host\"."},
      {"access_token", "token,pwd", "string", "", "", "", true, "Token."},
  };
  if (index >= sizeof table / sizeof table[0]) return false;
  *info = table[index];
  return true;
}

/* ---- Connections ---- */

struct dbsql_connection {
  bool lost;
  char host[256];
  char token[256];
  char options[512];
};

dbsql_status dbsql_connect(const dbsql_config *config, const dbsql_call *call, dbsql_connection **connection, dbsql_error **error) {
  (void)call;
  if (strcmp(config->host, "refused") == 0) return fail(error, DBSQL_ERROR_REQUEST, "08001", "", "connection refused");
  if (strcmp(config->host, "secure") == 0 && strcmp(config->token, "right") != 0) {
    return fail(error, DBSQL_ERROR_REQUEST, "28000", "", "the token was not accepted");
  }
  *connection = calloc(1, sizeof **connection);
  memcpy((*connection)->host, config->host, sizeof config->host);
  memcpy((*connection)->token, config->token, sizeof config->token);
  memcpy((*connection)->options, config->options, sizeof config->options);
  return DBSQL_OK;
}
dbsql_status dbsql_connection_close(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error) {
  (void)call;
  (void)error;
  free(connection);
  return DBSQL_OK;
}
const char *dbsql_connection_id(const dbsql_connection *connection) {
  (void)connection;
  return "session-1";
}
int32_t dbsql_connection_protocol_version(const dbsql_connection *connection) {
  (void)connection;
  return 42248;
}
bool dbsql_connection_is_alive(const dbsql_connection *connection) {
  return !connection->lost;
}
dbsql_status dbsql_connection_get_info(dbsql_connection *connection, int32_t info_type, const dbsql_call *call, char **value,
                                       dbsql_error **error) {
  (void)connection;
  (void)call;
  (void)error;
  *value = strdup(info_type == 17 ? "Fake SQL" : "1.0");
  return DBSQL_OK;
}

/* ---- Results ---- */

enum { MOST_COLUMNS = 20000 };

struct dbsql_result {
  size_t column_count;
  dbsql_column *columns;
  char (*names)[24];
  const char **texts; /* of the one row that all results but "rows" repeat */
  bool counted;       /* "rows": made as they are asked for */
  int64_t rows;
  int64_t row;
  bool breaks;
  int64_t affected;
  char scratch[2][64];
  char *owned;
  bool batch_given;
  char **json;
};

static dbsql_result *result_new(size_t count) {
  dbsql_result *result = calloc(1, sizeof *result);
  result->column_count = count;
  result->columns = calloc(count + 1, sizeof *result->columns);
  result->names = calloc(count + 1, sizeof *result->names);
  result->texts = calloc(count + 1, sizeof *result->texts);
  result->rows = 1;
  result->affected = -1;
  for (size_t i = 0; i < count; i++) {
    snprintf(result->names[i], sizeof result->names[i], "c%zu", i);
    result->columns[i].name = result->names[i];
    result->columns[i].type = DBSQL_TYPE_STRING;
    result->columns[i].type_text = "STRING";
  }
  return result;
}

static void set_column(dbsql_result *result, size_t index, const char *name, dbsql_type type, const char *text) {
  result->columns[index].name = name;
  result->columns[index].type = type;
  result->texts[index] = text;
}

static dbsql_result *one_text(const char *name, dbsql_type type, const char *text, size_t length) {
  dbsql_result *result = result_new(1);
  result->owned = calloc(1, length + 1);
  memcpy(result->owned, text, length);
  set_column(result, 0, name, type, result->owned);
  return result;
}

void dbsql_result_free(dbsql_result *result) {
  if (result == NULL) return;
  for (size_t i = 0; result->json != NULL && i < result->column_count; i++) free(result->json[i]);
  free(result->json);
  free(result->columns);
  free(result->names);
  free(result->texts);
  free(result->owned);
  free(result);
}
size_t dbsql_result_column_count(const dbsql_result *result) {
  return result->column_count;
}
bool dbsql_result_column(const dbsql_result *result, size_t index, dbsql_column *column) {
  if (index >= result->column_count) return false;
  *column = result->columns[index];
  return true;
}
int64_t dbsql_result_affected_rows(const dbsql_result *result) {
  return result->affected;
}

static dbsql_status wait_ms(const dbsql_call *call, int64_t ms, dbsql_error **error) {
  for (int64_t waited = 0; waited < ms; waited += 5) {
    if (call->cancel != NULL && atomic_load(&call->cancel->triggered)) {
      return fail(error, DBSQL_ERROR_CANCELLED, "HY008", "", "the statement was cancelled");
    }
    if (call->timeout_ms > 0 && waited >= call->timeout_ms) {
      return fail(error, DBSQL_ERROR_TIMEOUT, "HYT00", "", "the time limit ran out");
    }
    poll(NULL, 0, 5);
  }
  return DBSQL_OK;
}

static dbsql_result *make_types(void) {
  dbsql_result *result = result_new(6);
  set_column(result, 0, "number", DBSQL_TYPE_DECIMAL, "12.50");
  set_column(result, 1, "wide", DBSQL_TYPE_STRING, "\xE6\x97\xA5\xE6\x9C\xAC");
  set_column(result, 2, "control", DBSQL_TYPE_STRING, "a\nb\x1B[31m\xFF");
  set_column(result, 3, "null", DBSQL_TYPE_STRING, NULL);
  set_column(result, 4, "empty", DBSQL_TYPE_STRING, "");
  set_column(result, 5, "q\"uote", DBSQL_TYPE_STRING, "a,\"b\"");
  return result;
}

dbsql_status dbsql_execute(dbsql_connection *connection, const char *sql, size_t length, const dbsql_call *call, dbsql_result **result,
                           dbsql_error **error) {
  char word[32] = "";
  long long number = 0;
  char head[128];
  snprintf(head, sizeof head, "%.*s", (int)(length < 120 ? length : 120), sql);
  const char *begin = head;
  while (strncmp(begin, "--", 2) == 0) begin += strcspn(begin, "\n") + 1; /* a comment before the statement */
  int read = sscanf(begin, "%31s %lld", word, &number);
  *result = NULL;
  if (connection->lost) return fail(error, DBSQL_ERROR_REQUEST, "08S01", "", "the session is gone");
  if (call->cancel != NULL && atomic_load(&call->cancel->triggered)) return fail(error, DBSQL_ERROR_CANCELLED, "HY008", "", "cancelled");
  if (strcmp(word, "rows") == 0 || strcmp(word, "breaks") == 0) {
    *result = result_new(2);
    set_column(*result, 0, "id", DBSQL_TYPE_BIGINT, NULL);
    set_column(*result, 1, "name", DBSQL_TYPE_STRING, NULL);
    (*result)->counted = true;
    (*result)->rows = number;
    (*result)->breaks = strcmp(word, "breaks") == 0;
  } else if (strcmp(word, "nothing") == 0) {
    *result = result_new(0);
    (*result)->rows = 0;
    (*result)->affected = read == 2 ? number : -1;
  } else if (strcmp(word, "zero") == 0) {
    *result = result_new(0);
    (*result)->rows = number;
  } else if (strcmp(word, "columns") == 0 && number >= 0 && number <= MOST_COLUMNS) {
    *result = result_new((size_t)number);
    for (size_t i = 0; i < (size_t)number; i++) (*result)->texts[i] = "v";
  } else if (strcmp(word, "types") == 0) {
    *result = make_types();
  } else if (strcmp(word, "empty") == 0) {
    *result = result_new(2);
    (*result)->rows = 0;
  } else if (strcmp(word, "echo") == 0) {
    *result = one_text("text", DBSQL_TYPE_STRING, sql, length);
  } else if (strcmp(word, "length") == 0) {
    int printed = snprintf(head, sizeof head, "%zu", length);
    *result = one_text("length", DBSQL_TYPE_BIGINT, head, (size_t)printed);
  } else if (strcmp(word, "host") == 0) {
    *result = one_text("host", DBSQL_TYPE_STRING, connection->host, strlen(connection->host));
  } else if (strcmp(word, "token") == 0) {
    *result = one_text("token", DBSQL_TYPE_STRING, connection->token, strlen(connection->token));
  } else if (strcmp(word, "options") == 0) {
    *result = one_text("options", DBSQL_TYPE_STRING, connection->options, strlen(connection->options));
  } else if (strcmp(word, "lost") == 0) {
    connection->lost = true;
    return fail(error, DBSQL_ERROR_REQUEST, "08S01", "", "the session is gone");
  } else if (strcmp(word, "sleep") == 0) {
    dbsql_status status = wait_ms(call, number, error);
    if (status != DBSQL_OK) return status;
    *result = one_text("slept", DBSQL_TYPE_BIGINT, "1", 1);
  } else if (strncmp(head, "SELECT current_catalog()", 24) == 0) {
    *result = result_new(2);
    set_column(*result, 0, "catalog", DBSQL_TYPE_STRING, "main");
    set_column(*result, 1, "schema", DBSQL_TYPE_STRING, "my_schema");
  } else {
    return fail(error, DBSQL_ERROR_EXECUTION, "42P01", "TABLE_OR_VIEW_NOT_FOUND", "[TABLE_OR_VIEW_NOT_FOUND] no such table\033[31m");
  }
  return DBSQL_OK;
}

dbsql_status dbsql_row_next(dbsql_result *result, const dbsql_call *call, bool *has_row, dbsql_error **error) {
  if (call->cancel != NULL && atomic_load(&call->cancel->triggered)) {
    return fail(error, DBSQL_ERROR_CANCELLED, "HY008", "", "the statement was cancelled");
  }
  *has_row = result->row < result->rows;
  if (!*has_row && result->breaks) return fail(error, DBSQL_ERROR_EXECUTION, "XX000", "", "the rows broke off");
  if (*has_row) result->row++;
  return DBSQL_OK;
}

static const char *cell_text(dbsql_result *result, size_t column) {
  if (!result->counted) return result->texts[column];
  snprintf(result->scratch[column], sizeof result->scratch[column], column == 0 ? "%lld" : "name-%lld", (long long)result->row);
  return result->scratch[column];
}

dbsql_status dbsql_get_text(dbsql_result *result, size_t column, const char **value, size_t *length, dbsql_error **error) {
  (void)error;
  *value = cell_text(result, column);
  if (length != NULL) *length = *value == NULL ? 0 : strlen(*value);
  return DBSQL_OK;
}
/* Good enough for values without anything to escape. */
dbsql_status dbsql_get_json(dbsql_result *result, size_t column, const char **value, size_t *length, dbsql_error **error) {
  (void)error;
  const char *text = cell_text(result, column);
  bool plain = result->columns[column].type != DBSQL_TYPE_STRING;
  size_t size = (text == NULL ? 4 : strlen(text)) + 3;
  if (result->json == NULL) result->json = calloc(result->column_count, sizeof *result->json);
  char *json = result->json[column] = realloc(result->json[column], size);
  snprintf(json, size, text == NULL ? "null" : plain ? "%s" : "\"%s\"", text);
  *value = json;
  *length = strlen(json);
  return DBSQL_OK;
}

/* ---- Metadata: what was asked ---- */

static const char *or_null(const char *text) {
  return text == NULL ? "(null)" : text;
}

dbsql_status dbsql_get_catalogs(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  (void)connection, (void)call, (void)error;
  *result = one_text("TABLE_CAT", DBSQL_TYPE_STRING, "main", 4);
  return DBSQL_OK;
}
dbsql_status dbsql_get_schemas(dbsql_connection *connection, const char *catalog, const char *schema_pattern, const dbsql_call *call,
                               dbsql_result **result, dbsql_error **error) {
  (void)connection, (void)call, (void)error;
  *result = result_new(2);
  (*result)->owned = calloc(2, 128);
  snprintf((*result)->owned, 128, "%s", or_null(schema_pattern));
  snprintf((*result)->owned + 128, 128, "%s", or_null(catalog));
  set_column(*result, 0, "TABLE_SCHEM", DBSQL_TYPE_STRING, (*result)->owned);
  set_column(*result, 1, "TABLE_CATALOG", DBSQL_TYPE_STRING, (*result)->owned + 128);
  return DBSQL_OK;
}
static dbsql_result *named(const char *const *names, size_t count, const char *const *texts) {
  dbsql_result *result = result_new(count);
  result->owned = calloc(count, 128);
  for (size_t i = 0; i < count; i++) {
    snprintf(result->owned + 128 * i, 128, "%s", or_null(texts[i]));
    set_column(result, i, names[i], DBSQL_TYPE_STRING, result->owned + 128 * i);
  }
  return result;
}
dbsql_status dbsql_get_tables(dbsql_connection *connection, const char *catalog, const char *schema_pattern, const char *table_pattern,
                              const char *const *table_types, size_t table_type_count, const dbsql_call *call, dbsql_result **result,
                              dbsql_error **error) {
  (void)connection, (void)call, (void)error;
  static const char *const names[] = {"TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"};
  const char *const texts[] = {catalog, schema_pattern, table_pattern, table_type_count > 0 ? table_types[0] : NULL, ""};
  *result = named(names, 5, texts);
  return DBSQL_OK;
}
dbsql_status dbsql_get_columns(dbsql_connection *connection, const char *catalog, const char *schema_pattern, const char *table_pattern,
                               const char *column_pattern, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  (void)connection, (void)call, (void)error, (void)column_pattern;
  static const char *const names[] = {"TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME",  "COLUMN_NAME",
                                      "DATA_TYPE", "TYPE_NAME",   "IS_NULLABLE", "REMARKS"};
  const char *const texts[] = {catalog, schema_pattern, table_pattern, "id", "-5", "BIGINT", "YES", ""};
  *result = named(names, 8, texts);
  if (strcmp(or_null(table_pattern), "missing") == 0) (*result)->rows = 0;
  return DBSQL_OK;
}
dbsql_status dbsql_get_functions(dbsql_connection *connection, const char *catalog, const char *schema_pattern,
                                 const char *function_pattern, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  (void)connection, (void)call, (void)error;
  static const char *const names[] = {"FUNCTION_CAT", "FUNCTION_SCHEM", "FUNCTION_NAME", "REMARKS"};
  const char *const texts[] = {catalog, schema_pattern, function_pattern, ""};
  *result = named(names, 4, texts);
  return DBSQL_OK;
}
dbsql_status dbsql_get_type_info(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  (void)connection, (void)call, (void)error;
  static const char *const names[] = {"TYPE_NAME", "DATA_TYPE", "PRECISION", "LITERAL_PREFIX", "LITERAL_SUFFIX", "CREATE_PARAMS"};
  const char *const texts[] = {"BIGINT", "-5", "19", NULL, NULL, NULL};
  *result = named(names, 6, texts);
  return DBSQL_OK;
}

/* ---- Arrow: only the order of the calls ---- */

static void release_schema(struct ArrowSchema *schema) {
  schema->release = NULL;
}
static void release_array(struct ArrowArray *array) {
  array->release = NULL;
}
dbsql_status dbsql_result_schema(dbsql_result *result, struct ArrowSchema *schema, dbsql_error **error) {
  (void)result, (void)error;
  memset(schema, 0, sizeof *schema);
  schema->release = release_schema;
  return DBSQL_OK;
}
dbsql_status dbsql_result_next_batch(dbsql_result *result, const dbsql_call *call, struct ArrowArray *batch, dbsql_error **error) {
  (void)call, (void)error;
  memset(batch, 0, sizeof *batch);
  if (result->batch_given) return DBSQL_OK;
  result->batch_given = true;
  batch->length = result->rows;
  batch->release = release_array;
  return DBSQL_OK;
}
struct dbsql_ipc_writer {
  dbsql_write_function write;
  void *user;
};
static dbsql_status write_word(dbsql_ipc_writer *writer, const char *word, dbsql_error **error) {
  int failure = writer->write(writer->user, word, strlen(word));
  return failure == 0 ? DBSQL_OK : fail(error, DBSQL_ERROR_DRIVER, "HY000", "", strerror(failure));
}
dbsql_status dbsql_ipc_writer_new(const struct ArrowSchema *schema, dbsql_write_function write, void *user, dbsql_ipc_writer **writer,
                                  dbsql_error **error) {
  (void)schema;
  *writer = calloc(1, sizeof **writer);
  (*writer)->write = write;
  (*writer)->user = user;
  return write_word(*writer, "schema;", error);
}
dbsql_status dbsql_ipc_writer_write(dbsql_ipc_writer *writer, const struct ArrowArray *batch, dbsql_error **error) {
  char word[32];
  snprintf(word, sizeof word, "batch %lld;", (long long)batch->length);
  return write_word(writer, word, error);
}
dbsql_status dbsql_ipc_writer_finish(dbsql_ipc_writer *writer, dbsql_error **error) {
  return write_word(writer, "end", error);
}
void dbsql_ipc_writer_free(dbsql_ipc_writer *writer) {
  free(writer);
}
