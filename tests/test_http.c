/* One request at a time over plain HTTP: what goes out, what comes back, limits, cancellation. */
#include "http_test.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

/* ---- What goes out -------------------------------------------------------------------------------------------------------- */

static void echo(struct http_exchange *exchange, void *user) {
  (void)user;
  exchange_reply_bytes(exchange, 200, "Content-Type: Application/X-Thrift; charset=x\r\nX-Request-Id: rid-1\r\nX-Databricks-Org-Id: 77\r\n",
                       exchange->body, exchange->body_size);
}

static dbsql_status bearer(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)call;
  (void)error;
  int *count = user;
  buf_printf(value, "Bearer token-number-%d", ++*count);
  return DBSQL_OK;
}

static void assert_header(const struct http_exchange *exchange, const char *name, const char *value) {
  char *got = exchange_header(exchange, name);
  if (!value) {
    if (got) fail_msg("unexpected header %s: %s", name, got);
    return;
  }
  if (!got) fail_msg("no header %s in %s", name, exchange->head);
  assert_string_equal(got, value);
  free(got);
}

static void a_request_goes_out_as_it_should(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = echo};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  char url[200];
  snprintf(url, sizeof url, "%s/sql/1.0/warehouses/abc?o=12", http_server_url(server));
  static const struct http_header headers[] = {{"Content-Type", "application/x-thrift"}, {"X-Empty", ""}, {"x-databricks-org-id", "12"}};
  int authorized = 0;
  struct http_request request = {.method = "POST",
                                 .url = url,
                                 .what = "Test",
                                 .headers = headers,
                                 .header_count = 3,
                                 .body = slice_of("a\0b", 3),
                                 .authorize = bearer,
                                 .authorize_user = &authorized};
  /* both ways that a body is given to libcurl */
  for (int i = 0; i < 2; i++) {
    request.retry = i == 0 ? HTTP_RETRY_IDEMPOTENT : HTTP_RETRY_REFUSED;
    struct http_response response;
    dbsql_error *error = NULL;
    assert_int_equal(send_request(client, &request, &response, &error), DBSQL_OK);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.attempts, 1);
    assert_int_equal(response.body->size, 3);
    assert_memory_equal(response.body->data, "a\0b", 3);
    assert_string_equal(response.content_type, "application/x-thrift");
    assert_string_equal(response.request_id, "rid-1");
    assert_string_equal(response.org_id, "77");
    http_response_free(&response);
    assert_null(response.body);
    const struct http_exchange *seen = http_server_request(server, i);
    assert_string_equal(seen->method, "POST");
    assert_string_equal(seen->target, "/sql/1.0/warehouses/abc?o=12");
    assert_header(seen, "Content-Type", "application/x-thrift");
    assert_header(seen, "X-Empty", "");
    assert_header(seen, "x-databricks-org-id", "12");
    assert_header(seen, "User-Agent", "tests/1");
    assert_header(seen, "Accept-Encoding", "identity");
    assert_header(seen, "Content-Length", "3");
    assert_header(seen, "Expect", NULL);
    assert_header(seen, "Transfer-Encoding", NULL);
    assert_header(seen, "Authorization", i == 0 ? "Bearer token-number-1" : "Bearer token-number-2");
  }
  assert_int_equal(http_server_connections(server), 1);
  http_client_free(client);
  http_server_stop(server);
}

static void methods_do_not_spill_into_each_other(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = echo};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  static const struct {
    const char *method, *body, *length;
  } cases[] = {{"POST", "xyz", "3"}, {"GET", "", NULL}, {"PUT", "", "0"},    {"DELETE", "", NULL}, {"HEAD", "", NULL},
               {"GET", "", NULL},    {"POST", "", "0"}, {"PATCH", "q", "1"}, {"GET", "", NULL}};
  for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]); i++) {
    struct http_request request = {.method = cases[i].method,
                                   .url = http_server_url(server),
                                   .what = "Test",
                                   .body = slice_text(cases[i].body),
                                   .retry = i % 2 ? HTTP_RETRY_REFUSED : HTTP_RETRY_IDEMPOTENT};
    struct http_response response;
    dbsql_error *error = NULL;
    if (send_request(client, &request, &response, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(response.body->size, strlen(cases[i].body));
    http_response_free(&response);
    const struct http_exchange *seen = http_server_request(server, i);
    assert_string_equal(seen->method, cases[i].method);
    assert_header(seen, "Content-Length", cases[i].length);
    assert_header(seen, "Content-Type", NULL);
    assert_header(seen, "Authorization", NULL);
  }
  http_client_free(client);
  http_server_stop(server);
}

static dbsql_status evil_token(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)user;
  (void)call;
  (void)error;
  buf_append_text(value, "Bearer secretword\r\nX-Injected: 1");
  return DBSQL_OK;
}

static dbsql_status no_token(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)call;
  (void)value;
  return user ? DBSQL_OK : error_set(error, DBSQL_ERROR_REQUEST, "28000", "the provider has no token");
}

