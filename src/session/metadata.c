#include "session/metadata.h"

#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/metadata_match.h"
#include "session/transaction.h"

const dbsql_call *metadata_step(struct metadata_work *work) {
  work->step = (dbsql_call)DBSQL_CALL_INIT;
  work->step.cancel = work->whole.cancel;
  work->step.correlation_id = work->whole.correlation_id;
  int64_t left = call_remaining_ms(&work->whole);
  work->step.timeout_ms = work->whole.deadline_ns == INT64_MAX ? -1 : left > 0 ? left : 1;
  return &work->step;
}

bool metadata_may_run(const dbsql_connection *connection) {
  return !transaction_forbids_sql(connection);
}

dbsql_status metadata_run(dbsql_connection *connection, const char *sql, const dbsql_call *call, dbsql_result **result,
                          dbsql_error **error) {
  struct dbsql_statement statement = {.connection = connection, .query_timeout_s = -1};
  pthread_mutex_init(&statement.lock, NULL);
  dbsql_status status = statement_execute(&statement, slice_text(sql), call, result, error);
  pthread_mutex_destroy(&statement.lock);
  return status;
}

/* ---- rows ---- */

static void unset_empty(struct metadata_cell *cell) {
  if (cell->is_set && cell->size == 0) cell->is_set = false;
}

static dbsql_status set_if_missing(struct metadata_rows *rows, size_t column, const char *text, dbsql_error **error) {
  if (metadata_row(rows, rows->count - 1)[column].is_set) return DBSQL_OK;
  return metadata_set_text(rows, column, slice_text(text), error);
}

static void number_if_missing(struct metadata_rows *rows, size_t column, int64_t number) {
  if (!metadata_row(rows, rows->count - 1)[column].is_set) metadata_set_number(rows, column, number);
}

static dbsql_status complete_column(struct metadata_rows *rows, dbsql_error **error) {
  enum { no_nulls = 0, nullable = 1, unknown = 2, other_type = 1111 };
  struct metadata_cell *row = metadata_row(rows, rows->count - 1);
  struct slice is_nullable = metadata_text(&row[COLUMNS_IS_NULLABLE]);
  if (!row[COLUMNS_NULLABLE].is_set) {
    int known = slice_equal(is_nullable, slice_text("YES")) ? nullable : slice_equal(is_nullable, slice_text("NO")) ? no_nulls : unknown;
    metadata_set_number(rows, COLUMNS_NULLABLE, known);
  }
  int64_t number = row[COLUMNS_NULLABLE].number;
  dbsql_status status = set_if_missing(rows, COLUMNS_IS_NULLABLE, number == nullable ? "YES" : number == no_nulls ? "NO" : "", error);
  if (status == DBSQL_OK) status = set_if_missing(rows, COLUMNS_IS_AUTOINCREMENT, "", error);
  if (status == DBSQL_OK) status = set_if_missing(rows, COLUMNS_IS_GENERATED, "", error);
  row[COLUMNS_BUFFER_LENGTH].is_set = false; /* unused by JDBC; servers put all sorts of things there */
  if (status == DBSQL_OK) status = metadata_add_type_facts(rows, error);
  number_if_missing(rows, COLUMNS_DATA_TYPE, other_type);
  return status;
}

