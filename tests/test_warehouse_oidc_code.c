/* The warehouse's OAuth with a browser: the page, codes with PKCE, refresh tokens, and what ends them. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "oidc_client.h"

static struct oidc_client client;

static int set_up(void **state) {
  (void)state;
  static const char *const arguments[] = {
      "--oauth",          "--oauth-client",           "web:s3cret", "--oauth-redirect", "web:http://127.0.0.1:7777/back",
      "--oauth-redirect", "web:http://localhost/any", NULL};
  oidc_client_init(&client, warehouse_start(arguments));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  return warehouse_stop(client.warehouse);
}

static void set(const char *json) {
  json_decref(oidc_order(&client, "oauth", json));
}

/* Frees the code. */
static char *code_form(char *code, const char *verifier, const char *redirect) {
  char *form = oidc_form("grant_type", "authorization_code", "code", code, "code_verifier", verifier, "redirect_uri", redirect, "client_id",
                         "databricks-sql-connector", NULL);
  free(code);
  return form;
}

static char *refresh_form(const char *token, const char *scope) {
  return oidc_form("grant_type", "refresh_token", "refresh_token", token, "client_id", "databricks-sql-connector", "scope", scope, NULL);
}

/* ---- The page --------------------------------------------------------------------------------------------------------------------- */

/* What stands in the page is escaped, and the page loads nothing and cannot be framed. */
static void page(void **state) {
  (void)state;
  char url[4096], *query = oidc_authorize_query(NULL, NULL);
  snprintf(url, sizeof url, "/oidc/v1/authorize?%s", query);
  struct oidc_response response = oidc_send(&client, "GET", url, NULL, NULL, NULL);
  assert_int_equal(response.status, 200);
  assert_non_null(strstr(response.headers, "Content-Security-Policy: default-src 'none'"));
  assert_non_null(strstr(response.headers, "frame-ancestors 'none'"));
  assert_non_null(strstr(response.headers, "no-referrer"));
  assert_non_null(strstr(response.headers, "no-store"));
  assert_non_null(strstr(response.body, "databricks-sql-connector"));
  assert_non_null(strstr(response.body, "id=\"allow\""));
  assert_null(strstr(response.body, "<script"));
  oidc_response_free(&response);
  free(query);
}

