/* Statements about transactions, known by their first words; and what the server says when it refuses them. */
#include <string.h>

#include "backend/backend.h"
#include "base/error.h"
#include "session/sql_words.h"
#include "session/transaction.h"

enum transaction_verb transaction_verb(struct slice sql) {
  struct sql_words in = sql_words_of(sql);
  if (sql_accept_word(&in, "COMMIT")) return TRANSACTION_VERB_COMMIT;
  if (sql_accept_word(&in, "ROLLBACK")) return TRANSACTION_VERB_ROLLBACK;
  if (sql_accept_word(&in, "BEGIN")) {
    if (sql_accept_word(&in, "TRANSACTION") || sql_accept_word(&in, "WORK")) return TRANSACTION_VERB_BEGIN;
    return sql_accept_word(&in, "ATOMIC") ? TRANSACTION_VERB_NONE : TRANSACTION_VERB_SCRIPT;
  }
  if (!sql_accept_word(&in, "SET") || !sql_accept_word(&in, "AUTOCOMMIT")) return TRANSACTION_VERB_NONE;
  if (sql_at_end(&in)) return TRANSACTION_VERB_ASK;
  if (!sql_accept_symbol(&in, '=')) return TRANSACTION_VERB_SCRIPT;
  bool on = sql_accept_word(&in, "TRUE") || sql_accept_word(&in, "1");
  bool off = !on && (sql_accept_word(&in, "FALSE") || sql_accept_word(&in, "0"));
  if ((!on && !off) || !sql_at_end(&in)) return TRANSACTION_VERB_SCRIPT;
  return on ? TRANSACTION_VERB_ON : TRANSACTION_VERB_OFF;
}

enum transaction_outcome transaction_outcome(dbsql_status status, bool ran, const struct backend_operation *operation,
                                             const dbsql_error *error) {
  if (status == DBSQL_OK || ran) return TRANSACTION_DONE;
  if (operation) {
    /* A statement that was cancelled may not have begun, or have ended before. */
    bool told = operation->has_ended && status != DBSQL_ERROR_NO_MEMORY && status != DBSQL_ERROR_CANCELLED;
    return told ? TRANSACTION_REFUSED : TRANSACTION_IN_THE_DARK;
  }
  if (dbsql_error_is_retryable(error)) return TRANSACTION_NOT_RUN;
  const char *sqlstate = dbsql_error_sqlstate(error);
  int http = dbsql_error_http_status(error);
  switch (status) {
    case DBSQL_ERROR_EXECUTION: return TRANSACTION_REFUSED;
    case DBSQL_ERROR_DRIVER: /* refused before it was sent */
      return strcmp(sqlstate, "HYC00") == 0 || strcmp(sqlstate, "08003") == 0 ? TRANSACTION_NOT_RUN : TRANSACTION_IN_THE_DARK;
    case DBSQL_ERROR_REQUEST:
      if (strcmp(sqlstate, "08001") == 0 || strcmp(sqlstate, "28000") == 0) return TRANSACTION_NOT_RUN;
      return http >= 400 && http < 500 && http != 408 ? TRANSACTION_NOT_RUN : TRANSACTION_IN_THE_DARK;
    default: return TRANSACTION_IN_THE_DARK;
  }
}
