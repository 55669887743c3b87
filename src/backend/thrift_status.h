/* What a server says of failure, as our errors (thrift.md 10). */
#ifndef DBSQL_BACKEND_THRIFT_STATUS_H
#define DBSQL_BACKEND_THRIFT_STATUS_H

#include "base/error.h"
#include "base/log.h"
#include "thrift/tcli.h"

/* DBSQL_OK for SUCCESS, SUCCESS_WITH_INFO (whose messages are logged as warnings) and STILL_EXECUTING; otherwise the error that the
 * status describes. `method` is the call that the status belongs to. A status that is missing is an error too. A call on the session
 * that is answered with INVALID_HANDLE, or a text that says so, marks the error as a lost session (thrift.md 5.1). */
dbsql_status thrift_check_status(const struct TStatus *status, enum tcli_method method, const struct log *log, dbsql_error **error);

/* The error of an operation that ended in `state` without a result. `response` has the details. */
dbsql_status thrift_operation_failed(const struct TGetOperationStatusResp *response, dbsql_error **error);

#endif
