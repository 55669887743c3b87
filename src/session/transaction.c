#include "session/transaction.h"

#include <string.h>

#include "arrow/column.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "session/connection.h"
#include "session/statement.h"
#include "telemetry/interceptor.h"

/* COMMIT may take long. The others are quick: who waits longer for them waits in vain. */
enum { commit_ms = 300000, quick_ms = 30000, close_ms = 2000 };

/* ---- What is known ------------------------------------------------------------------------------------------------------- */

dbsql_transaction_state transaction_state(const dbsql_connection *connection) {
  const struct transaction *transaction = &connection->transaction;
  if (transaction->broken || !atomic_load(&connection->is_open)) return DBSQL_TRANSACTION_BROKEN;
  if (transaction->uncertain) return DBSQL_TRANSACTION_UNKNOWN;
  switch (transaction->work) {
    case TRANSACTION_DOUBT: return DBSQL_TRANSACTION_UNKNOWN;
    case TRANSACTION_OPEN: return DBSQL_TRANSACTION_ACTIVE;
    case TRANSACTION_FAILED: return DBSQL_TRANSACTION_ABORTED;
    default: return transaction->switched_off ? DBSQL_TRANSACTION_IDLE : DBSQL_TRANSACTION_AUTO;
  }
}

static bool is_under_way(const struct transaction *transaction) {
  return transaction->work > TRANSACTION_TOUCHED;
}

bool transaction_forbids_sql(const dbsql_connection *connection) {
  const struct transaction *transaction = &connection->transaction;
  return transaction->switched_off || transaction->uncertain || transaction->broken || transaction->work != TRANSACTION_NOTHING;
}

static bool has_class(const dbsql_error *error, const char *name) {
  const char *class = dbsql_error_class(error);
  if (strncmp(class, "MULTI_STATEMENT_", 16) == 0) class += 16;
  return text_has_prefix_nocase(class, name);
}

/* thrift.md 9.2: the class at the start of the message tells more than the state, which is not known for all. */
static void map_error(dbsql_error *error) {
  static const struct {
    const char *name, *sqlstate;
  } classes[] = {{"DELTA_CONCURRENT_", "40001"},
                 {"DELTA_METADATA_CHANGED", "40001"},
                 {"DELTA_PROTOCOL_CHANGED", "40001"},
                 {"TRANSACTION_NO_ACTIVE_TRANSACTION", "25000"},
                 {"NO_ACTIVE_TRANSACTION", "25000"},
                 {"AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION", "25001"},
                 {"AUTOCOMMIT_SET_TRUE_DURING_AUTOCOMMIT_TRANSACTION", "25001"},
                 {"AUTOCOMMIT_SET_FALSE_ALREADY_DISABLED", "25000"},
                 {"TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT", "40000"},
                 {"TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION", "25001"},
                 {"TRANSACTION_NOT_SUPPORTED", "0A000"}};
  static const char *const conflicts[] = {
      "ConcurrentAppendException", "ConcurrentDeleteReadException", "ConcurrentDeleteDeleteException", "ConcurrentTransactionException",
      "ConcurrentWriteException",  "MetadataChangedException",      "ProtocolChangedException",        "ConcurrentModificationException"};
  if (!error || error->is_static || error->kind != DBSQL_ERROR_EXECUTION) return;
  const char *sqlstate = NULL;
  for (size_t i = 0; i < sizeof classes / sizeof classes[0] && !sqlstate; i++) {
    if (has_class(error, classes[i].name)) sqlstate = classes[i].sqlstate;
  }
  for (size_t i = 0; i < sizeof conflicts / sizeof conflicts[0] && !sqlstate; i++) {
    if (strstr(dbsql_error_message(error), conflicts[i])) sqlstate = "40001";
  }
  if (sqlstate) memcpy(error->sqlstate, sqlstate, 6);
}

/* To Spark alone SET AUTOCOMMIT is a setting like any other: it would say yes, and nothing would be a transaction. */
static bool has_transactions(const dbsql_connection *connection) {
  return connection->backend->protocol_version > last_hive_protocol;
}

/* ---- What the user's own statements do ----------------------------------------------------------------------------------- */

