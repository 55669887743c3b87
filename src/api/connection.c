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
