#include "session/connection.h"

#include "api/api.h"
#include "session/statement.h"

dbsql_status dbsql_connect(const dbsql_config *config, const dbsql_call *call, dbsql_connection **connection, dbsql_error **error) {
  API_REQUIRE(connection, error);
  *connection = NULL;
  API_REQUIRE(config, error);
  API_BEGIN(error);
  API_END(connection_open(config, call, connection, error));
}

dbsql_status dbsql_connection_close(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error) {
  return connection ? connection_close(connection, call, error) : DBSQL_OK;
}

const char *dbsql_connection_id(const dbsql_connection *connection) {
  return connection ? connection->backend->session_id : "";
}

int32_t dbsql_connection_protocol_version(const dbsql_connection *connection) {
  return connection ? connection->backend->protocol_version : 0;
}

bool dbsql_connection_is_alive(const dbsql_connection *connection) {
  return connection && atomic_load(&connection->is_open) && !connection->transaction.broken;
}

dbsql_status dbsql_connection_get_info(dbsql_connection *connection, int32_t info_type, const dbsql_call *user_call, char **value,
                                       dbsql_error **error) {
  API_REQUIRE(connection, error);
  API_REQUIRE(value, error);
  *value = NULL;
  API_BEGIN(error);
  struct call call;
  dbsql_status status = connection_begin(connection, user_call, &call, error);
  if (status == DBSQL_OK) {
    status = connection->backend->ops->get_info(connection->backend, info_type, &call, value, error);
    status = connection_end(connection, &call, "", status, error);
  }
  API_END(status);
}

dbsql_status dbsql_connection_ping(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error) {
  char *version;
  dbsql_status status = dbsql_connection_get_info(connection, 18 /* DBMS_VER */, call, &version, error);
  if (status == DBSQL_OK) dbsql_free(version);
  return status;
}

/* ---- metadata calls ---- */

static dbsql_status metadata(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *call,
                             dbsql_result **result, dbsql_error **error) {
  API_REQUIRE(result, error);
  *result = NULL;
  API_REQUIRE(connection, error);
  API_BEGIN(error);
  API_END(connection_metadata(connection, request, call, result, error));
}

dbsql_status dbsql_get_catalogs(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {.kind = METADATA_CATALOGS};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_schemas(dbsql_connection *connection, const char *catalog, const char *schema_pattern, const dbsql_call *call,
                               dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {.kind = METADATA_SCHEMAS, .catalog = catalog, .schema = schema_pattern};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_tables(dbsql_connection *connection, const char *catalog, const char *schema_pattern, const char *table_pattern,
                              const char *const *table_types, size_t table_type_count, const dbsql_call *call, dbsql_result **result,
                              dbsql_error **error) {
  if (table_type_count != 0) API_REQUIRE(table_types, error);
  for (size_t i = 0; i < table_type_count; i++) API_REQUIRE(table_types[i], error);
  struct backend_metadata request = {.kind = METADATA_TABLES,
                                     .catalog = catalog,
                                     .schema = schema_pattern,
                                     .name = table_pattern,
                                     .table_types = table_types,
                                     .table_type_count = table_type_count};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_table_types(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {.kind = METADATA_TABLE_TYPES};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_columns(dbsql_connection *connection, const char *catalog, const char *schema_pattern, const char *table_pattern,
                               const char *column_pattern, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {
      .kind = METADATA_COLUMNS, .catalog = catalog, .schema = schema_pattern, .name = table_pattern, .column = column_pattern};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_functions(dbsql_connection *connection, const char *catalog, const char *schema_pattern,
                                 const char *function_pattern, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {
      .kind = METADATA_FUNCTIONS, .catalog = catalog, .schema = schema_pattern, .name = function_pattern ? function_pattern : "%"};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_type_info(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {.kind = METADATA_TYPE_INFO};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_primary_keys(dbsql_connection *connection, const char *catalog, const char *schema, const char *table,
                                    const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {.kind = METADATA_PRIMARY_KEYS, .catalog = catalog, .schema = schema, .name = table};
  return metadata(connection, &request, call, result, error);
}

dbsql_status dbsql_get_cross_reference(dbsql_connection *connection, const char *parent_catalog, const char *parent_schema,
                                       const char *parent_table, const char *foreign_catalog, const char *foreign_schema,
                                       const char *foreign_table, const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  struct backend_metadata request = {.kind = METADATA_CROSS_REFERENCE,
                                     .catalog = parent_catalog,
                                     .schema = parent_schema,
                                     .name = parent_table,
                                     .foreign_catalog = foreign_catalog,
                                     .foreign_schema = foreign_schema,
                                     .foreign_name = foreign_table};
  return metadata(connection, &request, call, result, error);
}