static void note_done(struct transaction *transaction, enum transaction_verb verb) {
  switch (verb) {
    case TRANSACTION_VERB_NONE:
      if (transaction->switched_off || transaction->work == TRANSACTION_FAILED) transaction->work = TRANSACTION_OPEN;
      return;
    case TRANSACTION_VERB_ASK:
      if (transaction->switched_off && transaction->work == TRANSACTION_NOTHING) transaction->work = TRANSACTION_TOUCHED;
      return;
    case TRANSACTION_VERB_BEGIN: transaction->work = TRANSACTION_OPEN; break;
    case TRANSACTION_VERB_COMMIT:
    case TRANSACTION_VERB_ROLLBACK: transaction->work = TRANSACTION_NOTHING; break;
    case TRANSACTION_VERB_ON:
    case TRANSACTION_VERB_OFF:
      transaction->switched_off = verb == TRANSACTION_VERB_OFF;
      transaction->work = TRANSACTION_NOTHING;
      break;
    case TRANSACTION_VERB_SCRIPT:
      if (transaction->switched_off) transaction->work = TRANSACTION_OPEN;
      break;
  }
  transaction->uncertain = true;
}

static void note_refused(struct transaction *transaction, enum transaction_verb verb, const dbsql_error *error) {
  if (has_class(error, "AUTOCOMMIT_SET_FALSE_ALREADY_DISABLED")) transaction->switched_off = true;
  bool first = verb == TRANSACTION_VERB_NONE || verb == TRANSACTION_VERB_SCRIPT; /* one that begins a transaction by itself */
  if (is_under_way(transaction) || has_class(error, "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT") || (first && transaction->switched_off))
    transaction->work = TRANSACTION_FAILED;
}

static void note_lost(struct transaction *transaction, enum transaction_verb verb) {
  if (verb != TRANSACTION_VERB_NONE && verb != TRANSACTION_VERB_ASK) transaction->uncertain = true;
  bool plain = verb == TRANSACTION_VERB_NONE || verb == TRANSACTION_VERB_ASK;
  if (!plain || transaction->switched_off || is_under_way(transaction)) transaction->work = TRANSACTION_DOUBT;
}

void transaction_accepted(dbsql_connection *connection, enum transaction_verb verb) {
  struct transaction *transaction = &connection->transaction;
  if (verb == TRANSACTION_VERB_NONE && transaction->switched_off && !is_under_way(transaction)) transaction->work = TRANSACTION_OPEN;
}

void transaction_after_statement(dbsql_connection *connection, enum transaction_verb verb, enum transaction_outcome outcome,
                                 dbsql_error *error) {
  map_error(error);
  if (!has_transactions(connection)) return;
  switch (outcome) {
    case TRANSACTION_DONE: note_done(&connection->transaction, verb); break;
    case TRANSACTION_REFUSED: note_refused(&connection->transaction, verb, error); break;
    case TRANSACTION_IN_THE_DARK: note_lost(&connection->transaction, verb); break;
    case TRANSACTION_NOT_RUN: break;
  }
}

/* Drivers' tests disagree on what servers make of such calls inside a transaction (thrift.md 9.1): ready for all of it. */
void transaction_after_metadata(dbsql_connection *connection, enum transaction_outcome outcome, dbsql_error *error) {
  struct transaction *transaction = &connection->transaction;
  map_error(error);
  if (outcome == TRANSACTION_REFUSED && has_class(error, "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT")) {
    transaction->work = TRANSACTION_FAILED;
  } else if (outcome == TRANSACTION_REFUSED && transaction->work == TRANSACTION_OPEN) {
    transaction->work = TRANSACTION_DOUBT;
  } else if (outcome != TRANSACTION_NOT_RUN && transaction->switched_off && transaction->work == TRANSACTION_NOTHING) {
    transaction->work = TRANSACTION_TOUCHED;
  }
}

/* ---- Statements of our own ----------------------------------------------------------------------------------------------- */

