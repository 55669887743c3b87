#include "session/statement.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/keepalive.h"
#include "session/telemetry.h"

/* After a cancel or a timeout the server is still told, but the caller does not wait long for that. */
enum { abandon_ms = 700, close_ms = 10000, cancel_ms = 10000 };

/* ---- results ---- */

static void note_page(struct telemetry_statement *record, const struct page *page, int64_t started_ns) {
  static const uint8_t formats[] = {[PAGE_EMPTY] = execution_result_FORMAT_UNSPECIFIED,
                                    [PAGE_LINKS] = execution_result_EXTERNAL_LINKS,
                                    [PAGE_ARROW] = execution_result_INLINE_ARROW,
                                    [PAGE_COLUMNS] = execution_result_COLUMNAR_INLINE,
                                    [PAGE_ROWS] = execution_result_INLINE_JSON};
  if (!record->owner || page->kind == PAGE_EMPTY) return;
  telemetry_ready(record, formats[page->kind], record->compressed == FLAG_TRUE);
  /* A page of links holds no rows: its files are what comes in chunks. */
  if (page->kind != PAGE_LINKS) telemetry_chunk(record, clock_now_ns() - started_ns, page->body ? (int64_t)page->body->size : 0);
}

static dbsql_status fetch_page(void *user, int64_t next_row, const struct call *call, struct page *page, dbsql_error **error) {
  dbsql_result *result = user;
  telemetry_fetching(&result->record);
  int64_t started_ns = telemetry_now(result->record.owner);
  dbsql_status status = result->connection->backend->ops->fetch(result->operation, next_row, call, page, error);
  if (status == DBSQL_OK) note_page(&result->record, page, started_ns);
  return status;
}

/* The call in which the server is told that something is no longer needed. It obeys the caller's call, but once that has ended it still
 * has a moment: within the second that a cancel handle promises. */
static void begin_farewell(struct call *farewell, const struct call *call) {
  bool over = dbsql_cancel_is_triggered(call->cancel) || call_remaining_ms(call) < abandon_ms;
  call_begin_internal(farewell, over ? abandon_ms : close_ms);
  if (over) return;
  farewell->cancel = call->cancel;
  if (call->deadline_ns < farewell->deadline_ns) farewell->deadline_ns = call->deadline_ns;
}

/* `call` NULL: there is none, the library's own limit counts. */
static void close_result_operation(dbsql_result *result, const struct call *call) {
  if (!result->operation) return;
  dbsql_connection *connection = result->connection;
  struct call farewell;
  call_begin_internal(&farewell, close_ms);
  if (call) begin_farewell(&farewell, call);
  keepalive_forget_operation(connection->keepalive, &result->operation->key);
  int64_t started_ns = telemetry_now(connection->telemetry);
  uint8_t guid[16];
  memcpy(guid, result->operation->key.guid, sizeof guid);
  /* With the session its operations are gone; and what somebody else goes on with is closed by whoever reads its end. */
  bool tell = atomic_load(&connection->is_open) && (!result->is_detached || result->at_end);
  connection->backend->ops->close_operation(result->operation, tell ? &farewell : NULL);
  if (tell) telemetry_statement_closed(connection->telemetry, guid, started_ns, DBSQL_OK, NULL);
  result->operation = NULL;
}

int64_t result_rows_read(const dbsql_result *result) {
  /* The cursor has the whole batch, but has delivered it only as far as its row. */
  return result->batch.release ? result->rows_handed_out - result->row_count + result->row + 1 : result->rows_handed_out;
}

/* What came in files is counted where they are read. */
static void note_files(dbsql_result *result) {
  if (!result->record.owner || !result->reader.cloudfetch) return;
  const struct cloudfetch_counts *counts = cloudfetch_counts(result->reader.cloudfetch);
  struct telemetry_chunks chunks = {.present = counts->files_known,
                                    .iterated = counts->files_delivered,
                                    .bytes = counts->bytes_received,
                                    .retries = counts->retries + counts->restarts + counts->redownloads,
                                    .first_ns = counts->first_file_ns,
                                    .slowest_ns = counts->slowest_file_ns,
                                    .sum_ns = counts->all_files_ns};
  telemetry_add_chunks(&result->record, &chunks);
}