static dbsql_status silent_failure(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)user;
  (void)call;
  (void)value;
  (void)error;
  return DBSQL_ERROR_REQUEST;
}

static void nothing_can_be_injected(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = echo};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  static const struct http_header bad[] = {{"X-A", "secretword\r\nX-B: c"},
                                           {"X-A", "a\x7f"},
                                           {"X-A", "\x01"},
                                           {"X A", "b"},
                                           {"", "b"},
                                           {"X:A", "b"},
                                           {"X-A\r\nX-B", "b"},
                                           {"Content-Length", "5"},
                                           {"transfer-encoding", "chunked"},
                                           {"Host", "other"},
                                           {"Proxy-Authorization", "x"},
                                           {"X-\xc3\xa9", "b"}};
  struct http_response response;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct http_request request = {.method = "POST", .url = http_server_url(server), .what = "Test", .headers = &bad[i], .header_count = 1};
    dbsql_error *error = NULL;
    assert_int_equal(send_request(client, &request, &response, &error), DBSQL_ERROR_DRIVER);
    assert_not_in_message(error, "secretword");
    error_clear(&error);
  }
  struct http_request request = {.method = "POST\r\nX: y", .url = http_server_url(server), .what = "Test"};
  dbsql_error *error = NULL;
  assert_int_equal(send_request(client, &request, &response, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  request = (struct http_request){.method = "POST", .url = http_server_url(server), .what = "Test", .authorize = evil_token};
  assert_int_equal(send_request(client, &request, &response, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_sqlstate(error), "28000");
  assert_not_in_message(error, "secretword");
  error_clear(&error);
  request.authorize = no_token;
  assert_int_equal(send_request(client, &request, &response, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_message(error), "the provider has no token");
  error_clear(&error);
  request.authorize = silent_failure;
  assert_int_equal(send_request(client, &request, &response, &error), DBSQL_ERROR_REQUEST);
  assert_in_message(error, "Test failed without a reason");
  error_clear(&error);
  request.authorize = no_token;
  assert_int_equal(http_server_requests(server), 0);
  request.authorize_user = &request; /* an empty value: no header */
  assert_int_equal(send_request(client, &request, &response, &error), DBSQL_OK);
  http_response_free(&response);
  assert_header(http_server_request(server, 0), "Authorization", NULL);
  http_client_free(client);
  settings.user_agent = "a\nb";
  assert_int_equal(http_client_new(&settings, &client, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  http_server_stop(server);
}

static void no_password_file_is_read(void **state) {
  (void)state;
  char directory[] = "/tmp/dbsql-test-XXXXXX", path[64];
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof path, "%s/.netrc", directory);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("default login somebody password something\n", file);
  fclose(file);
  char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
  setenv("HOME", directory, 1);
  struct http_server_settings server_settings = {.handler = echo};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "ping");
  assert_header(http_server_request(server, 0), "Authorization", NULL);
  http_client_free(client);
  http_server_stop(server);
  if (home) {
    setenv("HOME", home, 1);
  } else {
    unsetenv("HOME");
  }
  free(home);
  unlink(path);
  rmdir(directory);
}

static void connections_are_not_inherited(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = echo};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "ping");
  int found = 0;
  for (int fd = 0; fd < 1024; fd++) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 || peer.sin_family != AF_INET) continue;
    if (ntohs(peer.sin_port) != http_server_port(server)) continue;
    found++;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
  assert_int_equal(found, 1);
  http_client_free(client);
  http_server_stop(server);
}

static void cookies_live_as_long_as_the_client(void **state) {
  (void)state;
  static const struct http_step steps[] = {{HTTP_STEP_REPLY, 200, "Set-Cookie: route=a1; Path=/\r\n", ""},
                                           {HTTP_STEP_REPLY, 200, NULL, ""}};
  struct http_script script = {steps, 2};
  struct http_server_settings server_settings = {.handler = http_script_handler, .user = &script};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "");
  assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "");
  http_client_free(client);
  client = client_of(&settings);
  assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "");
  assert_header(http_server_request(server, 0), "Cookie", NULL);
  assert_header(http_server_request(server, 1), "Cookie", "route=a1");
  assert_header(http_server_request(server, 2), "Cookie", NULL);
  http_client_free(client);
  http_server_stop(server);
}

/* ---- What comes back ------------------------------------------------------------------------------------------------------ */

/* The path says how: /SIZE plain, /SIZE/chunked, /SIZE/close without a length. */
static void sized(struct http_exchange *exchange, void *user) {
  (void)user;
  char *how;
  size_t size = strtoul(exchange->target + 1, &how, 10);
  char *body = malloc(size + 1);
  for (size_t i = 0; i < size; i++) body[i] = (char)(i * 31 + i / 1000);
  if (strcmp(how, "/chunked") == 0) {
    exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < size;) {
      size_t part = size - at < 70000 ? size - at : 70000;
      char head[32];
      snprintf(head, sizeof head, "%zx\r\n", part);
      exchange_write_text(exchange, head);
      exchange_write(exchange, body + at, part);
      exchange_write_text(exchange, "\r\n");
      at += part;
    }
    exchange_write_text(exchange, "0\r\n\r\n");
  } else if (strcmp(how, "/close") == 0) {
    exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    exchange_write(exchange, body, size);
    exchange_close(exchange);
  } else {
    exchange_reply_bytes(exchange, 200, NULL, body, size);
  }
  free(body);
}