/* The one value of the answer to SET AUTOCOMMIT: "true" and "false", also "1" and "0". */
static dbsql_status read_switch(dbsql_result *result, const struct call *call, bool *on, dbsql_error **error) {
  struct ArrowArray batch = {0};
  struct arrow_column column = {0};
  struct buf text = BUF_INIT;
  const struct ArrowSchema *schema = ipc_schema_arrow(result->schema->arrow);
  dbsql_status status = result_reader_next(&result->reader, call, &batch, error);
  bool known = false;
  if (status == DBSQL_OK && batch.release && batch.length > 0 && schema->n_children > 0) {
    status = arrow_column_bind(&column, schema->children[0], error);
    if (status == DBSQL_OK) {
      arrow_column_attach(&column, batch.children[0]);
      status = arrow_column_text(&column, 0, &text, error);
    }
    const char *value = status == DBSQL_OK ? buf_text(&text) : NULL;
    *on = value && (text_equal_nocase(value, "true") || strcmp(value, "1") == 0);
    known = *on || (value && (text_equal_nocase(value, "false") || strcmp(value, "0") == 0));
    arrow_column_free(&column);
  }
  if (status == DBSQL_OK && !known)
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server does not say whether autocommit is on");
  if (batch.release) batch.release(&batch);
  buf_free(&text);
  return status;
}

/* Runs one statement; `on` is for the value that SET AUTOCOMMIT answers, otherwise NULL. */
static dbsql_status run(dbsql_connection *connection, const char *sql, const struct call *call, bool *on, enum transaction_outcome *outcome,
                        dbsql_error **error) {
  const struct backend_ops *ops = connection->backend->ops;
  struct backend_operation *operation = NULL;
  dbsql_result *result = NULL;
  struct backend_statement request = {.sql = slice_text(sql)};
  char query_id[guid_text_size] = "";
  struct telemetry_statement record;
  telemetry_before_execute(connection->telemetry, &record, operation_type_EXECUTE_STATEMENT, statement_type_SQL);
  if (record.owner) telemetry_set_internal(&record, true);
  dbsql_status status = ops->execute(connection->backend, &request, call, &operation, error);
  if (status == DBSQL_OK) status = ops->wait(operation, call, error);
  bool ran = status == DBSQL_OK;
  if (operation) memcpy(query_id, operation->key.id, sizeof query_id);
  if (record.owner && operation) telemetry_set_id(&record, operation->key.guid);
  telemetry_executed(&record);
  if (ran && on) status = result_open(connection, operation, 0, call, &result, error);
  if (result) status = read_switch(result, call, on, error);
  status = connection_end(connection, call, query_id, status, error);
  *outcome = transaction_outcome(status, ran, operation, error ? *error : NULL);
  telemetry_failed(&record, status, error ? *error : NULL, PLACE_STATEMENT);
  telemetry_after_execute(&record);
  if (error) map_error(*error);
  if (result) {
    result_free(result);
  } else if (operation) {
    struct call farewell;
    call_begin_internal(&farewell, close_ms);
    ops->close_operation(operation, atomic_load(&connection->is_open) ? &farewell : NULL);
  }
  return status;
}

/* A call of ours: the caller's correlation id and time limit, but not its cancel handle; what ends a transaction must not be left half
 * done. */
static void begin_own(struct call *call, const dbsql_call *user_call, int64_t default_ms) {
  call_begin(call, user_call, default_ms);
  call->cancel = NULL;
}

static bool is_lost(const dbsql_connection *connection) {
  return !atomic_load(&connection->is_open);
}

static dbsql_status break_off(dbsql_connection *connection, dbsql_status status, dbsql_error **error) {
  connection->transaction.broken = true;
  log_write(&connection->config->log, DBSQL_LOG_WARN, "session",
            "the state of the transaction is not known: the connection is of no more use", "connection_id", connection->backend->session_id,
            "error", error && *error ? dbsql_error_message(*error) : "", (char *)NULL);
  return status;
}

/* ROLLBACK does no harm, whatever is open and however often it comes: it may be sent again where the outcome is in the dark. */
static dbsql_status roll_back(dbsql_connection *connection, const struct call *call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  enum transaction_outcome outcome = TRANSACTION_NOT_RUN;
  dbsql_status status = DBSQL_OK;
  for (int attempt = 0; attempt < 2; attempt++) {
    error_clear(error);
    status = run(connection, "ROLLBACK", call, NULL, &outcome, error);
    if (status == DBSQL_OK || outcome == TRANSACTION_REFUSED || is_lost(connection) || status == DBSQL_ERROR_TIMEOUT) break;
  }
  if (outcome == TRANSACTION_DONE) {
    transaction->work = TRANSACTION_NOTHING;
    return DBSQL_OK;
  }
  transaction->work = TRANSACTION_DOUBT;
  return status;
}

