/* The warehouse's OAuth without a browser: discovery, client credentials, assertions, exchange, lifetimes, revocation, control. */
#include "test.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "oidc_client.h"
#include "warehouse/jwt.h"

static struct oidc_client client;
static struct jwk client_key, other_key, issuer_key;

/* "sp-1:s3cret" and an id and a secret that need escapes. */
#define BASIC "Basic c3AtMTpzM2NyZXQ="
#define TRUSTED "https://idp.example.com/tenant"

static void write_file(const char *path, EVP_PKEY *key, bool public, const char *text) {
  FILE *file = fopen(path, "w");
  if (!file) fail_msg("cannot write %s", path);
  if (text) fputs(text, file);
  if (key && public) PEM_write_PUBKEY(file, key);
  if (key && !public) PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
  fclose(file);
}

static char folder[] = "/tmp/dbsql-oidc-XXXXXX";
static char paths[3][64];

static int set_up(void **state) {
  (void)state;
  static char key_option[128], ec_option[128], issuer_option[192];
  client_key = (struct jwk){NULL, EVP_RSA_gen(2048)};
  other_key = (struct jwk){NULL, EVP_EC_gen("P-256")};
  issuer_key = (struct jwk){(char *)(uintptr_t) "i-1", EVP_RSA_gen(2048)};
  assert_non_null(mkdtemp(folder));
  static const char *const names[] = {"rsa.pem", "ec.pem", "keys.json"};
  for (size_t i = 0; i < 3; i++) snprintf(paths[i], sizeof paths[i], "%s/%s", folder, names[i]);
  struct jwks set = {&issuer_key, 1};
  json_t *json = jwks_to_json(&set);
  char *text = json_dumps(json, 0);
  write_file(paths[0], client_key.key, true, NULL);
  write_file(paths[1], other_key.key, false, NULL);
  write_file(paths[2], NULL, false, text);
  free(text);
  json_decref(json);
  snprintf(key_option, sizeof key_option, "sp-key:%s", paths[0]);
  snprintf(ec_option, sizeof ec_option, "sp-ec:%s", paths[1]);
  snprintf(issuer_option, sizeof issuer_option, TRUSTED ":%s", paths[2]);
  const char *const arguments[] = {"--oauth",       "--token",
                                   "dapi-test",     "--oauth-client",
                                   "sp-1:s3cret",   "--oauth-client",
                                   "sp 2:a:b+c%&d", "--oauth-client-key",
                                   key_option,      "--oauth-client-key",
                                   ec_option,       "--trusted-issuer",
                                   issuer_option,   NULL};
  oidc_client_init(&client, warehouse_start(arguments));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  for (size_t i = 0; i < 3; i++) unlink(paths[i]);
  rmdir(folder);
  EVP_PKEY_free(client_key.key);
  EVP_PKEY_free(other_key.key);
  EVP_PKEY_free(issuer_key.key);
  return warehouse_stop(client.warehouse);
}

static void set(const char *json) {
  json_decref(oidc_order(&client, "oauth", json));
}

static char *credentials(void) {
  return oidc_form("grant_type", "client_credentials", "scope", "all-apis", NULL);
}

/* ---- Discovery -------------------------------------------------------------------------------------------------------------------- */