static void bodies_of_every_size_arrive_whole(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = sized};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 1000003, 20000000};
  static const char *const how[] = {"", "/chunked", "/close"};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    for (int j = 0; j < 3; j++) {
      char url[200];
      snprintf(url, sizeof url, "%s/%zu%s", http_server_url(server), sizes[i], how[j]);
      struct http_request request = {.method = "GET", .url = url, .what = "Test"};
      struct http_response response;
      dbsql_error *error = NULL;
      if (send_request(client, &request, &response, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
      assert_int_equal(response.body->size, sizes[i]);
      for (size_t k = 0; k < sizes[i]; k++) {
        if (response.body->data[k] != (uint8_t)(k * 31 + k / 1000)) fail_msg("byte %zu of %s differs", k, url);
      }
      assert_int_equal((uintptr_t)response.body->data % 64, 0);
      if (j == 0 && sizes[i] > 0 && sizes[i] < 16000000) assert_int_equal(response.body->capacity, sizes[i]);
      http_response_free(&response);
    }
  }
  http_client_free(client);
  http_server_stop(server);
}

static void the_largest_answer_is_limited(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = sized};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  settings.max_response_bytes = 100000;
  settings.retry_max = 3;
  struct http_client *client = client_of(&settings);
  static const char *const paths[] = {"/100000", "/100000/chunked", "/100001", "/100001/chunked", "/5000000/close"};
  for (int i = 0; i < 5; i++) {
    char url[200];
    snprintf(url, sizeof url, "%s%s", http_server_url(server), paths[i]);
    struct http_request request = {.method = "GET", .url = url, .what = "Test"};
    struct http_response response;
    dbsql_error *error = NULL;
    dbsql_status status = send_request(client, &request, &response, &error);
    if (i < 2) {
      assert_int_equal(status, DBSQL_OK);
      http_response_free(&response);
    } else {
      assert_int_equal(status, DBSQL_ERROR_REQUEST);
      assert_in_message(error, "larger than the limit of 100000 bytes (max_response_bytes)");
      assert_in_message(error, "127.0.0.1");
      assert_int_equal(dbsql_error_attempts(error), 1); /* it would be as large again */
      error_clear(&error);
    }
  }
  http_client_free(client);
  http_server_stop(server);
}

