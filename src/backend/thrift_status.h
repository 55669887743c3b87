/* What a server says of failure, as our errors (thrift.md 10). */
#ifndef DBSQL_BACKEND_THRIFT_STATUS_H
#define DBSQL_BACKEND_THRIFT_STATUS_H

#include "base/error.h"
#include "thrift/tcli.h"

/* DBSQL_OK for SUCCESS, SUCCESS_WITH_INFO and STILL_EXECUTING; otherwise the error that the status describes. `kind` says what a
 * failure of this call is, `what` which call it was. A status that is missing is an error too. */
dbsql_status thrift_check_status(const struct TStatus *status, dbsql_status kind, const char *what, dbsql_error **error);

/* The error of an operation that ended in `state` without a result. `response` has the details. */
dbsql_status thrift_operation_failed(const struct TGetOperationStatusResp *response, dbsql_error **error);

#endif
