/* Running a statement until it has finished (thrift.md 2.3, 5.2). */
#include "backend/thrift_backend.h"
#include "backend/thrift_status.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

static void ask_for_direct_results(const struct thrift_backend *backend, struct TSparkGetDirectResults *direct) {
  *direct = (struct TSparkGetDirectResults){
      .has_maxRows = true,
      .maxRows = backend->settings.direct_max_rows,
      .has_maxBytes = true,
      .maxBytes = backend->settings.direct_max_bytes,
  };
}

/* Adopts what the server says of the operation's state; true if it has come to its end. An end without a result is an error. */
static dbsql_status take_state(struct thrift_operation *operation, const struct TGetOperationStatusResp *response, dbsql_error **error) {
  dbsql_status status = thrift_check_status(response->status, TCLI_GetOperationStatus, thrift_log(operation), error);
  if (status != DBSQL_OK) return status;
  if (response->has_hasResultSet) operation->has_result_set = response->hasResultSet;
  if (response->has_numModifiedRows && response->numModifiedRows >= 0) operation->modified_rows = response->numModifiedRows;
  int32_t state = response->has_operationState ? response->operationState : TOperationState_RUNNING_STATE;
  if (state == TOperationState_INITIALIZED_STATE || state == TOperationState_PENDING_STATE || state == TOperationState_RUNNING_STATE) {
    return DBSQL_OK;
  }
  operation->base.has_ended = true;
  if (state == TOperationState_FINISHED_STATE) return DBSQL_OK;
  if (state == TOperationState_CLOSED_STATE) operation->is_closed = true;
  return thrift_operation_failed(response, error);
}

static bool has_rows(const struct TFetchResultsResp *page) {
  const struct TRowSet *rows = page->results;
  return page->hasMoreRows ||
         (rows && (rows->columns.count != 0 || rows->arrowBatches.count != 0 || rows->rows.count != 0 || rows->resultLinks.count != 0));
}

static dbsql_status take_direct_results(struct thrift_operation *operation, const struct TSparkDirectResults *direct, dbsql_error **error) {
  if (direct->closeOperation) operation->is_closed = true;
  if (direct->operationStatus) {
    dbsql_status status = take_state(operation, direct->operationStatus, error);
    if (status != DBSQL_OK) return status;
  }
  if (direct->resultSetMetadata) {
    dbsql_status status = thrift_check_status(direct->resultSetMetadata->status, TCLI_GetResultSetMetadata, thrift_log(operation), error);
    if (status != DBSQL_OK) return status;
    operation->metadata = direct->resultSetMetadata;
  }
  if (direct->resultSet) {
    dbsql_status status = thrift_check_status(direct->resultSet->status, TCLI_FetchResults, thrift_log(operation), error);
    if (status != DBSQL_OK) return status;
    operation->first_rows = direct->resultSet;
    if (!operation->metadata) operation->metadata = direct->resultSet->resultSetMetadata;
    /* Where there are rows there is a result, whatever the flag says. */
    if (!operation->has_result_set && has_rows(direct->resultSet)) {
      operation->has_result_set = true;
      log_write(thrift_log(operation), DBSQL_LOG_WARN, "backend", "the server sends rows of a statement that it says has none", "query_id",
                operation->base.key.id, (char *)NULL);
    }
    /* Rows are there, so it has finished, whatever else is missing. */
    operation->base.has_ended = true;
  }
  return DBSQL_OK;
}

dbsql_status thrift_accept(struct thrift_backend *backend, const struct TOperationHandle *handle, const struct TSparkDirectResults *direct,
                           struct thrift_answer *answer, struct backend_operation **out, dbsql_error **error) {
  if (!handle || !handle->operationId) return error_set(error, DBSQL_ERROR_REQUEST, "08S01", "the server's answer has no operation handle");
  struct thrift_operation *operation = mem_alloc_zero(1, sizeof *operation);
  if (!operation) return error_no_memory(error);
  operation->base.backend = &backend->base;
  operation->modified_rows = -1;
  operation->has_result_set = !handle->has_hasResultSet || handle->hasResultSet;
  if (handle->has_modifiedRowCount && handle->modifiedRowCount >= 0 && handle->modifiedRowCount < 9.0e15) {
    operation->modified_rows = (int64_t)handle->modifiedRowCount;
  }
  dbsql_status status = thrift_read_handle(handle->operationId, "the operation", &operation->base.key, error);
  if (status != DBSQL_OK) {
    mem_free(operation);
    return status;
  }
  operation->base.key.type = handle->has_operationType ? handle->operationType : TOperationType_UNKNOWN;
  operation->base.key.has_result_set = handle->hasResultSet;
  operation->answer = *answer;
  answer->body = NULL;
  answer->arena = (struct arena)ARENA_INIT;
  *out = &operation->base;
  return direct ? take_direct_results(operation, direct, error) : DBSQL_OK;
}