static void a_lying_length_takes_no_memory(void **state) {
  (void)state;
  static const struct http_step steps[] = {
      {HTTP_STEP_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nabc"},
      {HTTP_STEP_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef"},
      {HTTP_STEP_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"},
      {HTTP_STEP_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc"}};
  struct http_script script = {steps, 4};
  struct http_server_settings server_settings = {.handler = http_script_handler, .user = &script};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  dbsql_error *error = failure_of(client, http_server_url(server), HTTP_RETRY_REFUSED);
  assert_in_message(error, "ended early");
  assert_string_equal(dbsql_error_sqlstate(error), "08S01");
  error_clear(&error);
  assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "abc");
  for (int i = 0; i < 2; i++) {
    struct http_request request = {.method = "GET", .url = http_server_url(server), .what = "Test", .retry = HTTP_RETRY_REFUSED};
    struct http_response response;
    dbsql_status status = send_request(client, &request, &response, &error);
    /* libcurl may refuse the header or read to the end; never more than was sent */
    if (status == DBSQL_OK) assert_true(response.body->size <= 3);
    http_response_free(&response);
    error_clear(&error);
  }
  http_client_free(client);
  http_server_stop(server);
}

static void garbage_is_not_http(void **state) {
  (void)state;
  static const struct http_step steps[] = {{HTTP_STEP_RAW, 0, NULL, "SSH-2.0-OpenSSH_9.2\r\n"},
                                           {HTTP_STEP_RAW, 0, NULL, "\r\n\r\n\r\n"},
                                           {HTTP_STEP_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"},
                                           {HTTP_STEP_CLOSE, 0, NULL, NULL}};
  struct http_script script = {steps, 4};
  struct http_server_settings server_settings = {.handler = http_script_handler, .user = &script};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  for (int i = 0; i < 4; i++) {
    dbsql_error *error = failure_of(client, http_server_url(server), HTTP_RETRY_REFUSED);
    assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_REQUEST);
    assert_string_equal(dbsql_error_sqlstate(error), "08S01");
    assert_string_equal(dbsql_error_host(error), "127.0.0.1");
    assert_in_message(error, "127.0.0.1");
    assert_false(dbsql_error_is_retryable(error));
    error_clear(&error);
  }
  http_client_free(client);
  http_server_stop(server);
}

/* ---- Errors that the server states ---------------------------------------------------------------------------------------- */

static void refusals_become_errors(void **state) {
  (void)state;
  static const struct {
    struct http_step step;
    const char *sqlstate, *part, *not_part, *error_class;
    bool retryable, session_lost;
  } cases[] = {
      {{HTTP_STEP_REPLY, 401,
        "Content-Type: application/json\r\nX-Request-Id: rid-9\r\nX-Databricks-Reason-Phrase: Credential was not sent.\r\n",
        "{\"error_code\":401,\"message\":\"Credential was not sent.\"}"},
       "28000",
       "Test: Credential was not sent. (",
       "Credential was not sent.: Credential",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 403, "X-Databricks-Reason-Phrase: Invalid access token.\r\n",
        "{\"error_code\":\"PERMISSION_DENIED\",\"message\":\"No.\"}"},
       "28000",
       "Test: No.: Invalid access token.",
       "error_code",
       "PERMISSION_DENIED",
       false,
       false},
      {{HTTP_STEP_REPLY, 500,
        "X-Thriftserver-Error-Message: from thrift\r\nX-Databricks-Error-Or-Redirect-Message: from gateway\r\n"
        "X-Databricks-Reason-Phrase: reason\r\n",
        "{\"message\":\"from json\"}"},
       "08S01",
       "Test: from thrift: reason (HTTP 500",
       "from json",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 500, "X-Databricks-Error-Or-Redirect-Message: from gateway\r\n", "{\"message\":\"from json\"}"},
       "08S01",
       "Test: from gateway (HTTP 500",
       "from json",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 400, "X-Thriftserver-Error-Message: Invalid SessionHandle: SessionHandle [x]\r\n", ""},
       "08003",
       "Invalid SessionHandle",
       "HTML",
       "",
       false,
       true},
      {{HTTP_STEP_REPLY, 404, NULL, ""}, "08004", "check the HTTP path", "HTML", "", false, false},
      {{HTTP_STEP_REPLY, 405, NULL, ""}, "0A000", "(HTTP 405", "HTML", "", false, false},
      {{HTTP_STEP_REPLY, 501, NULL, ""}, "0A000", "(HTTP 501", "HTML", "", false, false},
      {{HTTP_STEP_REPLY, 408, NULL, ""}, "08S01", "(HTTP 408", "HTML", "", false, false},
      {{HTTP_STEP_REPLY, 418, NULL, ""}, "HY000", "(HTTP 418", "HTML", "", false, false},
      {{HTTP_STEP_REPLY, 429, NULL, ""}, "08004", "(HTTP 429", "HTML", "", true, false},
      {{HTTP_STEP_REPLY, 503, NULL, "{\"message\":\"warming up\"}"}, "08004", "warming up", "HTML", "", true, false},
      {{HTTP_STEP_REPLY, 400, NULL, "{\"error\":\"invalid_client\",\"error_description\":\"Client authentication failed\"}"},
       "HY000",
       "Client authentication failed",
       "HTML",
       "invalid_client",
       false,
       false},
      {{HTTP_STEP_REPLY, 502, "Content-Type: text/html\r\n",
        "<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title><style>b{x}</style><script>evil()</script></head>"
        "<body><h1>nginx</h1></body></html>"},
       "08S01",
       "an HTML page, which is not an answer of Databricks (a proxy, a gateway or another server?): \"502 Bad Gateway nginx\"",
       "evil",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 500, NULL, "  <html>unclosed <b"}, "08S01", "HTML page", "<", "", false, false},
      {{HTTP_STEP_REPLY, 500, "Content-Type: text/plain\r\n", "line one\nline \x1b[31mtwo"},
       "08S01",
       "line one line  [31mtwo",
       "\x1b",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 500, "Content-Type: application/octet-stream\r\n", "binary"},
       "08S01",
       "Status of 500",
       "binary",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 500, NULL, "[[[[[[["}, "08S01", "Status of 500", "[", "", false, false},
      {{HTTP_STEP_REPLY, 500, NULL, "{\"message\":\"your token was dapi0123456789abcdef0123456789abcdef\"}"},
       "08S01",
       "your token was ***",
       "dapi",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 302, "Location: https://evil.example:99/login?token=secretword\r\n", ""},
       "08001",
       "a redirect to https://evil.example:99, which is not followed",
       "secretword",
       "",
       false,
       false},
      {{HTTP_STEP_REPLY, 304, NULL, ""}, "08001", "(HTTP 304", "secretword", "", false, false},
  };
  enum { count = sizeof cases / sizeof cases[0] };
  struct http_step steps[count];
  for (int i = 0; i < count; i++) steps[i] = cases[i].step;
  struct http_script script = {steps, count};
  struct http_server_settings server_settings = {.handler = http_script_handler, .user = &script};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  for (int i = 0; i < count; i++) {
    dbsql_error *error = failure_of(client, http_server_url(server), HTTP_RETRY_REFUSED);
    assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_REQUEST);
    assert_int_equal(dbsql_error_http_status(error), cases[i].step.status);
    assert_string_equal(dbsql_error_sqlstate(error), cases[i].sqlstate);
    assert_in_message(error, cases[i].part);
    assert_not_in_message(error, cases[i].not_part);
    assert_in_message(error, "127.0.0.1:");
    assert_string_equal(dbsql_error_host(error), "127.0.0.1");
    assert_string_equal(dbsql_error_class(error), cases[i].error_class);
    assert_int_equal(dbsql_error_is_retryable(error), cases[i].retryable);
    assert_int_equal(dbsql_error_is_session_lost(error), cases[i].session_lost);
    assert_int_equal(dbsql_error_attempts(error), 1);
    if (i == 0) {
      assert_string_equal(dbsql_error_request_id(error), "rid-9");
      assert_in_message(error, "request id rid-9");
    }
    error_clear(&error);
  }
  assert_int_equal(http_server_requests(server), count); /* no redirect was followed */
  http_client_free(client);
  http_server_stop(server);
}

