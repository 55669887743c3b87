#include "service.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "links.h"
#include "memory.h"
#include "service_internal.h"

void service_extra(struct service *service, struct thrift_unknown **list, int16_t id, uint8_t type, const void *bytes, size_t size) {
  struct thrift_unknown *field = answer_new(service->answer, sizeof *field);
  uint8_t *copy = answer_array(service->answer, size, 1);
  memcpy(copy, bytes, size);
  *field = (struct thrift_unknown){.bytes = slice_of(copy, size), .id = id, .type = type};
  while (*list) list = &(*list)->next;
  *list = field;
}

/* ---- Handles and statuses ----------------------------------------------------------------------------------------------------------- */

struct THandleIdentifier *service_identifier(struct service *service, const struct handle *handle) {
  struct THandleIdentifier *out = answer_new(service->answer, sizeof *out);
  uint8_t *bytes = answer_array(service->answer, (size_t)2 * guid_size, 1);
  memcpy(bytes, handle->guid, guid_size);
  memcpy(bytes + guid_size, handle->secret, guid_size);
  TCLI_SET(out, guid, slice_of(bytes, guid_size));
  TCLI_SET(out, secret, slice_of(bytes + guid_size, guid_size));
  if (service->faults->extra_fields) service_extra(service, &out->unknown, 0xD01, THRIFT_I16, "\0\0", 2);
  return out;
}

struct TOperationHandle *service_handle(struct service *service, const struct operation *operation) {
  struct TOperationHandle *out = answer_new(service->answer, sizeof *out);
  TCLI_SET(out, operationId, service_identifier(service, &operation->handle));
  TCLI_SET(out, operationType, operation->request.type);
  TCLI_SET(out, hasResultSet, true);
  return out;
}

/* Lines as a Java server has them: clients show the first, or nothing. */
static void set_info(struct service *service, struct TStatus *status, const char *text) {
  char *first = wh_print("*org.apache.hive.service.cli.HiveSQLException:%s:27:26", text);
  status->infoMessages.count = 1;
  status->infoMessages.items = answer_new(service->answer, sizeof *status->infoMessages.items);
  status->infoMessages.items[0] = answer_text(service->answer, first);
  status->has_infoMessages = true;
  free(first);
}

static struct TStatus *error_status(struct service *service, const char *sqlstate, const char *message, const char *display) {
  struct TStatus *out = answer_new(service->answer, sizeof *out);
  TCLI_SET(out, statusCode, TStatusCode_ERROR_STATUS);
  set_info(service, out, message);
  TCLI_SET(out, sqlState, answer_text(service->answer, sqlstate));
  TCLI_SET(out, errorCode, 0);
  TCLI_SET(out, errorMessage, answer_text(service->answer, message));
  if (!service->warehouse->plain_hive) TCLI_SET(out, displayMessage, answer_text(service->answer, display));
  return out;
}

/* The long form of a message: with the Java class that would have thrown it. */
static char *long_form(const struct failure *failure, const char *prefix) {
  if (!failure->error_class) return wh_print("%s%s", prefix, failure->text);
  bool syntax = strcmp(failure->error_class, "PARSE_SYNTAX_ERROR") == 0;
  return wh_print("%s[%s] %s: %s", prefix, failure->error_class,
                  syntax ? "org.apache.spark.sql.catalyst.parser.ParseException" : "org.apache.spark.sql.AnalysisException", failure->text);
}

struct TStatus *service_error(struct service *service, const struct failure *failure, const char *prefix) {
  char *message = long_form(failure, prefix);
  struct TStatus *status = error_status(service, failure->sqlstate, message, failure->text);
  free(message);
  return status;
}

static char *guid_of(const struct THandleIdentifier *identifier) {
  char text[guid_text_size] = "";
  if (identifier && identifier->has_guid && identifier->guid.size == guid_size) guid_format(identifier->guid.data, guid_size, text);
  return wh_copy(text);
}

struct TStatus *service_bad_session(struct service *service, const struct TSessionHandle *handle) {
  char *guid = guid_of(handle && handle->has_sessionId ? handle->sessionId : NULL);
  char *text = wh_print("Invalid SessionHandle: SessionHandle [%s]", guid);
  struct TStatus *status = error_status(service, "08000", text, text);
  free(text);
  free(guid);
  return status;
}

