/* Statements that the warehouse answers itself: SET, USE, SHOW, DESCRIBE. */
#ifndef DBSQL_WAREHOUSE_COMMANDS_H
#define DBSQL_WAREHOUSE_COMMANDS_H

#include "sql.h"
#include "warehouse.h"

/* The answer of a statement that has none: one column `Result`, no rows. */
bool command_empty_result(struct result *result, const struct result_shape *shape, struct failure *failure);
/* Any kind behind SQL_PLAIN and before SQL_BEGIN. */
bool command_run(struct session *session, const struct sql_statement *statement, const struct result_shape *shape, struct result *result,
                 struct failure *failure);

#endif