static void endless_error(struct http_exchange *exchange, void *user) {
  (void)user;
  if (exchange->number == 1) {
    exchange_reply(exchange, 200, NULL, "fine");
    return;
  }
  exchange_write_text(exchange, "HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\nbroken");
  char part[4096];
  memset(part, ' ', sizeof part);
  while (exchange_write(exchange, part, sizeof part)) {
  }
  exchange_close(exchange);
}

/* auth.md 6, T31: where credentials are refused and the clocks differ, the error says so */
static void clocks_that_differ_are_told(void **state) {
  (void)state;
  static const char date[] = "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"; /* 1700000000 */
  static const struct {
    int status;
    const char *headers, *body;
    int64_t ahead_s;
    const char *part;
  } cases[] = {
      {401, date, "", -3600, "; the clock of this machine is 3600 s behind the server's"},
      {401, date, "", 61, "; the clock of this machine is 61 s ahead of the server's"},
      {400, date, "{\"error\":\"invalid_grant\"}", 600, "600 s ahead"},
      {400, date, "{\"error\":\"invalid_scope\"}", 600, NULL},
      {401, date, "", 59, NULL},
      {403, date, "", 3600, NULL},
      {401, "Date: yesterday\r\n", "", 3600, NULL},
      {401, "Date: 12345\r\n", "", 3600, NULL},
      {401, "", "", 3600, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct http_step step = {HTTP_STEP_REPLY, cases[i].status, cases[i].headers, cases[i].body};
    struct http_script script = {&step, 1};
    struct http_server *server = http_server_start(&(struct http_server_settings){.handler = http_script_handler, .user = &script});
    struct http_settings settings = plain_settings();
    struct http_client *client = client_of(&settings);
    clock_test_begin(INT64_C(1000000000000), (INT64_C(1700000000) + cases[i].ahead_s) * 1000000);
    dbsql_error *error = failure_of(client, http_server_url(server), HTTP_RETRY_REFUSED);
    clock_test_end();
    http_client_free(client);
    const char *message = dbsql_error_message(error);
    if (cases[i].part ? !strstr(message, cases[i].part) : strstr(message, "clock") != NULL) fail_msg("%d: %s", (int)i, message);
    error_clear(&error);
    http_server_stop(server);
  }
}

static void error_bodies_are_cut(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = endless_error};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  dbsql_error *error = failure_of(client, http_server_url(server), HTTP_RETRY_REFUSED);
  assert_in_message(error, "Test: broken (HTTP 500 No");
  error_clear(&error);
  assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "fine");
  http_client_free(client);
  http_server_stop(server);
}

/* ---- The log -------------------------------------------------------------------------------------------------------------- */

static void collect(void *user, const dbsql_log_record *record) {
  struct buf *out = user;
  buf_printf(out, "%s|%s", record->module, record->message);
  for (size_t i = 0; i < record->field_count; i++) buf_printf(out, " %s=%s", record->fields[i].key, record->fields[i].value);
  buf_append_byte(out, '\n');
}