void result_free(dbsql_result *result) {
  if (!result) return;
  note_files(result);
  telemetry_after_execute(&result->record);
  /* Before the server is told, which may take a while: downloads end at once. */
  result_reader_close(&result->reader);
  close_result_operation(result, NULL);
  if (result->columns) {
    for (size_t i = 0; i < result->schema->column_count; i++) {
      arrow_column_free(&result->columns[i]);
      buf_free(&result->texts[i]);
    }
  }
  mem_free(result->columns);
  mem_free(result->texts);
  if (result->batch.release) result->batch.release(&result->batch);
  if (result->ahead.release) result->ahead.release(&result->ahead);
  result_schema_unref(result->schema);
  connection_unref(result->connection);
  mem_free(result);
}

dbsql_status result_next(dbsql_result *result, const dbsql_call *user_call, struct ArrowArray *batch, dbsql_error **error) {
  batch->release = NULL;
  if (result->ahead.release) {
    *batch = result->ahead;
    result->ahead.release = NULL;
    result->rows_handed_out += batch->length;
    telemetry_read_rows(&result->record, batch->length);
    return DBSQL_OK;
  }
  if (result->at_end) return DBSQL_OK;
  struct call call;
  dbsql_status status = connection_begin(result->connection, user_call, &call, error);
  if (status != DBSQL_OK) return status;
  status = result_reader_next(&result->reader, &call, batch, error);
  telemetry_failed(&result->record, status, error ? *error : NULL, PLACE_FETCH);
  if (status == DBSQL_OK && batch->release) {
    result->rows_handed_out += batch->length;
    telemetry_read_rows(&result->record, batch->length);
  } else if (status == DBSQL_OK) {
    result->at_end = true;
    telemetry_last_row(&result->record);
    close_result_operation(result, &call);
  }
  return connection_end(result->connection, &call, result->query_id, status, error);
}

/* INSERT, UPDATE, DELETE and MERGE answer one row whose first column counts the rows (thrift.md 5.7). Old servers say it nowhere else. */
static dbsql_status read_affected_rows(dbsql_result *result, const struct call *call, dbsql_error **error) {
  const struct ArrowSchema *schema = ipc_schema_arrow(result->schema->arrow);
  if (result->affected_rows >= 0 || schema->n_children == 0 || strcmp(schema->children[0]->name, "num_affected_rows") != 0 ||
      strcmp(schema->children[0]->format, "l") != 0) {
    return DBSQL_OK;
  }
  dbsql_status status = result_reader_next(&result->reader, call, &result->ahead, error);
  if (status != DBSQL_OK || !result->ahead.release) return status;
  struct arrow_column column = {0};
  status = arrow_column_bind(&column, schema->children[0], error);
  if (status == DBSQL_OK) {
    arrow_column_attach(&column, result->ahead.children[0]);
    if (!arrow_column_is_null(&column, 0)) result->affected_rows = ((const int64_t *)column.data)[column.offset];
  }
  arrow_column_free(&column);
  return status;
}

dbsql_status result_open(dbsql_connection *connection, struct backend_operation *operation, int64_t first_row, const struct call *call,
                         dbsql_result **out, dbsql_error **error) {
  const struct backend_ops *ops = connection->backend->ops;
  dbsql_result *result = mem_alloc_zero(1, sizeof *result);
  if (!result) return error_no_memory(error);
  result->connection = connection_ref(connection);
  result->affected_rows = -1;
  result->first_row = first_row;
  result->row = -1;
  memcpy(result->query_id, operation->key.id, sizeof result->query_id);
  struct page_source source = {result, fetch_page, connection->backend->protocol_version > last_hive_protocol};
  dbsql_status status = ops->describe(operation, call, &result->schema, &result->affected_rows, error);
  if (status == DBSQL_OK) {
    struct page first;
    ops->first_page(operation, &first);
    result->operation = operation;
    result_reader_init(&result->reader, source, result->schema, (size_t)config_int(connection->config, OPTION_max_response_bytes), &first);
    result->reader.log = &connection->config->log;
    result->reader.next_row = first_row;
    result->reader.max_memory = config_int(connection->config, OPTION_max_memory_bytes);
    result->reader.files = (struct file_source){&connection->files, connection, connection_transfers};
    status = result_reader_start(&result->reader, error);
    if (status == DBSQL_OK) status = read_affected_rows(result, call, error);
  }
  if (status != DBSQL_OK) {
    result->operation = NULL;
    result_free(result);
    return status;
  }
  keepalive_set_operation(connection->keepalive, &operation->key);
  *out = result;
  return DBSQL_OK;
}

