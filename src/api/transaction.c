#include "session/transaction.h"

#include "api/api.h"
#include "session/connection.h"

static dbsql_status check_options(const dbsql_transaction_options *options, dbsql_error **error) {
  if (!options) return DBSQL_OK;
  if (options->struct_size < sizeof *options) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY009",
                     "dbsql_transaction_options: struct_size is %zu instead of %zu: begin with DBSQL_TRANSACTION_OPTIONS_INIT",
                     options->struct_size, sizeof *options);
  }
  switch (options->isolation) {
    case DBSQL_ISOLATION_DEFAULT:
    case DBSQL_ISOLATION_REPEATABLE_READ:
    case DBSQL_ISOLATION_SNAPSHOT:
    case DBSQL_ISOLATION_SERIALIZABLE: break;
    default:
      return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "unsupported transaction isolation level %s: the server's is REPEATABLE READ",
                       dbsql_isolation_name(options->isolation));
  }
  if (options->read_only) return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "read_only: the server has no read-only transactions");
  return DBSQL_OK;
}

dbsql_status dbsql_begin(dbsql_connection *connection, const dbsql_transaction_options *options, const dbsql_call *call,
                         dbsql_error **error) {
  API_REQUIRE(connection, error);
  dbsql_status status = check_options(options, error);
  if (status != DBSQL_OK) return status;
  API_BEGIN(error);
  API_END(transaction_begin(connection, call, error));
}

dbsql_status dbsql_commit(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error) {
  API_REQUIRE(connection, error);
  API_BEGIN(error);
  API_END(transaction_commit(connection, call, error));
}

dbsql_status dbsql_rollback(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error) {
  API_REQUIRE(connection, error);
  API_BEGIN(error);
  API_END(transaction_rollback(connection, call, error));
}

dbsql_status dbsql_connection_set_autocommit(dbsql_connection *connection, bool on, const dbsql_call *call, dbsql_error **error) {
  API_REQUIRE(connection, error);
  API_BEGIN(error);
  API_END(transaction_set_autocommit(connection, on, call, error));
}

dbsql_status dbsql_connection_get_autocommit(dbsql_connection *connection, bool *on, const dbsql_call *call, dbsql_error **error) {
  API_REQUIRE(connection, error);
  API_REQUIRE(on, error);
  API_BEGIN(error);
  API_END(transaction_get_autocommit(connection, on, call, error));
}

dbsql_transaction_state dbsql_connection_transaction_state(const dbsql_connection *connection) {
  return connection ? transaction_state(connection) : DBSQL_TRANSACTION_BROKEN;
}

dbsql_isolation dbsql_connection_isolation(const dbsql_connection *connection) {
  return connection ? DBSQL_ISOLATION_REPEATABLE_READ : DBSQL_ISOLATION_DEFAULT;
}

const char *dbsql_transaction_state_name(dbsql_transaction_state state) {
  switch (state) {
    case DBSQL_TRANSACTION_AUTO: return "AUTO";
    case DBSQL_TRANSACTION_IDLE: return "IDLE";
    case DBSQL_TRANSACTION_ACTIVE: return "ACTIVE";
    case DBSQL_TRANSACTION_ABORTED: return "ABORTED";
    case DBSQL_TRANSACTION_UNKNOWN: return "UNKNOWN";
    case DBSQL_TRANSACTION_BROKEN: return "BROKEN";
  }
  return "unknown state";
}

const char *dbsql_isolation_name(dbsql_isolation isolation) {
  switch (isolation) {
    case DBSQL_ISOLATION_DEFAULT: return "DEFAULT";
    case DBSQL_ISOLATION_READ_UNCOMMITTED: return "READ UNCOMMITTED";
    case DBSQL_ISOLATION_READ_COMMITTED: return "READ COMMITTED";
    case DBSQL_ISOLATION_REPEATABLE_READ: return "REPEATABLE READ";
    case DBSQL_ISOLATION_SNAPSHOT: return "SNAPSHOT";
    case DBSQL_ISOLATION_SERIALIZABLE: return "SERIALIZABLE";
  }
  return "unknown level";
}