static void logs_hold_no_secret(void **state) {
  (void)state;
  static const struct http_step steps[] = {{HTTP_STEP_REPLY, 500, NULL, "{\"message\":\"you sent Bearer token-number-1\"}"},
                                           {HTTP_STEP_REPLY, 200, "Set-Cookie: a=secretcookie\r\nX-Request-Id: rid\r\n", "fine"}};
  struct http_script script = {steps, 2};
  struct http_server_settings server_settings = {.handler = http_script_handler, .user = &script};
  struct http_server *server = http_server_start(&server_settings);
  struct buf lines = BUF_INIT;
  struct log log = {DBSQL_LOG_TRACE, collect, &lines};
  struct http_settings settings = plain_settings();
  settings.log = &log;
  struct http_client *client = client_of(&settings);
  char url[200];
  snprintf(url, sizeof url, "%s/path?sig=secretquery", http_server_url(server));
  int authorized = 0;
  for (int i = 0; i < 2; i++) {
    struct http_request request = {
        .method = "POST", .url = url, .what = "Test", .body = slice_text("secretbody"), .authorize = bearer, .authorize_user = &authorized};
    struct http_response response;
    dbsql_error *error = NULL;
    assert_int_equal(send_request(client, &request, &response, &error), i == 0 ? DBSQL_ERROR_REQUEST : DBSQL_OK);
    assert_not_in_message(error, "token-number");
    http_response_free(&response);
    error_clear(&error);
  }
  const char *text = buf_text(&lines);
  assert_non_null(strstr(text, "http|request failed what=Test method=POST url=http://127.0.0.1:"));
  assert_non_null(strstr(text, "/path attempt=1 status=500"));
  assert_non_null(strstr(text, "http|request done"));
  assert_non_null(strstr(text, "request_id=rid"));
  assert_null(strstr(text, "secret"));
  assert_null(strstr(text, "token-number"));
  buf_free(&lines);
  http_client_free(client);
  http_server_stop(server);
}

/* ---- Time and cancellation ------------------------------------------------------------------------------------------------ */

static void hang(struct http_exchange *exchange, void *user) {
  if (strstr(exchange->target, "/partly")) exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  test_event_set(user);
  exchange_wait_for_client(exchange);
  exchange_close(exchange);
}

static void time_limits_name_themselves_and_the_phase(void **state) {
  (void)state;
  struct test_event arrived = TEST_EVENT_INIT;
  struct http_server_settings server_settings = {.handler = hang, .user = &arrived};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  static const char *const paths[] = {"/", "/partly"};
  static const char *const phases[] = {"waiting for the answer of 127.0.0.1:", "receiving the answer of 127.0.0.1:"};
  for (int i = 0; i < 2; i++) {
    char url[200];
    snprintf(url, sizeof url, "%s%s", http_server_url(server), paths[i]);
    struct http_request request = {.method = "POST", .url = url, .what = "Test", .body = slice_text("x")};
    struct http_response response;
    struct call call;
    dbsql_error *error = NULL;
    call_begin_internal(&call, 100);
    assert_int_equal(http_send(client, &request, &call, &response, &error), DBSQL_ERROR_TIMEOUT);
    assert_string_equal(dbsql_error_sqlstate(error), "HYT00");
    assert_in_message(error, "the time limit of 100 ms ran out while");
    assert_in_message(error, phases[i]);
    assert_string_equal(dbsql_error_host(error), "127.0.0.1");
    assert_true(dbsql_error_elapsed_ms(error) >= 100);
    error_clear(&error);
    http_client_free(client);
    settings.request_timeout_ms = 120;
    client = client_of(&settings);
    error = failure_of(client, url, HTTP_RETRY_REFUSED);
    assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_TIMEOUT);
    assert_string_equal(dbsql_error_sqlstate(error), "HYT00");
    assert_in_message(error, "the request time limit of 120 ms ran out while");
    assert_in_message(error, phases[i]);
    error_clear(&error);
    settings.request_timeout_ms = 0;
  }
  /* a call whose time is up makes no request at all */
  int before = http_server_requests(server);
  struct http_request request = {.method = "GET", .url = http_server_url(server), .what = "Test"};
  struct http_response response;
  struct call call;
  call_begin_internal(&call, 1);
  call.deadline_ns = call.started_ns;
  dbsql_error *error = NULL;
  assert_int_equal(http_send(client, &request, &call, &response, &error), DBSQL_ERROR_TIMEOUT);
  error_clear(&error);
  assert_int_equal(http_server_requests(server), before);
  http_client_free(client);
  http_server_stop(server);
}

struct canceller {
  struct test_event *when;
  dbsql_cancel *cancel;
};

static void *cancel_when(void *user) {
  struct canceller *canceller = user;
  test_event_wait(canceller->when);
  dbsql_cancel_trigger(canceller->cancel);
  return NULL;
}

/* Sends to `url` without a time limit and cancels once `when` is set. */
static void assert_cancellable(const char *url, struct test_event *when, const char *part) {
  struct http_settings settings = plain_settings();
  settings.connect_timeout_ms = 0;
  struct http_client *client = client_of(&settings);
  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  struct canceller canceller = {when, cancel};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_when, &canceller), 0);
  struct http_request request = {.method = "POST", .url = url, .what = "Test", .body = slice_text("x")};
  struct http_response response;
  dbsql_call user_call = {.struct_size = sizeof user_call, .cancel = cancel};
  struct call call;
  call_begin(&call, &user_call, 0);
  dbsql_error *error = NULL;
  assert_int_equal(http_send(client, &request, &call, &response, &error), DBSQL_ERROR_CANCELLED);
  assert_string_equal(dbsql_error_sqlstate(error), "HY008");
  assert_in_message(error, "cancelled while");
  assert_in_message(error, part);
  error_clear(&error);
  pthread_join(thread, NULL);
  dbsql_cancel_free(cancel);
  http_client_free(client);
}