struct TStatus *service_bad_operation(struct service *service, const struct TOperationHandle *handle) {
  char *guid = guid_of(handle && handle->has_operationId ? handle->operationId : NULL);
  const char *type = handle && handle->has_operationType ? TOperationType_name(handle->operationType) : NULL;
  char *text = wh_print("Invalid OperationHandle: OperationHandle [opType=%s%s, getHandleIdentifier()=%s]", type ? type : "UNKNOWN",
                        type && strcmp(type, "UNKNOWN") != 0 ? "" : "_OPERATION", guid);
  struct TStatus *status = error_status(service, "08000", text, text);
  free(text);
  free(guid);
  return status;
}

struct session *service_session(struct service *service, const struct TSessionHandle *handle) {
  const struct THandleIdentifier *id = handle && handle->has_sessionId ? handle->sessionId : NULL;
  if (!id || !id->has_guid || !id->has_secret || service->faults->session_lost) return NULL;
  struct session *session = session_find(service->warehouse, id->guid, id->secret);
  if (!session || !service->faults->session_gone) return session;
  session_close(session);
  session_unref(session);
  return NULL;
}

struct operation *service_operation(struct service *service, const struct TOperationHandle *handle) {
  const struct THandleIdentifier *id = handle && handle->has_operationId ? handle->operationId : NULL;
  if (!id || !id->has_guid || !id->has_secret || service->faults->session_lost) return NULL;
  struct operation *operation = operation_find(service->warehouse, id->guid, id->secret);
  if (!operation || !service->faults->session_gone) return operation;
  session_close(operation->session);
  operation_unref(operation);
  return NULL;
}

/* ---- Operations: their state, and pages -----------------------------------------------------------------------------------------------
 */

struct TGetOperationStatusResp *service_status(struct service *service, struct operation *operation) {
  struct TGetOperationStatusResp *out = answer_new(service->answer, sizeof *out);
  pthread_mutex_lock(&operation->lock);
  int32_t state = operation->state;
  int64_t completed = operation->completed_ms;
  pthread_mutex_unlock(&operation->lock);
  TCLI_SET(out, status, answer_success(service->answer));
  TCLI_SET(out, operationState, state);
  if (operation_state_is_final(state) && operation->failure.set) {
    char *message = long_form(&operation->failure, operation->request.metadata_call ? "" : "Error running query: ");
    TCLI_SET(out, sqlState, answer_text(service->answer, operation->failure.sqlstate));
    TCLI_SET(out, errorCode, 0);
    TCLI_SET(out, errorMessage, answer_text(service->answer, message));
    if (!service->warehouse->plain_hive) TCLI_SET(out, displayMessage, answer_text(service->answer, operation->failure.text));
    free(message);
  }
  if (service->warehouse->plain_hive) {
    TCLI_SET(out, operationStarted, operation->started_ms);
    if (operation_state_is_final(state)) TCLI_SET(out, operationCompleted, completed);
    TCLI_SET(out, hasResultSet, true);
  }
  if (state == TOperationState_FINISHED_STATE && operation->modified_rows >= 0) TCLI_SET(out, numModifiedRows, operation->modified_rows);
  if (service->faults->extra_fields) service_extra(service, &out->unknown, 0xD02, THRIFT_I32, "\0\0\0\0", 4);
  return out;
}

/* For a test of clients that count. */
static void spoil_row_count(struct TRowSet *rows) {
  if (rows->has_arrowBatches && rows->arrowBatches.count) rows->arrowBatches.items[0].rowCount++;
  if (rows->has_resultLinks && rows->resultLinks.count) rows->resultLinks.items[0].rowCount++;
  if (rows->has_columns && rows->columns.count) {
    struct TColumn *column = &rows->columns.items[rows->columns.count - 1];
    struct thrift_raw_list *values = column->has_boolVal     ? &column->boolVal->values
                                     : column->has_byteVal   ? &column->byteVal->values
                                     : column->has_i16Val    ? &column->i16Val->values
                                     : column->has_i32Val    ? &column->i32Val->values
                                     : column->has_i64Val    ? &column->i64Val->values
                                     : column->has_doubleVal ? &column->doubleVal->values
                                     : column->has_stringVal ? &column->stringVal->values
                                                             : NULL;
    if (values) *values = (struct thrift_raw_list){.element_type = values->element_type};
  }
}