static dbsql_status complete_row(struct metadata_rows *rows, dbsql_error **error) {
  struct metadata_cell *row = metadata_row(rows, rows->count - 1);
  switch (rows->spec->kind) {
    case METADATA_SCHEMAS: unset_empty(&row[SCHEMAS_CATALOG]); return DBSQL_OK;
    case METADATA_TABLES:
      unset_empty(&row[TABLES_CATALOG]);
      unset_empty(&row[TABLES_SCHEMA]);
      unset_empty(&row[TABLES_TYPE]); /* of hive_metastore (thrift.md 2.4) */
      return set_if_missing(rows, TABLES_TYPE, "TABLE", error);
    case METADATA_COLUMNS:
      unset_empty(&row[COLUMNS_CATALOG]);
      unset_empty(&row[COLUMNS_SCHEMA]);
      return complete_column(rows, error);
    case METADATA_FUNCTIONS:
      unset_empty(&row[FUNCTIONS_CATALOG]);
      unset_empty(&row[FUNCTIONS_SCHEMA]);
      number_if_missing(rows, FUNCTIONS_TYPE, 0); /* not known whether it gives a table */
      if (row[FUNCTIONS_SPECIFIC].is_set) return DBSQL_OK;
      row[FUNCTIONS_SPECIFIC] = row[FUNCTIONS_NAME];
      return DBSQL_OK;
    case METADATA_TYPE_INFO: {
      static const int8_t columns[][2] = {{6, 2}, {7, 0}, {8, 3}, {10, 0}}; /* nullable unknown, no case, searchable, not fixed */
      for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) number_if_missing(rows, (size_t)columns[i][0], columns[i][1]);
      return DBSQL_OK;
    }
    case METADATA_PRIMARY_KEYS:
      unset_empty(&row[KEYS_CATALOG]);
      unset_empty(&row[KEYS_SCHEMA]);
      return DBSQL_OK;
    case METADATA_CROSS_REFERENCE: {
      static const int8_t names[] = {CROSS_PARENT_CATALOG, CROSS_PARENT_SCHEMA, CROSS_CATALOG, CROSS_SCHEMA};
      for (size_t i = 0; i < sizeof names; i++) unset_empty(&row[names[i]]);
      return DBSQL_OK;
    }
    default: return DBSQL_OK;
  }
}

/* The column that counts from 1, which some servers count from 0; -1 if there is none. */
static int counted_column(enum metadata_kind kind) {
  return kind == METADATA_COLUMNS           ? COLUMNS_ORDINAL
         : kind == METADATA_PRIMARY_KEYS    ? KEYS_SEQUENCE
         : kind == METADATA_CROSS_REFERENCE ? CROSS_SEQUENCE
                                            : -1;
}

static dbsql_status count_from_1(struct metadata_rows *rows, dbsql_error **error) {
  int counted = counted_column(rows->spec->kind);
  const struct metadata_column *column = &rows->spec->columns[counted];
  for (size_t i = 0; i < rows->count; i++) {
    struct metadata_cell *cell = metadata_row(rows, i) + counted;
    if (!cell->is_set) continue;
    if (cell->number == (column->format == 's' ? INT16_MAX : INT32_MAX)) {
      return error_set(error, DBSQL_ERROR_DRIVER, "22003", "%s: %lld, counted from 1, does not fit into %s", rows->spec->call,
                       (long long)cell->number, column->name);
    }
    cell->number++;
  }
  return DBSQL_OK;
}

static bool is_wanted_type(const struct backend_metadata *request, struct slice type) {
  if (request->table_type_count == 0) return true;
  for (size_t i = 0; i < request->table_type_count; i++) {
    if (metadata_matches_name(request->table_types[i], type)) return true;
  }
  return false;
}