/* The result goes on with the record of the statement it came from. What kind that was, its outcome tells. */
static void result_record(dbsql_result *result, struct telemetry_statement *record) {
  if (!record->owner) return;
  telemetry_move(&result->record, record);
  record = &result->record;
  if (result->operation->compressed) record->compressed = FLAG_TRUE;
  if (record->type == statement_type_SQL && result->affected_rows >= 0) record->type = statement_type_UPDATE;
  if (record->type == statement_type_SQL && result->operation->key.has_result_set) record->type = statement_type_QUERY;
  if (result->reader.cloudfetch) {
    telemetry_ready(record, execution_result_EXTERNAL_LINKS, result->operation->compressed);
  } else if (result->reader.page.body) {
    note_page(record, &result->reader.page, clock_now_ns());
  }
}

/* ---- running ---- */

/* Gives up on an operation after an error. One that the server may still be working on is cancelled first, unless its end is what we
 * were told; the caller waits no longer for either than the promise of dbsql_call allows. */
static void abandon(dbsql_connection *connection, struct backend_operation *operation, const struct call *call, dbsql_status status) {
  if (!operation) return;
  const struct backend_ops *ops = connection->backend->ops;
  struct call farewell;
  begin_farewell(&farewell, call);
  bool gave_up = status == DBSQL_ERROR_CANCELLED || status == DBSQL_ERROR_TIMEOUT;
  if (gave_up && !operation->has_ended) ops->cancel(connection->backend, &operation->key, &farewell, NULL);
  ops->close_operation(operation, atomic_load(&connection->is_open) ? &farewell : NULL);
}

static void note_operation(struct telemetry_statement *record, const struct backend_operation *operation) {
  if (!record->owner || !operation) return;
  telemetry_set_id(record, operation->key.guid);
  telemetry_polls(record, operation->polls, operation->poll_ns);
  telemetry_retried(record, operation->retries);
}

static void note_failure(struct telemetry_statement *record, dbsql_status status, dbsql_error **error) {
  if (status == DBSQL_OK) return; /* the result has it now */
  telemetry_failed(record, status, error ? *error : NULL, PLACE_STATEMENT);
  telemetry_after_execute(record);
}

/* Notes the operation, so that another thread can cancel it; true if one has asked already. */
static bool publish(dbsql_statement *statement, const struct operation_key *key) {
  pthread_mutex_lock(&statement->lock);
  statement->key = *key;
  memcpy(statement->query_id, key->id, sizeof statement->query_id);
  bool cancel_asked = statement->cancel_asked;
  pthread_mutex_unlock(&statement->lock);
  return cancel_asked;
}

static void begin_running(dbsql_statement *statement) {
  pthread_mutex_lock(&statement->lock);
  statement->running = true;
  statement->cancel_asked = false;
  statement->key.id[0] = 0;
  statement->query_id[0] = 0;
  pthread_mutex_unlock(&statement->lock);
}

static bool end_running(dbsql_statement *statement) {
  pthread_mutex_lock(&statement->lock);
  statement->running = false;
  statement->key.id[0] = 0;
  bool cancel_asked = statement->cancel_asked;
  pthread_mutex_unlock(&statement->lock);
  return cancel_asked;
}

