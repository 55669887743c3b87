/* What goes wrong in the warehouse's OAuth on purpose, and its command line. */
#include "test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oidc_client.h"

static struct oidc_client client;

static int set_up(void **state) {
  (void)state;
  static const char *const arguments[] = {"--oauth", "--no-token", "--oauth-client", "sp-1:s3cret", "--token-life-s", "7", NULL};
  oidc_client_init(&client, warehouse_start(arguments));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  return warehouse_stop(client.warehouse);
}

static struct oidc_response ask(void) {
  return oidc_ask(&client, oidc_form("grant_type", "client_credentials", NULL), "Basic c3AtMTpzM2NyZXQ=");
}

static struct oidc_response struck(const char *fault) {
  warehouse_fault(client.warehouse, fault);
  return ask();
}

static void expect(const char *fault, long status, const char *words) {
  struct oidc_response response = struck(fault);
  if (response.status != status || (words && !strstr(response.body, words))) {
    fail_msg("%s: HTTP %ld: %.300s", fault, response.status, response.body);
  }
  oidc_response_free(&response);
  response = ask(); /* only once */
  assert_int_equal(response.status, 200);
  assert_int_equal(json_integer_value(json_object_get(response.json, "expires_in")), 7);
  oidc_response_free(&response);
}

/* Without a personal access token only OAuth's count. */
static void no_other_token(void **state) {
  (void)state;
  assert_int_equal(oidc_access(&client, "dapi-test"), 401);
  struct oidc_response response = oidc_send(&client, "POST", "/sql/1.0/warehouses/local", "x", NULL, NULL);
  assert_int_equal(response.status, 401);
  assert_non_null(strstr(response.headers, "Bearer realm"));
  oidc_response_free(&response);
  response = ask();
  assert_int_equal(oidc_access(&client, oidc_text(&response, "access_token")), 200);
  oidc_response_free(&response);
}

static void token_faults(void **state) {
  (void)state;
  expect("{\"name\": \"oidc-error\"}", 400, "\"error\":\"invalid_grant\"");
  expect("{\"name\": \"oidc-error\", \"message\": \"invalid_client\"}", 401, "\"error\":\"invalid_client\"");
  expect("{\"name\": \"oidc-error-code\", \"message\": \"E7\"}", 400, "\"errorCode\":\"E7\"");
  expect("{\"name\": \"oidc-echo\"}", 400, "Basic c3AtMTpzM2NyZXQ=");
  expect("{\"name\": \"oidc-empty-token\"}", 200, "\"access_token\":\"\"");
  expect("{\"name\": \"oidc-expires-in\", \"message\": \"-5\"}", 200, "\"expires_in\":-5");
  expect("{\"name\": \"oidc-expires-in\", \"message\": \"\\\"9\\\"\"}", 200, "\"expires_in\":\"9\"");
  expect("{\"name\": \"oidc-expires-in\", \"message\": \"0.5\"}", 200, "\"expires_in\":0.5");
  expect("{\"name\": \"oidc-token-type\", \"message\": \"MAC x\"}", 200, "\"token_type\":\"MAC x\"");
  struct oidc_response response = struck("{\"name\": \"oidc-no-token\"}");
  assert_null(json_object_get(response.json, "access_token"));
  oidc_response_free(&response);
  response = struck("{\"name\": \"oidc-expires-in\"}");
  assert_null(json_object_get(response.json, "expires_in"));
  oidc_response_free(&response);
  response = struck("{\"name\": \"oidc-foreign-token\"}");
  assert_int_equal(oidc_access(&client, oidc_text(&response, "access_token")), 401);
  oidc_response_free(&response);
}