static bool is_wanted(const struct backend_metadata *request, const struct metadata_cell *row) {
#define NAME(argument, column) metadata_matches_name(request->argument, metadata_text(&row[column]))
#define PATTERN(argument, column) metadata_matches_pattern(request->argument, metadata_text(&row[column]))
  switch (request->kind) {
    case METADATA_SCHEMAS: return NAME(catalog, SCHEMAS_CATALOG) && PATTERN(schema, SCHEMAS_SCHEMA);
    case METADATA_TABLES:
      return NAME(catalog, TABLES_CATALOG) && PATTERN(schema, TABLES_SCHEMA) && PATTERN(name, TABLES_NAME) &&
             is_wanted_type(request, metadata_text(&row[TABLES_TYPE]));
    case METADATA_COLUMNS:
      return NAME(catalog, COLUMNS_CATALOG) && PATTERN(schema, COLUMNS_SCHEMA) && PATTERN(name, COLUMNS_TABLE) &&
             PATTERN(column, COLUMNS_NAME);
    case METADATA_FUNCTIONS: /* those that are built in belong to no schema: whoever asks for one schema's gets them too */
      return (!row[FUNCTIONS_CATALOG].is_set || NAME(catalog, FUNCTIONS_CATALOG)) &&
             (!row[FUNCTIONS_SCHEMA].is_set || PATTERN(schema, FUNCTIONS_SCHEMA)) && PATTERN(name, FUNCTIONS_NAME);
    case METADATA_PRIMARY_KEYS: /* servers that have no catalogs leave it out */
      return (!row[KEYS_CATALOG].is_set || NAME(catalog, KEYS_CATALOG)) && NAME(schema, KEYS_SCHEMA) && NAME(name, KEYS_TABLE);
    case METADATA_CROSS_REFERENCE:
      return (!row[CROSS_PARENT_CATALOG].is_set || NAME(catalog, CROSS_PARENT_CATALOG)) && NAME(schema, CROSS_PARENT_SCHEMA) &&
             NAME(name, CROSS_PARENT_TABLE) && (!row[CROSS_CATALOG].is_set || NAME(foreign_catalog, CROSS_CATALOG)) &&
             NAME(foreign_schema, CROSS_SCHEMA) && NAME(foreign_name, CROSS_TABLE);
    default: return true;
  }
#undef NAME
#undef PATTERN
}

dbsql_status metadata_complete(void *user, struct metadata_rows *rows, bool *wanted, dbsql_error **error) {
  struct metadata_work *work = user;
  dbsql_status status = complete_row(rows, error);
  if (status != DBSQL_OK) return status;
  const struct metadata_cell *row = metadata_row(rows, rows->count - 1);
  int counted = counted_column(rows->spec->kind);
  if (counted >= 0 && row[counted].is_set && row[counted].number == 0) work->counts_from_0 = true;
  *wanted = is_wanted(work->request, row);
  return DBSQL_OK;
}

/* ---- the server's call ---- */

/* What is sent matches at least what is asked for, in every reading of it. Texts lie in the arena. */
static dbsql_status widen(const struct backend_metadata *request, struct backend_metadata *sent, struct arena *arena, dbsql_error **error) {
  *sent = *request;
  bool patterns = request->kind != METADATA_PRIMARY_KEYS && request->kind != METADATA_CROSS_REFERENCE;
  const char **fields[] = {&sent->schema, &sent->name};
  for (size_t i = 0; patterns && i < 2; i++) {
    struct buf wide = BUF_INIT;
    if (!*fields[i]) continue;
    metadata_append_wide_pattern(&wide, *fields[i]);
    *fields[i] = buf_failed(&wide) ? NULL : arena_strndup(arena, wide.size ? (const char *)wide.data : "", wide.size);
    buf_free(&wide);
    if (!*fields[i]) return error_no_memory(error);
  }
  /* Only whole tables tell whether their columns are counted from 0 or from 1. */
  if (request->kind == METADATA_COLUMNS) sent->column = NULL;
  /* An identifier to some servers, a pattern to others (thrift.md 2.4): a backslash would mean two things. */
  if (request->kind == METADATA_TABLES && request->catalog && strchr(request->catalog, '\\')) sent->catalog = NULL;
  if (request->kind == METADATA_FUNCTIONS && !sent->name) sent->name = "%";
  /* A table without a type counts as TABLE, which the server cannot know. */
  if (request->kind == METADATA_TABLES) sent->table_type_count = 0;
  return DBSQL_OK;
}

