/* Bad input, bad servers, bad networks: a clear error or the right answer, within the deadline (issue: bad input). */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "warehouse_group.h"

/* Connecting must fail with this status, SQLSTATE and text, and say no secret. */
static void assert_no_connection(dbsql_config *config, dbsql_status status, const char *sqlstate, const char *text) {
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 20000;
  dbsql_status got = dbsql_connect(config, &call, &connection, &error);
  if (got != status || strcmp(dbsql_error_sqlstate(error), sqlstate) != 0 || !strstr(dbsql_error_message(error), text)) {
    fail_msg("%s %s \"%s\"; wanted %s with \"%s\"", dbsql_status_name(got), dbsql_error_sqlstate(error), dbsql_error_message(error),
             sqlstate, text);
  }
  assert_null(connection);
  assert_null(strstr(dbsql_error_message(error), "s3cret"));
  dbsql_error_free(error);
  dbsql_config_free(config);
}

static dbsql_config *with(const char *name, const char *value) {
  dbsql_config *config = warehouse_config(warehouse);
  assert_int_equal(dbsql_config_set(config, name, value, NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "retry_max", "1", NULL), DBSQL_OK);
  return config;
}

static void text_of_port(char *out, size_t size, int port) {
  snprintf(out, size, "%d", port);
}

/* A port that nobody listens on, and one that listens and never answers. */
static int silent_socket(int *port, bool listens) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  if (listens) assert_int_equal(listen(fd, 4), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  *port = ntohs(address.sin_port);
  return fd;
}

static void wrong_places(void **state) {
  NEEDS_WAREHOUSE;
  char text[16];
  int port;
  int fd = silent_socket(&port, false);
  text_of_port(text, sizeof text, port);
  assert_no_connection(with("port", text), DBSQL_ERROR_REQUEST, "08001", "127.0.0.1");
  close(fd);
  dbsql_config *config = with("host", "no-such-host.invalid");
  dbsql_config_set(config, "allow_insecure_http", "true", NULL);
  assert_no_connection(config, DBSQL_ERROR_REQUEST, "08001", "no-such-host.invalid");
  assert_no_connection(with("http_path", "/nothing/here"), DBSQL_ERROR_REQUEST, "08004", "404");
  assert_no_connection(with("access_token", "s3cret-and-wrong"), DBSQL_ERROR_REQUEST, "28000", "Credential was not sent");
}

static void a_server_that_never_answers(void **state) {
  NEEDS_WAREHOUSE;
  char text[16];
  int port;
  int fd = silent_socket(&port, true);
  text_of_port(text, sizeof text, port);
  dbsql_config *config = with("port", text);
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 200;
  dbsql_connection *connection;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_connect(config, &call, &connection, &error), DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(error), "HYT00");
  assert_string_equal(dbsql_error_host(error), "127.0.0.1");
  dbsql_error_free(error);
  dbsql_config_free(config);
  close(fd);
}

static void tls_where_it_is_not_expected(void **state) {
  NEEDS_WAREHOUSE;
  assert_no_connection(with("tls", "true"), DBSQL_ERROR_REQUEST, "08001", "TLS");
  static const char *const arguments[] = {"--tls", NULL};
  struct warehouse_process *secure = warehouse_start(arguments);
  dbsql_config *config = warehouse_config(secure);
  dbsql_config_set(config, "retry_max", "0", NULL);
  assert_no_connection(config, DBSQL_ERROR_REQUEST, "08001", "certificate"); /* a stranger's certificate */
  config = warehouse_config(secure);
  dbsql_config_set(config, "tls", "false", NULL);
  dbsql_config_set(config, "retry_max", "0", NULL);
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_ERROR_REQUEST);
  dbsql_error_free(error);
  dbsql_config_free(config);
  /* asked for by name it works */
  config = warehouse_config(secure);
  assert_int_equal(dbsql_config_set(config, "tls_verify", "false", NULL), DBSQL_OK);
  dbsql_connection_close(warehouse_connect(config), NULL, NULL);
  assert_int_equal(warehouse_stop(secure), 0);
}

static void a_proxy_that_is_not_there(void **state) {
  NEEDS_WAREHOUSE;
  int port;
  int fd = silent_socket(&port, false);
  char url[64];
  snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  dbsql_config *config = with("proxy_url", url);
  /* loopback hosts never go through a proxy, so another name is needed */
  dbsql_config_set(config, "host", "warehouse.invalid", NULL);
  dbsql_config_set(config, "allow_insecure_http", "true", NULL);
  assert_no_connection(config, DBSQL_ERROR_REQUEST, "08001", "proxy");
  close(fd);
}

/* ---- what the server does wrong, on purpose ---- */

enum outcome { RIGHT, REQUEST_ERROR, DRIVER_ERROR, ANY_ERROR, LOST };

