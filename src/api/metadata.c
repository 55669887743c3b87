/* The metadata calls: arguments to a request (session/metadata.h). */
#include "session/metadata.h"

#include "api/api.h"
#include "base/mem.h"
#include "session/metadata_match.h"

static dbsql_status metadata(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *call,
                             dbsql_result **result, dbsql_error **error) {
  API_REQUIRE(result, error);
  *result = NULL;
  API_REQUIRE(connection, error);
  API_BEGIN(error);
  API_END(metadata_get(connection, request, call, result, error));
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
  struct backend_metadata request = {.kind = METADATA_FUNCTIONS, .catalog = catalog, .schema = schema_pattern, .name = function_pattern};
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

dbsql_status dbsql_escape_pattern(const char *name, char **pattern, dbsql_error **error) {
  API_REQUIRE(pattern, error);
  *pattern = NULL;
  API_REQUIRE(name, error);
  struct buf out = BUF_INIT;
  metadata_append_escaped(&out, name);
  *pattern = buf_take_text(&out);
  return *pattern ? DBSQL_OK : error_no_memory(error);
}

dbsql_status dbsql_quote_identifier(const char *name, char **quoted, dbsql_error **error) {
  API_REQUIRE(quoted, error);
  *quoted = NULL;
  API_REQUIRE(name, error);
  struct buf out = BUF_INIT;
  metadata_append_identifier(&out, slice_text(name));
  *quoted = buf_take_text(&out);
  return *quoted ? DBSQL_OK : error_no_memory(error);
}

dbsql_status dbsql_statement_describe(dbsql_statement *statement, const char *sql, size_t length, const dbsql_call *call,
                                      dbsql_result **result, dbsql_error **error) {
  API_REQUIRE(result, error);
  *result = NULL;
  API_REQUIRE(statement, error);
  API_REQUIRE(sql, error);
  API_BEGIN(error);
  API_END(statement_describe(statement, slice_of(sql, length == SIZE_MAX ? strlen(sql) : length), call, result, error));
}

dbsql_status dbsql_connection_current(dbsql_connection *connection, bool ask, const dbsql_call *call, const char **catalog,
                                      const char **schema, dbsql_error **error) {
  const char *unused;
  if (!catalog) catalog = &unused;
  if (!schema) schema = &unused;
  *catalog = *schema = NULL;
  API_REQUIRE(connection, error);
  API_BEGIN(error);
  API_END(connection_current(connection, ask, call, catalog, schema, error));
}