struct TFetchResultsResp *service_fetch(struct service *service, struct operation *operation, int64_t first, int64_t max_rows,
                                        int64_t max_bytes, struct page_sizes *sizes) {
  struct TFetchResultsResp *out = answer_new(service->answer, sizeof *out);
  struct failure failure = {0};
  struct TRowSet *rows = NULL;
  int64_t count = 0;
  if (service->faults->empty_page) max_rows = 0;
  bool good = operation->result.linked
                  ? links_page(service->warehouse->links, operation, service->answer, first, max_rows == 0, max_bytes, &rows, &count, sizes,
                               &failure)
                  : page_rows(&operation->result, service->answer, first, max_rows, max_bytes, &rows, &count, sizes, &failure);
  if (!good) {
    TCLI_SET(out, status, service_error(service, &failure, ""));
    failure_clear(&failure);
    return out;
  }
  if (service->faults->wrong_row_count) spoil_row_count(rows);
  pthread_mutex_lock(&operation->lock);
  operation->next_row = first + count;
  pthread_mutex_unlock(&operation->lock);
  TCLI_SET(out, status, answer_success(service->answer));
  TCLI_SET(out, hasMoreRows, !service->warehouse->plain_hive && first + count < operation->result.rows);
  if (service->faults->empty_page) out->hasMoreRows = true;
  if (service->faults->more_rows_lie) out->hasMoreRows = !out->hasMoreRows;
  TCLI_SET(out, results, rows);
  return out;
}

static struct TGetResultSetMetadataResp *metadata_of(struct service *service, const struct operation *operation,
                                                     const struct page_sizes *sizes) {
  struct TGetResultSetMetadataResp *out =
      page_metadata(&operation->result, service->answer, sizes, operation->request.metadata_call, service->warehouse->plain_hive);
  if (service->faults->no_arrow_schema) out->has_arrowSchema = false;
  if (service->faults->extra_fields) {
    service_extra(service, &out->unknown, 0xD01, THRIFT_I32, "\0\0\0\x05", 4);
    service_extra(service, &out->unknown, 0xD05, THRIFT_I64, "\0\0\0\0\0\0\0\0", 8);
    service_extra(service, &out->unknown, 0xD11, THRIFT_BOOL, "\0", 1);
  }
  return out;
}

/* State, metadata and first page with the answer that started it (thrift.md 2.3). */
static struct TSparkDirectResults *direct_results(struct service *service, struct operation *operation, bool *closed) {
  struct TSparkDirectResults *out = answer_new(service->answer, sizeof *out);
  struct page_sizes sizes = {0};
  TCLI_SET(out, operationStatus, service_status(service, operation));
  *closed = false;
  if (out->operationStatus->operationState != TOperationState_FINISHED_STATE) return out;
  if (operation->request.direct_rows > 0) {
    TCLI_SET(out, resultSet, service_fetch(service, operation, 0, operation->request.direct_rows, operation->request.direct_bytes, &sizes));
  }
  TCLI_SET(out, resultSetMetadata, metadata_of(service, operation, &sizes));
  /* With links the operation stays open: they must be had again when they have expired. */
  if (out->has_resultSet && out->resultSet->has_hasMoreRows && !out->resultSet->hasMoreRows && !operation->result.linked) {
    struct TCloseOperationResp *close = answer_new(service->answer, sizeof *close);
    TCLI_SET(close, status, answer_success(service->answer));
    TCLI_SET(out, closeOperation, close);
    *closed = true;
  }
  return out;
}

/* Until the end, or for so long. A caller that goes away does not know the handle yet: nobody could ever close it. */
static int32_t wait_for_end(struct service *service, struct operation *operation, int64_t ms) {
  enum { SLICE_MS = 100 };
  const struct service_call *call = service->call;
  int32_t state = operation_wait(operation, ms < SLICE_MS ? ms : SLICE_MS);
  for (int64_t left = ms - SLICE_MS; left > 0 && !operation_state_is_final(state) && !service->warehouse->stopping; left -= SLICE_MS) {
    if (call->gone && call->gone(call->gone_user)) {
      operation_close(operation);
      break;
    }
    state = operation_wait(operation, left < SLICE_MS ? left : SLICE_MS);
  }
  return state;
}

