/* What a finished operation has: its metadata and its pages (thrift.md 2.8, 2.9, 5.3, 5.4). */
#include "backend/thrift_backend.h"
#include "backend/thrift_status.h"

#include "base/error.h"
#include "base/mem.h"

static struct thrift_operation *operation_of(struct backend_operation *base) {
  return (struct thrift_operation *)(void *)base;
}

/* Makes the page that came with the answer to the statement. It takes over the answer's memory, so the metadata must have been used. */
static dbsql_status take_first_page(struct thrift_operation *operation, dbsql_error **error) {
  const struct TFetchResultsResp *rows = operation->first_rows;
  struct page page = {
      .body = operation->answer.body,
      .arena = operation->answer.arena,
      .rows = rows->results,
      .has_more = rows->has_hasMoreRows && rows->hasMoreRows,
      .plain = thrift_is_plain(thrift_of(operation->base.backend)),
  };
  operation->answer = (struct thrift_answer){0};
  operation->first_rows = NULL;
  operation->metadata = NULL;
  dbsql_status status = page_classify(&page, error);
  if (status != DBSQL_OK) {
    page_free(&page);
    return status;
  }
  operation->first_page = page;
  return DBSQL_OK;
}

/* truncatedByThriftLimit, a field without a public name: the server has cut the result (thrift.md 2.8). */
static bool is_truncated(const struct TGetResultSetMetadataResp *metadata) {
  enum { truncated_id = 0xD11 };
  for (const struct thrift_unknown *field = metadata->unknown; field; field = field->next) {
    if (field->id == truncated_id && field->type == THRIFT_BOOL && field->bytes.size == 1) return field->bytes.data[0] != 0;
  }
  return false;
}

static dbsql_status take_metadata(struct thrift_operation *operation, const struct TGetResultSetMetadataResp *metadata,
                                  struct result_schema **schema, dbsql_error **error) {
  if (is_truncated(metadata)) {
    log_write(thrift_log(operation), DBSQL_LOG_WARN, "backend", "the server has cut the result at its limit of bytes", "query_id",
              operation->base.key.id, (char *)NULL);
  }
  if (metadata->has_isStagingOperation && metadata->isStagingOperation) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HYC00",
                     "PUT, GET and REMOVE on volumes are not supported by this version: no file has been sent, received or removed");
  }
  operation->base.compressed = metadata->has_lz4Compressed && metadata->lz4Compressed;
  return result_schema_new(metadata, schema, error);
}

static dbsql_status ask_metadata(struct thrift_backend *backend, struct thrift_operation *operation, const struct call *call,
                                 struct result_schema **schema, dbsql_error **error) {
  struct handle_parts parts;
  struct TGetResultSetMetadataReq request = {
      .has_operationHandle = true,
      .operationHandle = thrift_operation_handle(&operation->base.key, &parts),
  };
  struct TGetResultSetMetadataResp response = {0};
  struct thrift_answer answer;
  dbsql_status status = thrift_call(backend->client, TCLI_GetResultSetMetadata, &request, HTTP_RETRY_IDEMPOTENT, operation->base.key.id,
                                    call, &answer, &response, error);
  if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_GetResultSetMetadata, thrift_log(operation), error);
  if (status == DBSQL_OK) status = take_metadata(operation, &response, schema, error);
  if (status != DBSQL_OK) thrift_answer_annotate(&answer, error);
  thrift_answer_free(&answer);
  return status;
}

dbsql_status thrift_describe(struct backend_operation *base, const struct call *call, struct result_schema **schema, int64_t *affected_rows,
                             dbsql_error **error) {
  struct thrift_operation *operation = operation_of(base);
  *affected_rows = operation->modified_rows;
  dbsql_status status;
  if (operation->metadata) {
    status = take_metadata(operation, operation->metadata, schema, error);
  } else if (!operation->has_result_set) {
    return result_schema_empty(schema, error);
  } else {
    status = ask_metadata(thrift_of(base->backend), operation, call, schema, error);
  }
  if (status == DBSQL_OK && operation->first_rows) {
    status = take_first_page(operation, error);
    if (status != DBSQL_OK) {
      result_schema_unref(*schema);
      *schema = NULL;
    }
  }
  return status;
}

