/* Token exchange (auth.md 1.9 and 1.18). */
#include "auth_support.h"

/* An identity provider that answers as it is told, and remembers. */
struct endpoint {
  pthread_mutex_t lock;
  int status;
  const char *headers, *body;
  struct test_event *started, *go;
};

static void answer(struct http_exchange *exchange, void *user) {
  struct endpoint *endpoint = user;
  pthread_mutex_lock(&endpoint->lock);
  int status = endpoint->status;
  const char *headers = endpoint->headers, *body = endpoint->body;
  struct test_event *started = endpoint->started, *go = endpoint->go;
  pthread_mutex_unlock(&endpoint->lock);
  if (started) test_event_set(started);
  if (go) test_event_wait(go);
  exchange_reply(exchange, status, headers, body);
}

static struct endpoint endpoint;
static struct http_server *server;
static struct auth_context *context;
static char *foreign_jwt; /* of another issuer; for one hour */

static int begin(void **state) {
  UNUSED(state);
  endpoint =
      (struct endpoint){.lock = PTHREAD_MUTEX_INITIALIZER,
                        .status = 200,
                        .body = "{\"access_token\":\"exchanged\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"scope\":\"sql all\"}"};
  server = http_server_start(&(struct http_server_settings){.handler = answer, .user = &endpoint});
  context = new_context(http_server_url(server), "127.0.0.1");
  clock_test_begin(clock_now_ns(), INT64_C(1700000000000000));
  foreign_jwt = jwt_of("{\"iss\":\"https://login.microsoftonline.com/tenant/v2.0\",\"exp\":1700007200}");
  return 0;
}
static int end(void **state) {
  UNUSED(state);
  clock_test_end();
  mem_free(foreign_jwt);
  auth_context_drop(context);
  http_server_stop(server);
  return 0;
}

