/* What the tests of the HTTP client share: a client that trusts nothing but what the test says, and one-line requests. */
#ifndef DBSQL_TESTS_HTTP_TEST_H
#define DBSQL_TESTS_HTTP_TEST_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/call.h"
#include "base/error.h"
#include "http/http.h"
#include "http_server.h"

/* No retries and no environment, so that a test switches on what it is about. */
static inline struct http_settings plain_settings(void) {
  return (struct http_settings){.user_agent = "tests/1",
                                .tls_verify = true,
                                .tls_verify_hostname = true,
                                .tls_system_store = true,
                                .use_proxy = true,
                                .ignore_environment = true,
                                .connect_timeout_ms = 60000};
}

static inline struct http_client *client_of(const struct http_settings *settings) {
  struct http_client *client;
  dbsql_error *error = NULL;
  if (http_client_new(settings, &client, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return client;
}

/* Sends one request with a limit of a minute, which no test that passes comes near. */
static inline dbsql_status send_request(struct http_client *client, const struct http_request *request, struct http_response *response,
                                        dbsql_error **error) {
  struct call call;
  call_begin_internal(&call, 60000);
  return http_send(client, request, &call, response, error);
}

/* A POST of "ping" that must fail; the error is the caller's. */
static inline dbsql_error *failure_of(struct http_client *client, const char *url, enum http_retry retry) {
  struct http_request request = {.method = "POST", .url = url, .what = "Test", .body = slice_text("ping"), .retry = retry};
  struct http_response response;
  dbsql_error *error = NULL;
  dbsql_status status = send_request(client, &request, &response, &error);
  if (status == DBSQL_OK) fail_msg("a request to %s succeeded", url);
  assert_null(response.body);
  assert_int_equal(dbsql_error_kind(error), status);
  return error;
}

/* A POST of "ping" that must succeed with that body. */
static inline void assert_answers(struct http_client *client, const char *url, enum http_retry retry, const char *body) {
  struct http_request request = {.method = "POST", .url = url, .what = "Test", .body = slice_text("ping"), .retry = retry};
  struct http_response response;
  dbsql_error *error = NULL;
  if (send_request(client, &request, &response, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  assert_int_equal(response.body->size, strlen(body));
  assert_memory_equal(response.body->data, body, strlen(body));
  http_response_free(&response);
}

static inline void assert_in_message(const dbsql_error *error, const char *part) {
  if (!strstr(dbsql_error_message(error), part)) fail_msg("\"%s\" is not in \"%s\"", part, dbsql_error_message(error));
}

static inline void assert_not_in_message(const dbsql_error *error, const char *part) {
  if (strstr(dbsql_error_message(error), part)) fail_msg("\"%s\" is in \"%s\"", part, dbsql_error_message(error));
}

#endif