void service_run(struct service *service, struct session *session, struct operation_request *request, struct TStatus **status,
                 struct TOperationHandle **handle, struct TSparkDirectResults **direct) {
  struct failure failure = {0};
  struct warehouse *warehouse = service->warehouse;
  bool asynchronous = request->asynchronous, has_direct = request->has_direct_results && !warehouse->plain_hive;
  struct operation *operation = operation_start(session, request, &failure);
  *handle = NULL;
  *direct = NULL;
  if (!operation) {
    operation_request_free(request);
    *status = service_error(service, &failure, "");
    failure_clear(&failure);
    return;
  }
  int32_t state = TOperationState_INITIALIZED_STATE;
  if (!asynchronous || has_direct) state = wait_for_end(service, operation, asynchronous ? warehouse->limits.sync_wait_ms : INT64_MAX);
  bool failed = operation_state_is_final(state) && state != TOperationState_FINISHED_STATE;
  if (failed && !asynchronous) { /* then there is no handle, and nothing to close */
    *status = service_error(service, &operation->failure, operation->request.metadata_call ? "" : "Error running query: ");
    operation_close(operation);
  } else {
    bool closed = false;
    *status = answer_success(service->answer);
    *handle = service_handle(service, operation);
    if (has_direct) *direct = direct_results(service, operation, &closed);
    if (closed) operation_close(operation);
  }
  /* The answer points into the result: it is written before the operation can go. */
  service->answer->keep = operation;
}

/* ---- The calls about operations
 * ---------------------------------------------------------------------------------------------------------- */

static void get_operation_status(struct service *service, const struct TGetOperationStatusReq *request,
                                 struct TGetOperationStatusResp *response) {
  const struct TOperationHandle *handle = request->has_operationHandle ? request->operationHandle : NULL;
  struct operation *operation = service_operation(service, handle);
  if (!operation) {
    TCLI_SET(response, status, service_bad_operation(service, handle));
    return;
  }
  operation_wait(operation, service->warehouse->limits.poll_wait_ms);
  *response = *service_status(service, operation);
  service->answer->keep = operation;
}

static void cancel_operation(struct service *service, const struct TCancelOperationReq *request, struct TCancelOperationResp *response) {
  const struct TOperationHandle *handle = request->has_operationHandle ? request->operationHandle : NULL;
  struct operation *operation = service_operation(service, handle);
  if (!operation) {
    TCLI_SET(response, status, service_bad_operation(service, handle));
    return;
  }
  if (!operation_state_is_final(operation_wait(operation, 0))) operation_cancel(operation);
  TCLI_SET(response, status, answer_success(service->answer));
  service->answer->keep = operation;
}

static void close_operation(struct service *service, const struct TCloseOperationReq *request, struct TCloseOperationResp *response) {
  const struct TOperationHandle *handle = request->has_operationHandle ? request->operationHandle : NULL;
  struct operation *operation = service_operation(service, handle);
  if (!operation) {
    TCLI_SET(response, status, service_bad_operation(service, handle));
    return;
  }
  operation_close(operation);
  TCLI_SET(response, status, answer_success(service->answer));
  service->answer->keep = operation;
}

/* A call that needs rows, for an operation that has none: NULL if it has. */
static struct TStatus *not_ready(struct service *service, struct operation *operation) {
  struct failure failure = {0};
  int32_t state = operation_wait(operation, 0);
  if (state == TOperationState_FINISHED_STATE && operation->has_result) return NULL;
  if (operation->failure.set && operation_state_is_final(state))
    return service_error(service, &operation->failure, "Error running query: ");
  const char *name = TOperationState_name(state);
  failure_set(&failure, NULL, "HY010", "Expected state FINISHED, but found %s", name ? name : "UNKNOWN");
  struct TStatus *status = service_error(service, &failure, "");
  failure_clear(&failure);
  return status;
}

static void get_metadata(struct service *service, const struct TGetResultSetMetadataReq *request,
                         struct TGetResultSetMetadataResp *response) {
  const struct TOperationHandle *handle = request->has_operationHandle ? request->operationHandle : NULL;
  struct operation *operation = service_operation(service, handle);
  if (!operation) {
    TCLI_SET(response, status, service_bad_operation(service, handle));
    return;
  }
  struct TStatus *bad = not_ready(service, operation);
  if (bad) {
    TCLI_SET(response, status, bad);
  } else {
    *response = *metadata_of(service, operation, NULL);
  }
  service->answer->keep = operation;
}