static dbsql_status ask_server(struct metadata_work *work, dbsql_error **error) {
  struct backend_metadata sent;
  struct arena arena = ARENA_INIT;
  dbsql_result *result = NULL;
  dbsql_status status = widen(work->request, &sent, &arena, error);
  if (status == DBSQL_OK) status = connection_metadata(work->connection, &sent, metadata_step(work), &result, error);
  if (status == DBSQL_OK) {
    memcpy(work->query_id, result->query_id, sizeof work->query_id);
    status = metadata_rows_read(&work->rows, result, metadata_step(work), metadata_complete, work, error);
    if (status != DBSQL_OK) error_set_query_id(error, work->query_id);
  }
  result_free(result);
  arena_free(&arena);
  return status;
}

bool metadata_is_missing(const dbsql_error *error) {
  static const char *const states[] = {"42704", "42P01", "3D000", "3F000"};
  static const char *const classes[] = {"NO_SUCH_CATALOG_EXCEPTION", "TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND",
                                        "NO_SUCH_SCHEMA_EXCEPTION"};
  for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
    if (strcmp(dbsql_error_sqlstate(error), states[i]) == 0) return true;
  }
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    if (strcmp(dbsql_error_class(error), classes[i]) == 0) return true;
  }
  return false;
}

/* The server answered, and said that it cannot; not that the network failed, time ran out or somebody has cancelled. */
static bool is_refusal(const dbsql_error *error) {
  enum { unknown_method = 1 };
  if (dbsql_error_is_session_lost(error)) return false;
  if (dbsql_error_kind(error) == DBSQL_ERROR_EXECUTION) return strcmp(dbsql_error_sqlstate(error), "42501") != 0;
  return strcmp(dbsql_error_sqlstate(error), "08P01") == 0 && dbsql_error_vendor_code(error) == unknown_method;
}

static bool is_plain(const struct metadata_work *work) {
  return work->connection->backend->protocol_version <= last_hive_protocol;
}

/* Plain servers know one catalog in their calls, and all of them in statements (thrift.md 8). */
static bool prefers_statements(const struct metadata_work *work) {
  const struct backend_metadata *request = work->request;
  if (!is_plain(work) || !metadata_may_run(work->connection)) return false;
  if (request->kind == METADATA_CATALOGS) return true;
  bool in_catalog = request->kind == METADATA_SCHEMAS || request->kind == METADATA_TABLES || request->kind == METADATA_COLUMNS;
  return in_catalog && request->catalog && *request->catalog;
}

static void forget_rows(struct metadata_work *work) {
  metadata_rows_free(&work->rows);
  work->counts_from_0 = false;
}

static dbsql_status gather(struct metadata_work *work, dbsql_error **error) {
  dbsql_error *reason = NULL, *second = NULL;
  const struct log *log = &work->connection->config->log;
  if (prefers_statements(work)) {
    dbsql_status status = metadata_show(work, &reason);
    if (status == DBSQL_OK || !is_refusal(reason)) {
      error_move(&reason, error);
      return status;
    }
    error_clear(&reason);
    forget_rows(work);
  }
  dbsql_status status = ask_server(work, &reason);
  if (status == DBSQL_OK) return status;
  if (metadata_is_missing(reason) && work->rows.count == 0) {
    error_clear(&reason);
    return DBSQL_OK; /* what is not there has no parts */
  }
  if (!is_refusal(reason) || !metadata_may_run(work->connection)) {
    error_move(&reason, error);
    return status;
  }
  log_write(log, DBSQL_LOG_INFO, "session", "the server refuses a metadata call: statements are tried instead", "call",
            work->rows.spec->call, "error", dbsql_error_message(reason), (char *)NULL);
  forget_rows(work);
  dbsql_status other = metadata_show(work, &second);
  if (other != DBSQL_OK && other != DBSQL_ERROR_EXECUTION) {
    error_clear(&reason);
    error_move(&second, error);
    return other;
  }
  if (other == DBSQL_ERROR_EXECUTION) {
    error_prefix(&reason, "%s, and statements in its place failed too (%s)", work->rows.spec->call, dbsql_error_message(second));
    error_move(&reason, error);
  } else {
    status = DBSQL_OK;
  }
  error_clear(&reason);
  error_clear(&second);
  return status;
}

