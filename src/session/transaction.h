/*
 * Transactions of several statements (thrift.md 9): what is known of the session's, and the sequences that begin and end one. All of it is
 * SQL on the session; what is cached is the server's answer to it. `error` must not be NULL here.
 */
#ifndef DBSQL_SESSION_TRANSACTION_H
#define DBSQL_SESSION_TRANSACTION_H

#include "base/buf.h"
#include "base/call.h"

/* Work that a COMMIT would keep and a ROLLBACK discard. */
enum transaction_work {
  TRANSACTION_NOTHING,
  TRANSACTION_TOUCHED, /* something was sent that may have begun a transaction, but changed nothing */
  TRANSACTION_DOUBT,   /* what became of a statement, and so of the transaction, is not known */
  TRANSACTION_OPEN,
  TRANSACTION_FAILED /* only ROLLBACK helps */
};

/* Lies in the connection, and is used by whoever uses that. */
struct transaction {
  bool switched_off; /* the server's autocommit, as far as we know */
  bool uncertain;    /* the user's own SQL may have changed that: the server is asked before it matters */
  bool begun;        /* by dbsql_begin(): its end switches autocommit on again */
  bool broken;       /* nobody knows: the connection is of no use any more */
  enum transaction_work work;
};

/* What a statement does to transactions, by its first words. */
enum transaction_verb {
  TRANSACTION_VERB_NONE,
  TRANSACTION_VERB_BEGIN,
  TRANSACTION_VERB_COMMIT,
  TRANSACTION_VERB_ROLLBACK,
  TRANSACTION_VERB_ON,
  TRANSACTION_VERB_OFF,
  TRANSACTION_VERB_ASK,   /* SET AUTOCOMMIT alone */
  TRANSACTION_VERB_SCRIPT /* BEGIN ... END, and what is no valid statement of these: it may do anything */
};
enum transaction_verb transaction_verb(struct slice sql);

/* What became of a statement. */
enum transaction_outcome { TRANSACTION_DONE, TRANSACTION_REFUSED, TRANSACTION_NOT_RUN, TRANSACTION_IN_THE_DARK };
struct backend_operation;
/* `ran`: the server has said that it went well, whatever failed afterwards. */
enum transaction_outcome transaction_outcome(dbsql_status status, bool ran, const struct backend_operation *operation,
                                             const dbsql_error *error);

struct dbsql_connection;
/* The server has accepted it; it may still run. */
void transaction_accepted(dbsql_connection *connection, enum transaction_verb verb);
/* After every statement of the user's, and after every metadata call (they change nothing). Puts the SQLSTATE of the error class into the
 * error. */
void transaction_after_statement(dbsql_connection *connection, enum transaction_verb verb, enum transaction_outcome outcome,
                                 dbsql_error *error);
void transaction_after_metadata(dbsql_connection *connection, enum transaction_outcome outcome, dbsql_error *error);
/* Whether SQL of the library's own could meet a transaction: it would harm it, so none may be sent. No I/O. */
bool transaction_forbids_sql(const dbsql_connection *connection);

dbsql_transaction_state transaction_state(const dbsql_connection *connection);
dbsql_status transaction_begin(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error);
dbsql_status transaction_commit(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error);
dbsql_status transaction_rollback(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error);
dbsql_status transaction_set_autocommit(dbsql_connection *connection, bool on, const dbsql_call *user_call, dbsql_error **error);
dbsql_status transaction_get_autocommit(dbsql_connection *connection, bool *on, const dbsql_call *user_call, dbsql_error **error);
/* For a pool, when a connection comes back: rolls back what is open and switches autocommit on. Sends nothing if there is nothing to do. On
 * failure the connection must not be used again. */
dbsql_status transaction_reset(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error);
/* Before the session is closed: a ROLLBACK with a short limit, if something may be open. Errors do not matter. */
void transaction_close(dbsql_connection *connection);

#endif