static void shared_faults(void **state) {
  (void)state;
  expect("{\"name\": \"http-503\", \"method\": \"oidc-token\", \"retry_after\": 3}", 503, NULL);
  expect("{\"name\": \"http-429\", \"method\": \"oidc\"}", 429, NULL);
  expect("{\"name\": \"html-body\", \"method\": \"oidc-token\"}", 200, "<html>");
  expect("{\"name\": \"garbage-body\", \"method\": \"oidc-token\"}", 200, NULL);
  expect("{\"name\": \"reset-before\", \"method\": \"oidc-token\"}", 0, NULL);
  expect("{\"name\": \"reset-after\", \"method\": \"oidc-token\"}", 0, NULL);
  expect("{\"name\": \"truncated-body\", \"method\": \"oidc-token\"}", 0, NULL);
  expect("{\"name\": \"oversized-body\", \"method\": \"oidc-token\", \"bytes\": 2000000}", 200, NULL);
  expect("{\"name\": \"slow-body\", \"method\": \"oidc-token\", \"bytes\": 100, \"delay_ms\": 1}", 200, "access_token");
  expect("{\"name\": \"delay\", \"method\": \"oidc-token\", \"delay_ms\": 1}", 200, "access_token");
  struct oidc_response response =
      struck("{\"name\": \"redirect\", \"method\": \"oidc-token\", \"status\": 307, \"location\": \"http://localhost:1/x\"}");
  assert_int_equal(response.status, 307);
  assert_string_equal(response.location, "http://localhost:1/x");
  oidc_response_free(&response);
  /* Those of Thrift do not strike here, nor these there. */
  warehouse_fault(client.warehouse, "{\"name\": \"http-500\"}");
  warehouse_fault(client.warehouse, "{\"name\": \"http-502\", \"method\": \"oidc-token\"}");
  response = ask();
  assert_int_equal(response.status, 502);
  oidc_response_free(&response);
  response = ask();
  assert_int_equal(response.status, 200);
  assert_int_equal(oidc_access(&client, oidc_text(&response, "access_token")), 500);
  oidc_response_free(&response);
}

static void document(const char *fault, const char *path, const char *name, const char *value) {
  warehouse_fault(client.warehouse, fault);
  for (int round = 0; round < 2; round++) {
    struct oidc_response response = oidc_send(&client, "GET", path, NULL, NULL, NULL);
    const char *text = oidc_text(&response, name);
    bool same = text && value ? strcmp(text, value) == 0 : text == value;
    if (same != (round == 0)) fail_msg("%s, round %d: %s", fault, round, response.body);
    oidc_response_free(&response);
  }
}

static void discovery_faults(void **state) {
  (void)state;
  static const char config[] = "/.well-known/databricks-config", metadata[] = "/oidc/.well-known/oauth-authorization-server";
  document("{\"name\": \"oidc-endpoint\", \"message\": \"https://evil.example.com/oidc\"}", config, "oidc_endpoint",
           "https://evil.example.com/oidc");
  document("{\"name\": \"oidc-endpoint\"}", config, "oidc_endpoint", NULL);
  document("{\"name\": \"oidc-issuer\", \"message\": \"https://x\"}", metadata, "issuer", "https://x");
  document("{\"name\": \"oidc-token-url\", \"message\": \"http://x/y\"}", metadata, "token_endpoint", "http://x/y");
  document("{\"name\": \"oidc-missing\"}", metadata, "authorization_endpoint", NULL);
  warehouse_fault(client.warehouse, "{\"name\": \"http-404\", \"method\": \"oidc-config\"}");
  struct oidc_response response = oidc_send(&client, "GET", metadata, NULL, NULL, NULL);
  assert_int_equal(response.status, 200);
  oidc_response_free(&response);
  response = oidc_send(&client, "GET", config, NULL, NULL, NULL);
  assert_int_equal(response.status, 404);
  oidc_response_free(&response);
  warehouse_fault(client.warehouse, "{\"name\": \"http-404\", \"method\": \"oidc-jwks\"}");
  response = oidc_send(&client, "GET", "/oidc/jwks.json", NULL, NULL, NULL);
  assert_int_equal(response.status, 404);
  oidc_response_free(&response);
}

static void authorize_faults(void **state) {
  (void)state;
  char text[64], *query = oidc_authorize_query(NULL, NULL);
  warehouse_fault(client.warehouse, "{\"name\": \"oidc-wrong-state\"}");
  struct oidc_response response = oidc_consent(&client, query, "allow");
  oidc_location_parameter(&response, "state", text, sizeof text);
  assert_string_not_equal(text, "st&te = 1");
  oidc_location_parameter(&response, "code", text, sizeof text);
  assert_string_not_equal(text, "");
  oidc_response_free(&response);
  warehouse_fault(client.warehouse, "{\"name\": \"oidc-denied\", \"message\": \"server_error\"}");
  response = oidc_consent(&client, query, "allow");
  oidc_location_parameter(&response, "error", text, sizeof text);
  assert_string_equal(text, "server_error");
  oidc_response_free(&response);
  warehouse_fault(client.warehouse, "{\"name\": \"oidc-no-callback\"}");
  char url[4096];
  snprintf(url, sizeof url, "/oidc/v1/authorize?%s", query);
  response = oidc_send(&client, "GET", url, NULL, NULL, NULL);
  assert_int_equal(response.status, 200);
  assert_null(strstr(response.body, "consent"));
  oidc_response_free(&response);
  free(query);
}

