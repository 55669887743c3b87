/* What the tests of transactions share. */
#ifndef DBSQL_TESTS_TRANSACTION_TOOLS_H
#define DBSQL_TESTS_TRANSACTION_TOOLS_H

#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "warehouse_group.h"

static inline dbsql_connection *open_one(void) {
  return warehouse_connect(warehouse_config(warehouse));
}

static inline dbsql_status try_run(dbsql_connection *connection, const char *sql, dbsql_error **error) {
  dbsql_result *result = NULL;
  dbsql_status status = dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, error);
  dbsql_result_free(result);
  return status;
}

static inline void run(dbsql_connection *connection, const char *sql) {
  dbsql_error *error = NULL;
  if (try_run(connection, sql, &error) != DBSQL_OK) fail_msg("%s: %s", sql, dbsql_error_message(error));
}

#define OK(call)                                                                   \
  do {                                                                             \
    dbsql_error *error = NULL;                                                     \
    if ((call) != DBSQL_OK) fail_msg("%s: %s", #call, dbsql_error_message(error)); \
  } while (0)

/* The call fails with that SQLSTATE, and the class begins with that ("": any). */
#define FAILS(call, state, class)                                                                                            \
  do {                                                                                                                       \
    dbsql_error *error = NULL;                                                                                               \
    if ((call) == DBSQL_OK) fail_msg("%s went well", #call);                                                                 \
    if (strcmp(dbsql_error_sqlstate(error), (state)) != 0 || strncmp(dbsql_error_class(error), (class), strlen(class)) != 0) \
      fail_msg("%s: %s, %s: %s", #call, dbsql_error_sqlstate(error), dbsql_error_class(error), dbsql_error_message(error));  \
    dbsql_error_free(error);                                                                                                 \
  } while (0)

#define FAILS_SQL(connection, sql, state, class) FAILS(try_run((connection), (sql), &error), state, class)

/* The first value of a query's answer, as a number. */
static inline int64_t number(dbsql_connection *connection, const char *sql) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  bool has_row;
  const char *text = NULL;
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK ||
      dbsql_row_next(result, NULL, &has_row, &error) != DBSQL_OK || dbsql_get_text(result, 0, &text, NULL, &error) != DBSQL_OK) {
    fail_msg("%s: %s", sql, dbsql_error_message(error));
  }
  int64_t value = strtoll(text, NULL, 10);
  dbsql_result_free(result);
  return value;
}

/* What the server says of the session: "AUTO" ..., or "" if it has none of that id. */
static inline const char *server_state(const dbsql_connection *connection) {
  static char state[16];
  char *sessions = warehouse_get(warehouse, "/control/sessions");
  const char *at = strstr(sessions, dbsql_connection_id(connection));
  state[0] = 0;
  if (at && (at = strstr(at, "\"transaction\":\""))) snprintf(state, sizeof state, "%.*s", (int)strcspn(at + 15, "\""), at + 15);
  free(sessions);
  return state;
}

/* The library and the server say that state. */
static inline void assert_state(dbsql_connection *connection, const char *expected) {
  const char *known = dbsql_transaction_state_name(dbsql_connection_transaction_state(connection));
  if (strcmp(known, expected) != 0) fail_msg("the library says %s, not %s (the server: %s)", known, expected, server_state(connection));
  if (strcmp(server_state(connection), expected) != 0) fail_msg("the server says %s, not %s", server_state(connection), expected);
}

/* Operations that the server has run so far: statements and metadata calls. */
static inline int64_t statements(void) {
  char *stats = warehouse_get(warehouse, "/control/stats");
  const char *at = strstr(stats, "\"statements\":");
  int64_t count = at ? strtoll(at + 13, NULL, 10) : -1;
  free(stats);
  return count;
}

static inline void fault(const char *name, const char *match, int count, const char *more) {
  char json[256];
  snprintf(json, sizeof json, "{\"name\":\"%s\",\"match\":\"%s\",\"count\":%d%s}", name, match, count, more);
  warehouse_fault(warehouse, json);
}

#endif