/* Autocommit on, after all work has ended. Sent again where the outcome is in the dark: it sets a value, and does nothing else. */
static dbsql_status switch_on(dbsql_connection *connection, const struct call *call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  dbsql_status status = DBSQL_OK;
  for (int attempt = 0; attempt < 2; attempt++) {
    enum transaction_outcome outcome = TRANSACTION_NOT_RUN;
    error_clear(error);
    status = run(connection, "SET AUTOCOMMIT = TRUE", call, NULL, &outcome, error);
    if (outcome == TRANSACTION_DONE) {
      error_clear(error);
      transaction->switched_off = transaction->uncertain = transaction->begun = false;
      transaction->work = TRANSACTION_NOTHING;
      return DBSQL_OK;
    }
    if (is_lost(connection) || status == DBSQL_ERROR_TIMEOUT) break;
    /* A server that sees a transaction where we see none: what we read may have begun it. */
    bool open = has_class(error ? *error : NULL, "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT") ||
                has_class(error ? *error : NULL, "AUTOCOMMIT_SET_");
    if (outcome == TRANSACTION_REFUSED && attempt == 0 && open) {
      dbsql_error *ignored = NULL;
      roll_back(connection, call, &ignored);
      dbsql_error_free(ignored);
    }
  }
  return break_off(connection, status, error);
}

/* Makes sure that we know whether autocommit is on, unless a transaction is under way: nothing of ours is sent into one, and what the
 * user's statements have said counts. */
static dbsql_status resolve(dbsql_connection *connection, const struct call *call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  enum transaction_outcome outcome;
  bool on = false;
  if (!transaction->uncertain || is_under_way(transaction)) return DBSQL_OK;
  dbsql_status status = run(connection, "SET AUTOCOMMIT", call, &on, &outcome, error);
  if (status != DBSQL_OK) {
    if (outcome == TRANSACTION_REFUSED && has_class(error ? *error : NULL, "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT"))
      transaction->work = TRANSACTION_FAILED;
    error_prefix(error, "cannot find out whether autocommit is on");
    return status;
  }
  transaction->uncertain = false;
  transaction->switched_off = !on;
  if (on) transaction->begun = false;
  if (!on) transaction->work = TRANSACTION_TOUCHED;
  return DBSQL_OK;
}

static dbsql_status refuse(dbsql_connection *connection, const struct call *call, const char *sqlstate, const char *message,
                           dbsql_error **error) {
  return connection_end(connection, call, "", error_set(error, DBSQL_ERROR_DRIVER, sqlstate, "%s", message), error);
}

/* The call of the functions that end something: connection_begin() without the cancel handle. */
static dbsql_status start(dbsql_connection *connection, const dbsql_call *user_call, int64_t default_ms, struct call *call,
                          dbsql_error **error) {
  dbsql_status valid = call_validate(user_call, error);
  if (valid != DBSQL_OK) return valid;
  dbsql_call own = DBSQL_CALL_INIT;
  if (user_call) own.correlation_id = user_call->correlation_id;
  own.timeout_ms = user_call && user_call->timeout_ms != 0 ? user_call->timeout_ms : default_ms;
  return connection_begin(connection, &own, call, error);
}

static dbsql_status refuse_plain(dbsql_connection *connection, const struct call *call, dbsql_error **error) {
  return refuse(connection, call, "HYC00", "this server has no transactions: a plain HiveServer2", error);
}

/* ---- The sequences (thrift.md 9.4) --------------------------------------------------------------------------------------- */