static void wrong_places(void **state) {
  (void)state;
  static const char *const bad[] = {"{\"name\": \"oidc-denied\", \"method\": \"oidc-token\"}",
                                    "{\"name\": \"wrong-row-count\", \"method\": \"oidc\"}", "{\"name\": \"oidc-what\"}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct oidc_response response = oidc_send(&client, "POST", "/control/faults", bad[i], NULL, NULL);
    if (response.status != 400) fail_msg("%s: HTTP %ld", bad[i], response.status);
    oidc_response_free(&response);
  }
}

static void refuses_to_start(const char *arguments, const char *words) {
  char command[1024], out[1024] = "";
  snprintf(command, sizeof command, "'%s' --port 0 %s 2>&1 </dev/null", WAREHOUSE, arguments);
  FILE *pipe = popen(command, "r");
  size_t size = fread(out, 1, sizeof out - 1, pipe);
  out[size] = '\0';
  int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 0 || !strstr(out, words)) fail_msg("%s: %s", arguments, out);
}

static void command_line(void **state) {
  (void)state;
  static const struct {
    const char *arguments, *words;
  } cases[] = {{"--oauth-client a:b", "need --oauth"},
               {"--token-life-s 5", "need --oauth"},
               {"--oauth --oauth-client a", "ID:SECRET"},
               {"--oauth --oauth-client :b", "ID:SECRET"},
               {"--oauth --oauth-client-key a", "ID:FILE"},
               {"--oauth --oauth-client-key a:/nowhere.pem", "/nowhere.pem"},
               {"--oauth --oauth-client-key a:/dev/null", "/dev/null"},
               {"--oauth --oauth-redirect a", "ID:URI"},
               {"--oauth --oauth-redirect a:https://localhost:1", "ID:URI"},
               {"--oauth --oauth-redirect a:http://example.com", "ID:URI"},
               {"--oauth --oauth-redirect a:http://localhost.example.com", "ID:URI"},
               {"--oauth --oauth-redirect a:http://localhost:1#x", "ID:URI"},
               {"--oauth --trusted-issuer https://idp.example.com", "URL:FILE"},
               {"--oauth --trusted-issuer idp:keys.json", "URL:FILE"},
               {"--oauth --trusted-issuer https://idp.example.com:/nowhere.json", "/nowhere.json"},
               {"--oauth --token-life-s 0", "--token-life-s"},
               {"--oauth --clock-skew-s x", "--clock-skew-s"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuses_to_start(cases[i].arguments, cases[i].words);
}

static bool answers_at(in_addr_t address, int port) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(address)}};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  bool answers = connect(fd, (struct sockaddr *)(void *)&where, sizeof where) == 0;
  close(fd);
  return answers;
}

/* auth.md 6, T45: a warehouse for tests is for its own machine and has a token that nobody can guess, unless it is told otherwise thrice */
static void not_for_other_machines(void **state) {
  (void)state;
  static const char *const addresses[] = {"0.0.0.0", "::", "192.0.2.1", "2001:db8::1"};
  for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
    static const char *const too_little[] = {"", "--tls", "--listen-anywhere", "--listen-anywhere --tls --no-token"};
    for (size_t k = 0; k < sizeof too_little / sizeof *too_little; k++) {
      char arguments[128];
      snprintf(arguments, sizeof arguments, "--no-cloudfetch --host %s %s", addresses[i], too_little[k]);
      refuses_to_start(arguments, "needs --listen-anywhere, --tls and a token");
    }
  }
  char tokens[2][64];
  for (int i = 0; i < 2; i++) {
    struct warehouse_process *warehouse = warehouse_start(NULL);
    assert_true(answers_at(0x7F000001, warehouse_port(warehouse)));
    assert_false(answers_at(0x7F000002, warehouse_port(warehouse))); /* which would be there if it listened everywhere */
    const char *token = strstr(warehouse_dsn(warehouse), "token:");
    assert_non_null(token);
    snprintf(tokens[i], sizeof tokens[i], "%.*s", (int)strcspn(token + 6, "@"), token + 6);
    warehouse_stop(warehouse);
  }
  assert_true(strlen(tokens[0]) >= 32);
  assert_string_not_equal(tokens[0], tokens[1]);
}

int main(void) {
  if (!warehouse_is_there()) return 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_other_token),   cmocka_unit_test(token_faults),           cmocka_unit_test(shared_faults),
      cmocka_unit_test(discovery_faults), cmocka_unit_test(authorize_faults),       cmocka_unit_test(wrong_places),
      cmocka_unit_test(command_line),     cmocka_unit_test(not_for_other_machines),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
