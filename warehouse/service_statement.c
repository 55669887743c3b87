/* The calls that start an operation: ExecuteStatement and the metadata calls. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "parameters.h"
#include "service_internal.h"

/* ---- ExecuteStatement ------------------------------------------------------------------------------------------------------------------
 */

static void read_direct(struct operation_request *to, bool has, const struct TSparkGetDirectResults *from) {
  if (!has || !from) return;
  to->has_direct_results = true;
  to->direct_rows = from->has_maxRows ? from->maxRows : 0;
  to->direct_bytes = from->has_maxBytes ? from->maxBytes : 0;
}

static struct result_shape shape_of(const struct service *service, const struct session *session,
                                    const struct TExecuteStatementReq *request) {
  struct result_shape shape = {0};
  if (service->warehouse->plain_hive) {
    shape.interval_native = shape.null_native = true; /* in columns they are told as what they are */
    return shape;
  }
  const struct TSparkArrowTypes *types = request->has_useArrowNativeTypes ? request->useArrowNativeTypes : NULL;
  shape.arrow =
      request->has_canReadArrowResult && request->canReadArrowResult && session->protocol >= TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V5;
  shape.download =
      request->has_canDownloadResult && request->canDownloadResult && session->protocol >= TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V3;
  shape.lz4 = request->has_canDecompressLZ4Result && request->canDecompressLZ4Result &&
              session->protocol >= TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V6;
  if (!types) return shape;
  shape.timestamp_native = types->has_timestampAsArrow && types->timestampAsArrow;
  shape.decimal_native = types->has_decimalAsArrow && types->decimalAsArrow;
  shape.complex_native = types->has_complexTypesAsArrow && types->complexTypesAsArrow;
  shape.interval_native = types->has_intervalTypesAsArrow && types->intervalTypesAsArrow;
  shape.null_native = types->has_nullTypeAsArrow && types->nullTypeAsArrow;
  return shape;
}

void service_execute_statement(struct service *service, const struct TExecuteStatementReq *request,
                               struct TExecuteStatementResp *response) {
  struct failure failure = {0};
  struct operation_request run = {.type = TOperationType_EXECUTE_STATEMENT};
  struct session *session = service_session(service, request->has_sessionHandle ? request->sessionHandle : NULL);
  if (!session) {
    TCLI_SET(response, status, service_bad_session(service, request->has_sessionHandle ? request->sessionHandle : NULL));
    return;
  }
  size_t bad_at = 0;
  struct slice sql = request->has_statement ? request->statement : slice_of("", 0);
  bool good = true;
  if (sql.size && memchr(sql.data, 0, sql.size)) {
    good = failure_set(&failure, "PARSE_SYNTAX_ERROR", "42601", "The statement holds a zero byte.");
  } else if (!utf8_is_valid(sql.data, sql.size, &bad_at)) {
    good = failure_set(&failure, "PARSE_SYNTAX_ERROR", "42601", "The statement is not valid UTF-8: byte %zu.", bad_at);
  } else {
    good = parameters_read(request, &run.parameters, &run.parameter_count, &failure);
  }
  if (good && run.parameter_count && session->protocol < TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V4)
    good = failure_set(&failure, "UNSUPPORTED_FEATURE", "0A000", "Query parameters need a newer protocol version than the session's.");
  if (!good) {
    operation_request_free(&run);
    TCLI_SET(response, status, service_error(service, &failure, "Error running query: "));
    failure_clear(&failure);
    session_unref(session);
    return;
  }
  run.sql = wh_copy_slice(sql);
  if (service->faults->fails_with) run.fails_with = wh_copy(service->faults->fails_with);
  run.shape = shape_of(service, session, request);
  run.asynchronous = request->has_runAsync && request->runAsync;
  if (request->has_queryTimeout && request->queryTimeout > 0)
    run.timeout_ms = request->queryTimeout > INT32_MAX ? (int64_t)INT32_MAX * 1000 : request->queryTimeout * 1000;
  if (!service->warehouse->plain_hive) {
    if (request->has_resultRowLimit && request->resultRowLimit > 0) run.row_limit = request->resultRowLimit;
    if (request->has_maxBytesPerFile && request->maxBytesPerFile > 0) run.file_bytes = request->maxBytesPerFile;
    read_direct(&run, request->has_getDirectResults, request->getDirectResults);
  }
  if (request->has_confOverlay && request->confOverlay.count) {
    run.overlay_count = request->confOverlay.count;
    run.overlay = wh_new(run.overlay_count, sizeof *run.overlay);
    for (size_t i = 0; i < run.overlay_count; i++)
      run.overlay[i] =
          (struct setting){wh_copy_slice(request->confOverlay.items[i].key), wh_copy_slice(request->confOverlay.items[i].value)};
  }
  service_run(service, session, &run, &response->status, &response->operationHandle, &response->directResults);
  response->has_status = true;
  response->has_operationHandle = response->operationHandle != NULL;
  response->has_directResults = response->directResults != NULL;
  session_unref(session);
}