dbsql_status transaction_begin(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  struct call call, own;
  enum transaction_outcome outcome;
  dbsql_status status = connection_begin(connection, user_call, &call, error);
  if (status != DBSQL_OK) return status;
  if (!has_transactions(connection)) return refuse_plain(connection, &call, error);
  status = resolve(connection, &call, error);
  if (status != DBSQL_OK) return status;
  if (transaction->switched_off || is_under_way(transaction))
    return refuse(connection, &call, "25001", "failed to begin transaction: transaction already in progress", error);
  status = run(connection, "SET AUTOCOMMIT = FALSE", &call, NULL, &outcome, error);
  if (outcome == TRANSACTION_DONE) {
    transaction->switched_off = transaction->begun = true;
    transaction->work = TRANSACTION_NOTHING;
    return status;
  }
  if (outcome == TRANSACTION_REFUSED) note_refused(transaction, TRANSACTION_VERB_OFF, error ? *error : NULL);
  if (outcome == TRANSACTION_IN_THE_DARK && !is_lost(connection)) {
    dbsql_error *ignored = NULL;
    begin_own(&own, NULL, quick_ms);
    switch_on(connection, &own, &ignored);
    dbsql_error_free(ignored);
  }
  error_prefix(error, "failed to begin transaction");
  return status;
}

/* After COMMIT or ROLLBACK: the end of what dbsql_begin() began. An error is logged, and the connection broken; the transaction's end
 * has been told already. */
static void finish(dbsql_connection *connection, bool rolled_back) {
  struct transaction *transaction = &connection->transaction;
  struct call call;
  dbsql_error *ignored = NULL;
  if (is_lost(connection)) return;
  begin_own(&call, NULL, quick_ms);
  if (transaction->begun) {
    switch_on(connection, &call, &ignored);
  } else if (!rolled_back) {
    break_off(connection, DBSQL_OK, NULL);
  }
  dbsql_error_free(ignored);
}

static void outcome_unknown(dbsql_status *status, dbsql_error **error) {
  *status = *status == DBSQL_ERROR_NO_MEMORY ? *status : DBSQL_ERROR_REQUEST;
  if (!error || !*error || (*error)->is_static) return;
  (*error)->kind = *status;
  memcpy((*error)->sqlstate, "08007", 6);
  error_prefix(error, "the outcome of the transaction is unknown: it may have been committed or not");
}

/* COMMIT, and after a failed one ROLLBACK. `*error` is the COMMIT's. */
static dbsql_status commit(dbsql_connection *connection, const struct call *call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  enum transaction_outcome outcome;
  bool only_touched = transaction->work == TRANSACTION_TOUCHED;
  bool rolled_back = true;
  dbsql_status status = DBSQL_OK;
  dbsql_error *ignored = NULL;
  struct call own;
  if (transaction->work != TRANSACTION_NOTHING) {
    status = run(connection, "COMMIT", call, NULL, &outcome, error);
    const dbsql_error *why = error ? *error : NULL;
    bool nothing = has_class(why, "NO_ACTIVE_TRANSACTION") || has_class(why, "TRANSACTION_NO_ACTIVE_TRANSACTION");
    if (outcome == TRANSACTION_DONE || (only_touched && outcome == TRANSACTION_REFUSED && nothing)) {
      error_clear(error);
      status = DBSQL_OK;
      transaction->work = TRANSACTION_NOTHING;
    } else {
      /* A server that did not know the session when the COMMIT came has not committed. */
      bool in_time = outcome == TRANSACTION_IN_THE_DARK && !(is_lost(connection) && !*dbsql_error_query_id(why));
      if (in_time) outcome_unknown(&status, error);
      error_prefix(error, "failed to commit transaction");
      if (error && *error && !(*error)->is_static) (*error)->retryable = false; /* it is rolled back */
      begin_own(&own, NULL, quick_ms);
      rolled_back = !is_lost(connection) && roll_back(connection, &own, &ignored) == DBSQL_OK;
      dbsql_error_free(ignored);
    }
  }
  finish(connection, rolled_back);
  return status;
}

dbsql_status transaction_commit(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  struct call call;
  dbsql_status status = start(connection, user_call, commit_ms, &call, error);
  if (status == DBSQL_OK) status = resolve(connection, &call, error);
  if (status != DBSQL_OK) return status;
  if (!transaction->switched_off && !is_under_way(transaction))
    return refuse(connection, &call, "25000", "failed to commit transaction: there is none", error);
  return commit(connection, &call, error);
}

