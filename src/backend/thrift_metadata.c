/* Metadata calls (thrift.md 2.4). */
#include "backend/thrift_backend.h"
#include "backend/thrift_status.h"

#include "base/error.h"

static void set(bool *has, struct slice *field, const char *text) {
  *has = text != NULL;
  *field = slice_text(text);
}

/* What all these requests and answers have in common has the same names everywhere; C cannot say so without a macro. */
#define FILL(request)                                                                                 \
  do {                                                                                                \
    (request).has_sessionHandle = true;                                                               \
    (request).sessionHandle = thrift_session_handle(&backend->session, &parts);                       \
    if (backend->base.protocol_version >= direct_results_since && backend->settings.direct_results) { \
      (request).has_getDirectResults = true;                                                          \
      (request).getDirectResults = &direct;                                                           \
    }                                                                                                 \
    if (backend->base.protocol_version >= async_metadata_since) {                                     \
      (request).has_runAsync = true;                                                                  \
      (request).runAsync = true;                                                                      \
    }                                                                                                 \
  } while (0)

#define SEND(Call, request)                                                                                                               \
  do {                                                                                                                                    \
    struct T##Call##Resp response = {0};                                                                                                  \
    status = thrift_call(backend->client, TCLI_##Call, &(request), HTTP_RETRY_IDEMPOTENT, NULL, call, &answer, &response, error);         \
    if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_##Call, backend->settings.log, error);                     \
    if (status == DBSQL_OK) status = thrift_accept(backend, response.operationHandle, response.directResults, &answer, operation, error); \
  } while (0)

dbsql_status thrift_metadata(struct backend *base, const struct backend_metadata *what, const struct call *call,
                             struct backend_operation **operation, dbsql_error **error) {
  struct thrift_backend *backend = thrift_of(base);
  struct handle_parts parts;
  struct thrift_answer answer = {0};
  struct TSparkGetDirectResults direct = {
      .has_maxRows = true,
      .maxRows = backend->settings.direct_max_rows,
      .has_maxBytes = true,
      .maxBytes = backend->settings.direct_max_bytes,
  };
  struct arena arena = ARENA_INIT;
  dbsql_status status = DBSQL_OK;
  switch (what->kind) {
    case METADATA_CATALOGS: {
      struct TGetCatalogsReq request = {0};
      FILL(request);
      SEND(GetCatalogs, request);
      break;
    }
    case METADATA_SCHEMAS: {
      struct TGetSchemasReq request = {0};
      FILL(request);
      set(&request.has_catalogName, &request.catalogName, what->catalog);
      set(&request.has_schemaName, &request.schemaName, what->schema);
      SEND(GetSchemas, request);
      break;
    }
    case METADATA_TABLES: {
      struct TGetTablesReq request = {0};
      FILL(request);
      set(&request.has_catalogName, &request.catalogName, what->catalog);
      set(&request.has_schemaName, &request.schemaName, what->schema);
      set(&request.has_tableName, &request.tableName, what->name);
      if (what->table_type_count != 0) {
        request.has_tableTypes = true;
        request.tableTypes.count = (uint32_t)what->table_type_count;
        request.tableTypes.items = arena_alloc(&arena, what->table_type_count, sizeof *request.tableTypes.items);
        if (!request.tableTypes.items) {
          status = error_no_memory(error);
          break;
        }
        for (size_t i = 0; i < what->table_type_count; i++) request.tableTypes.items[i] = slice_text(what->table_types[i]);
      }
      SEND(GetTables, request);
      break;
    }
    case METADATA_TABLE_TYPES: {
      struct TGetTableTypesReq request = {0};
      FILL(request);
      SEND(GetTableTypes, request);
      break;
    }
    case METADATA_COLUMNS: {
      struct TGetColumnsReq request = {0};
      FILL(request);
      set(&request.has_catalogName, &request.catalogName, what->catalog);
      set(&request.has_schemaName, &request.schemaName, what->schema);
      set(&request.has_tableName, &request.tableName, what->name);
      set(&request.has_columnName, &request.columnName, what->column);
      SEND(GetColumns, request);
      break;
    }
    case METADATA_FUNCTIONS: {
      struct TGetFunctionsReq request = {0};
      FILL(request);
      set(&request.has_catalogName, &request.catalogName, what->catalog);
      set(&request.has_schemaName, &request.schemaName, what->schema);
      set(&request.has_functionName, &request.functionName, what->name);
      SEND(GetFunctions, request);
      break;
    }
    case METADATA_TYPE_INFO: {
      struct TGetTypeInfoReq request = {0};
      FILL(request);
      SEND(GetTypeInfo, request);
      break;
    }
    case METADATA_PRIMARY_KEYS: {
      struct TGetPrimaryKeysReq request = {0};
      FILL(request);
      set(&request.has_catalogName, &request.catalogName, what->catalog);
      set(&request.has_schemaName, &request.schemaName, what->schema);
      set(&request.has_tableName, &request.tableName, what->name);
      SEND(GetPrimaryKeys, request);
      break;
    }
    case METADATA_CROSS_REFERENCE: {
      struct TGetCrossReferenceReq request = {0};
      FILL(request);
      set(&request.has_parentCatalogName, &request.parentCatalogName, what->catalog);
      set(&request.has_parentSchemaName, &request.parentSchemaName, what->schema);
      set(&request.has_parentTableName, &request.parentTableName, what->name);
      set(&request.has_foreignCatalogName, &request.foreignCatalogName, what->foreign_catalog);
      set(&request.has_foreignSchemaName, &request.foreignSchemaName, what->foreign_schema);
      set(&request.has_foreignTableName, &request.foreignTableName, what->foreign_name);
      SEND(GetCrossReference, request);
      break;
    }
  }
  if (status != DBSQL_OK) thrift_answer_annotate(&answer, error);
  arena_free(&arena);
  thrift_answer_free(&answer);
  return status;
}
