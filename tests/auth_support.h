/* What the tests of authentication share: a context, requests for tokens, a provider that does what the test says. */
#ifndef DBSQL_TESTS_AUTH_SUPPORT_H
#define DBSQL_TESTS_AUTH_SUPPORT_H

#include "http_test.h"

#include <pthread.h>

#include "auth/auth.h"
#include "auth/crypto.h"
#include "auth/oauth.h"
#include "base/clock.h"
#include "base/mem.h"

#define UNUSED(state) (void)(state)

/* The log as text: for dbsql_config_set_log() and struct log. */
struct lines {
  pthread_mutex_t lock;
  struct buf text;
  int above_debug; /* of authentication: a host application's log has none (auth.md 2.15) */
};

static inline void keep_line(void *user, const dbsql_log_record *record) {
  struct lines *lines = user;
  pthread_mutex_lock(&lines->lock);
  if (record->level < DBSQL_LOG_DEBUG && (strcmp(record->module, "auth") == 0 || strstr(record->message, "token"))) lines->above_debug++;
  buf_append_text(&lines->text, record->message);
  for (size_t i = 0; i < record->field_count; i++) buf_printf(&lines->text, " %s=%s", record->fields[i].key, record->fields[i].value);
  buf_append_byte(&lines->text, '\n');
  pthread_mutex_unlock(&lines->lock);
}

