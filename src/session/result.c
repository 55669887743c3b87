#include "session/result.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "session/execution.h"
#include "session/keepalive.h"

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

/* `call` NULL: there is none, the library's own limit counts. */
static void close_result_operation(dbsql_result *result, const struct call *call) {
  if (!result->operation) return;
  dbsql_connection *connection = result->connection;
  struct call farewell;
  execution_farewell(&farewell, call);
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

void result_record(dbsql_result *result, struct telemetry_statement *record) {
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