static const struct {
  const char *fault;
  enum outcome outcome;
  const char *text; /* in the message */
} faults[] = {
    {"{\"name\":\"http-429\",\"count\":2,\"method\":\"ExecuteStatement\"}", RIGHT, NULL},
    {"{\"name\":\"http-503\",\"count\":2,\"method\":\"ExecuteStatement\",\"retry_after\":\"0\"}", RIGHT, NULL},
    {"{\"name\":\"http-503\",\"count\":1,\"method\":\"ExecuteStatement\",\"retry_after\":\"junk\"}", RIGHT, NULL},
    {"{\"name\":\"http-503\",\"count\":1,\"method\":\"ExecuteStatement\",\"retry_after\":\"Wed, 21 Oct 2015 07:28:00 GMT\"}", RIGHT, NULL},
    {"{\"name\":\"http-503\",\"count\":-1,\"method\":\"ExecuteStatement\"}", REQUEST_ERROR, "503"},
    {"{\"name\":\"http-500\",\"count\":1,\"method\":\"ExecuteStatement\"}", REQUEST_ERROR, "500"},
    {"{\"name\":\"http-502\",\"count\":1,\"method\":\"FetchResults\"}", RIGHT, NULL},
    {"{\"name\":\"http-504\",\"count\":2,\"method\":\"FetchResults\"}", RIGHT, NULL},
    {"{\"name\":\"http-403\",\"count\":1,\"method\":\"FetchResults\"}", REQUEST_ERROR, "403"},
    {"{\"name\":\"reset-before\",\"count\":1,\"method\":\"FetchResults\"}", RIGHT, NULL},
    {"{\"name\":\"reset-after\",\"count\":1,\"method\":\"FetchResults\"}", RIGHT, NULL},
    {"{\"name\":\"reset-after\",\"count\":1,\"method\":\"ExecuteStatement\"}", REQUEST_ERROR, NULL},
    {"{\"name\":\"truncated-body\",\"count\":1,\"method\":\"FetchResults\"}", RIGHT, NULL},
    {"{\"name\":\"truncated-body\",\"count\":1,\"method\":\"ExecuteStatement\"}", REQUEST_ERROR, NULL},
    {"{\"name\":\"slow-body\",\"count\":1,\"method\":\"FetchResults\",\"bytes\":200000,\"delay_ms\":1}", RIGHT, NULL},
    {"{\"name\":\"garbage-body\",\"count\":1,\"method\":\"FetchResults\"}", DRIVER_ERROR, "Thrift"},
    {"{\"name\":\"html-body\",\"count\":1,\"method\":\"ExecuteStatement\"}", ANY_ERROR, "html"},
    {"{\"name\":\"wrong-row-count\",\"count\":1,\"method\":\"FetchResults\"}", DRIVER_ERROR, "rows"},
    {"{\"name\":\"wrong-sequence-id\",\"count\":1,\"method\":\"FetchResults\"}", DRIVER_ERROR, "answers call"},
    {"{\"name\":\"oversized-body\",\"count\":1,\"method\":\"FetchResults\",\"bytes\":80000000}", ANY_ERROR, "67108864"},
    {"{\"name\":\"extra-fields\",\"count\":-1}", RIGHT, NULL},
    {"{\"name\":\"empty-page\",\"count\":2,\"method\":\"FetchResults\"}", RIGHT, NULL},
    {"{\"name\":\"session-lost\",\"count\":1,\"method\":\"FetchResults\"}", ANY_ERROR, "Invalid OperationHandle"},
    {"{\"name\":\"session-lost\",\"count\":1,\"method\":\"ExecuteStatement\"}", LOST, "Invalid SessionHandle"},
};

static void every_fault_is_told_or_survived(void **state) {
  NEEDS_WAREHOUSE;
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    dbsql_config *config = warehouse_config(warehouse);
    /* several pages, the first of them not in the answer to the statement */
    dbsql_config_set(config, "max_rows_per_fetch", "60000", NULL);
    dbsql_config_set(config, "direct_results", "false", NULL);
    dbsql_config_set(config, "retry_max", "3", NULL);
    dbsql_config_set(config, "max_response_bytes", "67108864", NULL);
    dbsql_connection *connection = warehouse_connect(config);
    warehouse_fault(warehouse, faults[i].fault);
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    dbsql_call call = DBSQL_CALL_INIT;
    call.timeout_ms = 60000;
    dbsql_status status =
        dbsql_execute(connection, "SELECT id, CAST(id AS STRING) AS s FROM range(200000)", SIZE_MAX, &call, &result, &error);
    int64_t rows = 0;
    while (status == DBSQL_OK) {
      struct ArrowArray batch;
      status = dbsql_result_next_batch(result, &call, &batch, &error);
      if (status != DBSQL_OK || !batch.release) break;
      const int64_t *ids = (const int64_t *)batch.children[0]->buffers[1] + batch.children[0]->offset;
      for (int64_t k = 0; k < batch.length; k++) {
        if (ids[k] != rows++) fail_msg("%s: row %lld is %lld", faults[i].fault, (long long)(rows - 1), (long long)ids[k]);
      }
      batch.release(&batch);
    }
    const char *message = dbsql_error_message(error);
    bool as_wanted = faults[i].outcome == RIGHT           ? status == DBSQL_OK && rows == 200000
                     : faults[i].outcome == REQUEST_ERROR ? status == DBSQL_ERROR_REQUEST
                     : faults[i].outcome == DRIVER_ERROR  ? status == DBSQL_ERROR_DRIVER
                     : faults[i].outcome == LOST          ? dbsql_error_is_session_lost(error) && !dbsql_connection_is_alive(connection)
                                                          : status != DBSQL_OK;
    if (!as_wanted || (faults[i].text && !strstr(message, faults[i].text))) {
      fail_msg("%s: %s, %lld rows, \"%s\"", faults[i].fault, dbsql_status_name(status), (long long)rows, message);
    }
    dbsql_error_free(error);
    dbsql_result_free(result);
    warehouse_clear_faults(warehouse);
    dbsql_connection_close(connection, NULL, NULL);
  }
}