static void discovery(void **state) {
  (void)state;
  char expected[256];
  struct oidc_response response = oidc_send(&client, "GET", "/.well-known/databricks-config", NULL, NULL, NULL);
  assert_int_equal(response.status, 200);
  snprintf(expected, sizeof expected, "%s/oidc", client.base);
  assert_string_equal(oidc_text(&response, "oidc_endpoint"), expected);
  char account[64];
  snprintf(account, sizeof account, "%s", oidc_text(&response, "account_id"));
  oidc_response_free(&response);

  static const char *const documents[] = {"/oidc/.well-known/oauth-authorization-server", "/oidc/.well-known/openid-configuration"};
  for (size_t i = 0; i < 2; i++) {
    response = oidc_send(&client, "GET", documents[i], NULL, NULL, NULL);
    assert_int_equal(response.status, 200);
    assert_string_equal(oidc_text(&response, "issuer"), expected);
    snprintf(expected, sizeof expected, "%s/oidc/v1/token", client.base);
    assert_string_equal(oidc_text(&response, "token_endpoint"), expected);
    snprintf(expected, sizeof expected, "%s/oidc/v1/authorize", client.base);
    assert_string_equal(oidc_text(&response, "authorization_endpoint"), expected);
    snprintf(expected, sizeof expected, "%s/oidc", client.base);
    oidc_response_free(&response);
  }

  /* Of the account; of another one. */
  char path[256];
  snprintf(path, sizeof path, "/oidc/accounts/%s/.well-known/oauth-authorization-server", account);
  response = oidc_send(&client, "GET", path, NULL, NULL, NULL);
  snprintf(expected, sizeof expected, "%s/oidc/accounts/%s/v1/token", client.base, account);
  assert_string_equal(oidc_text(&response, "token_endpoint"), expected);
  char *token_url = strdup(oidc_text(&response, "token_endpoint"));
  oidc_response_free(&response);
  char *form = credentials();
  response = oidc_send(&client, "POST", token_url, form, NULL, BASIC);
  assert_int_equal(response.status, 200);
  oidc_response_free(&response);
  free(form);
  free(token_url);
  response = oidc_send(&client, "GET", "/oidc/accounts/1234/.well-known/oauth-authorization-server", NULL, NULL, NULL);
  assert_int_equal(response.status, 404);
  oidc_response_free(&response);

  /* Under the name that the client uses, if that is this machine's. */
  snprintf(path, sizeof path, "http://localhost:%d/.well-known/databricks-config", warehouse_port(client.warehouse));
  snprintf(expected, sizeof expected, "http://localhost:%d/oidc", warehouse_port(client.warehouse));
  response = oidc_send(&client, "GET", path, NULL, NULL, NULL);
  assert_string_equal(oidc_text(&response, "oidc_endpoint"), expected);
  oidc_response_free(&response);
  response = oidc_send(&client, "POST", "/.well-known/databricks-config", "", NULL, NULL);
  assert_int_equal(response.status, 405);
  oidc_response_free(&response);
}

/* Anybody can check the tokens by the keys that are published. */
static void published_keys(void **state) {
  (void)state;
  struct oidc_response response = oidc_send(&client, "GET", "/oidc/jwks.json", NULL, NULL, NULL);
  char path[80];
  snprintf(path, sizeof path, "%s/published.json", folder);
  write_file(path, NULL, false, response.body);
  oidc_response_free(&response);
  struct jwks keys = {0};
  char *message = NULL, *token = oidc_token(&client, credentials(), BASIC);
  const char *reason = "";
  if (!jwks_read_file(&keys, path, &message)) fail_msg("%s", message);
  json_t *claims = jwt_verify(&keys, token, &reason);
  if (!claims) fail_msg("%s", reason);
  assert_string_equal(json_string_value(json_object_get(claims, "sub")), "sp-1");
  assert_string_equal(json_string_value(json_object_get(claims, "client_id")), "sp-1");
  assert_string_equal(json_string_value(json_object_get(claims, "scope")), "all-apis");
  assert_int_equal(json_integer_value(json_object_get(claims, "exp")) - json_integer_value(json_object_get(claims, "iat")), 3600);
  json_decref(claims);
  jwks_free(&keys);
  free(token);
  unlink(path);
}

/* ---- Secrets ---------------------------------------------------------------------------------------------------------------------- */

static void secret_basic(void **state) {
  (void)state;
  long before = oidc_counter(&client, "issued.client_secret"), requests = oidc_counter(&client, "token_requests");
  struct oidc_response response = oidc_ask(&client, credentials(), BASIC);
  assert_int_equal(response.status, 200);
  assert_int_equal(json_integer_value(json_object_get(response.json, "expires_in")), 3600);
  assert_string_equal(oidc_text(&response, "scope"), "all-apis");
  assert_null(oidc_text(&response, "refresh_token"));
  assert_non_null(strstr(response.headers, "no-store"));
  assert_int_equal(oidc_access(&client, oidc_text(&response, "access_token")), 200);
  oidc_response_free(&response);
  assert_int_equal(oidc_counter(&client, "issued.client_secret"), before + 1);
  assert_int_equal(oidc_counter(&client, "token_requests"), requests + 1);
}

