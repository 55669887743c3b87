#include "transaction.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "commands.h"
#include "memory.h"

/* ---- Conflicts --------------------------------------------------------------------------------------------------------------------------
 */

/* The last commit that wrote a table. Two transactions that write one conflict, whatever the rows: the second COMMIT fails. */
struct table_version {
  struct table_version *next;
  int64_t commit;
  char name[];
};

void transactions_init(struct warehouse *warehouse) {
  pthread_mutex_init(&warehouse->commit_lock, NULL);
}

void transactions_free(struct warehouse *warehouse) {
  while (warehouse->versions) {
    struct table_version *next = warehouse->versions->next;
    free(warehouse->versions);
    warehouse->versions = next;
  }
  pthread_mutex_destroy(&warehouse->commit_lock);
}

static struct table_version *find_version(struct warehouse *warehouse, const char *name) {
  struct table_version *version = warehouse->versions;
  while (version && strcmp(version->name, name) != 0) version = version->next;
  return version;
}

/* With the lock held. */
static void note_commit(struct warehouse *warehouse, const char *name) {
  struct table_version *version = find_version(warehouse, name);
  if (!version) {
    version = wh_new(1, sizeof *version + strlen(name) + 1);
    memcpy(version->name, name, strlen(name) + 1);
    version->next = warehouse->versions;
    warehouse->versions = version;
  }
  version->commit = warehouse->commits;
}

/* The full name of what a change writes, in lower case. The caller's. */
static char *target_of(const struct session *session, const struct sql_statement *statement) {
  const char *catalog = statement->arguments[0] ? statement->arguments[0] : session->catalog;
  const char *schema = statement->arguments[1] ? statement->arguments[1] : session->schema;
  char *name = wh_print("%s.%s.%s", catalog, schema, statement->arguments[2]);
  for (char *c = name; *c; c++) {
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  }
  return name;
}

static void forget_writes(struct session *session) {
  buf_reset(&session->written);
  session->has_snapshot = false;
}

void transaction_forget(struct session *session) {
  buf_free(&session->written);
}

/* ---- The state machine ------------------------------------------------------------------------------------------------------------------
 */

static const char *transaction_name(const struct session *session) {
  static const char *const names[] = {"AUTO", "IDLE", "ACTIVE", "ABORTED"};
  return names[session->transaction];
}

static bool transaction_autocommit(const struct session *session) {
  return session->transaction == TRANSACTION_AUTO || session->explicit_transaction;
}

static bool rollback_required(struct failure *failure) {
  return failure_set(failure, "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.PREVIOUS_QUERY_FAILURE", "40000",
                     "The current transaction has been aborted because a previous statement failed. Run ROLLBACK to end it.");
}

bool transaction_before(struct session *session, const struct sql_statement *statement, struct failure *failure) {
  bool own = statement && statement->kind >= SQL_BEGIN;
  if (session->transaction == TRANSACTION_ABORTED) return (statement && statement->kind == SQL_ROLLBACK) || rollback_required(failure);
  if (own) return true;
  if (session->transaction == TRANSACTION_IDLE) {
    bool begun = session_execute(session, "BEGIN TRANSACTION", failure);
    session->transaction = begun ? TRANSACTION_ACTIVE : TRANSACTION_ABORTED;
    if (!begun) return false;
  }
  if (session->transaction != TRANSACTION_ACTIVE) return true;
  if (!session->has_snapshot) {
    pthread_mutex_lock(&session->warehouse->commit_lock);
    session->snapshot = session->warehouse->commits;
    pthread_mutex_unlock(&session->warehouse->commit_lock);
    session->has_snapshot = true;
  }
  if (statement && statement->refused_inside) {
    char *name = wh_print("TRANSACTION_NOT_SUPPORTED.%s", statement->refused_inside);
    failure_set(failure, name, "0A000", "The statement is not supported inside a multi-statement transaction.");
    free(name);
    return false;
  }
  return true;
}

void transaction_after(struct session *session, const struct sql_statement *statement, bool good) {
  if (!good) {
    if (session->transaction == TRANSACTION_ACTIVE) session->transaction = TRANSACTION_ABORTED;
    return;
  }
  if (!statement || statement->kind != SQL_CHANGE || !statement->arguments[2]) return;
  char *target = target_of(session, statement);
  if (session->transaction == TRANSACTION_ACTIVE) {
    buf_append(&session->written, target, strlen(target) + 1);
    wh_check(&session->written);
  } else {
    pthread_mutex_lock(&session->warehouse->commit_lock);
    session->warehouse->commits++;
    note_commit(session->warehouse, target);
    pthread_mutex_unlock(&session->warehouse->commit_lock);
  }
  free(target);
}

static bool begin(struct session *session, struct failure *failure) {
  if (session->transaction == TRANSACTION_ACTIVE)
    return failure_set(failure, "TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION", "0A000", "Nested transactions are not supported.");
  if (!session_execute(session, "BEGIN TRANSACTION", failure)) return false;
  session->explicit_transaction = session->transaction == TRANSACTION_AUTO;
  session->transaction = TRANSACTION_ACTIVE;
  return true;
}

