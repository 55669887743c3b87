/* Every stage at which a call can wait, held up by the local warehouse: the cancel handle and the time limit end it there, the error says
 * which of them, and what was waited for. What is not tested here: waiting for memory, since the next file in order may always be had. */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "warehouse_process.h"

enum { rows = 20000, limit_ms = 400 };

static struct warehouse_process *warehouse;

enum action { CONNECT, EXECUTE, READ, METADATA, PING, INFO, CLOSE };

struct stage {
  const char *name;
  enum action action;
  const char *options[4]; /* of the connection */
  const char *faults[2];
  const char *expected; /* what the error names */
  enum { PLAIN, REFUSES, AHEAD } kind;
  /* REFUSES: in place of waiting longer than the time limit the server's own error is told at once. AHEAD: files are begun before the
   * consumer waits for them, so that the cancel handle may find it at something else. */
};

#define HOLD(method) "{\"name\": \"stall\", \"method\": \"" method "\", \"count\": -1, \"delay_ms\": 600000}"

static const struct stage stages[] = {
    {"opening the session", CONNECT, {NULL}, {HOLD("OpenSession")}, "OpenSession: ", PLAIN},
    {"waiting to send again",
     CONNECT,
     {NULL},
     {"{\"name\": \"http-503\", \"count\": -1, \"retry_after\": \"25\"}"},
     "OpenSession",
     REFUSES},
    {"executing", EXECUTE, {NULL}, {HOLD("ExecuteStatement")}, "ExecuteStatement", PLAIN},
    {"polling", EXECUTE, {"direct_results", "false"}, {HOLD("GetOperationStatus")}, "GetOperationStatus", PLAIN},
    {"polling, and the server does not answer the cancellation either",
     EXECUTE,
     {"direct_results", "false"},
     {HOLD("GetOperationStatus"), HOLD("CancelOperation")},
     "GetOperationStatus",
     PLAIN},
    {"the result's metadata", EXECUTE, {"direct_results", "false"}, {HOLD("GetResultSetMetadata")}, "GetResultSetMetadata", PLAIN},
    {"a page of rows", READ, {"cloudfetch", "false", "direct_results_max_rows", "100"}, {HOLD("FetchResults")}, "FetchResults", PLAIN},
    {"a page of links", READ, {NULL}, {HOLD("FetchResults")}, "FetchResults", PLAIN},
    {"downloading a file", READ, {NULL}, {"{\"name\": \"storage-stall\", \"file\": 1, \"count\": -1}"}, "while ", AHEAD},
    {"waiting to download again",
     READ,
     {NULL},
     {"{\"name\": \"storage-503\", \"file\": 1, \"count\": -1, \"retry_after\": \"25\"}"},
     "while ",
     AHEAD},
    {"renewing a link",
     READ,
     {NULL},
     {"{\"name\": \"link-403\", \"file\": 1, \"count\": -1}", HOLD("FetchResults")},
     "FetchResults",
     AHEAD},
    {"a metadata call", METADATA, {NULL}, {HOLD("GetTables")}, "GetTables", PLAIN},
    {"a ping", PING, {NULL}, {HOLD("GetInfo")}, "GetInfo", PLAIN},
    {"information", INFO, {NULL}, {HOLD("GetInfo")}, "GetInfo", PLAIN},
    {"closing the session", CLOSE, {NULL}, {HOLD("CloseSession")}, "CloseSession", PLAIN},
};

static int struck(void) {
  char *stats = warehouse_get(warehouse, "/control/stats");
  const char *at = strstr(stats, "\"faults_struck\":");
  int count = at ? atoi(at + strlen("\"faults_struck\":")) : 0;
  free(stats);
  return count;
}

struct trigger {
  dbsql_cancel *cancel;
  int before;
  int faults; /* that have to strike before the stage is reached */
};

/* Triggers the handle as soon as the stage is reached: when its faults have struck. */
static void *trigger_at_the_stage(void *user) {
  struct trigger *trigger = user;
  while (struck() < trigger->before + trigger->faults) {
  }
  dbsql_cancel_trigger(trigger->cancel);
  return NULL;
}