/* ---- Metadata calls ---------------------------------------------------------------------------------------------------------------------
 */

/* All answers to them have the same fields at the same places. */
void service_metadata_call(struct service *service, enum tcli_method method, const void *in, struct TExecuteStatementResp *out) {
  struct operation_request run = {.metadata_call = true, .call = method};
  const struct TSessionHandle *handle = NULL;
#define COMMON(request)                                                            \
  handle = (request)->has_sessionHandle ? (request)->sessionHandle : NULL;         \
  read_direct(&run, (request)->has_getDirectResults, (request)->getDirectResults); \
  run.asynchronous = (request)->has_runAsync && (request)->runAsync
#define PATTERN(request, i, field) \
  if ((request)->has_##field) run.patterns[i] = wh_copy_slice((request)->field)
  switch (method) {
    case TCLI_GetTypeInfo: {
      const struct TGetTypeInfoReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_TYPE_INFO;
      break;
    }
    case TCLI_GetCatalogs: {
      const struct TGetCatalogsReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_CATALOGS;
      break;
    }
    case TCLI_GetSchemas: {
      const struct TGetSchemasReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_SCHEMAS;
      PATTERN(request, 0, catalogName);
      PATTERN(request, 1, schemaName);
      break;
    }
    case TCLI_GetTables: {
      const struct TGetTablesReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_TABLES;
      PATTERN(request, 0, catalogName);
      PATTERN(request, 1, schemaName);
      PATTERN(request, 2, tableName);
      if (request->has_tableTypes) {
        run.table_type_count = request->tableTypes.count;
        run.table_types = wh_new(run.table_type_count, sizeof *run.table_types);
        for (size_t i = 0; i < run.table_type_count; i++) run.table_types[i] = wh_copy_slice(request->tableTypes.items[i]);
      }
      break;
    }
    case TCLI_GetTableTypes: {
      const struct TGetTableTypesReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_TABLE_TYPES;
      break;
    }
    case TCLI_GetColumns: {
      const struct TGetColumnsReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_COLUMNS;
      PATTERN(request, 0, catalogName);
      PATTERN(request, 1, schemaName);
      PATTERN(request, 2, tableName);
      PATTERN(request, 3, columnName);
      break;
    }
    case TCLI_GetFunctions: {
      const struct TGetFunctionsReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_FUNCTIONS;
      PATTERN(request, 0, catalogName);
      PATTERN(request, 1, schemaName);
      PATTERN(request, 2, functionName);
      break;
    }
    case TCLI_GetPrimaryKeys: {
      const struct TGetPrimaryKeysReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_FUNCTIONS; /* as Hive has it */
      PATTERN(request, 0, catalogName);
      PATTERN(request, 1, schemaName);
      PATTERN(request, 2, tableName);
      break;
    }
    default: {
      const struct TGetCrossReferenceReq *request = in;
      COMMON(request);
      run.type = TOperationType_GET_FUNCTIONS;
      PATTERN(request, 0, parentCatalogName);
      PATTERN(request, 1, parentSchemaName);
      PATTERN(request, 2, parentTableName);
      PATTERN(request, 3, foreignCatalogName);
      PATTERN(request, 4, foreignSchemaName);
      PATTERN(request, 5, foreignTableName);
      break;
    }
  }
  struct session *session = service_session(service, handle);
  out->has_status = true;
  if (!session) {
    out->status = service_bad_session(service, handle);
    operation_request_free(&run);
    return;
  }
  if (service->faults->fails_with) run.fails_with = wh_copy(service->faults->fails_with);
  service_run(service, session, &run, &out->status, &out->operationHandle, &out->directResults);
  out->has_operationHandle = out->operationHandle != NULL;
  out->has_directResults = out->directResults != NULL;
  session_unref(session);
}
