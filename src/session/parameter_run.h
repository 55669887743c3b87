/* Running a statement with what is bound to it. */
#ifndef DBSQL_SESSION_PARAMETER_RUN_H
#define DBSQL_SESSION_PARAMETER_RUN_H

#include "session/statement.h"

/* As statement_execute(), for a statement to which parameters are bound: once, or for several sets as often as it takes; then the result's
 * counts are the sums. */
dbsql_status statement_execute_bound(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **result,
                                     dbsql_error **error);

#endif