static bool first_row_of(struct operation *operation, const struct TFetchResultsReq *request, bool plain_hive, int64_t *first,
                         struct failure *failure) {
  pthread_mutex_lock(&operation->lock);
  *first = operation->next_row;
  pthread_mutex_unlock(&operation->lock);
  int32_t orientation = request->has_orientation ? request->orientation : TFetchOrientation_FETCH_NEXT;
  if (orientation == TFetchOrientation_FETCH_FIRST) {
    *first = 0;
  } else if (orientation != TFetchOrientation_FETCH_NEXT) {
    return failure_set(failure, NULL, "HYC00", "The fetch type %s is not supported for this resultset",
                       TFetchOrientation_name(orientation) ? TFetchOrientation_name(orientation) : "UNKNOWN");
  }
  if (request->has_startRowOffset && !plain_hive) *first = request->startRowOffset;
  if (*first < 0 || *first > operation->result.rows)
    return failure_set(failure, NULL, "HY107", "Row offset %lld is not within the result, which has %lld rows", (long long)*first,
                       (long long)operation->result.rows);
  if (request->has_fetchType && request->fetchType == 1)
    return failure_set(failure, NULL, "HYC00", "Operation logs are not kept by this warehouse");
  return true;
}

static void fetch_results(struct service *service, const struct TFetchResultsReq *request, struct TFetchResultsResp *response) {
  const struct TOperationHandle *handle = request->has_operationHandle ? request->operationHandle : NULL;
  struct operation *operation = service_operation(service, handle);
  struct failure failure = {0};
  struct page_sizes sizes = {0};
  bool hive = service->warehouse->plain_hive;
  int64_t first = 0;
  if (!operation) {
    TCLI_SET(response, status, service_bad_operation(service, handle));
    return;
  }
  struct TStatus *bad = not_ready(service, operation);
  if (bad) {
    TCLI_SET(response, status, bad);
  } else if (!first_row_of(operation, request, hive, &first, &failure)) {
    TCLI_SET(response, status, service_error(service, &failure, ""));
    failure_clear(&failure);
  } else {
    int64_t max_rows = request->has_maxRows && request->maxRows >= 0 ? request->maxRows : INT64_MAX; /* -1: the server decides */
    int64_t max_bytes = request->has_maxBytes && request->maxBytes > 0 && !hive ? request->maxBytes : (int64_t)400 << 20;
    *response = *service_fetch(service, operation, first, max_rows, max_bytes, &sizes);
    if (!hive && request->has_includeResultSetMetadata && request->includeResultSetMetadata)
      TCLI_SET(response, resultSetMetadata, metadata_of(service, operation, &sizes));
  }
  service->answer->keep = operation;
}

static void close_session(struct service *service, const struct TCloseSessionReq *request, struct TCloseSessionResp *response) {
  const struct TSessionHandle *handle = request->has_sessionHandle ? request->sessionHandle : NULL;
  struct session *session = service_session(service, handle);
  if (!session) {
    TCLI_SET(response, status, service_bad_session(service, handle));
    return;
  }
  session_close(session);
  session_unref(session);
  TCLI_SET(response, status, answer_success(service->answer));
}

static struct TStatus *no_tokens(struct service *service) {
  struct failure failure = {0};
  failure_set(&failure, "UNSUPPORTED_FEATURE", "0A000", "Delegation tokens are not supported.");
  struct TStatus *status = service_error(service, &failure, "");
  failure_clear(&failure);
  return status;
}

/* ---- Messages
 * ------------------------------------------------------------------------------------------------------------------------------ */

static void dispatch(struct service *service, enum tcli_method method, const void *request, void *response) {
  switch (method) {
    case TCLI_OpenSession: service_open_session(service, request, response); break;
    case TCLI_CloseSession: close_session(service, request, response); break;
    case TCLI_GetInfo: service_get_info(service, request, response); break;
    case TCLI_ExecuteStatement: service_execute_statement(service, request, response); break;
    case TCLI_GetOperationStatus: get_operation_status(service, request, response); break;
    case TCLI_CancelOperation: cancel_operation(service, request, response); break;
    case TCLI_CloseOperation: close_operation(service, request, response); break;
    case TCLI_GetResultSetMetadata: get_metadata(service, request, response); break;
    case TCLI_FetchResults: fetch_results(service, request, response); break;
    case TCLI_GetDelegationToken: TCLI_SET((struct TGetDelegationTokenResp *)response, status, no_tokens(service)); break;
    case TCLI_CancelDelegationToken: TCLI_SET((struct TCancelDelegationTokenResp *)response, status, no_tokens(service)); break;
    case TCLI_RenewDelegationToken: TCLI_SET((struct TRenewDelegationTokenResp *)response, status, no_tokens(service)); break;
    default: service_metadata_call(service, method, request, response);
  }
}