static void a_stalled_answer_ends_with_the_deadline(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = warehouse_connect(warehouse_config(warehouse));
  warehouse_fault(warehouse, "{\"name\":\"stall\",\"count\":1,\"method\":\"ExecuteStatement\",\"delay_ms\":3000}");
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 200;
  dbsql_result *result;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_execute(connection, "SELECT 1", SIZE_MAX, &call, &result, &error), DBSQL_ERROR_TIMEOUT);
  dbsql_error_free(error);
  warehouse_clear_faults(warehouse);
  /* and the connection goes on */
  assert_int_equal(dbsql_execute(connection, "SELECT 1", SIZE_MAX, NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
}

static void a_server_that_has_gone(void **state) {
  NEEDS_WAREHOUSE;
  struct sigaction before;
  sigaction(SIGPIPE, NULL, &before);
  struct warehouse_process *own = warehouse_start(NULL);
  dbsql_config *config = warehouse_config(own);
  dbsql_config_set(config, "retry_max", "1", NULL);
  dbsql_connection *connection = warehouse_connect(config);
  warehouse_stop(own);
  dbsql_result *result;
  dbsql_error *error = NULL;
  /* SIGPIPE would end this test */
  assert_int_equal(dbsql_execute(connection, "SELECT 1", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_REQUEST);
  assert_non_null(strstr(dbsql_error_message(error), "127.0.0.1"));
  dbsql_error_free(error);
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 5000;
  dbsql_connection_close(connection, &call, NULL);
  struct sigaction after;
  sigaction(SIGPIPE, NULL, &after);
  assert_true(before.sa_handler == after.sa_handler);
}

/* A warehouse whose engine is not there, or is no engine, says so and ends; it never says that it is ready. */
static void a_dead_engine(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const engines[] = {"/nonexistent/engine.so", "/dev/null"};
  for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
    char command[1024], output[2048] = "";
    snprintf(command, sizeof command, "'%s' --port 0 --engine %s 2>&1", WAREHOUSE, engines[i]);
    FILE *program = popen(command, "r");
    assert_non_null(program);
    size_t length = fread(output, 1, sizeof output - 1, program);
    output[length] = 0;
    int status = pclose(program);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(output, "cannot load the SQL engine"));
    assert_non_null(strstr(output, engines[i]));
    assert_null(strstr(output, "ready"));
  }
}

static void strange_statements(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = warehouse_connect(warehouse_config(warehouse));
  static const char *const statements[] = {"",         ";",        "   ",      "-- only a comment", "/* open",
                                           "SELECT '", "SELECT `", "((((((((", "SELECT 1; SELECT 2"};
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = dbsql_execute(connection, statements[i], SIZE_MAX, NULL, &result, &error);
    assert_int_equal(status, DBSQL_ERROR_EXECUTION);
    assert_true(strlen(dbsql_error_message(error)) > 10);
    dbsql_error_free(error);
  }
  dbsql_result *result;
  assert_int_equal(dbsql_execute(connection, "SELECT 1 ;", SIZE_MAX, NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_places),
      cmocka_unit_test(a_server_that_never_answers),
      cmocka_unit_test(tls_where_it_is_not_expected),
      cmocka_unit_test(a_proxy_that_is_not_there),
      cmocka_unit_test(every_fault_is_told_or_survived),
      cmocka_unit_test(a_stalled_answer_ends_with_the_deadline),
      cmocka_unit_test(a_server_that_has_gone),
      cmocka_unit_test(a_dead_engine),
      cmocka_unit_test(strange_statements),
  };
  return cmocka_run_group_tests(tests, start_warehouse, stop_warehouse);
}
