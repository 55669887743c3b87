/* Transactions of several statements, as a session of a Databricks SQL warehouse has them (thrift.md 9.1). What the worker calls. */
#ifndef DBSQL_WAREHOUSE_TRANSACTION_H
#define DBSQL_WAREHOUSE_TRANSACTION_H

#include <jansson.h>

#include "sql.h"
#include "warehouse.h"

/* Before any statement, also one that cannot be read (`statement` NULL): a transaction begins by itself, an aborted one and what is not
 * supported inside one is refused. */
bool transaction_before(struct session *session, const struct sql_statement *statement, struct failure *failure);
/* After it, also when it was refused: it fails as a whole. */
void transaction_after(struct session *session, const struct sql_statement *statement, bool good);
/* SQL_BEGIN to SQL_AUTOCOMMIT. */
bool transaction_run(struct session *session, const struct sql_statement *statement, const struct result_shape *shape,
                     struct result *result, struct failure *failure);
/* Metadata calls neither begin a transaction nor harm one. */
bool transaction_allows_call(struct operation *operation, struct failure *failure);
/* The failure of a fault: "CLASS", or "CLASS SQLSTATE". Returns false. */
bool transaction_fails_with(const char *what, struct failure *failure);
/* The session ends. */
void transaction_forget(struct session *session);
/* Who wrote what. */
void transactions_init(struct warehouse *warehouse);
void transactions_free(struct warehouse *warehouse);
/* The sessions that are open, and where each stands: a new array. From any thread. */
json_t *transactions_list(struct warehouse *warehouse);

#endif