dbsql_status transaction_rollback(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  struct call call;
  dbsql_status status = start(connection, user_call, quick_ms, &call, error);
  if (status != DBSQL_OK) return status;
  if (transaction->work != TRANSACTION_NOTHING || transaction->uncertain) status = roll_back(connection, &call, error);
  error_prefix(error, "failed to rollback transaction");
  finish(connection, status == DBSQL_OK);
  return status;
}

/* ---- The attribute ------------------------------------------------------------------------------------------------------- */

dbsql_status transaction_set_autocommit(dbsql_connection *connection, bool on, const dbsql_call *user_call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  struct call call;
  enum transaction_outcome outcome;
  dbsql_status status = start(connection, user_call, commit_ms, &call, error);
  if (status != DBSQL_OK) return status;
  if (!on && !has_transactions(connection)) return refuse_plain(connection, &call, error);
  status = resolve(connection, &call, error);
  if (status != DBSQL_OK) return status;
  if (!on) {
    if (transaction->switched_off) {
      transaction->begun = false;
      return DBSQL_OK;
    }
    if (is_under_way(transaction))
      return refuse(connection, &call, "25001", "autocommit cannot be switched off: a transaction begun by SQL is in progress", error);
    status = run(connection, "SET AUTOCOMMIT = FALSE", &call, NULL, &outcome, error);
    if (outcome == TRANSACTION_DONE) {
      transaction->switched_off = true;
      transaction->work = TRANSACTION_NOTHING;
      return status;
    }
    if (outcome == TRANSACTION_REFUSED) note_refused(transaction, TRANSACTION_VERB_OFF, error ? *error : NULL);
    if (outcome == TRANSACTION_IN_THE_DARK && !is_lost(connection)) {
      dbsql_error *ignored = NULL;
      switch_on(connection, &call, &ignored);
      dbsql_error_free(ignored);
    }
    error_prefix(error, "failed to switch autocommit off");
    return status;
  }
  if (!transaction->switched_off && !is_under_way(transaction)) return DBSQL_OK;
  bool begun = transaction->begun;
  transaction->begun = false; /* the end of it is ours here */
  status = commit(connection, &call, error);
  if (status != DBSQL_OK) {
    if (begun && !transaction->broken && !is_lost(connection)) {
      transaction->begun = true;
      finish(connection, true);
    }
    return status;
  }
  if (!transaction->switched_off && !transaction->uncertain) return DBSQL_OK; /* it was begun by SQL, with autocommit on */
  status = switch_on(connection, &call, error);
  error_prefix(error, "failed to switch autocommit on");
  return status;
}

dbsql_status transaction_get_autocommit(dbsql_connection *connection, bool *on, const dbsql_call *user_call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  struct call call;
  dbsql_status status = connection_begin(connection, user_call, &call, error);
  if (status == DBSQL_OK) status = resolve(connection, &call, error);
  if (status == DBSQL_OK) *on = !transaction->switched_off;
  return status;
}

/* ---- Pools and closing --------------------------------------------------------------------------------------------------- */

dbsql_status transaction_reset(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error) {
  struct transaction *transaction = &connection->transaction;
  struct call call;
  dbsql_status status = start(connection, user_call, quick_ms, &call, error);
  if (status != DBSQL_OK) return status;
  if (transaction->work != TRANSACTION_NOTHING) {
    status = roll_back(connection, &call, error);
    if (status != DBSQL_OK) return break_off(connection, status, error);
  }
  /* What the user's SQL has left is not asked for, but set. */
  if (transaction->switched_off || transaction->uncertain) status = switch_on(connection, &call, error);
  return status;
}

void transaction_close(dbsql_connection *connection) {
  struct call call;
  dbsql_error *ignored = NULL;
  enum transaction_outcome outcome;
  if (connection->transaction.work == TRANSACTION_NOTHING && !connection->transaction.broken) return;
  call_begin_internal(&call, close_ms);
  run(connection, "ROLLBACK", &call, NULL, &outcome, &ignored);
  dbsql_error_free(ignored);
  connection->transaction.work = TRANSACTION_NOTHING;
}