dbsql_status thrift_adopt(struct backend *backend, const struct operation_key *key, struct backend_operation **out, dbsql_error **error) {
  if (thrift_is_plain(thrift_of(backend))) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "a plain HiveServer2 cannot go on with a result from a given row");
  }
  struct thrift_operation *operation = mem_alloc_zero(1, sizeof *operation);
  if (!operation) return error_no_memory(error);
  operation->base.backend = backend;
  operation->base.key = *key;
  operation->base.has_ended = true;
  operation->has_result_set = true;
  operation->modified_rows = -1;
  *out = &operation->base;
  return DBSQL_OK;
}

bool thrift_is_resumable(const struct backend_operation *base) {
  const struct thrift_operation *operation = (const struct thrift_operation *)(const void *)base;
  return operation->has_result_set && !operation->is_closed && !thrift_is_plain(thrift_of(base->backend));
}

bool thrift_first_page(struct backend_operation *base, struct page *page) {
  struct thrift_operation *operation = operation_of(base);
  *page = operation->first_page;
  operation->first_page = (struct page){0};
  return page->body != NULL;
}

dbsql_status thrift_fetch(struct backend_operation *base, int64_t next_row, const struct call *call, struct page *page,
                          dbsql_error **error) {
  struct thrift_operation *operation = operation_of(base);
  struct thrift_backend *backend = thrift_of(base->backend);
  bool plain = thrift_is_plain(backend);
  if (thrift_first_page(base, page)) return DBSQL_OK;
  if (!operation->has_result_set) return DBSQL_OK;
  if (operation->is_closed) {
    /* A plain server's rows end with an empty page, which a closed statement cannot bring. Otherwise we only ask if it promised more. */
    if (plain) return DBSQL_OK;
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                     "rows are missing: after %lld rows the server said that more follow, and has closed the statement",
                     (long long)next_row);
  }
  struct handle_parts parts;
  struct TFetchResultsReq request = {
      .has_operationHandle = true,
      .operationHandle = thrift_operation_handle(&base->key, &parts),
      .has_orientation = true,
      .orientation = TFetchOrientation_FETCH_NEXT,
      .has_maxRows = true,
      .maxRows = backend->settings.page_max_rows,
  };
  if (!plain) {
    request.has_maxBytes = true;
    request.maxBytes = backend->settings.page_max_bytes;
    /* The offset makes the request one that can be repeated (thrift.md 5.4). */
    request.has_startRowOffset = true;
    request.startRowOffset = next_row;
  }
  struct TFetchResultsResp response = {0};
  struct thrift_answer answer;
  dbsql_status status = thrift_call(backend->client, TCLI_FetchResults, &request, plain ? HTTP_RETRY_REFUSED : HTTP_RETRY_IDEMPOTENT,
                                    base->key.id, call, &answer, &response, error);
  if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_FetchResults, backend->settings.log, error);
  if (status != DBSQL_OK) {
    thrift_answer_annotate(&answer, error);
    thrift_answer_free(&answer);
    return status;
  }
  page->body = answer.body;
  page->arena = answer.arena;
  page->rows = response.results;
  page->has_more = response.has_hasMoreRows && response.hasMoreRows;
  page->plain = plain;
  status = page_classify(page, error);
  if (status != DBSQL_OK) {
    thrift_answer_annotate(&answer, error);
    page_free(page);
  }
  return status;
}

void thrift_close_operation(struct backend_operation *base, const struct call *call) {
  struct thrift_operation *operation = operation_of(base);
  struct thrift_backend *backend = thrift_of(base->backend);
  if (!operation->is_closed && call) {
    struct handle_parts parts;
    struct TCloseOperationReq request = {
        .has_operationHandle = true,
        .operationHandle = thrift_operation_handle(&base->key, &parts),
    };
    struct TCloseOperationResp response = {0};
    struct thrift_answer answer;
    dbsql_error *error = NULL;
    dbsql_status status =
        thrift_call(backend->client, TCLI_CloseOperation, &request, HTTP_RETRY_IDEMPOTENT, base->key.id, call, &answer, &response, &error);
    if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_CloseOperation, backend->settings.log, &error);
    thrift_answer_free(&answer);
    if (status != DBSQL_OK) {
      log_write(backend->settings.log, DBSQL_LOG_DEBUG, "backend", "closing the operation failed", "query_id", base->key.id, "error",
                dbsql_error_message(error), (char *)NULL);
    }
    dbsql_error_free(error);
  }
  page_free(&operation->first_page);
  thrift_answer_free(&operation->answer);
  mem_free(operation);
}