dbsql_status statement_execute(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **out,
                               dbsql_error **error) {
  dbsql_connection *connection = statement->connection;
  const struct backend_ops *ops = connection->backend->ops;
  struct backend_operation *operation = NULL;
  struct call call;
  dbsql_status status = connection_begin(connection, user_call, &call, error);
  if (status != DBSQL_OK) return status;
  size_t bad_at;
  const uint8_t *zero = sql.size ? memchr(sql.data, 0, sql.size) : NULL;
  if (!utf8_is_valid(sql.data, sql.size, &bad_at)) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "22021", "the statement is not valid UTF-8 at byte %zu", bad_at);
  } else if (zero) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "42601", "the statement has a zero byte at position %zu", (size_t)(zero - sql.data));
  }
  if (status != DBSQL_OK) return connection_end(connection, &call, "", status, error);
  struct backend_statement request = {
      .sql = sql,
      .query_timeout_s =
          statement->query_timeout_s >= 0 ? statement->query_timeout_s : config_int(connection->config, OPTION_query_timeout_s),
      .max_rows = statement->max_rows,
      .query_tags = query_tags_text(&statement->tags),
      .conf = statement->conf.items,
      .conf_count = statement->conf.count,
      .parameters = statement->sent_parameters,
      .parameter_count = statement->sent_parameter_count,
  };
  struct telemetry_statement record;
  telemetry_before_execute(connection->telemetry, &record, operation_type_EXECUTE_STATEMENT, statement_type_SQL);
  if (statement->no_telemetry) telemetry_opt_out(&record);
  telemetry_set_parent(&record, &statement->trace_parent);
  begin_running(statement);
  status = ops->execute(connection->backend, &request, &call, &operation, error);
  bool cancel_asked = operation && publish(statement, &operation->key);
  bool ran = status == DBSQL_OK && operation->has_ended;
  if (status == DBSQL_OK && cancel_asked) {
    status = error_set(error, DBSQL_ERROR_CANCELLED, "HY008", "the statement was cancelled%s",
                       operation->has_ended ? ", but the server had finished it already: what it was to change is changed" : "");
  }
  if (status == DBSQL_OK) status = ops->wait(operation, &call, error);
  ran = ran || status == DBSQL_OK;
  note_operation(&record, operation);
  telemetry_executed(&record);
  if (status == DBSQL_OK) status = result_open(connection, operation, 0, &call, out, error);
  if (status == DBSQL_OK) result_record(*out, &record);
  if (end_running(statement) && status == DBSQL_ERROR_EXECUTION) {
    /* Servers tell a cancelled statement in several ways; we know that we asked for it. */
    if (error && *error && !(*error)->is_static) (*error)->kind = DBSQL_ERROR_CANCELLED;
    status = DBSQL_ERROR_CANCELLED;
  }
  if (status == DBSQL_OK) place_note(&connection->place, sql, connection->backend->protocol_version <= last_hive_protocol);
  status = connection_end(connection, &call, statement->query_id, status, error);
  transaction_after_statement(connection, transaction_verb(sql), transaction_outcome(status, ran, operation, *error), *error);
  note_failure(&record, status, error);
  if (status != DBSQL_OK) abandon(connection, operation, &call, status);
  return status;
}

dbsql_status statement_cancel(dbsql_statement *statement, const dbsql_call *user_call, dbsql_error **error) {
  dbsql_connection *connection = statement->connection;
  dbsql_status valid = call_validate(user_call, error);
  if (valid != DBSQL_OK) return valid;
  struct operation_key key;
  pthread_mutex_lock(&statement->lock);
  if (statement->running) statement->cancel_asked = true;
  key = statement->key;
  bool known = statement->running && key.id[0] != 0;
  pthread_mutex_unlock(&statement->lock);
  /* While the server has not answered with a handle there is nothing to send: the executing thread sees the wish as soon as it has. */
  if (!known) return DBSQL_OK;
  struct call call;
  call_begin(&call, user_call, cancel_ms);
  int64_t started_ns = telemetry_now(connection->telemetry);
  dbsql_status status = connection->backend->ops->cancel(connection->backend, &key, &call, error);
  telemetry_operation(connection->telemetry, operation_type_CANCEL_STATEMENT, key.guid, started_ns, false, status, error ? *error : NULL,
                      PLACE_ANY);
  return connection_end(connection, &call, key.id, status, error);
}

dbsql_status connection_metadata(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *user_call,
                                 dbsql_result **out, dbsql_error **error) {
  const struct backend_ops *ops = connection->backend->ops;
  struct backend_operation *operation = NULL;
  struct call call;
  dbsql_status status = connection_begin(connection, user_call, &call, error);
  if (status != DBSQL_OK) return status;
  struct telemetry_statement record;
  telemetry_before_execute(connection->telemetry, &record, session_telemetry_metadata(request->kind), statement_type_METADATA);
  status = ops->metadata(connection->backend, request, &call, &operation, error);
  if (status == DBSQL_OK) status = ops->wait(operation, &call, error);
  bool ran = status == DBSQL_OK;
  note_operation(&record, operation);
  telemetry_executed(&record);
  if (status == DBSQL_OK) status = result_open(connection, operation, 0, &call, out, error);
  if (status == DBSQL_OK) result_record(*out, &record);
  status = connection_end(connection, &call, operation ? operation->key.id : "", status, error);
  transaction_after_metadata(connection, transaction_outcome(status, ran, operation, *error), *error);
  note_failure(&record, status, error);
  if (status != DBSQL_OK) abandon(connection, operation, &call, status);
  return status;
}
