/* Connections that sign in with providers, through the public functions, against a server that checks the header (auth.md 3.2, 1.17). */
#include "auth_support.h"

#include "session/config.h"
#include "thrift_server.h"

static struct TStatus success = {.has_statusCode = true, .statusCode = TStatusCode_SUCCESS_STATUS};
static const uint8_t guid[16] = {1, 2, 3};
static struct THandleIdentifier handle_id = {.has_guid = true, .guid = {guid, 16}, .has_secret = true, .secret = {guid, 16}};
static struct TSessionHandle session_handle = {.has_sessionId = true, .sessionId = &handle_id};

/* The door: which header is let in. */
struct door {
  pthread_mutex_t lock;
  const char *wanted; /* NULL: anything */
  int refuse_with;    /* 401 or 403 */
  int refused;
  char seen[256]; /* the last Authorization header */
};

static void serve(struct thrift_exchange *exchange) {
  struct door *door = exchange->user;
  char *header = exchange_header(exchange->http, "Authorization");
  pthread_mutex_lock(&door->lock);
  snprintf(door->seen, sizeof door->seen, "%s", header ? header : "");
  bool fits = !door->wanted || strcmp(door->seen, door->wanted) == 0;
  int status = door->refuse_with ? door->refuse_with : 401;
  if (!fits) door->refused++;
  pthread_mutex_unlock(&door->lock);
  free(header);
  if (!fits) {
    exchange_reply(exchange->http, status, "x-request-id: req-1\r\n", "");
    return;
  }
  struct TOpenSessionResp open = {.has_status = true,
                                  .status = &success,
                                  .has_serverProtocolVersion = true,
                                  .serverProtocolVersion = 42248,
                                  .has_sessionHandle = true,
                                  .sessionHandle = &session_handle};
  struct TCloseSessionResp close = {.has_status = true, .status = &success};
  struct TGetInfoValue value = {.has_stringValue = true, .stringValue = slice_text("v1")};
  struct TGetInfoResp info = {.has_status = true, .status = &success, .has_infoValue = true, .infoValue = &value};
  switch (exchange->method) {
    case TCLI_OpenSession: thrift_reply(exchange, &open); break;
    case TCLI_CloseSession: thrift_reply(exchange, &close); break;
    case TCLI_GetInfo: thrift_reply(exchange, &info); break;
    default: exchange_reply(exchange->http, 500, NULL, "");
  }
}

static struct door door;
static struct thrift_server *server;

static int begin(void **state) {
  UNUSED(state);
  door = (struct door){.lock = PTHREAD_MUTEX_INITIALIZER};
  server = thrift_server_start(serve, &door);
  return 0;
}
static int end(void **state) {
  UNUSED(state);
  thrift_server_stop(server);
  return 0;
}