/* As long as client or address are in doubt the browser is sent nowhere (RFC 6749 4.1.2.1). */
static void page_stays(void **state) {
  (void)state;
  static const struct {
    const char *name, *value;
  } cases[] = {{"client_id", NULL},
               {"client_id", "nobody"},
               {"client_id", "<script>"},
               {"redirect_uri", NULL},
               {"redirect_uri", "https://evil.example.com/"},
               {"redirect_uri", "http://localhost.evil.example.com:8030"},
               {"redirect_uri", "http://localhost:8030@evil.example.com"},
               {"redirect_uri", "http://localhost:8030/other"},
               {"redirect_uri", "http://localhost:99999"},
               {"redirect_uri", "http://localhost:"},
               {"redirect_uri", "http://localhost:80x"},
               {"redirect_uri", "http://localhost:8030?x=y"},
               {"redirect_uri", "http://localhost:8030\r\nX: y"},
               {"redirect_uri", "http://192.168.1.1:8030"},
               {"redirect_uri", "http://127.0.0.1:7777/back"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *query = oidc_authorize_query(cases[i].name, cases[i].value);
    struct oidc_response response = oidc_consent(&client, query, "allow");
    if (response.status != 400 || response.location[0]) fail_msg("%s: HTTP %ld %s", query, response.status, response.location);
    assert_null(strstr(response.body, "<script"));
    oidc_response_free(&response);
    free(query);
  }
  char url[4096], *query = oidc_authorize_query(NULL, NULL);
  snprintf(url, sizeof url, "/oidc/v1/authorize?%s&state=2", query);
  struct oidc_response response = oidc_send(&client, "GET", url, NULL, NULL, NULL);
  assert_int_equal(response.status, 400);
  oidc_response_free(&response);
  free(query);
}

/* Other mistakes are told to the program, with its state. */
static void page_tells(void **state) {
  (void)state;
  static const struct {
    const char *name, *value, *error;
  } cases[] = {{"response_type", NULL, "invalid_request"},
               {"response_type", "token", "unsupported_response_type"},
               {"scope", NULL, "invalid_scope"},
               {"scope", "sql root", "invalid_scope"},
               {"code_challenge", NULL, "invalid_request"},
               {"code_challenge", "short", "invalid_request"},
               {"code_challenge_method", NULL, "invalid_request"},
               {"code_challenge_method", "plain", "invalid_request"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char error[64], text[64], *query = oidc_authorize_query(cases[i].name, cases[i].value);
    struct oidc_response response = oidc_consent(&client, query, "allow");
    if (response.status != 303) fail_msg("%s: HTTP %ld %s", query, response.status, response.body);
    oidc_location_parameter(&response, "error", error, sizeof error);
    assert_string_equal(error, cases[i].error);
    oidc_location_parameter(&response, "state", text, sizeof text);
    assert_string_equal(text, "st&te = 1");
    oidc_location_parameter(&response, "code", text, sizeof text);
    assert_string_equal(text, "");
    oidc_response_free(&response);
    free(query);
  }
}

static void page_denied(void **state) {
  (void)state;
  char error[64], *query = oidc_authorize_query(NULL, NULL);
  struct oidc_response response = oidc_consent(&client, query, "deny");
  assert_int_equal(response.status, 303);
  oidc_location_parameter(&response, "error", error, sizeof error);
  assert_string_equal(error, "access_denied");
  oidc_response_free(&response);
  /* A button that is not there; a page that was not shown. */
  response = oidc_consent(&client, query, "perhaps");
  assert_int_equal(response.status, 400);
  oidc_response_free(&response);
  response = oidc_send(&client, "POST", "/oidc/v1/authorize", "consent=AAAA&decision=allow", NULL, NULL);
  assert_int_equal(response.status, 400);
  oidc_response_free(&response);
  response = oidc_send(&client, "DELETE", "/oidc/v1/authorize", NULL, NULL, NULL);
  assert_int_equal(response.status, 405);
  oidc_response_free(&response);
  free(query);
}

/* Who presses the button again gets no second code. */
static void page_twice(void **state) {
  (void)state;
  char url[4096], consent[128] = "", *query = oidc_authorize_query(NULL, NULL);
  snprintf(url, sizeof url, "/oidc/v1/authorize?%s", query);
  struct oidc_response response = oidc_send(&client, "GET", url, NULL, NULL, NULL);
  const char *at = strstr(response.body, "name=\"consent\" value=\"");
  assert_non_null(at);
  assert_int_equal(sscanf(at, "name=\"consent\" value=\"%100[^\"]", consent), 1);
  oidc_response_free(&response);
  for (int round = 0; round < 2; round++) {
    char *form = oidc_form("consent", consent, "decision", "allow", NULL);
    response = oidc_send(&client, "POST", "/oidc/v1/authorize", form, NULL, NULL);
    assert_int_equal(response.status, round == 0 ? 303 : 400);
    oidc_response_free(&response);
    free(form);
  }
  free(query);
}

static void redirects(void **state) {
  (void)state;
  static const struct {
    const char *redirect;
    long status;
  } cases[] = {{"http://127.0.0.1:7777/back", 303}, {"http://127.0.0.1:7778/back", 400}, {"http://127.0.0.1:7777/", 400},
               {"http://localhost:1/any", 303},     {"http://localhost:65535/any", 303}, {"http://localhost/any", 303},
               {"http://localhost:1/any/", 400},    {"http://localhost:0/any", 400},     {"http://localhost:1", 400}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *form = oidc_form("client_id", "web", "redirect_uri", cases[i].redirect, "response_type", "code", "scope", "sql", "code_challenge",
                           CHALLENGE, "code_challenge_method", "S256", NULL);
    struct oidc_response response = oidc_consent(&client, form, "allow");
    if (response.status != cases[i].status) fail_msg("%s: HTTP %ld", cases[i].redirect, response.status);
    oidc_response_free(&response);
    free(form);
  }
}

/* ---- Codes ------------------------------------------------------------------------------------------------------------------------ */

static void code_good(void **state) {
  (void)state;
  long before = oidc_counter(&client, "issued.authorization_code"), consents = oidc_counter(&client, "consents");
  struct oidc_response response = oidc_ask(&client, code_form(oidc_code(&client), VERIFIER, REDIRECT), NULL);
  if (response.status != 200) fail_msg("%s", response.body);
  assert_string_equal(oidc_text(&response, "scope"), "sql offline_access");
  assert_non_null(oidc_text(&response, "refresh_token"));
  json_t *claims = oidc_claims(oidc_text(&response, "access_token"));
  assert_string_equal(json_string_value(json_object_get(claims, "sub")), "ada@example.com");
  json_decref(claims);
  assert_int_equal(oidc_access(&client, oidc_text(&response, "access_token")), 200);
  oidc_response_free(&response);
  assert_int_equal(oidc_counter(&client, "issued.authorization_code"), before + 1);
  assert_int_equal(oidc_counter(&client, "consents"), consents + 1);
}

static void code_refusals(void **state) {
  (void)state;
  static const char wrong[] = "wrong-verifier-wrong-verifier-wrong-verifier-xx";
  oidc_refused(&client, code_form(oidc_code(&client), wrong, REDIRECT), NULL, "invalid_grant", "code_verifier");
  oidc_refused(&client, code_form(oidc_code(&client), CHALLENGE, REDIRECT), NULL, "invalid_grant", "code_verifier");
  oidc_refused(&client, code_form(oidc_code(&client), "short", REDIRECT), NULL, "invalid_grant", "code_verifier");
  oidc_refused(&client, code_form(oidc_code(&client), NULL, REDIRECT), NULL, "invalid_request", "code_verifier");
  oidc_refused(&client, code_form(oidc_code(&client), VERIFIER, NULL), NULL, "invalid_request", "redirect_uri");
  oidc_refused(&client, code_form(oidc_code(&client), VERIFIER, "http://localhost:8031"), NULL, "invalid_grant", "redirect_uri");
  oidc_refused(&client, code_form(strdup("AAAA"), VERIFIER, REDIRECT), NULL, "invalid_grant", "unknown");
  oidc_refused(&client, code_form(NULL, VERIFIER, REDIRECT), NULL, "invalid_request", "code is missing");
  char *code = oidc_code(&client);
  char *form = oidc_form("grant_type", "authorization_code", "code", code, "code_verifier", VERIFIER, "redirect_uri", REDIRECT, "client_id",
                         "databricks-cli", NULL);
  oidc_refused(&client, form, NULL, "invalid_grant", "another client");
  form = oidc_form("grant_type", "authorization_code", "code", code, "code_verifier", VERIFIER, "redirect_uri", REDIRECT, NULL);
  oidc_refused(&client, form, NULL, "invalid_request", "client_id");
  form = oidc_form("grant_type", "authorization_code", "code", code, "code_verifier", VERIFIER, "redirect_uri", REDIRECT, "client_id",
                   "web", NULL);
  oidc_refused(&client, form, NULL, "invalid_client", "must authenticate");
  /* Codes live for a minute. */
  set("{\"clock_skew_s\": 100}");
  oidc_refused(&client, code_form(code, VERIFIER, REDIRECT), NULL, "invalid_grant", "expired");
  set("{\"clock_skew_s\": 0}");
  /* One wrong guess is all there is. */
  code = oidc_code(&client);
  oidc_refused(&client, code_form(strdup(code), wrong, REDIRECT), NULL, "invalid_grant", "code_verifier");
  oidc_refused(&client, code_form(code, VERIFIER, REDIRECT), NULL, "invalid_grant", "used before");
}

/* A code that comes twice ends all that came of it (RFC 6749 4.1.2). */
static void code_reused(void **state) {
  (void)state;
  char *code = oidc_code(&client);
  struct oidc_response response = oidc_ask(&client, code_form(strdup(code), VERIFIER, REDIRECT), NULL);
  assert_int_equal(response.status, 200);
  assert_int_equal(oidc_access(&client, oidc_text(&response, "access_token")), 200);
  oidc_refused(&client, code_form(code, VERIFIER, REDIRECT), NULL, "invalid_grant", "used before");
  assert_int_equal(oidc_access(&client, oidc_text(&response, "access_token")), 401);
  oidc_refused(&client, refresh_form(oidc_text(&response, "refresh_token"), NULL), NULL, "invalid_grant", "invalid");
  oidc_response_free(&response);
}

/* A client with a secret shows it. */
static void code_confidential(void **state) {
  (void)state;
  char code[128], *query = oidc_form("client_id", "web", "redirect_uri", "http://localhost:5/any", "response_type", "code", "scope", "sql",
                                     "code_challenge", CHALLENGE, "code_challenge_method", "S256", NULL);
  struct oidc_response response = oidc_consent(&client, query, "allow");
  oidc_location_parameter(&response, "code", code, sizeof code);
  oidc_response_free(&response);
  free(query);
  char *form = oidc_form("grant_type", "authorization_code", "code", code, "code_verifier", VERIFIER, "redirect_uri",
                         "http://localhost:5/any", NULL);
  response = oidc_ask(&client, form, "Basic d2ViOnMzY3JldA==");
  assert_int_equal(response.status, 200);
  assert_null(oidc_text(&response, "refresh_token")); /* offline_access was not asked for */
  oidc_response_free(&response);
}

static void without_page(void **state) {
  (void)state;
  char url[4096], code[128], *query = oidc_authorize_query(NULL, NULL);
  set("{\"auto_consent\": true}");
  snprintf(url, sizeof url, "/oidc/v1/authorize?%s", query);
  struct oidc_response response = oidc_send(&client, "GET", url, NULL, NULL, NULL);
  set("{\"auto_consent\": false}");
  assert_int_equal(response.status, 303);
  oidc_location_parameter(&response, "code", code, sizeof code);
  free(oidc_token(&client, code_form(strdup(code), VERIFIER, REDIRECT), NULL));
  oidc_response_free(&response);
  free(query);
}

/* ---- Refresh tokens ----------------------------------------------------------------------------------------------------------------- */

static char *login(char **access) {
  struct oidc_response response = oidc_ask(&client, code_form(oidc_code(&client), VERIFIER, REDIRECT), NULL);
  char *refresh = strdup(oidc_text(&response, "refresh_token"));
  if (access) *access = strdup(oidc_text(&response, "access_token"));
  oidc_response_free(&response);
  return refresh;
}

static char *rotate(char *refresh, char **access) {
  struct oidc_response response = oidc_ask(&client, refresh_form(refresh, NULL), NULL);
  if (response.status != 200) fail_msg("%s", response.body);
  assert_string_equal(oidc_text(&response, "scope"), "sql offline_access");
  char *next = oidc_text(&response, "refresh_token") ? strdup(oidc_text(&response, "refresh_token")) : NULL;
  if (access) *access = strdup(oidc_text(&response, "access_token"));
  oidc_response_free(&response);
  free(refresh);
  return next;
}

static void refresh_rotates(void **state) {
  (void)state;
  long before = oidc_counter(&client, "issued.refresh_token");
  char *access, *first = login(NULL), *copy = strdup(first), *second = rotate(first, &access);
  assert_string_not_equal(copy, second);
  assert_int_equal(oidc_access(&client, access), 200);
  second = rotate(second, NULL);
  /* The first one again: two have it, so all of the login ends. */
  oidc_refused(&client, refresh_form(copy, NULL), NULL, "invalid_grant", "used before");
  oidc_refused(&client, refresh_form(second, NULL), NULL, "invalid_grant", "invalid");
  assert_int_equal(oidc_access(&client, access), 401);
  assert_int_equal(oidc_counter(&client, "issued.refresh_token"), before + 2);
  free(access);
  free(copy);
  free(second);
}

static void refresh_stays(void **state) {
  (void)state;
  char *token = login(NULL), *copy = strdup(token);
  set("{\"rotate_refresh\": false}");
  assert_null(rotate(token, NULL));
  set("{\"rotate_refresh\": true}");
  warehouse_fault(client.warehouse, "{\"name\": \"oidc-same-refresh\"}");
  assert_null(rotate(strdup(copy), NULL));
  token = rotate(copy, NULL);
  assert_non_null(token);
  free(token);
}

static void refresh_refusals(void **state) {
  (void)state;
  char *token = login(NULL);
  oidc_refused(&client, refresh_form("AAAA", NULL), NULL, "invalid_grant", "invalid");
  oidc_refused(&client, refresh_form(NULL, NULL), NULL, "invalid_request", "refresh_token");
  oidc_refused(&client, refresh_form(token, "all-apis"), NULL, "invalid_scope", "all-apis");
  oidc_refused(&client, oidc_form("grant_type", "refresh_token", "refresh_token", token, "client_id", "databricks-cli", NULL), NULL,
               "invalid_grant", "another client");
  oidc_refused(&client, oidc_form("grant_type", "refresh_token", "refresh_token", token, NULL), NULL, "invalid_request", "client_id");
  struct oidc_response response = oidc_ask(&client, refresh_form(token, "sql"), NULL); /* less is fine */
  assert_string_equal(oidc_text(&response, "scope"), "sql");
  oidc_response_free(&response);
  free(token);
  token = login(NULL);
  set("{\"clock_skew_s\": 90000}");
  oidc_refused(&client, refresh_form(token, NULL), NULL, "invalid_grant", "invalid");
  set("{\"clock_skew_s\": 0}");
  free(token);
}

static void refresh_revoked(void **state) {
  (void)state;
  char order[256], *access, *token = login(&access);
  snprintf(order, sizeof order, "{\"token\": \"%s\"}", token);
  json_decref(oidc_order(&client, "revoke", order));
  oidc_refused(&client, refresh_form(token, NULL), NULL, "invalid_grant", "invalid");
  assert_int_equal(oidc_access(&client, access), 401);
  free(token);
  free(access);
  token = login(NULL);
  json_decref(oidc_order(&client, "revoke", "{\"all\": true}"));
  oidc_refused(&client, refresh_form(token, NULL), NULL, "invalid_grant", "invalid");
  free(token);
}

int main(void) {
  if (!warehouse_is_there()) return 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(page),
      cmocka_unit_test(page_stays),
      cmocka_unit_test(page_tells),
      cmocka_unit_test(page_denied),
      cmocka_unit_test(page_twice),
      cmocka_unit_test(redirects),
      cmocka_unit_test(code_good),
      cmocka_unit_test(code_refusals),
      cmocka_unit_test(code_reused),
      cmocka_unit_test(code_confidential),
      cmocka_unit_test(without_page),
      cmocka_unit_test(refresh_rotates),
      cmocka_unit_test(refresh_stays),
      cmocka_unit_test(refresh_refusals),
      cmocka_unit_test(refresh_revoked),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