static dbsql_token_provider *federated_over(dbsql_token_provider *inner, const char *client_id, bool strict) {
  struct federation_settings settings = {.client_id = client_id, .strict = strict};
  dbsql_token_provider *provider = NULL;
  dbsql_error *error = NULL;
  if (provider_federated(inner, &settings, &provider, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  provider_drop(inner);
  return provider;
}
static dbsql_token_provider *federated_of(const char *token) {
  return federated_over(static_of(token, NULL), NULL, false);
}

/* the host table */
static void hosts(void **state) {
  UNUSED(state);
  static const struct {
    const char *issuer, *host;
    bool foreign;
  } table[] = {
      {"https://test.databricks.com", "test.databricks.com", false},
      {"https://test.databricks.com:443", "test.databricks.com", false},
      {"https://test.databricks.com:443", "test.databricks.com:443", false},
      {"https://login.microsoftonline.com/tenant-id/", "test.databricks.com", true},
      {"https://accounts.google.com", "test.databricks.com", true},
      {"https://cognito-identity.amazonaws.com", "test.databricks.com", true},
      {"https://test1.databricks.com", "test2.databricks.com", true},
      {"https://TEST.databricks.com", "test.databricks.com", false},
      {"https://test.databricks.com/oidc", "TEST.DATABRICKS.COM", false},
      {"https://test.databricks.com.", "test.databricks.com", false},
      {"https://test.databricks.com.evil.example", "test.databricks.com", true},
      {"https://evil.example/test.databricks.com", "test.databricks.com", true},
      {"https://test.databricks.com@evil.example", "test.databricks.com", true},
      {"test.databricks.com", "test.databricks.com", true},
      {"://bad", "test.databricks.com", true},
      {"https://[::1]:443/oidc", "::1", false},
      {"https://[::1]/oidc", "[::1]:8080", false},
      {"https://[::2]/oidc", "::1", true},
      /* real issuers */
      {"https://login.microsoftonline.com/6b5a2d1c-0000-0000-0000-000000000000/v2.0", "adb-1.2.azuredatabricks.net", true},
      {"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_pool", "test.databricks.com", true},
      {"https://dev-12345.okta.com/oauth2/default", "test.databricks.com", true},
      {"https://dev-12345.auth0.com/", "test.databricks.com", true},
      {"https://token.actions.githubusercontent.com", "test.databricks.com", true},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (federation_is_foreign(table[i].issuer, table[i].host) != table[i].foreign) fail_msg("%s at %s", table[i].issuer, table[i].host);
  }
}

/* not JWTs: `not.a.jwt` and others -> no exchange; `iss` missing, number, empty -> none; same issuer -> server never contacted; an opaque
 * PAT passes through */
static void what_is_not_exchanged(void **state) {
  UNUSED(state);
  char *own = jwt_of("{\"iss\":\"http://127.0.0.1:1/oidc\"}"), *none = jwt_of("{\"sub\":\"x\"}"), *number = jwt_of("{\"iss\":5}"),
       *empty = jwt_of("{\"iss\":\"\"}");
  const char *const tokens[] = {"not.a.jwt", "invalid-token-format", "dapi0123456789abcdef0123456789abcdef", own, none, number, empty};
  for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
    dbsql_token_provider *provider = federated_of(tokens[i]);
    struct token *token = token_of(provider, context);
    assert_true(slice_equal(token_value(token), slice_text(tokens[i])));
    token_drop(token);
    provider_drop(provider);
  }
  assert_int_equal(http_server_requests(server), 0);
  mem_free(own), mem_free(none), mem_free(number), mem_free(empty);
}

static void assert_form_has(const struct http_exchange *exchange, const char *part) {
  assert_contains(exchange->body, part);
}

/* success: method, path, content type, all form fields, resulting token, type, expiry, scopes; no Authorization header */
static void an_exchange(void **state) {
  UNUSED(state);
  dbsql_token_provider *provider = federated_of(foreign_jwt);
  assert_string_equal(provider->name, "federation[static]");
  struct token *token = token_of(provider, context);
  assert_header(token, "Bearer exchanged");
  assert_int_equal(token->expires_unix_ms, unix_ms() + 3600000);
  assert_string_equal(token->scopes, "sql all");
  token_drop(token);
  const struct http_exchange *seen = http_server_request(server, 0);
  assert_string_equal(seen->method, "POST");
  assert_string_equal(seen->target, "/oidc/v1/token");
  char *type = exchange_header(seen, "Content-Type"), *authorization = exchange_header(seen, "Authorization");
  assert_string_equal(type, "application/x-www-form-urlencoded");
  assert_null(authorization);
  free(type);
  assert_form_has(seen, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&");
  assert_form_has(seen, "&subject_token=eyJ");
  assert_form_has(seen, "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&");
  assert_form_has(seen, "&scope=sql&");
  assert_form_has(seen, "&return_original_token_if_authenticated=true");
  assert_lacks(seen->body, "client_id");
  /* it is kept while it is fresh */
  assert_gives(provider, context, "Bearer exchanged");
  assert_int_equal(http_server_requests(server), 1);
  provider_drop(provider);
}

/* client id sent; names: 8 characters, a short id kept whole */
static void client_ids(void **state) {
  UNUSED(state);
  dbsql_token_provider *provider = federated_over(static_of(foreign_jwt, NULL), "0123456789abc", false);
  assert_string_equal(provider->name, "federation[static,sp:01234567]");
  assert_gives(provider, context, "Bearer exchanged");
  assert_form_has(http_server_request(server, 0), "&client_id=0123456789abc");
  provider_drop(provider);
  provider = federated_over(static_of(foreign_jwt, NULL), "abc", false);
  assert_string_equal(provider->name, "federation[static,sp:abc]");
  provider_drop(provider);
  /* an empty one is none: the account's policy */
  provider = federated_over(static_of(foreign_jwt, NULL), "", false);
  assert_string_equal(provider->name, "federation[static]");
  int before = http_server_requests(server);
  assert_gives(provider, context, "Bearer exchanged");
  assert_lacks(http_server_request(server, before)->body, "client_id");
  provider_drop(provider);
  dbsql_token_provider *inner = static_of("x", NULL);
  struct federation_settings bad = {.client_id = "a\r\nb"};
  assert_int_equal(provider_federated(inner, &bad, &provider, NULL), DBSQL_ERROR_DRIVER);
  provider_drop(inner);
}

/* status 400 -> original token and its type; negative cache: one exchange a minute; fallback off -> error */
static void failed_exchanges(void **state) {
  UNUSED(state);
  endpoint.status = 400;
  endpoint.body = "{\"error\":\"invalid_grant\",\"error_description\":\"no policy\"}";
  dbsql_token_provider *provider = federated_over(static_of(foreign_jwt, "MAC"), NULL, false);
  for (int i = 0; i < 3; i++) {
    struct token *token = token_of(provider, context);
    assert_true(slice_equal(token_value(token), slice_text(foreign_jwt)));
    assert_memory_equal(secret_text(token->header), "MAC ", 4);
    assert_contains(token->note, "invalid_grant");
    token_drop(token);
  }
  assert_int_equal(http_server_requests(server), 1);
  clock_test_advance(INT64_C(61000000000));
  endpoint.status = 200;
  endpoint.body = "{\"access_token\":\"late\"}";
  assert_gives(provider, context, "Bearer late");
  assert_int_equal(http_server_requests(server), 2);
  provider_drop(provider);

  endpoint.status = 400;
  endpoint.body = "{\"error\":\"invalid_grant\",\"error_description\":\"no policy\"}";
  provider = federated_over(static_of(foreign_jwt, NULL), NULL, true);
  const char *message = refusal_of(provider, context);
  assert_contains(message, "federation provider: invalid_grant: token exchange: no policy");
  assert_contains(message, "HTTP 400");
  assert_contains(refusal_of(provider, context), "no policy");
  assert_int_equal(http_server_requests(server), 3);
  provider_drop(provider);
}

/* 200 with empty access_token; negative, zero, absent, text, fractional and huge expires_in; HTML body; 2 MiB body; redirect answer; an
 * answer of another type (T8); a body that echoes the token (canary) */
static void odd_answers(void **state) {
  UNUSED(state);
  char *huge = malloc(2 * 1024 * 1024 + 1);
  memset(huge, ' ', 2 * 1024 * 1024);
  huge[2 * 1024 * 1024] = 0;
  char echo[1024];
  snprintf(echo, sizeof echo, "{\"error\":\"invalid_grant\",\"error_description\":\"bad token %s\"}", foreign_jwt);
  int64_t hour = 3600000;
  struct {
    int status;
    const char *headers, *body;
    const char *failure; /* NULL: success */
    int64_t lifetime_ms; /* of a success, 0: unknown */
  } cases[] = {
      {200, NULL, "{\"access_token\":\"\"}", "empty access token", 0},
      {200, NULL, "{}", "empty access token", 0},
      {200, NULL, "{\"access_token\":5}", "empty access token", 0},
      {200, NULL, "[\"access_token\"]", "not a JSON object", 0},
      {200, NULL, "{\"access_token\":\"a\",\"expires_in\":-5}", "invalid expires_in: -5", 0},
      {200, NULL, "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", "no number", 0},
      {200, NULL, "{\"access_token\":\"a\",\"expires_in\":0}", NULL, 0},
      {200, NULL, "{\"access_token\":\"a\",\"expires_in\":null}", NULL, 0},
      {200, NULL, "{\"access_token\":\"a\",\"expires_in\":\"3600\"}", NULL, hour},
      {200, NULL, "{\"access_token\":\"a\",\"expires_in\":3600.5}", NULL, hour + 500},
      {200, NULL, "{\"access_token\":\"a\",\"expires_in\":1e18}", NULL, INT64_C(3650) * 24 * 3600 * 1000},
      {200, NULL, "{\"access_token\":\"a\",\"expires_on\":\"1700003600\"}", NULL, hour},
      {200, NULL, "{\"access_token\":\"a b\"}", "cannot have", 0},
      {200, NULL, "{\"access_token\":\"a\\u0000b\"}", "not a JSON object", 0},
      {200, NULL, "{\"access_token\":\"a\",\"token_type\":\"MAC\"}", "another type than Bearer", 0},
      {200, NULL, "{\"access_token\":\"a\",\"token_type\":\"bearer\"}", NULL, 0},
      {200, "Content-Type: text/html\r\n", "<html>hello</html>", "not a JSON object", 0},
      {500, "Content-Type: text/html\r\n", "<html>sorry</html>", "HTML page", 0},
      {200, NULL, huge, "larger than the limit", 0},
      {302, "Location: https://evil.example/token\r\n", "", "redirect to https://evil.example", 0}, /* T1 */
      {400, NULL, echo, "invalid_grant", 0},
      {429, NULL, "{}", "HTTP 429", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    endpoint.status = cases[i].status;
    endpoint.headers = cases[i].headers;
    endpoint.body = cases[i].body;
    dbsql_token_provider *provider = federated_over(static_of(foreign_jwt, NULL), NULL, true);
    if (cases[i].failure) {
      const char *message = refusal_of(provider, context);
      assert_contains(message, cases[i].failure);
      assert_lacks(message, foreign_jwt);
    } else {
      struct token *token = token_of(provider, context);
      if (cases[i].lifetime_ms == 0) {
        assert_int_equal(token->expires_unix_ms, 0);
        assert_int_equal(token->unusable_unix_us, clock_unix_us() + hour * 1000);
      } else {
        assert_int_equal(token->expires_unix_ms, unix_ms() + cases[i].lifetime_ms);
      }
      token_drop(token);
    }
    provider_drop(provider);
  }
  free(huge);
}

/* a JWT that was exchanged without expires_in says itself when it ends */
static void expiry_of_the_exchanged(void **state) {
  UNUSED(state);
  char *jwt = jwt_of("{\"exp\":1700001000}"), body[512];
  snprintf(body, sizeof body, "{\"access_token\":\"%s\"}", jwt);
  endpoint.body = body;
  dbsql_token_provider *provider = federated_of(foreign_jwt);
  struct token *token = token_of(provider, context);
  assert_int_equal(token->expires_unix_ms, INT64_C(1700001000000));
  token_drop(token);
  provider_drop(provider);
  mem_free(jwt);
}

/* base error text; a base of another token is exchanged anew */
static void the_base(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.failure = "closed";
  dbsql_token_provider *provider = federated_over(external_of(&source, 0), NULL, false);
  assert_string_equal(refusal_of(provider, context),
                      "federation provider: failed to get base token: external token provider: failed to get token: closed");
  source.failure = NULL;
  source.fixed = foreign_jwt;
  assert_gives(provider, context, "Bearer exchanged");
  char *other = jwt_of("{\"iss\":\"https://accounts.google.com\"}");
  source.fixed = other;
  assert_gives(provider, context, "Bearer exchanged");
  assert_int_equal(http_server_requests(server), 2);
  mem_free(other);
  provider_drop(provider);
}

/* two calls under a cache: base once, exchange once; a refused exchanged token is exchanged anew */
static void under_a_cache(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.fixed = foreign_jwt;
  dbsql_token_provider *provider = cached_of(federated_over(external_of(&source, 0), NULL, false), 0);
  assert_string_equal(provider->name, "cached[federation[external]]");
  struct token *a = token_of(provider, context), *b = token_of(provider, context);
  assert_true(token_equal(a, b));
  assert_int_equal(source_calls(&source), 1);
  assert_int_equal(http_server_requests(server), 1);
  pthread_mutex_lock(&endpoint.lock);
  endpoint.body = "{\"access_token\":\"second\",\"expires_in\":3600}";
  pthread_mutex_unlock(&endpoint.lock);
  provider_reject(provider, a);
  assert_gives(provider, context, "Bearer second");
  assert_int_equal(http_server_requests(server), 2);
  token_drop(a);
  token_drop(b);
  provider_drop(provider);
}

struct asking {
  dbsql_token_provider *provider;
  struct call call;
  struct token *token;
  dbsql_error *error;
  dbsql_status status;
};
static void *ask_alone(void *user) {
  struct asking *asking = user;
  asking->status = ask_within(asking->provider, context, &asking->call, &asking->token, &asking->error);
  return NULL;
}

/* cancel during the exchange: cancelled, and not the original token; slow server: the deadline ends it */
static void cancelled_exchanges(void **state) {
  UNUSED(state);
  clock_test_end();
  static struct test_event started = TEST_EVENT_INIT, go = TEST_EVENT_INIT; /* the server may look at them a little longer */
  endpoint.started = &started;
  endpoint.go = &go;
  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  struct asking asking = {.provider = federated_of(foreign_jwt)};
  call_begin_internal(&asking.call, 60000);
  asking.call.cancel = cancel;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, ask_alone, &asking), 0);
  test_event_wait(&started);
  dbsql_cancel_trigger(cancel);
  pthread_join(thread, NULL);
  assert_int_equal(asking.status, DBSQL_ERROR_CANCELLED);
  assert_contains(dbsql_error_message(asking.error), "federation provider: ");
  error_clear(&asking.error);
  asking.call.cancel = NULL;
  call_begin_internal(&asking.call, 20);
  ask_alone(&asking);
  assert_int_equal(asking.status, DBSQL_ERROR_TIMEOUT);
  error_clear(&asking.error);
  provider_drop(asking.provider);
  dbsql_cancel_free(cancel);
  test_event_set(&go);
}

/* an exchange that hangs has failed after its own 15 s: the original token is used, as after any failure */
static void hanging_exchanges(void **state) {
  UNUSED(state);
  static struct test_event started = TEST_EVENT_INIT, go = TEST_EVENT_INIT;
  endpoint.started = &started;
  endpoint.go = &go;
  struct asking asking = {.provider = federated_of(foreign_jwt)};
  call_begin_internal(&asking.call, 60000);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, ask_alone, &asking), 0);
  test_event_wait(&started);
  clock_test_advance(INT64_C(16000000000));
  pthread_join(thread, NULL);
  test_event_set(&go);
  if (asking.status != DBSQL_OK) fail_msg("%s", dbsql_error_message(asking.error));
  assert_true(slice_equal(token_value(asking.token), slice_text(foreign_jwt)));
  assert_non_null(asking.token->note);
  token_drop(asking.token);
  provider_drop(asking.provider);
}