/* RFC 6749 2.3.1: "sp 2" and "a:b+c%&d" are escaped before they are joined. */
static void secret_escaped(void **state) {
  (void)state;
  free(oidc_token(&client, credentials(), "Basic c3ArMjphJTNBYiUyQmMlMjUlMjZk"));
  oidc_refused(&client, credentials(), "Basic c3AgMjphOmIrYyUmZA==", "invalid_client", "escaped");
}

static void secret_in_form(void **state) {
  (void)state;
  free(oidc_token(&client, oidc_form("grant_type", "client_credentials", "client_id", "sp 2", "client_secret", "a:b+c%&d", NULL), NULL));
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "client_id", "sp-1", "client_secret", "no", NULL), NULL,
               "invalid_client", "failed");
}

static void secret_refusals(void **state) {
  (void)state;
  long refused = oidc_counter(&client, "refused");
  struct oidc_response response = oidc_ask(&client, credentials(), "Basic c3AtMTpubw==");
  assert_int_equal(response.status, 401);
  assert_non_null(strstr(response.headers, "WWW-Authenticate: Basic"));
  oidc_response_free(&response);
  oidc_refused(&client, credentials(), "Basic bm9ib2R5OnMzY3JldA==", "invalid_client", "failed");
  oidc_refused(&client, credentials(), "Basic !!", "invalid_client", "Basic");
  oidc_refused(&client, credentials(), "Basic ", "invalid_client", "Basic");
  oidc_refused(&client, credentials(), "Bearer x", "invalid_client", "Basic");
  oidc_refused(&client, credentials(), NULL, "invalid_client", "must authenticate");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "client_id", "sp-1", NULL), NULL, "invalid_client",
               "must authenticate");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "client_id", "databricks-cli", NULL), NULL, "invalid_client", "must");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "client_id", "sp 2", NULL), BASIC, "invalid_request", "different");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "client_secret", "s3cret", NULL), BASIC, "invalid_request",
               "two ways");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "client_secret", "s3cret", NULL), NULL, "invalid_request",
               "client_id");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "scope", "all-apis wrong", NULL), BASIC, "invalid_scope", "wrong");
  oidc_refused(&client, oidc_form("grant_type", "password", NULL), BASIC, "unsupported_grant_type", "password");
  oidc_refused(&client, oidc_form("scope", "sql", NULL), BASIC, "invalid_request", "grant_type");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "grant_type", "client_credentials", NULL), BASIC, "invalid_request",
               "twice");
  oidc_refused(&client, strdup("grant_type=%zz"), BASIC, "invalid_request", "cannot be read");
  oidc_refused(&client, strdup(""), BASIC, "invalid_request", "grant_type");
  assert_int_equal(oidc_counter(&client, "refused"), refused + 17);
  response = oidc_send(&client, "POST", "/oidc/v1/token", "{}", "application/json", BASIC);
  assert_int_equal(response.status, 400);
  oidc_response_free(&response);
  response = oidc_send(&client, "GET", "/oidc/v1/token?grant_type=client_credentials", NULL, NULL, BASIC);
  assert_int_equal(response.status, 405);
  oidc_response_free(&response);
}

/* ---- Assertions ------------------------------------------------------------------------------------------------------------------- */

static int serial;

/* A good assertion of `id` but for one claim, which is set to `value` (NULL: left out). */
static char *assertion(const struct jwk *key, const char *algorithm, const char *id, const char *name, json_t *value) {
  char url[128], jti[32];
  snprintf(url, sizeof url, "%s/oidc/v1/token", client.base);
  snprintf(jti, sizeof jti, "jti-%d", ++serial);
  json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "iss", id, "sub", id, "aud", url, "iat", (json_int_t)time(NULL), "exp",
                             (json_int_t)time(NULL) + 300, "jti", jti);
  if (name && value) json_object_set_new(claims, name, value);
  if (name && !value) json_object_del(claims, name);
  char *token = jwt_sign(key, algorithm, NULL, claims);
  if (!token) fail_msg("cannot sign by %s", algorithm);
  json_decref(claims);
  char *form = oidc_form("grant_type", "client_credentials", "scope", "all-apis", "client_assertion_type", TYPE_ASSERTION,
                         "client_assertion", token, NULL);
  free(token);
  return form;
}