/* ---- arguments ---- */

static dbsql_status check_text(const char *what, const char *text, dbsql_error **error) {
  size_t at;
  if (!text || utf8_is_valid(text, strlen(text), &at)) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "22021", "the %s is not valid UTF-8 at byte %zu", what, at);
}

static dbsql_status check_arguments(const struct backend_metadata *request, dbsql_error **error) {
  dbsql_status status = check_text("catalog", request->catalog, error);
  if (status == DBSQL_OK) status = check_text("schema", request->schema, error);
  if (status == DBSQL_OK) status = check_text("name", request->name, error);
  if (status == DBSQL_OK) status = check_text("column", request->column, error);
  if (status == DBSQL_OK) status = check_text("foreign catalog", request->foreign_catalog, error);
  if (status == DBSQL_OK) status = check_text("foreign schema", request->foreign_schema, error);
  if (status == DBSQL_OK) status = check_text("foreign table", request->foreign_name, error);
  if (status != DBSQL_OK) return status;
  if (request->kind == METADATA_PRIMARY_KEYS && !request->name) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "primary keys are those of one table: its name must not be NULL");
  }
  if (request->kind == METADATA_CROSS_REFERENCE && !request->name && !request->foreign_name) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "foreign keys are those of a table: one of the two names must not be NULL");
  }
  return DBSQL_OK;
}

/* Nothing has the name "", and with catalogs nothing is without one: there is nothing to ask for. */
static bool is_nothing(const struct metadata_work *work) {
  const struct backend_metadata *request = work->request;
  const char *const never_empty[] = {request->schema, request->name, request->column, request->foreign_schema, request->foreign_name};
  for (size_t i = 0; i < sizeof never_empty / sizeof *never_empty; i++) {
    if (never_empty[i] && !*never_empty[i]) return true;
  }
  bool no_catalog = (request->catalog && !*request->catalog) || (request->foreign_catalog && !*request->foreign_catalog);
  return no_catalog && !is_plain(work);
}

/* A key belongs to one table: what is left out of its name is where the session stands, as far as that is known. */
static void place_keys(const dbsql_connection *connection, const char *table, const char **catalog, const char **schema) {
  const struct session_place *place = &connection->place;
  if (!table) return;
  if (!*catalog && !*schema) *schema = place->schema;
  if (!*catalog && connection->backend->protocol_version > last_hive_protocol) *catalog = place->catalog;
}

dbsql_status metadata_get(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *user_call,
                          dbsql_result **result, dbsql_error **error) {
  struct backend_metadata whole = *request;
  struct metadata_work work = {.connection = connection, .request = &whole};
  dbsql_status status = call_validate(user_call, error);
  if (status == DBSQL_OK) status = check_arguments(request, error);
  if (status != DBSQL_OK) return status;
  call_begin(&work.whole, user_call, connection->call_timeout_ms);
  bool keys = request->kind == METADATA_PRIMARY_KEYS || request->kind == METADATA_CROSS_REFERENCE;
  if (keys) place_keys(connection, whole.name, &whole.catalog, &whole.schema);
  if (keys) place_keys(connection, whole.foreign_name, &whole.foreign_catalog, &whole.foreign_schema);
  metadata_rows_init(&work.rows, metadata_spec_of(request->kind), config_int(connection->config, OPTION_max_memory_bytes));
  status = is_nothing(&work) ? DBSQL_OK : gather(&work, error);
  if (status == DBSQL_OK && work.counts_from_0) status = count_from_1(&work.rows, error);
  if (status == DBSQL_OK) status = metadata_rows_finish(&work.rows, connection, work.query_id, result, error);
  metadata_rows_free(&work.rows);
  return status;
}