static void transaction_ends(struct session *session) {
  forget_writes(session);
  session->transaction = session->explicit_transaction ? TRANSACTION_AUTO : TRANSACTION_IDLE;
  session->explicit_transaction = false;
}

static bool commit(struct session *session, struct failure *failure) {
  struct warehouse *warehouse = session->warehouse;
  if (session->transaction != TRANSACTION_ACTIVE)
    return failure_set(failure, "MULTI_STATEMENT_TRANSACTION_NO_ACTIVE_TRANSACTION", "25000", "There is no active transaction to commit.");
  const char *end = session->written.size ? (const char *)session->written.data + session->written.size : NULL;
  bool good = true;
  pthread_mutex_lock(&warehouse->commit_lock);
  for (const char *name = (const char *)session->written.data; good && end && name < end; name += strlen(name) + 1) {
    struct table_version *version = find_version(warehouse, name);
    if (version && version->commit > session->snapshot)
      good = failure_set(failure, "DELTA_CONCURRENT_APPEND", "2D521",
                         "ConcurrentAppendException: the table %s was changed by another transaction. Run ROLLBACK and try again.", name);
  }
  good = good && session_execute(session, "COMMIT", failure);
  if (good && end) {
    warehouse->commits++;
    for (const char *name = (const char *)session->written.data; name < end; name += strlen(name) + 1) note_commit(warehouse, name);
  }
  pthread_mutex_unlock(&warehouse->commit_lock);
  if (good) transaction_ends(session);
  return good;
}

static bool rollback(struct session *session) {
  if (session->transaction == TRANSACTION_ACTIVE || session->transaction == TRANSACTION_ABORTED) {
    /* It cannot be cancelled: what interrupts the engine here is meant for the statement before it, or for nobody any more. After a failed
     * COMMIT the engine has nothing to roll back. */
    bool again = true;
    for (int attempt = 0; again && attempt < 100; attempt++) {
      struct failure failure = {0};
      again = !session_execute(session, "ROLLBACK", &failure) && strcmp(failure.error_class, "OPERATION_CANCELED") == 0;
      failure_clear(&failure);
    }
    transaction_ends(session);
  }
  return true;
}

static bool set_autocommit(struct session *session, bool on, struct failure *failure) {
  if (session->transaction == TRANSACTION_ACTIVE) {
    if (on && !session->explicit_transaction)
      return failure_set(
          failure, "AUTOCOMMIT_SET_TRUE_DURING_AUTOCOMMIT_TRANSACTION", "25000",
          "AUTOCOMMIT cannot be enabled inside a transaction that began because it was disabled. End the transaction first.");
    return failure_set(failure, "AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION", "25000",
                       "AUTOCOMMIT cannot be set while a transaction is active.");
  }
  if (!on && session->transaction == TRANSACTION_IDLE)
    return failure_set(failure, "AUTOCOMMIT_SET_FALSE_ALREADY_DISABLED", "25000", "AUTOCOMMIT is disabled already.");
  session->transaction = on ? TRANSACTION_AUTO : TRANSACTION_IDLE;
  return true;
}

bool transaction_run(struct session *session, const struct sql_statement *statement, const struct result_shape *shape,
                     struct result *result, struct failure *failure) {
  static const char *const columns[] = {"AUTOCOMMIT", "u", "", NULL};
  const char *value = statement->arguments[0];
  bool good = true;
  switch (statement->kind) {
    case SQL_BEGIN: good = begin(session, failure); break;
    case SQL_COMMIT: good = commit(session, failure); break;
    case SQL_ROLLBACK: good = rollback(session); break;
    default:
      if (!value) {
        struct table *table = table_new(columns);
        table_text(table, transaction_autocommit(session) ? "true" : "false");
        table_row(table);
        return table_finish(table, result, shape, failure);
      }
      good = set_autocommit(session, strcmp(value, "true") == 0, failure);
  }
  return good && command_empty_result(result, shape, failure);
}

bool transaction_fails_with(const char *what, struct failure *failure) {
  size_t length = strcspn(what, " ");
  char *name = wh_copy_n(what, length);
  char sqlstate[6] = "XX000";
  if (strlen(what) == length + 6) memcpy(sqlstate, what + length + 1, 5);
  failure_set(failure, name, sqlstate, "This was asked for (POST /control/faults).");
  free(name);
  return false;
}

bool transaction_allows_call(struct operation *operation, struct failure *failure) {
  if (operation->request.fails_with) return transaction_fails_with(operation->request.fails_with, failure);
  return operation->session->transaction != TRANSACTION_ABORTED || rollback_required(failure);
}

json_t *transactions_list(struct warehouse *warehouse) {
  json_t *out = json_array();
  pthread_mutex_lock(&warehouse->lock);
  for (size_t i = 0; i < warehouse_buckets; i++) {
    for (const struct session *session = warehouse->sessions[i]; session; session = session->next) {
      json_t *item = json_object();
      json_object_set_new(item, "id", json_string(session->handle.text));
      json_object_set_new(item, "transaction", json_string(transaction_name(session)));
      json_object_set_new(item, "autocommit", json_boolean(transaction_autocommit(session)));
      json_array_append_new(out, item);
    }
  }
  pthread_mutex_unlock(&warehouse->lock);
  return out;
}