static void assertion_good(void **state) {
  (void)state;
  static const char *const algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"};
  long before = oidc_counter(&client, "issued.client_assertion");
  for (size_t i = 0; i < 6; i++) {
    char *token = oidc_token(&client, assertion(&client_key, algorithms[i], "sp-key", NULL, NULL), NULL);
    assert_int_equal(oidc_access(&client, token), 200);
    free(token);
  }
  free(oidc_token(&client, assertion(&other_key, "ES256", "sp-ec", NULL, NULL), NULL));
  char issuer[128];
  snprintf(issuer, sizeof issuer, "%s/oidc", client.base);
  free(oidc_token(&client, assertion(&client_key, "RS256", "sp-key", "aud", json_string(issuer)), NULL));
  free(oidc_token(&client, assertion(&client_key, "RS256", "sp-key", "aud", json_pack("[s,s]", "x", issuer)), NULL));
  /* A minute of difference between the clocks is forgiven: some sign with exp = iat (auth.md 2.8). */
  free(oidc_token(&client, assertion(&client_key, "RS256", "sp-key", "exp", json_integer(time(NULL) - 20)), NULL));
  assert_int_equal(oidc_counter(&client, "issued.client_assertion"), before + 10);
}

static void assertion_refusals(void **state) {
  (void)state;
  const struct {
    const char *claim;
    json_t *value;
    const char *words;
  } cases[] = {{"exp", json_integer(time(NULL) - 120), "expired"},
               {"exp", NULL, "no exp"},
               {"exp", json_string("tomorrow"), "no exp"},
               {"exp", json_integer(time(NULL) + 100000000), "too long"},
               {"nbf", json_integer(time(NULL) + 3600), "not valid yet"},
               {"nbf", json_string("now"), "not valid yet"},
               {"iat", json_integer(time(NULL) + 3600), "future"},
               {"aud", json_string("https://elsewhere.example.com/oidc/v1/token"), "audience"},
               {"aud", json_string(client.base), "audience"},
               {"aud", NULL, "audience"},
               {"sub", json_string("sp-1"), "subject"},
               {"sub", NULL, "subject"},
               {"iss", json_string("sp-1"), "no client with a key"},
               {"iss", json_string("nobody"), "no client with a key"},
               {"iss", NULL, "no client with a key"},
               {"jti", NULL, "no jti"},
               {"jti", json_string(""), "no jti"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    oidc_refused(&client, assertion(&client_key, "RS256", "sp-key", cases[i].claim, cases[i].value), NULL, "invalid_client",
                 cases[i].words);
  }
  oidc_refused(&client, assertion(&client_key, "none", "sp-key", NULL, NULL), NULL, "invalid_client", "algorithm");
  oidc_refused(&client, assertion(&other_key, "ES256", "sp-key", NULL, NULL), NULL, "invalid_client", "signed");
  oidc_refused(&client, assertion(&client_key, "RS256", "sp-ec", NULL, NULL), NULL, "invalid_client", "signed");
  char *again = assertion(&client_key, "RS256", "sp-key", NULL, NULL), *copy = strdup(again);
  free(oidc_token(&client, again, NULL));
  oidc_refused(&client, copy, NULL, "invalid_client", "used before");
  oidc_refused(&client, oidc_form("grant_type", "client_credentials", "client_assertion", "a.b.c", NULL), NULL, "invalid_request",
               "client_assertion_type");
  oidc_refused(&client,
               oidc_form("grant_type", "client_credentials", "client_assertion", "a.b.c", "client_assertion_type", TYPE_ASSERTION, NULL),
               NULL, "invalid_client", "no JWT");
  char *both = assertion(&client_key, "RS256", "sp-key", NULL, NULL);
  oidc_refused(&client, both, BASIC, "invalid_request", "two ways");
}

/* ---- Exchange --------------------------------------------------------------------------------------------------------------------- */

static char *exchange(char *subject, const char *more, const char *value) {
  char *form =
      oidc_form("grant_type", GRANT_EXCHANGE, "subject_token", subject, "subject_token_type", TYPE_JWT, "scope", "sql", more, value, NULL);
  free(subject);
  return form;
}

static void expect_subject(char *token, const char *subject) {
  json_t *claims = oidc_claims(token);
  assert_string_equal(json_string_value(json_object_get(claims, "sub")), subject);
  json_decref(claims);
  assert_int_equal(oidc_access(&client, token), 200);
  free(token);
}

static void exchange_good(void **state) {
  (void)state;
  long before = oidc_counter(&client, "issued.token_exchange");
  /* Of the account: the subject is a user. Of a service principal: it is that one. */
  expect_subject(oidc_token(&client, exchange(oidc_mint(&client, "{\"sub\": \"eve@example.com\"}"), NULL, NULL), NULL), "eve@example.com");
  expect_subject(oidc_token(&client, exchange(oidc_mint(&client, "{}"), "client_id", "sp-1"), NULL), "sp-1");
  /* An issuer that was registered, with a key that only it has. */
  char url[128];
  snprintf(url, sizeof url, "%s/oidc/v1/token", client.base);
  json_t *claims = json_pack("{s:s, s:s, s:s, s:I}", "iss", TRUSTED, "sub", "build", "aud", url, "exp", (json_int_t)time(NULL) + 60);
  char *subject = jwt_sign(&issuer_key, "RS256", NULL, claims);
  json_decref(claims);
  char *copy = strdup(subject);
  expect_subject(oidc_token(&client, exchange(subject, NULL, NULL), NULL), "build");
  /* The older form. */
  char *form = oidc_form("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", copy, "scope", "sql",
                         "identity_federation_client_id", "sp-1", NULL);
  expect_subject(oidc_token(&client, form, NULL), "sp-1");
  free(copy);
  form = oidc_form("grant_type", GRANT_EXCHANGE, "subject_token", "dapi-test", "subject_token_type",
                   "urn:databricks:params:oauth:token-type:personal-access-token", "requested_token_type",
                   "urn:ietf:params:oauth:token-type:access_token", NULL);
  expect_subject(oidc_token(&client, form, NULL), "user@example.com");
  assert_int_equal(oidc_counter(&client, "issued.token_exchange"), before + 5);
}

/* return_original_token_if_authenticated (auth.md 1.9). */
static void exchange_original(void **state) {
  (void)state;
  static const char flag[] = "return_original_token_if_authenticated";
  char *own = oidc_token(&client, credentials(), BASIC);
  char *same = oidc_token(&client, exchange(strdup(own), flag, "true"), NULL);
  assert_string_equal(same, own);
  free(same);
  oidc_refused(&client, exchange(strdup(own), NULL, NULL), NULL, "invalid_grant", "no federation policy");
  free(own);
  same = oidc_mint(&client, "{}");
  own = oidc_token(&client, exchange(strdup(same), flag, "true"), NULL);
  assert_string_not_equal(same, own);
  free(own);
  free(same);
}

static void exchange_refusals(void **state) {
  (void)state;
  static const struct {
    const char *order, *words;
  } cases[] = {{"{\"alg\": \"none\"}", "algorithm"},
               {"{\"bad_signature\": true}", "signed"},
               {"{\"header\": {\"alg\": \"RS256\"}}", "signed"},
               {"{\"header\": {\"alg\": \"HS256\"}}", "algorithm"},
               {"{\"header\": {\"kid\": \"another\"}}", "signed"},
               {"{\"expires_in\": -120}", "expired"},
               {"{\"aud\": \"https://elsewhere.example.com\"}", "audience"},
               {"{\"aud\": []}", "audience"},
               {"{\"claims\": {\"nbf\": 99999999999}}", "not valid yet"},
               {"{\"claims\": {\"sub\": 7}}", "no subject"},
               {"{\"claims\": {\"iss\": \"https://nobody.example.com\"}}", "no federation policy"},
               {"{\"claims\": {\"iss\": null}}", "no federation policy"},
               {"{\"claims\": {\"iss\": \"" TRUSTED "\"}}", "signed"},
               {"{\"issuer\": \"warehouse\"}", "no federation policy"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    oidc_refused(&client, exchange(oidc_mint(&client, cases[i].order), NULL, NULL), NULL, "invalid_grant", cases[i].words);
  }
  oidc_refused(&client, exchange(strdup("dapi-test"), NULL, NULL), NULL, "invalid_grant", "no JWT");
  oidc_refused(&client, exchange(oidc_mint(&client, "{}"), "client_id", "nobody"), NULL, "invalid_client", "no such client");
  oidc_refused(&client, exchange(oidc_mint(&client, "{}"), "requested_token_type", "x"), NULL, "invalid_request", "requested_token_type");
  oidc_refused(&client, oidc_form("grant_type", GRANT_EXCHANGE, "subject_token_type", TYPE_JWT, NULL), NULL, "invalid_request",
               "subject_token");
  oidc_refused(&client, oidc_form("grant_type", GRANT_EXCHANGE, "subject_token", "a.b.c", NULL), NULL, "invalid_request",
               "subject_token_type");
  oidc_refused(&client, oidc_form("grant_type", GRANT_EXCHANGE, "subject_token", "a.b.c", "subject_token_type", "saml", NULL), NULL,
               "invalid_request", "saml");
  oidc_refused(&client,
               oidc_form("grant_type", GRANT_EXCHANGE, "subject_token", "dapi-wrong", "subject_token_type",
                         "urn:databricks:params:oauth:token-type:personal-access-token", NULL),
               NULL, "invalid_grant", "personal access token");
}

/* ---- What tokens are worth ---------------------------------------------------------------------------------------------------------- */

static void access_to_sql(void **state) {
  (void)state;
  struct {
    const char *order;
    long status;
  } cases[] = {{"{\"issuer\": \"warehouse\"}", 200},
               {"{\"issuer\": \"warehouse\", \"expires_in\": 0}", 401},
               {"{\"issuer\": \"warehouse\", \"expires_in\": -1}", 401},
               {"{\"issuer\": \"warehouse\", \"bad_signature\": true}", 401},
               {"{\"issuer\": \"warehouse\", \"alg\": \"none\"}", 401},
               {"{\"issuer\": \"warehouse\", \"claims\": {\"scope\": \"sql\"}}", 200},
               {"{\"issuer\": \"warehouse\", \"claims\": {\"scope\": \"clusters openid\"}}", 403},
               {"{\"issuer\": \"warehouse\", \"claims\": {\"scope\": \"sqlite\"}}", 403},
               {"{}", 401}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *token = oidc_mint(&client, cases[i].order);
    long status = oidc_access(&client, token);
    if (status != cases[i].status) fail_msg("%s: HTTP %ld", cases[i].order, status);
    free(token);
  }
  assert_int_equal(oidc_access(&client, "dapi-test"), 200);
  assert_int_equal(oidc_access(&client, "dapi-other"), 401);
  assert_int_equal(oidc_access(&client, ""), 401);
}

/* A token runs SQL, by way of the library. */
static void sql(void **state) {
  (void)state;
  char dsn[4096], *token = oidc_token(&client, credentials(), BASIC);
  dbsql_config *config = NULL;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  snprintf(dsn, sizeof dsn, "http://token:%s@127.0.0.1:%d/sql/1.0/warehouses/local", token, warehouse_port(client.warehouse));
  if (dbsql_config_new(&config, &error) != DBSQL_OK || dbsql_config_parse(config, dsn, strlen(dsn), &error) != DBSQL_OK)
    fail_msg("%s", dbsql_error_message(error));
  dbsql_connection *connection = warehouse_connect(config);
  if (dbsql_execute(connection, "SELECT 41 + 1", SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  dbsql_result_free(result);
  assert_int_equal(dbsql_connection_close(connection, NULL, NULL), DBSQL_OK);
  free(token);
}

/* By the clock, which is moved, and nobody sleeps. */
static void lifetime(void **state) {
  (void)state;
  set("{\"token_life_s\": 10}");
  char *token = oidc_token(&client, credentials(), BASIC);
  assert_int_equal(oidc_access(&client, token), 200);
  set("{\"clock_skew_s\": 20}");
  assert_int_equal(oidc_access(&client, token), 401);
  char *later = oidc_token(&client, credentials(), BASIC);
  json_t *claims = oidc_claims(later);
  assert_true(json_integer_value(json_object_get(claims, "exp")) > time(NULL) + 20);
  json_decref(claims);
  assert_int_equal(oidc_access(&client, later), 200);
  set("{\"clock_skew_s\": 0, \"token_life_s\": 3600}");
  free(token);
  free(later);
}

static void revocation(void **state) {
  (void)state;
  char order[8192], *one = oidc_token(&client, credentials(), BASIC), *two = oidc_token(&client, credentials(), BASIC);
  snprintf(order, sizeof order, "{\"token\": \"%s\"}", one);
  json_decref(oidc_order(&client, "revoke", order));
  assert_int_equal(oidc_access(&client, one), 401);
  assert_int_equal(oidc_access(&client, two), 200);
  json_decref(oidc_order(&client, "revoke", "{\"all\": true}"));
  assert_int_equal(oidc_access(&client, two), 401);
  free(one);
  one = oidc_token(&client, credentials(), BASIC);
  assert_int_equal(oidc_access(&client, one), 200);
  char *other = oidc_token(&client, assertion(&client_key, "RS256", "sp-key", NULL, NULL), NULL);
  json_decref(oidc_order(&client, "revoke", "{\"client_id\": \"sp-key\"}"));
  assert_int_equal(oidc_access(&client, one), 200);
  assert_int_equal(oidc_access(&client, other), 401);
  free(one);
  free(two);
  free(other);
}

static void control_refusals(void **state) {
  (void)state;
  static const struct {
    const char *path, *body;
  } cases[] = {{"revoke", "{}"},
               {"revoke", "{\"token\": \"x\"}"},
               {"revoke", "[]"},
               {"mint", "{\"issuer\": \"x\"}"},
               {"mint", "{\"what\": 1}"},
               {"mint", "{\"alg\": \"RS256\"}"},
               {"mint", "{\"sub\": 1}"},
               {"mint", "no JSON"},
               {"oauth", "{\"token_life_s\": 0}"},
               {"oauth", "{\"token_life_s\": \"1\"}"},
               {"oauth", "{\"auto_consent\": 1}"},
               {"oauth", "{\"token_life_s\": 5, \"what\": 1}"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[64];
    snprintf(path, sizeof path, "/control/%s", cases[i].path);
    struct oidc_response response = oidc_send(&client, "POST", path, cases[i].body, NULL, NULL);
    if (response.status != 400 || !oidc_text(&response, "message"))
      fail_msg("%s: HTTP %ld: %s", cases[i].body, response.status, response.body);
    oidc_response_free(&response);
  }
  struct oidc_response response = oidc_send(&client, "GET", "/control/oauth", NULL, NULL, NULL);
  assert_int_equal(json_integer_value(json_object_get(response.json, "token_life_s")), 3600); /* nothing of it was set */
  oidc_response_free(&response);
  response = oidc_send(&client, "GET", "/control/mint", NULL, NULL, NULL);
  assert_int_equal(response.status, 405);
  oidc_response_free(&response);
}

int main(void) {
  if (!warehouse_is_there()) return 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(discovery),
      cmocka_unit_test(published_keys),
      cmocka_unit_test(secret_basic),
      cmocka_unit_test(secret_escaped),
      cmocka_unit_test(secret_in_form),
      cmocka_unit_test(secret_refusals),
      cmocka_unit_test(assertion_good),
      cmocka_unit_test(assertion_refusals),
      cmocka_unit_test(exchange_good),
      cmocka_unit_test(exchange_original),
      cmocka_unit_test(exchange_refusals),
      cmocka_unit_test(access_to_sql),
      cmocka_unit_test(sql),
      cmocka_unit_test(lifetime),
      cmocka_unit_test(revocation),
      cmocka_unit_test(control_refusals),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