static void waiting_and_receiving_can_be_cancelled(void **state) {
  (void)state;
  static const char *const paths[] = {"/", "/partly"};
  for (int i = 0; i < 2; i++) {
    struct test_event arrived = TEST_EVENT_INIT;
    struct http_server_settings server_settings = {.handler = hang, .user = &arrived};
    struct http_server *server = http_server_start(&server_settings);
    char url[200];
    snprintf(url, sizeof url, "%s%s", http_server_url(server), paths[i]);
    assert_cancellable(url, &arrived, "the answer of 127.0.0.1:");
    http_server_stop(server);
  }
}

/* A name whose lookup hangs until the test lets go: this definition takes the place of the C library's. */
static struct test_event lookup_begun = TEST_EVENT_INIT, lookup_may_end = TEST_EVENT_INIT, lookup_ended = TEST_EVENT_INIT;
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **result) {
  (void)service;
  (void)hints;
  (void)result;
  if (strcmp(name, "hanging.test") == 0) {
    test_event_set(&lookup_begun);
    test_event_wait(&lookup_may_end);
    test_event_set(&lookup_ended);
  }
  return EAI_NONAME;
}

static void a_name_lookup_can_be_cancelled(void **state) {
  (void)state;
  assert_cancellable("http://hanging.test/", &lookup_begun, "looking up the name of hanging.test");
  test_event_set(&lookup_may_end);
  test_event_wait(&lookup_ended);
}

static void names_that_do_not_exist_are_named(void **state) {
  (void)state;
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  dbsql_error *error = failure_of(client, "https://nowhere.test/x?sig=secretword", HTTP_RETRY_REFUSED);
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_sqlstate(error), "08001");
  assert_in_message(error, "Test: the name nowhere.test cannot be resolved");
  assert_not_in_message(error, "secretword");
  assert_string_equal(dbsql_error_host(error), "nowhere.test");
  assert_true(dbsql_error_is_retryable(error));
  error_clear(&error);
  http_client_free(client);
}

static void refused_connections_are_named(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = echo};
  struct http_server *server = http_server_start(&server_settings);
  char url[200];
  snprintf(url, sizeof url, "%s/", http_server_url(server));
  http_server_stop(server); /* the port is free again */
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  dbsql_error *error = failure_of(client, url, HTTP_RETRY_REFUSED);
  assert_string_equal(dbsql_error_sqlstate(error), "08001");
  assert_in_message(error, "cannot connect to 127.0.0.1:");
  assert_in_message(error, "connection refused");
  error_clear(&error);
  http_client_free(client);
}

/* A listener whose queue is full answers no more connection attempts. */
static void connect_timeouts_say_so(void **state) {
  (void)state;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 0), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
  enum { fillers = 8 };
  int filler[fillers];
  for (int i = 0; i < fillers; i++) {
    filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)!connect(filler[i], (struct sockaddr *)&address, sizeof address);
  }
  char url[100];
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
  struct http_settings settings = plain_settings();
  settings.connect_timeout_ms = 150;
  struct http_client *client = client_of(&settings);
  dbsql_error *error = failure_of(client, url, HTTP_RETRY_REFUSED);
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(error), "HYT01");
  assert_in_message(error, "the connect time limit of 150 ms ran out while connecting to 127.0.0.1:");
  error_clear(&error);
  http_client_free(client);
  for (int i = 0; i < fillers; i++) close(filler[i]);
  close(listener);
}

/* ---- Memory, threads ------------------------------------------------------------------------------------------------------ */

static void a_request_survives_failing_allocations(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = sized};
  struct http_server *server = http_server_start(&server_settings);
  char url[200];
  snprintf(url, sizeof url, "%s/100000/chunked", http_server_url(server));
  static const struct http_header headers[] = {{"Content-Type", "application/x-thrift"}};
  int64_t before = mem_test_live_blocks();
  int failures = 0;
  for (uint64_t n = 1;; n++) {
    struct http_settings settings = plain_settings();
    settings.retry_max = 3;
    struct http_client *client = NULL;
    struct http_response response = {0};
    dbsql_error *error = NULL;
    int authorized = 0;
    mem_test_fail_at(n);
    dbsql_status status = http_client_new(&settings, &client, &error);
    if (status == DBSQL_OK) {
      struct http_request request = {.method = "POST",
                                     .url = url,
                                     .what = "Test",
                                     .headers = headers,
                                     .header_count = 1,
                                     .body = slice_text("x"),
                                     .authorize = bearer,
                                     .authorize_user = &authorized};
      status = send_request(client, &request, &response, &error);
    }
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    if (status == DBSQL_OK) {
      assert_int_equal(response.body->size, 100000);
    } else {
      assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_NO_MEMORY);
      assert_null(response.body);
    }
    http_response_free(&response);
    http_client_free(client);
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!struck) break;
    failures++;
  }
  assert_true(failures >= 10);
  http_server_stop(server);
}