bool service_begins_with(struct slice message, const char *start) {
  struct arena arena = ARENA_INIT;
  struct tcli_call in = {0};
  dbsql_error *error = NULL;
  bool does = false;
  if (tcli_decode_call(message, &arena, &in, &error) == DBSQL_OK && in.method == TCLI_ExecuteStatement) {
    const struct TExecuteStatementReq *request = in.request;
    struct slice sql = request->has_statement ? request->statement : slice_of("", 0);
    while (sql.size && text_is_space((char)sql.data[0])) sql = slice_of(sql.data + 1, sql.size - 1);
    size_t length = strlen(start);
    does = sql.size >= length && text_equal_nocase_n((const char *)sql.data, length, start, length);
  }
  arena_free(&arena);
  error_clear(&error);
  return does;
}

void service_method(struct slice message, char *name, size_t size) {
  struct thrift_reader reader = thrift_reader_of(message);
  struct thrift_message header = {0};
  dbsql_error *error = NULL;
  name[0] = '\0';
  if (thrift_read_message(&reader, &header, &error) == DBSQL_OK && header.name.size < size) {
    memcpy(name, header.name.data, header.name.size);
    name[header.name.size] = '\0';
  }
  error_clear(&error);
}

/* A plain HiveServer2 reads a protocol number that it does not know as one that is missing. */
static bool hive_knows_protocol(const struct tcli_call *call) {
  if (call->method != TCLI_OpenSession) return true;
  const struct TOpenSessionReq *request = call->request;
  return request->has_client_protocol && request->client_protocol >= TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V1 &&
         request->client_protocol <= TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V10;
}

void service_answer(struct warehouse *warehouse, struct slice message, const struct service_faults *faults, struct service_call *call,
                    struct buf *out) {
  dbsql_error *error = NULL;
  struct arena arena = ARENA_INIT;
  struct tcli_call in = {0};
  struct answer answer = {0};
  struct service service = {warehouse, faults, &answer, call};
  call->status = -1;
  warehouse->calls++;
  service_method(message, call->method, sizeof call->method);
  if (tcli_decode_call(message, &arena, &in, &error) != DBSQL_OK) {
    tcli_encode_exception(in.name, in.sequence_id, TCLI_EXCEPTION_PROTOCOL_ERROR, dbsql_error_message(error), out);
  } else if (in.method == TCLI_UNKNOWN_METHOD || faults->unknown_method) {
    char *text = wh_print("Invalid method name: '%.*s'", (int)in.name.size, (const char *)in.name.data);
    tcli_encode_exception(in.name, in.sequence_id, TCLI_EXCEPTION_UNKNOWN_METHOD, text, out);
    free(text);
  } else if (warehouse->plain_hive && !hive_knows_protocol(&in)) {
    tcli_encode_exception(in.name, in.sequence_id, TCLI_EXCEPTION_PROTOCOL_ERROR,
                          "Required field 'client_protocol' is unset! Struct:TOpenSessionReq(client_protocol:null)", out);
  } else {
    const struct thrift_struct *type = tcli_methods[in.method].response;
    void *response = answer_new(&answer, type->size);
    if (faults->refused) {
      struct failure failure = {0};
      failure_set(&failure, "UNSUPPORTED_FEATURE", "0A000", "%s is not supported.", tcli_methods[in.method].name);
      struct TGetInfoResp *refusal = response;
      TCLI_SET(refusal, status, service_error(&service, &failure, ""));
      failure_clear(&failure);
    } else {
      dispatch(&service, in.method, in.request, response);
    }
    /* Every answer begins with its status. */
    const struct TGetInfoResp *head = response;
    call->status = head->has_status && head->status ? head->status->statusCode : -1;
    tcli_encode_reply(in.method, in.sequence_id + (faults->wrong_sequence_id ? 1 : 0), response, out);
    if (faults->extra_fields) service_reverse_fields(out);
  }
  operation_unref(answer.keep);
  answer_free(&answer);
  arena_free(&arena);
  error_clear(&error);
  wh_check(out);
}