dbsql_status thrift_execute(struct backend *base, const struct backend_statement *statement, const struct call *call,
                            struct backend_operation **operation, dbsql_error **error) {
  struct thrift_backend *backend = thrift_of(base);
  const struct backend_settings *settings = &backend->settings;
  int32_t version = base->protocol_version;
  struct handle_parts parts;
  struct TSparkGetDirectResults direct;
  struct TSparkArrowTypes native = {
      .has_timestampAsArrow = true,
      .timestampAsArrow = settings->native_timestamp,
      .has_decimalAsArrow = true,
      .decimalAsArrow = settings->native_decimal,
      .has_complexTypesAsArrow = true,
      .complexTypesAsArrow = settings->native_complex,
      .has_intervalTypesAsArrow = true,
      .intervalTypesAsArrow = settings->native_interval,
      .has_nullTypeAsArrow = true,
      .nullTypeAsArrow = settings->native_null,
  };
  struct TExecuteStatementReq request = {
      .has_sessionHandle = true,
      .sessionHandle = thrift_session_handle(&backend->session, &parts),
      .has_statement = true,
      .statement = statement->sql,
      .has_runAsync = true,
      .runAsync = true,
  };
  if (statement->query_timeout_s > 0) {
    request.has_queryTimeout = true;
    request.queryTimeout = statement->query_timeout_s;
  }
  if (version >= direct_results_since && settings->direct_results) {
    ask_for_direct_results(backend, &direct);
    request.has_getDirectResults = true;
    request.getDirectResults = &direct;
  }
  if (version > last_hive_protocol) {
    request.has_canReadArrowResult = true;
    request.canReadArrowResult = version >= arrow_since && settings->arrow;
    request.has_canDownloadResult = true;
    request.canDownloadResult = version >= cloudfetch_since && version >= arrow_since && settings->arrow && settings->cloudfetch;
    if (request.canDownloadResult) {
      request.has_maxBytesPerFile = true;
      request.maxBytesPerFile = settings->max_bytes_per_file;
    }
    request.has_canDecompressLZ4Result = true;
    request.canDecompressLZ4Result = version >= lz4_since && settings->lz4;
    if (request.canReadArrowResult) {
      request.has_useArrowNativeTypes = true;
      request.useArrowNativeTypes = &native;
    }
  }
  if (statement->max_rows > 0) {
    if (version < row_limit_since) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "max_rows: this server (protocol %d) cannot limit the rows of a result",
                       (int)version);
    }
    request.has_resultRowLimit = true;
    request.resultRowLimit = statement->max_rows;
  }
  struct arena extras = ARENA_INIT;
  dbsql_status status = thrift_add_overlay(version, statement, &extras, &request, error);
  if (status == DBSQL_OK) status = thrift_add_parameters(version, statement, &extras, &request, error);
  if (status != DBSQL_OK) {
    arena_free(&extras);
    return status;
  }
  struct TExecuteStatementResp response = {0};
  struct thrift_answer answer;
  status = thrift_call(backend->client, TCLI_ExecuteStatement, &request, HTTP_RETRY_REFUSED, NULL, call, &answer, &response, error);
  arena_free(&extras);
  int attempts = answer.attempts;
  if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_ExecuteStatement, settings->log, error);
  if (status == DBSQL_OK) status = thrift_accept(backend, response.operationHandle, response.directResults, &answer, operation, error);
  if (status != DBSQL_OK) thrift_answer_annotate(&answer, error);
  if (*operation && attempts > 1) (*operation)->retries += attempts - 1;
  thrift_answer_free(&answer);
  return status;
}

static dbsql_status ask_state(struct thrift_backend *backend, struct thrift_operation *operation, const struct call *call,
                              dbsql_error **error) {
  struct handle_parts parts;
  struct TGetOperationStatusReq request = {
      .has_operationHandle = true,
      .operationHandle = thrift_operation_handle(&operation->base.key, &parts),
  };
  struct TGetOperationStatusResp response = {0};
  struct thrift_answer answer;
  dbsql_status status = thrift_call(backend->client, TCLI_GetOperationStatus, &request, HTTP_RETRY_IDEMPOTENT, operation->base.key.id, call,
                                    &answer, &response, error);
  if (answer.attempts > 1) operation->base.retries += answer.attempts - 1;
  if (status == DBSQL_OK) status = take_state(operation, &response, error);
  if (status != DBSQL_OK) thrift_answer_annotate(&answer, error);
  thrift_answer_free(&answer);
  return status;
}

dbsql_status thrift_wait(struct backend_operation *base, const struct call *call, dbsql_error **error) {
  struct thrift_operation *operation = (struct thrift_operation *)(void *)base;
  struct thrift_backend *backend = thrift_of(base->backend);
  int64_t wait_ms = backend->settings.poll_min_ms;
  while (!operation->base.has_ended) {
    int64_t started = clock_now_ns();
    dbsql_status status = ask_state(backend, operation, call, error);
    operation->base.polls++;
    operation->base.poll_ns += clock_now_ns() - started;
    if (status != DBSQL_OK || operation->base.has_ended) return status;
    status = call_sleep(call, wait_ms, "waiting for the statement", error);
    if (status != DBSQL_OK) return status;
    /* Short statements are seen at once, long ones cost little: the wait grows by half each time. */
    wait_ms += wait_ms / 2 + 1;
    if (wait_ms > backend->settings.poll_max_ms) wait_ms = backend->settings.poll_max_ms;
  }
  return DBSQL_OK;
}