/* A context whose workspace is at `origin`; retries at once. */
static inline struct auth_context *new_context(const char *origin, const char *host) {
  struct http_settings http = plain_settings();
  http.retry_min_wait_ms = http.retry_max_wait_ms = 1;
  struct auth_context *context = NULL;
  dbsql_error *error = NULL;
  if (auth_context_new(origin, host, false, &http, &context, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return context;
}

static inline dbsql_status ask_within(dbsql_token_provider *provider, struct auth_context *context, const struct call *call,
                                      struct token **token, dbsql_error **error) {
  struct token_request request = {context, call, NULL, DBSQL_TOKEN_INITIAL, false};
  return provider_get(provider, &request, token, error);
}

static inline dbsql_status ask_for_token(dbsql_token_provider *provider, struct auth_context *context, struct token **token,
                                         dbsql_error **error) {
  struct call call;
  call_begin_internal(&call, 60000);
  return ask_within(provider, context, &call, token, error);
}

static inline struct token *token_of(dbsql_token_provider *provider, struct auth_context *context) {
  struct token *token = NULL;
  dbsql_error *error = NULL;
  if (ask_for_token(provider, context, &token, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return token;
}

static inline void assert_header(const struct token *token, const char *header) {
  assert_string_equal(secret_text(token->header), header);
}

static inline void assert_gives(dbsql_token_provider *provider, struct auth_context *context, const char *header) {
  struct token *token = token_of(provider, context);
  assert_header(token, header);
  token_drop(token);
}

/* The message of a failure to get a token, to be read before the next one. */
static inline const char *refusal_of(dbsql_token_provider *provider, struct auth_context *context) {
  static char message[2048];
  struct token *token = NULL;
  dbsql_error *error = NULL;
  if (ask_for_token(provider, context, &token, &error) == DBSQL_OK) fail_msg("there is a token: %s", secret_text(token->header));
  assert_null(token);
  snprintf(message, sizeof message, "%s", dbsql_error_message(error));
  error_clear(&error);
  return message;
}

#define assert_contains(text, part)                                                 \
  do {                                                                              \
    const char *text_ = (text);                                                     \
    if (!strstr(text_, (part))) fail_msg("\"%s\" should be in: %s", (part), text_); \
  } while (0)
#define assert_lacks(text, part)                                                       \
  do {                                                                                 \
    const char *text_ = (text);                                                        \
    if (strstr(text_, (part))) fail_msg("\"%s\" should not be in: %s", (part), text_); \
  } while (0)

static inline int64_t unix_ms(void) {
  return clock_unix_us() / 1000;
}

/* ---- An application's callback that does what the test says. `lock` guards everything. */
struct source {
  pthread_mutex_t lock;
  int calls, destroyed, released;
  int64_t lifetime_ms; /* 0: says nothing of the expiry */
  const char *fixed;   /* the token; NULL: "token-1", "token-2" ... */
  const char *type;
  const char *failure;       /* if set, the callback fails with it */
  dbsql_token_reason reason; /* of the last call */
  char host[64];
  struct test_event *started, *go; /* if set: says that it runs, waits to go on */
  bool heed_cancel;                /* returns at once when it is cancelled */
  bool was_cancelled;
  void (*inside)(void *user); /* runs in the callback, without the lock */
  void *inside_user;
  char text[1024]; /* the last token, as the callback's own memory */
};
#define SOURCE_INIT \
  { .lock = PTHREAD_MUTEX_INITIALIZER }

static inline void source_release(dbsql_token *token) {
  struct source *source = token->release_data;
  pthread_mutex_lock(&source->lock);
  source->released++;
  memset(source->text, 'x', sizeof source->text - 1); /* who still reads it gets something else */
  pthread_mutex_unlock(&source->lock);
}

static inline int source_get(void *user, const dbsql_token_request *request, dbsql_token *token) {
  struct source *source = user;
  pthread_mutex_lock(&source->lock);
  int number = ++source->calls;
  struct test_event *started = source->started, *go = source->go;
  source->reason = request->reason;
  snprintf(source->host, sizeof source->host, "%s", request->host);
  bool heed = source->heed_cancel;
  pthread_mutex_unlock(&source->lock);
  if (started) test_event_set(started);
  while (heed && !dbsql_cancel_is_triggered(request->cancel)) sched_yield();
  if (go) test_event_wait(go);
  if (source->inside) source->inside(source->inside_user);
  pthread_mutex_lock(&source->lock);
  source->was_cancelled = dbsql_cancel_is_triggered(request->cancel);
  if (source->fixed) {
    snprintf(source->text, sizeof source->text, "%s", source->fixed);
  } else {
    snprintf(source->text, sizeof source->text, "token-%d", number);
  }
  token->access_token = source->text;
  token->token_type = source->type;
  token->expires_at_ms = source->lifetime_ms ? unix_ms() + source->lifetime_ms : 0;
  token->error_message = source->failure;
  token->release = source_release;
  token->release_data = source;
  int result = source->failure ? 7 : 0;
  pthread_mutex_unlock(&source->lock);
  return result;
}

static inline void source_destroy(void *user) {
  struct source *source = user;
  pthread_mutex_lock(&source->lock);
  source->destroyed++;
  pthread_mutex_unlock(&source->lock);
}

static inline int source_calls(struct source *source) {
  pthread_mutex_lock(&source->lock);
  int calls = source->calls;
  pthread_mutex_unlock(&source->lock);
  return calls;
}

static inline dbsql_token_provider *external_of(struct source *source, uint32_t flags) {
  dbsql_token_source made = {
      .struct_size = sizeof made, .flags = flags, .get_token = source_get, .destroy = source_destroy, .user = source};
  dbsql_token_provider *provider = NULL;
  dbsql_error *error = NULL;
  if (provider_external(&made, &provider, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return provider;
}

static inline dbsql_token_provider *cached_of(dbsql_token_provider *inner, int64_t ahead_ms) {
  dbsql_token_provider *provider = NULL;
  dbsql_error *error = NULL;
  if (provider_cached(inner, ahead_ms, &provider, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  provider_drop(inner);
  return provider;
}

static inline dbsql_token_provider *static_of(const char *token, const char *type) {
  struct token_parts parts = {.value = slice_text(token), .type = type};
  dbsql_token_provider *provider = NULL;
  dbsql_error *error = NULL;
  if (provider_static(&parts, &provider, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return provider;
}

/* An unsigned JWT with these claims (the text of a JSON object). For mem_free(). */
static inline char *jwt_of(const char *claims) {
  struct buf jwt = BUF_INIT;
  static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
  base64url_append(&jwt, header, sizeof header - 1);
  buf_append_byte(&jwt, '.');
  base64url_append(&jwt, claims, strlen(claims));
  buf_append_text(&jwt, ".c2lnbmF0dXJl");
  return buf_take_text(&jwt);
}

#endif
