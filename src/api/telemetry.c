#include "api/api.h"
#include "session/connection.h"
#include "telemetry/interceptor.h"
#include "telemetry/stats.h"

dbsql_status dbsql_telemetry_get_stats(const dbsql_connection *connection, dbsql_telemetry_stats *stats, dbsql_error **error) {
  API_REQUIRE(stats, error);
  if (stats->struct_size < sizeof stats->struct_size) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "dbsql_telemetry_get_stats: stats.struct_size is not set");
  }
  telemetry_stats(connection ? connection->telemetry : NULL, stats);
  return DBSQL_OK;
}

dbsql_status dbsql_telemetry_get_report(const dbsql_connection *connection, char **json, dbsql_error **error) {
  API_REQUIRE(json, error);
  struct buf report = BUF_INIT;
  telemetry_report(connection ? connection->telemetry : NULL, &report);
  *json = buf_take_text(&report);
  buf_free(&report);
  return *json ? DBSQL_OK : error_no_memory(error);
}

bool dbsql_telemetry_flush(int64_t timeout_ms) {
  return telemetry_flush(timeout_ms);
}

bool dbsql_telemetry_shutdown(int64_t timeout_ms) {
  return telemetry_shutdown(timeout_ms);
}