static void *many_requests(void *user) {
  const char *url = user;
  struct http_settings settings = plain_settings();
  struct http_client *client = NULL;
  dbsql_error *error = NULL;
  intptr_t good = 0;
  if (http_client_new(&settings, &client, &error) == DBSQL_OK) {
    for (int i = 0; i < 25; i++) {
      struct http_request request = {.method = "POST", .url = url, .what = "Test", .body = slice_text("ping")};
      struct http_response response;
      if (send_request(client, &request, &response, &error) == DBSQL_OK) good += response.body->size == 4;
      http_response_free(&response);
      error_clear(&error);
    }
  }
  error_clear(&error);
  http_client_free(client);
  return (void *)good;
}

static void clients_of_several_threads_do_not_meet(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = echo};
  struct http_server *server = http_server_start(&server_settings);
  enum { threads = 6 };
  pthread_t thread[threads];
  for (int i = 0; i < threads; i++) {
    assert_int_equal(pthread_create(&thread[i], NULL, many_requests, (void *)http_server_url(server)), 0);
  }
  for (int i = 0; i < threads; i++) {
    void *good;
    pthread_join(thread[i], &good);
    assert_int_equal((intptr_t)good, 25);
  }
  assert_int_equal(http_server_connections(server), threads);
  http_server_stop(server);
}

static dbsql_status fixed_bearer(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)call, (void)error;
  buf_printf(value, "Bearer %s", (const char *)user);
  return DBSQL_OK;
}

/* auth.md 6, T33: two users of one host in one process share no connection, and each request has its own user's token and cookies */
static void users_of_one_host_do_not_meet(void **state) {
  (void)state;
  static const struct http_step steps[] = {{HTTP_STEP_REPLY, 200, "Set-Cookie: who=alice; Path=/\r\n", ""},
                                           {HTTP_STEP_REPLY, 200, "Set-Cookie: who=bob; Path=/\r\n", ""},
                                           {HTTP_STEP_REPLY, 200, NULL, ""},
                                           {HTTP_STEP_REPLY, 200, NULL, ""}};
  struct http_script script = {steps, 4};
  struct http_server *server = http_server_start(&(struct http_server_settings){.handler = http_script_handler, .user = &script});
  struct http_settings settings = plain_settings();
  struct http_client *clients[2] = {client_of(&settings), client_of(&settings)};
  static const char *const names[] = {"alice", "bob"};
  for (int i = 0; i < 4; i++) {
    struct http_request request = {.method = "POST",
                                   .url = http_server_url(server),
                                   .what = "Test",
                                   .body = slice_text("ping"),
                                   .authorize = fixed_bearer,
                                   .authorize_user = (void *)(uintptr_t)names[i % 2]};
    struct http_response response;
    assert_int_equal(send_request(clients[i % 2], &request, &response, NULL), DBSQL_OK);
    http_response_free(&response);
  }
  char expected[64];
  for (int i = 0; i < 4; i++) {
    const struct http_exchange *exchange = http_server_request(server, i);
    snprintf(expected, sizeof expected, "Bearer %s", names[i % 2]);
    assert_header(exchange, "Authorization", expected);
    snprintf(expected, sizeof expected, "who=%s", names[i % 2]);
    assert_header(exchange, "Cookie", i < 2 ? NULL : expected);
    assert_int_equal(exchange->connection_number, http_server_request(server, i % 2)->connection_number);
  }
  assert_int_equal(http_server_connections(server), 2);
  for (int i = 0; i < 2; i++) http_client_free(clients[i]);
  http_server_stop(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(clients_of_several_threads_do_not_meet), /* first: libcurl is not started yet */
      cmocka_unit_test(a_request_goes_out_as_it_should),
      cmocka_unit_test(methods_do_not_spill_into_each_other),
      cmocka_unit_test(nothing_can_be_injected),
      cmocka_unit_test(no_password_file_is_read),
      cmocka_unit_test(connections_are_not_inherited),
      cmocka_unit_test(users_of_one_host_do_not_meet),
      cmocka_unit_test(cookies_live_as_long_as_the_client),
      cmocka_unit_test(bodies_of_every_size_arrive_whole),
      cmocka_unit_test(the_largest_answer_is_limited),
      cmocka_unit_test(a_lying_length_takes_no_memory),
      cmocka_unit_test(garbage_is_not_http),
      cmocka_unit_test(refusals_become_errors),
      cmocka_unit_test(clocks_that_differ_are_told),
      cmocka_unit_test(error_bodies_are_cut),
      cmocka_unit_test(logs_hold_no_secret),
      cmocka_unit_test(time_limits_name_themselves_and_the_phase),
      cmocka_unit_test(waiting_and_receiving_can_be_cancelled),
      cmocka_unit_test(a_name_lookup_can_be_cancelled),
      cmocka_unit_test(names_that_do_not_exist_are_named),
      cmocka_unit_test(refused_connections_are_named),
      cmocka_unit_test(connect_timeouts_say_so),
      cmocka_unit_test(a_request_survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