static dbsql_config *config_of(const char *more) {
  char text[1024];
  dbsql_config *config = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  snprintf(text, sizeof text,
           "host=127.0.0.1;port=%d;tls=0;http_path=/sql/1.0/warehouses/a;ignore_environment=1;retry_max=1;retry_min_wait_ms=1;%s",
           thrift_server_port(server), more);
  if (dbsql_config_parse(config, text, SIZE_MAX, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return config;
}

static dbsql_connection *connection_of(const dbsql_config *config) {
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  if (dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return connection;
}

static dbsql_token_source source_of(struct source *source) {
  return (dbsql_token_source){
      .struct_size = sizeof(dbsql_token_source), .get_token = source_get, .destroy = source_destroy, .user = source};
}

/* A configuration with the callback; the provider is the configuration's alone. */
static dbsql_config *config_with(struct source *source) {
  dbsql_config *config = config_of("");
  dbsql_token_source made = source_of(source);
  dbsql_token_provider *provider;
  assert_int_equal(dbsql_token_provider_external(&made, &provider, NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set_token_provider(config, provider, NULL), DBSQL_OK);
  dbsql_token_provider_free(provider);
  return config;
}

/* external provider end to end; one cache for all connections of a configuration; destroy exactly once, after the last of them */
static void tokens_of_the_application(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  dbsql_config *config = config_with(&source);
  dbsql_connection *a = connection_of(config), *b = connection_of(config);
  assert_string_equal(door.seen, "Bearer token-1");
  assert_string_equal(source.host, "127.0.0.1");
  assert_int_equal(source_calls(&source), 1);
  dbsql_config_free(config);
  assert_int_equal(dbsql_connection_close(a, NULL, NULL), DBSQL_OK);
  assert_int_equal(source.destroyed, 0);
  assert_int_equal(dbsql_connection_ping(b, NULL, NULL), DBSQL_OK);
  assert_int_equal(dbsql_connection_close(b, NULL, NULL), DBSQL_OK);
  assert_int_equal(source.destroyed, 1);
}

/* destroy exactly once also when the connection never opens, and when the setter fails the caller still owns */
static void providers_of_connections_that_never_open(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.failure = "closed";
  dbsql_config *config = config_with(&source);
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_sqlstate(error), "28000");
  assert_contains(dbsql_error_message(error),
                  "token provider authenticator: failed to get token: cached token provider: failed to get token: "
                  "external token provider: failed to get token: closed");
  assert_int_equal(source_calls(&source), 1); /* a permanently failing provider is not called again by the retries */
  error_clear(&error);
  dbsql_config_free(config);
  assert_int_equal(source.destroyed, 1);

  struct source other = SOURCE_INIT;
  dbsql_token_source made = source_of(&other);
  dbsql_token_provider *provider = NULL;
  made.get_token = NULL;
  assert_int_equal(dbsql_token_provider_external(&made, &provider, &error), DBSQL_ERROR_DRIVER);
  assert_contains(dbsql_error_message(error), "token source is nil");
  error_clear(&error);
  made.get_token = source_get;
  made.flags = 1u << 20;
  assert_int_equal(dbsql_token_provider_external(&made, &provider, NULL), DBSQL_ERROR_DRIVER);
  made.flags = 0;
  made.name = "a\nb"; /* T22 */
  assert_int_equal(dbsql_token_provider_external(&made, &provider, NULL), DBSQL_ERROR_DRIVER);
  made.name = NULL;
  made.struct_size = 4;
  assert_int_equal(dbsql_token_provider_external(&made, &provider, NULL), DBSQL_ERROR_DRIVER);
  assert_null(provider);
  assert_int_equal(other.destroyed, 0);
  assert_int_equal(dbsql_token_provider_static("", NULL, 0, &provider, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_token_provider_static(NULL, NULL, 0, &provider, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_token_provider_static("a", NULL, -1, &provider, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_token_provider_cached(NULL, 0, &provider, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_token_provider_federated(NULL, NULL, false, &provider, NULL), DBSQL_ERROR_DRIVER);
  dbsql_token_provider_free(NULL);
  assert_string_equal(dbsql_token_provider_name(NULL), "");
}

/* the last one wins, NULL takes it back, and together with a token it is a conflict */
static void setting_providers(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  dbsql_config *config = config_with(&source);
  dbsql_token_provider *fixed, *federated, *cached;
  assert_int_equal(dbsql_token_provider_static("abc", "MAC", 0, &fixed, NULL), DBSQL_OK);
  assert_int_equal(dbsql_token_provider_federated(fixed, "0123456789", true, &federated, NULL), DBSQL_OK);
  assert_int_equal(dbsql_token_provider_cached(federated, 60000, &cached, NULL), DBSQL_OK);
  assert_string_equal(dbsql_token_provider_name(cached), "cached[federation[static,sp:01234567]]");
  assert_int_equal(dbsql_config_set_token_provider(config, cached, NULL), DBSQL_OK);
  assert_int_equal(source.destroyed, 1);
  dbsql_token_provider_free(fixed);
  dbsql_token_provider_free(federated);
  dbsql_token_provider_free(cached);
  assert_int_equal(dbsql_connection_close(connection_of(config), NULL, NULL), DBSQL_OK);
  assert_string_equal(door.seen, "MAC abc");
  assert_int_equal(dbsql_config_set(config, "access_token", "x", NULL), DBSQL_OK);
  dbsql_connection *connection;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_ERROR_DRIVER);
  assert_contains(dbsql_error_message(error), "more than one way to sign in is configured: a token provider and access_token");
  error_clear(&error);
  assert_int_equal(dbsql_config_set_token_provider(config, NULL, NULL), DBSQL_OK);
  assert_int_equal(dbsql_connection_close(connection_of(config), NULL, NULL), DBSQL_OK);
  assert_string_equal(door.seen, "Bearer x");
  dbsql_config_free(config);
}

/* D10: 401 -> one forced refresh, the same request once more; the session goes on */
static void a_401_is_answered_with_another_token(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  door.wanted = "Bearer token-2";
  dbsql_config *config = config_with(&source);
  dbsql_connection *connection = connection_of(config);
  assert_int_equal(door.refused, 1);
  assert_int_equal(thrift_server_calls(server, TCLI_OpenSession), 2);
  /* revoked in the middle of a session */
  pthread_mutex_lock(&door.lock);
  door.wanted = "Bearer token-3";
  pthread_mutex_unlock(&door.lock);
  assert_int_equal(dbsql_connection_ping(connection, NULL, NULL), DBSQL_OK);
  assert_int_equal(source_calls(&source), 3);
  assert_true(dbsql_connection_is_alive(connection));
  assert_int_equal(dbsql_connection_close(connection, NULL, NULL), DBSQL_OK);
  dbsql_config_free(config);
}

static dbsql_error *failed_connect(const dbsql_config *config) {
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_ERROR_REQUEST);
  assert_null(connection);
  return error;
}

/* only if the token changed; never twice; never for a 403; never for a token that cannot change */
static void refusals_that_stay(void **state) {
  UNUSED(state);
  door.wanted = "nothing";
  struct source same = SOURCE_INIT;
  same.fixed = "same";
  dbsql_config *config = config_with(&same);
  dbsql_error *error = failed_connect(config);
  assert_int_equal(dbsql_error_http_status(error), 401);
  assert_string_equal(dbsql_error_sqlstate(error), "28000");
  assert_contains(dbsql_error_message(error), "; token provider cached[external]");
  assert_contains(dbsql_error_message(error), "req-1");
  assert_lacks(dbsql_error_message(error), "same");
  error_clear(&error);
  assert_int_equal(source_calls(&same), 2);
  assert_int_equal(door.refused, 1);
  dbsql_config_free(config);

  struct source changing = SOURCE_INIT;
  config = config_with(&changing);
  error = failed_connect(config);
  assert_contains(dbsql_error_message(error), "; token provider cached[external]"); /* also of the second refusal */
  error_clear(&error);
  assert_int_equal(source_calls(&changing), 2);
  assert_int_equal(door.refused, 3);
  dbsql_config_free(config);

  config = config_of("access_token=pat");
  error = failed_connect(config);
  assert_contains(dbsql_error_message(error), "; token provider static");
  error_clear(&error);
  assert_int_equal(door.refused, 4);
  dbsql_config_free(config);

  door.refuse_with = 403;
  struct source forbidden = SOURCE_INIT;
  config = config_with(&forbidden);
  error = failed_connect(config);
  assert_int_equal(dbsql_error_http_status(error), 403);
  error_clear(&error);
  assert_int_equal(source_calls(&forbidden), 1);
  assert_int_equal(door.refused, 5);
  dbsql_config_free(config);
}

struct intrusion {
  dbsql_connection *connection;
  char message[512];
};
static void use_connection(void *user) {
  struct intrusion *intrusion = user;
  dbsql_error *error = NULL;
  if (!intrusion->connection) return;
  if (dbsql_connection_ping(intrusion->connection, NULL, &error) == DBSQL_OK) {
    snprintf(intrusion->message, sizeof intrusion->message, "it worked");
  } else {
    snprintf(intrusion->message, sizeof intrusion->message, "%s", dbsql_error_message(error));
  }
  error_clear(&error);
}

/* 1.17 rule 4: a callback that uses the connection that asks gets an error, and the call goes on */
static void callbacks_that_use_their_connection(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  struct intrusion intrusion = {0};
  dbsql_config *config = config_of("");
  dbsql_token_source made = source_of(&source);
  made.flags = DBSQL_TOKEN_NO_CACHE;
  dbsql_token_provider *provider;
  assert_int_equal(dbsql_token_provider_external(&made, &provider, NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set_token_provider(config, provider, NULL), DBSQL_OK);
  dbsql_token_provider_free(provider);
  intrusion.connection = NULL;
  source.inside = use_connection;
  source.inside_user = &intrusion;
  dbsql_connection *connection = connection_of(config);
  intrusion.connection = connection;
  assert_int_equal(dbsql_connection_ping(connection, NULL, NULL), DBSQL_OK);
  assert_contains(intrusion.message, "asks itself for a token");
  intrusion.connection = NULL;
  assert_int_equal(dbsql_connection_close(connection, NULL, NULL), DBSQL_OK);
  dbsql_config_free(config);
}

/* a provider that blocks harms only its own call: the call ends in time, others with a token go on */
static void callbacks_that_block(void **state) {
  UNUSED(state);
  static struct test_event go = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.go = &go;
  dbsql_config *config = config_with(&source);
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 30;
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_connect(config, &call, &connection, &error), DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(error), "HYT00");
  assert_contains(dbsql_error_message(error), "waiting for an access token");
  error_clear(&error);
  test_event_set(&go);
  dbsql_config_free(config);
}

/* ---- OAuth, and what the logs say */

/* The document at first, then tokens. */
static void token_endpoint(struct http_exchange *exchange, void *user) {
  UNUSED(user);
  char body[256];
  if (strcmp(exchange->target, "/document") == 0) {
    char *host = exchange_header(exchange, "Host");
    snprintf(body, sizeof body, "{\"token_endpoint\":\"http://%s/token\"}", host);
    exchange_reply(exchange, 200, NULL, body);
    free(host);
    return;
  }
  snprintf(body, sizeof body, "{\"access_token\":\"CANARY-token-%d\",\"expires_in\":3600}", exchange->number);
  exchange_reply(exchange, 200, NULL, body);
}

/* M2M through options; a token fetch logs nothing above debug; no secret in any line at trace (3.5, the canary) */
static void oauth_through_options(void **state) {
  UNUSED(state);
  struct http_server *oidc = http_server_start(&(struct http_server_settings){.handler = token_endpoint});
  char more[256];
  snprintf(more, sizeof more, "client_id=robot;client_secret=CANARY-secret;discovery_url=%s/document", http_server_url(oidc));
  dbsql_config *config = config_of(more);
  struct lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER, .text = BUF_INIT};
  dbsql_config_set_log(config, DBSQL_LOG_TRACE, keep_line, &lines);
  door.wanted = "Bearer CANARY-token-2";
  dbsql_connection *connection = connection_of(config);
  assert_int_equal(http_server_requests(oidc), 3);
  assert_int_equal(dbsql_connection_ping(connection, NULL, NULL), DBSQL_OK);
  assert_int_equal(dbsql_connection_close(connection, NULL, NULL), DBSQL_OK);
  pthread_mutex_lock(&door.lock);
  door.wanted = "nothing";
  pthread_mutex_unlock(&door.lock);
  dbsql_error *error = failed_connect(config);
  assert_lacks(dbsql_error_message(error), "CANARY");
  error_clear(&error);
  assert_int_equal(lines.above_debug, 0);
  assert_contains(buf_text(&lines.text), "access token obtained");
  assert_lacks(buf_text(&lines.text), "CANARY");
  buf_free(&lines.text);
  dbsql_config_free(config);
  http_server_stop(oidc);
}

/* one provider for all connections of a configuration, until what it is made from changes */
static void connections_share_their_provider(void **state) {
  UNUSED(state);
  struct http_server *oidc = http_server_start(&(struct http_server_settings){.handler = token_endpoint});
  char more[256];
  snprintf(more, sizeof more, "client_id=robot;client_secret=one;token_endpoint=%s/token", http_server_url(oidc));
  dbsql_config *config = config_of(more);
  for (int i = 0; i < 3; i++) assert_int_equal(dbsql_connection_close(connection_of(config), NULL, NULL), DBSQL_OK);
  assert_int_equal(http_server_requests(oidc), 1);
  dbsql_connection *connection = connection_of(config);
  assert_int_equal(dbsql_config_set(config, "client_secret", "two", NULL), DBSQL_OK);
  for (int i = 0; i < 3; i++) assert_int_equal(dbsql_connection_close(connection_of(config), NULL, NULL), DBSQL_OK);
  assert_int_equal(http_server_requests(oidc), 2);
  assert_int_equal(dbsql_connection_ping(connection, NULL, NULL), DBSQL_OK);
  dbsql_config_free(config);
  assert_int_equal(dbsql_connection_close(connection, NULL, NULL), DBSQL_OK);
  assert_int_equal(http_server_requests(oidc), 2);
  http_server_stop(oidc);
}

/* 1.9: after a fallback that the server refuses, the error tells of the failed exchange; federation as an option */
static void federation_through_options(void **state) {
  UNUSED(state);
  char *jwt = jwt_of("{\"iss\":\"https://accounts.google.com\"}"), more[512];
  snprintf(more, sizeof more, "access_token=%s;federation=1;federation_client_id=abc", jwt);
  dbsql_config *config = config_of(more);
  door.wanted = "nothing";
  dbsql_error *error = failed_connect(config);
  assert_contains(dbsql_error_message(error), "token provider cached[federation[static,sp:abc]]; the exchange of its token had failed: ");
  error_clear(&error);
  assert_int_equal(dbsql_config_set(config, "federation_fallback", "0", NULL), DBSQL_OK);
  error = failed_connect(config);
  assert_contains(dbsql_error_message(error), "federation provider: ");
  error_clear(&error);
  dbsql_config_free(config);
  mem_free(jwt);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(tokens_of_the_application),  TEST(providers_of_connections_that_never_open),
      TEST(setting_providers),          TEST(a_401_is_answered_with_another_token),
      TEST(refusals_that_stay),         TEST(callbacks_that_use_their_connection),
      TEST(callbacks_that_block),       TEST(oauth_through_options),
      TEST(federation_through_options), TEST(connections_share_their_provider),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