/* T2, D12: no token is sent for exchange without TLS to a host that is no loopback one */
static void no_exchange_without_tls(void **state) {
  UNUSED(state);
  struct auth_context *plain = new_context("http://workspace.example", "workspace.example");
  dbsql_token_provider *provider = federated_over(static_of(foreign_jwt, NULL), NULL, true);
  assert_contains(refusal_of(provider, plain), "without TLS: credentials are not sent there");
  provider_drop(provider);
  auth_context_drop(plain);
}

static void *ask_often(void *user) {
  for (int i = 0; i < 5; i++) token_drop(token_of(user, context));
  return NULL;
}

/* several threads without a cache: the exchange takes turns and is made once */
static void many_threads(void **state) {
  UNUSED(state);
  dbsql_token_provider *provider = federated_of(foreign_jwt);
  pthread_t threads[16];
  for (int i = 0; i < 16; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask_often, provider), 0);
  for (int i = 0; i < 16; i++) pthread_join(threads[i], NULL);
  assert_int_equal(http_server_requests(server), 1);
  provider_drop(provider);
}

/* every allocation fails once */
static void without_memory(void **state) {
  UNUSED(state);
  for (int fails = 0; fails < 2; fails++) {
    endpoint.status = fails ? 400 : 200;
    for (uint64_t n = 1;; n++) {
      int64_t before = mem_test_live_blocks();
      mem_test_fail_at(n);
      dbsql_token_provider *inner = NULL, *provider = NULL;
      struct token *token = NULL;
      dbsql_error *error = NULL;
      struct token_parts parts = {.value = slice_text(foreign_jwt)};
      struct federation_settings settings = {.client_id = "id"};
      dbsql_status status = provider_static(&parts, &inner, &error);
      if (status == DBSQL_OK) status = provider_federated(inner, &settings, &provider, &error);
      if (status == DBSQL_OK) status = ask_for_token(provider, context, &token, &error);
      bool failed = mem_test_failed();
      mem_test_fail_at(0);
      if (status != DBSQL_OK) assert_int_equal(status, DBSQL_ERROR_NO_MEMORY);
      error_clear(&error);
      token_drop(token);
      provider_drop(provider);
      provider_drop(inner);
      assert_int_equal(mem_test_live_blocks(), before);
      if (!failed) break;
    }
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(hosts),
      TEST(what_is_not_exchanged),
      TEST(an_exchange),
      TEST(client_ids),
      TEST(failed_exchanges),
      TEST(odd_answers),
      TEST(expiry_of_the_exchanged),
      TEST(the_base),
      TEST(under_a_cache),
      TEST(cancelled_exchanges),
      TEST(hanging_exchanges),
      TEST(no_exchange_without_tls),
      TEST(many_threads),
      TEST(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