static dbsql_status act(const struct stage *stage, dbsql_config *config, dbsql_connection **connection, const dbsql_call *call,
                        int64_t *read, dbsql_error **error) {
  char sql[120];
  snprintf(sql, sizeof sql, "SELECT i AS n, concat('text ', CAST(i AS VARCHAR)) AS s FROM range(%d) AS r(i)", rows);
  dbsql_result *result = NULL;
  dbsql_status status = DBSQL_OK;
  char *text = NULL;
  switch (stage->action) {
    case CONNECT: return dbsql_connect(config, call, connection, error);
    case METADATA: status = dbsql_get_tables(*connection, NULL, NULL, "%", NULL, 0, call, &result, error); break;
    case PING: return dbsql_connection_ping(*connection, call, error);
    case INFO: status = dbsql_connection_get_info(*connection, 18, call, &text, error); break;
    case CLOSE: {
      dbsql_connection *closing = *connection;
      *connection = NULL;
      return dbsql_connection_close(closing, call, error);
    }
    case EXECUTE:
    case READ: status = dbsql_execute(*connection, sql, SIZE_MAX, call, &result, error); break;
  }
  while (status == DBSQL_OK && stage->action == READ) {
    struct ArrowArray batch;
    status = dbsql_result_next_batch(result, call, &batch, error);
    if (status != DBSQL_OK || !batch.release) break;
    *read += batch.length;
    batch.release(&batch);
  }
  dbsql_free(text);
  dbsql_result_free(result);
  return status;
}

static void end_at(const struct stage *stage, bool by_cancel) {
  dbsql_config *config = warehouse_config(warehouse);
  for (size_t i = 0; i < 4 && stage->options[i]; i += 2) {
    assert_int_equal(dbsql_config_set(config, stage->options[i], stage->options[i + 1], NULL), DBSQL_OK);
  }
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  if (stage->action != CONNECT) assert_int_equal(dbsql_connect(config, NULL, &connection, NULL), DBSQL_OK);
  struct trigger trigger = {.before = struck(), .faults = 0};
  for (size_t i = 0; i < 2 && stage->faults[i]; i++) {
    warehouse_fault(warehouse, stage->faults[i]);
    /* The cancellation comes after the end. */
    if (!strstr(stage->faults[i], "CancelOperation")) trigger.faults++;
  }
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = by_cancel ? -1 : limit_ms;
  pthread_t thread;
  if (by_cancel) {
    assert_int_equal(dbsql_cancel_new(&trigger.cancel, NULL), DBSQL_OK);
    call.cancel = trigger.cancel;
    assert_int_equal(pthread_create(&thread, NULL, trigger_at_the_stage, &trigger), 0);
  }
  int64_t read = 0;
  dbsql_status status = act(stage, config, &connection, &call, &read, &error);
  if (by_cancel) pthread_join(thread, NULL);
  const char *message = dbsql_error_message(error);
  const char *how = by_cancel ? "cancelled" : "out of time";
  bool refused = !by_cancel && stage->kind == REFUSES;
  bool elsewhere = by_cancel && stage->kind == AHEAD;
  if (status != (by_cancel ? DBSQL_ERROR_CANCELLED : refused ? DBSQL_ERROR_REQUEST : DBSQL_ERROR_TIMEOUT)) {
    fail_msg("%s, %s: %s: %s", stage->name, how, dbsql_status_name(status), message);
  }
  assert_string_equal(dbsql_error_sqlstate(error), by_cancel ? "HY008" : refused ? "08004" : "HYT00");
  if (!elsewhere && !strstr(message, stage->expected)) fail_msg("%s, %s: \"%s\"", stage->name, how, message);
  if (stage->action == READ && !elsewhere) {
    char progress[40];
    snprintf(progress, sizeof progress, "after %d rows", (int)read);
    if (!strstr(message, progress)) fail_msg("%s, %s, at %d rows: \"%s\"", stage->name, how, (int)read, message);
  }
  dbsql_error_free(error);
  error = NULL;
  warehouse_clear_faults(warehouse);
  if (connection) {
    dbsql_result *result = NULL;
    if (dbsql_execute(connection, "SELECT 1", SIZE_MAX, NULL, &result, &error) != DBSQL_OK) {
      fail_msg("%s, %s, afterwards: %s", stage->name, how, dbsql_error_message(error));
    }
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
  }
  dbsql_cancel_free(trigger.cancel);
  dbsql_config_free(config);
  assert_int_equal(dbsql_memory_used(), 0);
}

static void each_stage(bool by_cancel) {
  if (!warehouse_is_there()) skip();
  warehouse =
      warehouse_start((const char *const[]){"--cloudfetch-threshold", "16384", "--file-bytes", "65536", "--links-per-page", "2", NULL});
  for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) end_at(&stages[i], by_cancel);
  assert_int_equal(warehouse_stop(warehouse), 0);
}

static void cancelled_at_each_stage(void **state) {
  (void)state;
  each_stage(true);
}

static void out_of_time_at_each_stage(void **state) {
  (void)state;
  each_stage(false);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(cancelled_at_each_stage), cmocka_unit_test(out_of_time_at_each_stage)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
