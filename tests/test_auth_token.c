/* Tokens, static and external providers, the authenticator (auth.md 1.18). */
#include "auth_support.h"

#include "base/text.h"

static dbsql_status make(const struct token_parts *parts, struct token **token, dbsql_error **error) {
  *token = NULL;
  return token_new(parts, "test", token, error);
}

static struct token *made(const struct token_parts *parts) {
  struct token *token;
  dbsql_error *error = NULL;
  if (make(parts, &token, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return token;
}

static enum token_state state_of(int64_t expires_unix_ms) {
  struct token_parts parts = {.value = slice_text("t"), .expires_unix_ms = expires_unix_ms};
  struct token *token = made(&parts);
  enum token_state state = token_state_now(token);
  token_drop(token);
  return state;
}

/* no expiry -> not expired; 10 min ago -> expired; 10 min ahead -> valid; 15 s ahead -> expired; exactly 30 s; 31 s */
static void when_a_token_is_expired(void **state) {
  UNUSED(state);
  clock_test_begin(INT64_C(1000000000000), INT64_C(1700000000000000));
  int64_t now = unix_ms();
  assert_int_equal(state_of(0), TOKEN_FRESH);
  assert_int_equal(state_of(now - 600000), TOKEN_EXPIRED);
  assert_int_not_equal(state_of(now + 600000), TOKEN_EXPIRED);
  assert_int_equal(state_of(now + 15000), TOKEN_EXPIRED);
  assert_int_equal(state_of(now + 29999), TOKEN_EXPIRED);
  assert_int_not_equal(state_of(now + 30000), TOKEN_EXPIRED);
  assert_int_not_equal(state_of(now + 31000), TOKEN_EXPIRED);
  assert_int_equal(state_of(INT64_MIN + 1), TOKEN_EXPIRED);
  assert_int_equal(state_of(INT64_MAX), TOKEN_FRESH);
  clock_test_end();
}

/* D2: due min(20 min, lifetime / 2) before the end; Entra's margin; ten years at most */
static void when_a_token_is_due(void **state) {
  UNUSED(state);
  clock_test_begin(INT64_C(1000000000000), INT64_C(1700000000000000));
  struct token_parts parts = {.value = slice_text("t"), .expires_unix_ms = unix_ms() + 3600000};
  struct token *token = made(&parts);
  clock_test_advance(INT64_C(2399) * 1000000000);
  assert_int_equal(token_state_now(token), TOKEN_FRESH);
  clock_test_advance(INT64_C(1) * 1000000000);
  assert_int_equal(token_state_now(token), TOKEN_STALE);
  clock_test_advance(INT64_C(1170) * 1000000000);
  assert_int_equal(token_state_now(token), TOKEN_STALE);
  clock_test_advance(1000);
  assert_int_equal(token_state_now(token), TOKEN_EXPIRED);
  token_drop(token);

  parts.expires_unix_ms = unix_ms() + 300000; /* half of 5 min is less than 20 min */
  parts.margin_ms = token_unusable_entra_ms;
  token = made(&parts);
  clock_test_advance(INT64_C(149) * 1000000000);
  assert_int_equal(token_state_now(token), TOKEN_FRESH);
  clock_test_advance(INT64_C(111) * 1000000000);
  assert_int_equal(token_state_now(token), TOKEN_STALE);
  clock_test_advance(1000);
  assert_int_equal(token_state_now(token), TOKEN_EXPIRED);
  token_drop(token);

  parts = (struct token_parts){.value = slice_text("t"), .lifetime_ms = 60000};
  token = made(&parts);
  clock_test_advance(INT64_C(31) * 1000000000);
  assert_int_equal(token_state_now(token), TOKEN_STALE);
  clock_test_advance(INT64_C(30) * 1000000000);
  assert_int_equal(token_state_now(token), TOKEN_EXPIRED);
  token_drop(token);
  clock_test_end();
}

/* clock jump backwards: the clock that never goes back still ends the token; forwards: the wall clock does */
static void clocks_that_are_set(void **state) {
  UNUSED(state);
  clock_test_begin(INT64_C(1000000000000), INT64_C(1700000000000000));
  struct token_parts parts = {.value = slice_text("t"), .expires_unix_ms = unix_ms() + 3600000};
  struct token *token = made(&parts);
  clock_test_begin(INT64_C(1000000000000) + INT64_C(3580) * 1000000000, INT64_C(1700000000000000) - INT64_C(7200000000));
  assert_int_equal(token_state_now(token), TOKEN_EXPIRED);
  clock_test_begin(INT64_C(1000000000000), INT64_C(1700000000000000) + INT64_C(3580000000));
  assert_int_equal(token_state_now(token), TOKEN_EXPIRED);
  token_drop(token);
  clock_test_end();
}

/* header with Bearer; with empty type -> Bearer; with type MAC; type with space or CR refused; token with CR, LF, NUL, 0x7F, UTF-8
 * refused (T8, D16) */
static void what_a_header_may_hold(void **state) {
  UNUSED(state);
  static const struct {
    const char *value;
    size_t size;
    const char *type;
    const char *header; /* NULL: refused */
  } cases[] = {
      {"abc", 3, NULL, "Bearer abc"},
      {"abc", 3, "", "Bearer abc"},
      {"abc", 3, "MAC", "MAC abc"},
      {"abc", 3, "MA C", NULL},
      {"abc", 3, "MAC\r", NULL},
      {"abc", 3, "M\xC3\xA4", NULL},
      {"a\rb", 3, NULL, NULL},
      {"a\nb", 3, NULL, NULL},
      {"a\0b", 3, NULL, NULL},
      {"a\x7F", 2, NULL, NULL},
      {"a\xC3\xA4", 3, NULL, NULL},
      {"a b", 3, NULL, NULL},
      {"", 0, NULL, NULL},
      {"\t", 1, NULL, NULL},
      {"~!", 2, NULL, "Bearer ~!"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct token_parts parts = {.value = slice_of(cases[i].value, cases[i].size), .type = cases[i].type};
    struct token *token;
    dbsql_error *error = NULL;
    dbsql_status status = make(&parts, &token, &error);
    if (cases[i].header) {
      assert_int_equal(status, DBSQL_OK);
      assert_header(token, cases[i].header);
      assert_true(slice_equal(token_value(token), parts.value));
      token_drop(token);
    } else {
      assert_int_equal(status, DBSQL_ERROR_REQUEST);
      assert_string_equal(dbsql_error_sqlstate(error), "28000");
      error_clear(&error);
    }
  }
  struct token_header bad[] = {{"X-A\r\nB", "c"}, {"X-A", "b\nc"}, {"", "x"}, {"Authorization", "x"}, {"X A", "b"}, {"X-A", NULL}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct token_parts parts = {.value = slice_text("t"), .headers = &bad[i], .header_count = 1};
    struct token *token;
    assert_int_equal(make(&parts, &token, NULL), DBSQL_ERROR_REQUEST);
  }
}

/* T30: claims of hostile tokens are hints and nothing breaks */
static void looking_into_jwts(void **state) {
  UNUSED(state);
  char *jwt = jwt_of("{\"exp\":1700000000,\"iss\":\"https://a.b\"}"), *issuer;
  assert_int_equal(jwt_expiry_ms(slice_text(jwt)), INT64_C(1700000000000));
  assert_true(jwt_issuer(slice_text(jwt), &issuer));
  assert_string_equal(issuer, "https://a.b");
  mem_free(issuer);
  mem_free(jwt);
  static const char *const claims[] = {"{}", "{\"exp\":\"x\"}", "{\"exp\":-5}",   "{\"exp\":1e300}",        "[]", "{\"exp\":{", "null",
                                       "",   "{\"iss\":7}",     "{\"iss\":\"\"}", "{\"iss\":\"a\\u0000b\"}"};
  for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
    jwt = jwt_of(claims[i]);
    assert_int_equal(jwt_expiry_ms(slice_text(jwt)), 0);
    assert_false(jwt_issuer(slice_text(jwt), &issuer));
    assert_null(issuer);
    mem_free(jwt);
  }
  static const char *const none[] = {
      "", ".", "..", "...", "not.a.jwt", "invalid-token-format", "a.b.c.d", "eyJhIjoxfQ.eyJleHAiOjF9.x", "e30=.e30=.x"};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    assert_int_equal(jwt_expiry_ms(slice_text(none[i])), 0);
    assert_false(jwt_issuer(slice_text(none[i]), &issuer));
  }
  struct buf deep = BUF_INIT;
  for (int i = 0; i < 3000; i++) buf_append_byte(&deep, '[');
  jwt = jwt_of(buf_text(&deep));
  assert_int_equal(jwt_expiry_ms(slice_text(jwt)), 0);
  mem_free(jwt);
  for (int i = 0; i < 20000; i++) buf_append_byte(&deep, ' ');
  jwt = jwt_of(buf_text(&deep));
  assert_int_equal(jwt_expiry_ms(slice_text(jwt)), 0);
  mem_free(jwt);
  buf_free(&deep);
}

/* T42: what is compared without telling where it differs; that its time does not is OpenSSL's promise */
static void comparing_secrets(void **state) {
  UNUSED(state);
  char a[32], b[32];
  for (size_t size = 0; size <= sizeof a; size++) {
    for (size_t i = 0; i < size; i++) a[i] = b[i] = (char)('a' + i);
    assert_true(crypto_equal(a, b, size));
    for (size_t i = 0; i < size; i++) {
      b[i] ^= 0x20;
      assert_false(crypto_equal(a, b, size));
      b[i] ^= 0x20;
    }
  }
}

/* static: returns token, type Bearer, no expiry; custom type; two calls equal; name; copies the caller's buffer; empty token -> error */
static void static_tokens(void **state) {
  UNUSED(state);
  char text[] = "secret-token";
  dbsql_token_provider *provider = static_of(text, NULL);
  memset(text, 'x', sizeof text - 1);
  struct token *a = token_of(provider, NULL), *b = token_of(provider, NULL);
  assert_header(a, "Bearer secret-token");
  assert_true(token_equal(a, b));
  assert_int_equal(a->expires_unix_ms, 0);
  assert_string_equal(provider->name, "static");
  assert_false(provider->can_renew);
  token_drop(a);
  token_drop(b);
  provider_drop(provider);

  provider = static_of("abc", "MAC");
  assert_gives(provider, NULL, "MAC abc");
  provider_drop(provider);

  dbsql_error *error = NULL;
  struct token_parts parts = {.value = slice_text("")};
  assert_int_equal(provider_static(&parts, &provider, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_message(error), "static token provider: token is empty");
  error_clear(&error);

  clock_test_begin(INT64_C(1000000000000), INT64_C(1700000000000000));
  parts = (struct token_parts){.value = slice_text("abc"), .expires_unix_ms = unix_ms() + 60000};
  assert_int_equal(provider_static(&parts, &provider, NULL), DBSQL_OK);
  assert_gives(provider, NULL, "Bearer abc");
  clock_test_advance(INT64_C(31) * 1000000000);
  assert_contains(refusal_of(provider, NULL), "static token provider: the token has expired");
  provider_drop(provider);
  clock_test_end();
}

/* external: success and call count; three calls -> three tokens; custom type; error wrapped and cause kept; the callback's memory is
 * released once per call and not used afterwards; destroy exactly once; what the callback is told */
static void external_tokens(void **state) {
  UNUSED(state);
  struct auth_context *context = new_context("https://h.example", "h.example");
  struct source source = SOURCE_INIT;
  dbsql_token_provider *provider = external_of(&source, 0);
  assert_gives(provider, context, "Bearer token-1");
  assert_int_equal(source.calls, 1);
  assert_string_equal(source.host, "h.example");
  assert_int_equal(source.reason, DBSQL_TOKEN_INITIAL);
  assert_gives(provider, context, "Bearer token-2");
  source.type = "MAC";
  assert_gives(provider, context, "MAC token-3");
  assert_int_equal(source.calls, 3);
  assert_int_equal(source.released, 3);
  source.failure = "the vault is closed";
  struct token *token = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(ask_for_token(provider, context, &token, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_message(error), "external token provider: failed to get token: the vault is closed");
  assert_string_equal(dbsql_error_sqlstate(error), "28000");
  assert_int_equal(dbsql_error_vendor_code(error), 7);
  error_clear(&error);
  assert_int_equal(source.released, 4);
  /* a secret in a callback's words does not get through */
  source.failure = "no luck with Bearer abcdefghijkl\n";
  assert_lacks(refusal_of(provider, context), "abcdefghijkl");
  source.failure = "";
  assert_contains(refusal_of(provider, context), "gave no reason");
  source.failure = NULL;
  source.fixed = "";
  assert_contains(refusal_of(provider, context), "empty access token");
  source.fixed = "two words";
  assert_contains(refusal_of(provider, context), "has a character at position 3");
  source.fixed = NULL;
  source.lifetime_ms = 10000;
  assert_contains(refusal_of(provider, context), "has expired");
  assert_string_equal(provider->name, "external");
  provider_keep(provider);
  provider_drop(provider);
  assert_int_equal(source.destroyed, 0);
  provider_drop(provider);
  assert_int_equal(source.destroyed, 1);
  auth_context_drop(context);
}

/* cancelled before -> callback not invoked; deadline exceeded in the callback is seen by the call, not lost */
static void external_and_the_call(void **state) {
  UNUSED(state);
  struct auth_context *context = new_context("https://h.example", "h.example");
  struct source source = SOURCE_INIT;
  dbsql_token_provider *provider = external_of(&source, 0);
  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  dbsql_cancel_trigger(cancel);
  struct call call;
  struct token *token = NULL;
  dbsql_error *error = NULL;
  call_begin_internal(&call, 60000);
  call.cancel = cancel;
  assert_int_equal(ask_within(provider, context, &call, &token, &error), DBSQL_ERROR_CANCELLED);
  assert_string_equal(dbsql_error_sqlstate(error), "HY008");
  assert_contains(dbsql_error_message(error), "external token provider: cancelled");
  assert_int_equal(source.calls, 0);
  error_clear(&error);
  dbsql_cancel_free(cancel);
  provider_drop(provider);
  auth_context_drop(context);
}

/* the expiry of a JWT counts if the callback says none; a token of unknown end is kept for a minute, or as the source says */
static void external_expiry(void **state) {
  UNUSED(state);
  clock_test_begin(INT64_C(1000000000000), INT64_C(1700000000000000));
  struct auth_context *context = new_context("https://h.example", "h.example");
  struct source source = SOURCE_INIT;
  dbsql_token_provider *provider = external_of(&source, 0);
  struct token *token = token_of(provider, context);
  assert_int_equal(token->unusable_ns, clock_now_ns() + INT64_C(60000000000));
  assert_int_equal(token->expires_unix_ms, 0);
  token_drop(token);
  char *jwt = jwt_of("{\"exp\":1700003600}");
  source.fixed = jwt;
  token = token_of(provider, context);
  assert_int_equal(token->expires_unix_ms, INT64_C(1700003600000));
  token_drop(token);
  dbsql_token_source plain = {.struct_size = sizeof plain, .get_token = source_get, .user = &source, .unknown_lifetime_ms = -1};
  dbsql_token_provider *forever;
  assert_int_equal(provider_external(&plain, &forever, NULL), DBSQL_OK);
  source.fixed = "opaque";
  token = token_of(forever, context);
  assert_int_equal(token->unusable_ns, INT64_MAX);
  token_drop(token);
  provider_drop(forever);
  provider_drop(provider);
  mem_free(jwt);
  auth_context_drop(context);
  clock_test_end();
}

struct turns {
  dbsql_token_provider *provider;
  struct auth_context *context;
  pthread_mutex_t lock;
  int inside, most;
};

static int counted_get(void *user, const dbsql_token_request *request, dbsql_token *token) {
  struct turns *turns = user;
  (void)request;
  pthread_mutex_lock(&turns->lock);
  turns->inside++;
  if (turns->inside > turns->most) turns->most = turns->inside;
  pthread_mutex_unlock(&turns->lock);
  for (int i = 0; i < 20; i++) sched_yield();
  pthread_mutex_lock(&turns->lock);
  turns->inside--;
  pthread_mutex_unlock(&turns->lock);
  token->access_token = "t";
  return 0;
}

static void *ask_often(void *user) {
  struct turns *turns = user;
  for (int i = 0; i < 50; i++) token_drop(token_of(turns->provider, turns->context));
  return NULL;
}

/* 1.17 rule 3: without THREAD_SAFE the calls take turns */
static void callbacks_take_turns(void **state) {
  UNUSED(state);
  struct turns turns = {.context = new_context("https://h.example", "h.example"), .lock = PTHREAD_MUTEX_INITIALIZER};
  dbsql_token_source source = {.struct_size = sizeof source, .get_token = counted_get, .user = &turns};
  assert_int_equal(provider_external(&source, &turns.provider, NULL), DBSQL_OK);
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &turns), 0);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  assert_int_equal(turns.most, 1);
  provider_drop(turns.provider);
  auth_context_drop(turns.context);
}

struct recursion {
  dbsql_token_provider *provider;
  struct auth_context *context;
  char message[256];
};

static void ask_again(void *user) {
  struct recursion *recursion = user;
  snprintf(recursion->message, sizeof recursion->message, "%.255s", refusal_of(recursion->provider, recursion->context));
}

/* 1.17 rule 4: a callback that calls back into its own provider is told so, and nothing hangs */
static void callbacks_that_ask_themselves(void **state) {
  UNUSED(state);
  struct recursion recursion = {.context = new_context("https://h.example", "h.example")};
  struct source source = SOURCE_INIT;
  source.inside = ask_again;
  source.inside_user = &recursion;
  recursion.provider = external_of(&source, 0);
  assert_gives(recursion.provider, recursion.context, "Bearer token-1");
  assert_contains(recursion.message, "asks itself");
  provider_drop(recursion.provider);

  recursion.provider = cached_of(external_of(&source, 0), 0);
  assert_gives(recursion.provider, recursion.context, "Bearer token-2");
  assert_contains(recursion.message, "asks itself");
  provider_drop(recursion.provider);
  auth_context_drop(recursion.context);
}

/* ---- The authenticator */

static dbsql_status header_of(struct authenticator *authenticator, struct buf *value, struct auth_stamp *stamp, dbsql_error **error) {
  struct call call;
  call_begin_internal(&call, 60000);
  buf_reset(value);
  return authenticator->authorize(authenticator, &call, value, stamp, error);
}

static struct authenticator *authenticator_of(dbsql_token_provider *provider, struct auth_context *context) {
  struct authenticator *authenticator;
  dbsql_error *error = NULL;
  if (authenticator_provider(provider, context, NULL, &authenticator, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  provider_drop(provider);
  return authenticator;
}

/* header set; custom type MAC; provider error -> wrapper text and cause, and no header; empty token -> no header */
static void headers_of_providers(void **state) {
  UNUSED(state);
  struct auth_context *context = new_context("https://h.example", "h.example");
  struct source source = SOURCE_INIT;
  struct authenticator *authenticator = authenticator_of(external_of(&source, DBSQL_TOKEN_NO_CACHE), context);
  struct buf value = BUF_INIT;
  dbsql_error *error = NULL;
  assert_int_equal(header_of(authenticator, &value, NULL, &error), DBSQL_OK);
  assert_string_equal(buf_text(&value), "Bearer token-1");
  source.type = "MAC";
  assert_int_equal(header_of(authenticator, &value, NULL, &error), DBSQL_OK);
  assert_string_equal(buf_text(&value), "MAC token-2");
  source.failure = "closed";
  assert_int_equal(header_of(authenticator, &value, NULL, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_message(error),
                      "token provider authenticator: failed to get token: external token provider: failed to get token: closed");
  assert_int_equal(value.size, 0);
  error_clear(&error);
  source.failure = NULL;
  source.fixed = "";
  assert_int_equal(header_of(authenticator, &value, NULL, &error), DBSQL_ERROR_REQUEST);
  assert_contains(dbsql_error_message(error), "empty access token");
  assert_int_equal(value.size, 0);
  error_clear(&error);
  authenticator_free(authenticator);
  buf_free(&value);
  auth_context_drop(context);
}

static dbsql_status give_nothing(dbsql_token_provider *self, const struct token_request *request, struct token **token,
                                 dbsql_error **error) {
  (void)self, (void)request, (void)error;
  *token = NULL;
  return DBSQL_OK;
}
static void do_nothing(dbsql_token_provider *self) {
  (void)self;
}

/* null token guard (C7), also under the cache */
static void providers_that_give_nothing(void **state) {
  UNUSED(state);
  static const struct provider_ops ops = {give_nothing, NULL, do_nothing};
  dbsql_token_provider broken = {0};
  struct auth_context *context = new_context("https://h.example", "h.example");
  provider_init(&broken, &ops, "broken");
  for (int cached = 0; cached < 2; cached++) {
    provider_keep(&broken);
    broken.needs_cache = cached;
    struct authenticator *authenticator = authenticator_of(&broken, context);
    struct buf value = BUF_INIT;
    dbsql_error *error = NULL;
    assert_int_equal(header_of(authenticator, &value, NULL, &error), DBSQL_ERROR_REQUEST);
    assert_contains(dbsql_error_message(error), "gave no token");
    error_clear(&error);
    authenticator_free(authenticator);
    buf_free(&value);
  }
  auth_context_drop(context);
}

static dbsql_error *error_of_status(int http_status) {
  dbsql_error *error = NULL;
  error_set(&error, DBSQL_ERROR_REQUEST, "28000", "refused (HTTP %d)", http_status);
  error->http_status = http_status;
  return error;
}

/* D10: after a 401 one forced refresh, and again only if the token changed; never after a 403; never without another token */
static void refused_tokens(void **state) {
  UNUSED(state);
  struct auth_context *context = new_context("https://h.example", "h.example");
  struct source source = SOURCE_INIT;
  struct authenticator *authenticator = authenticator_of(external_of(&source, 0), context);
  struct buf value = BUF_INIT;
  struct auth_stamp stamp = {0};
  struct call call;
  call_begin_internal(&call, 60000);
  assert_int_equal(header_of(authenticator, &value, &stamp, NULL), DBSQL_OK);
  assert_string_equal(buf_text(&value), "Bearer token-1");
  dbsql_error *error = error_of_status(403);
  assert_false(authenticator->refused(authenticator, &call, &stamp, &error));
  assert_contains(dbsql_error_message(error), "refused (HTTP 403); token provider cached[external]");
  error_clear(&error);
  assert_int_equal(source_calls(&source), 1);

  error = error_of_status(401);
  assert_true(authenticator->refused(authenticator, &call, &stamp, &error));
  error_clear(&error);
  assert_int_equal(source.reason, DBSQL_TOKEN_REJECTED);
  /* another thread's request, sent with the first token, needs no fetch any more */
  error = error_of_status(401);
  assert_true(authenticator->refused(authenticator, &call, &stamp, &error));
  error_clear(&error);
  assert_int_equal(source_calls(&source), 2);
  assert_int_equal(header_of(authenticator, &value, &stamp, NULL), DBSQL_OK);
  assert_string_equal(buf_text(&value), "Bearer token-2");

  /* the same one again */
  source.fixed = "token-2";
  error = error_of_status(401);
  assert_false(authenticator->refused(authenticator, &call, &stamp, &error));
  error_clear(&error);
  assert_int_equal(source_calls(&source), 3);
  /* and not at once again: no burst */
  error = error_of_status(401);
  assert_false(authenticator->refused(authenticator, &call, &stamp, &error));
  error_clear(&error);
  assert_int_equal(source_calls(&source), 3);
  authenticator_free(authenticator);

  /* a failed renewal is told */
  struct source other = SOURCE_INIT;
  authenticator = authenticator_of(external_of(&other, 0), context);
  assert_int_equal(header_of(authenticator, &value, &stamp, NULL), DBSQL_OK);
  other.failure = "closed";
  error = error_of_status(401);
  assert_false(authenticator->refused(authenticator, &call, &stamp, &error));
  assert_contains(dbsql_error_message(error), "refused (HTTP 401); token provider cached[external]; another token could not be had");
  assert_contains(dbsql_error_message(error), "closed");
  error_clear(&error);
  authenticator_free(authenticator);

  authenticator = authenticator_of(static_of("pat", NULL), NULL);
  assert_int_equal(header_of(authenticator, &value, &stamp, NULL), DBSQL_OK);
  error = error_of_status(401);
  assert_false(authenticator->refused(authenticator, &call, &stamp, &error));
  error_clear(&error);
  authenticator_free(authenticator);
  buf_free(&value);
  auth_context_drop(context);
}

static int with_headers(void *user, const dbsql_token_request *request, dbsql_token *token) {
  (void)user, (void)request;
  static const char *const headers[] = {"X-One", "1", "X-Two", "", NULL};
  token->access_token = "t";
  token->headers = headers;
  return 0;
}

static dbsql_status authorize(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  struct authenticator *authenticator = user;
  return authenticator->authorize(authenticator, call, value, NULL, error);
}

/* 1.15: headers that go with a token reach the wire */
static void headers_beside_the_token(void **state) {
  UNUSED(state);
  struct http_step step = {HTTP_STEP_REPLY, 200, NULL, "ok"};
  struct http_script script = {&step, 1};
  struct http_server *server = http_server_start(&(struct http_server_settings){.handler = http_script_handler, .user = &script});
  struct auth_context *context = new_context(http_server_url(server), "127.0.0.1");
  dbsql_token_source source = {.struct_size = sizeof source, .get_token = with_headers};
  dbsql_token_provider *provider;
  assert_int_equal(provider_external(&source, &provider, NULL), DBSQL_OK);
  struct authenticator *authenticator = authenticator_of(provider, context);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  struct http_request request = {.method = "GET", .url = http_server_url(server), .what = "Test"};
  request.authorize = authorize;
  request.authorize_user = authenticator;
  struct http_response response;
  assert_int_equal(send_request(client, &request, &response, NULL), DBSQL_OK);
  http_response_free(&response);
  const struct http_exchange *seen = http_server_request(server, 0);
  static const char *const wanted[][2] = {{"Authorization", "Bearer t"}, {"X-One", "1"}, {"X-Two", ""}};
  for (size_t i = 0; i < 3; i++) {
    char *header = exchange_header(seen, wanted[i][0]);
    assert_non_null(header);
    assert_string_equal(header, wanted[i][1]);
    free(header);
  }
  http_client_free(client);
  authenticator_free(authenticator);
  auth_context_drop(context);
  http_server_stop(server);
}

/* every allocation fails once: out of memory or success, nothing leaks, the callback's object is destroyed once */
static void without_memory(void **state) {
  UNUSED(state);
  struct auth_context *context = new_context("https://h.example", "h.example");
  for (uint64_t n = 1;; n++) {
    struct source source = SOURCE_INIT;
    int64_t before = mem_test_live_blocks();
    mem_test_fail_at(n);
    dbsql_token_source made_of = {.struct_size = sizeof made_of,
                                  .flags = DBSQL_TOKEN_NO_BACKGROUND,
                                  .get_token = source_get,
                                  .destroy = source_destroy,
                                  .user = &source};
    dbsql_token_provider *provider = NULL;
    struct authenticator *authenticator = NULL;
    struct buf value = BUF_INIT;
    struct auth_stamp stamp = {0};
    struct call call;
    call_begin_internal(&call, 60000);
    dbsql_error *error = NULL, *refusal = NULL;
    dbsql_status status = provider_external(&made_of, &provider, &error);
    bool owned = status == DBSQL_OK;
    if (status == DBSQL_OK) status = authenticator_provider(provider, context, NULL, &authenticator, &error);
    if (status == DBSQL_OK) status = authenticator->authorize(authenticator, &call, &value, &stamp, &error);
    if (status == DBSQL_OK && error_set(&refusal, DBSQL_ERROR_REQUEST, "28000", "x") == DBSQL_ERROR_REQUEST) {
      refusal->http_status = 401;
      authenticator->refused(authenticator, &call, &stamp, &refusal);
    }
    bool failed = mem_test_failed();
    mem_test_fail_at(0);
    if (status != DBSQL_OK) assert_int_equal(status, DBSQL_ERROR_NO_MEMORY);
    error_clear(&error);
    error_clear(&refusal);
    authenticator_free(authenticator);
    provider_drop(provider);
    buf_free(&value);
    assert_int_equal(source.destroyed, owned ? 1 : 0);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!failed) break;
  }
  auth_context_drop(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(when_a_token_is_expired), cmocka_unit_test(when_a_token_is_due),
      cmocka_unit_test(clocks_that_are_set),     cmocka_unit_test(what_a_header_may_hold),
      cmocka_unit_test(looking_into_jwts),       cmocka_unit_test(comparing_secrets),
      cmocka_unit_test(static_tokens),           cmocka_unit_test(external_tokens),
      cmocka_unit_test(external_and_the_call),   cmocka_unit_test(external_expiry),
      cmocka_unit_test(callbacks_take_turns),    cmocka_unit_test(callbacks_that_ask_themselves),
      cmocka_unit_test(headers_of_providers),    cmocka_unit_test(providers_that_give_nothing),
      cmocka_unit_test(refused_tokens),          cmocka_unit_test(headers_beside_the_token),
      cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
