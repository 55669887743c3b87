#include "auth/oauth.h"

#include <stdio.h>
#include <string.h>

#include "auth/crypto.h"
#include "auth/methods.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/url.h"

enum { longest_code = 80, longest_lifetime_s = 3650 * 24 * 3600 };

/* ---- Forms --------------------------------------------------------------------------------------------------------------- */

void oauth_encode(struct buf *out, const char *text) {
  static const char digits[] = "0123456789ABCDEF";
  for (; *text; text++) {
    uint8_t byte = (uint8_t)*text;
    if (text_is_alpha(*text) || text_is_digit(*text) || strchr("-._~", *text)) {
      buf_append_byte(out, byte);
    } else {
      buf_append_byte(out, '%');
      buf_append_byte(out, (uint8_t)digits[byte >> 4]);
      buf_append_byte(out, (uint8_t)digits[byte & 15]);
    }
  }
}

void oauth_field(struct buf *out, const char *name, const char *value) {
  if (!value || !*value) return;
  if (out->size > 0) buf_append_byte(out, '&');
  oauth_encode(out, name);
  buf_append_byte(out, '=');
  oauth_encode(out, value);
}

char *oauth_scopes(const char *list, const char *usual) {
  struct buf out = BUF_INIT;
  for (const char *at = list ? list : ""; *at;) {
    size_t length = strcspn(at, ", \t");
    if (length > 0 && out.size > 0) buf_append_byte(&out, ' ');
    buf_append(&out, at, length);
    at += length;
    at += strspn(at, ", \t");
  }
  if (out.size == 0) buf_append_text(&out, usual);
  return buf_take_text(&out);
}

dbsql_status oauth_check_url(const struct auth_context *context, const char *url, const char *what, struct http_target *target,
                             dbsql_error **error) {
  dbsql_error *reason = NULL;
  dbsql_status status = http_target_parse(url, target, &reason);
  if (status == DBSQL_ERROR_NO_MEMORY) {
    error_move(&reason, error);
    return status;
  }
  error_clear(&reason);
  if (status != DBSQL_OK) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s is not a URL of https", what);
  if (!target->tls && !http_host_is_loopback(target->host) && !context->allow_http) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s is at %s without TLS: credentials are not sent there", what, target->shown);
  }
  return DBSQL_OK;
}

/* ---- Errors -------------------------------------------------------------------------------------------------------------- */

/* As it is, and as it stands in the form. */
static void hide(const char *secret, dbsql_error **error) {
  struct buf encoded = BUF_SECRET;
  error_hide(error, secret);
  oauth_encode(&encoded, secret);
  if (buf_text(&encoded)) error_hide(error, buf_text(&encoded));
  buf_free_secret(&encoded);
}

static void hide_all(const struct oauth_post *post, dbsql_error **error) {
  if (!error || !*error) return;
  for (size_t i = 0; i < post->secret_count; i++) hide(post->secrets[i], error);
  if (post->basic_secret) hide(secret_text(post->basic_secret), error);
}

/* The server's code goes in front of its words; what it refuses is a matter of credentials. */
static void describe_refusal(dbsql_error **error) {
  if (!error || !*error || (*error)->is_static) return;
  int status = (*error)->http_status;
  if (status < 400 || status > 499 || status == 407 || status == 408 || status == 429) return;
  memcpy((*error)->sqlstate, "28000", 6);
  (*error)->retryable = false;
  char code[longest_code] = "";
  const char *class = dbsql_error_class(*error);
  if (strlen(class) < sizeof code) memcpy(code, class, strlen(class) + 1);
  if (*code) error_prefix(error, "%s", code);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

static dbsql_status send(const struct token_request *request, const struct http_settings *base, const struct http_request *http,
                         size_t longest, struct http_response *response, dbsql_error **error) {
  struct http_settings settings = *base;
  settings.max_response_bytes = longest;
  if (settings.retry_total_ms == 0 || settings.retry_total_ms > oauth_retry_total_ms) settings.retry_total_ms = oauth_retry_total_ms;
  struct http_client *client;
  dbsql_status status = http_client_new(&settings, &client, error);
  if (status != DBSQL_OK) return status;
  dbsql_error *reason = NULL;
  status = http_send(client, http, request->call, response, &reason);
  http_client_free(client);
  /* The HTTP client's own records of failures are warnings, and here many are part of looking: a host's log stays clean. What the other
   * side says may echo a secret, and is not for the log. */
  if (log_wants(request->log, DBSQL_LOG_DEBUG)) {
    char code[16];
    snprintf(code, sizeof code, "%d", status == DBSQL_OK ? response->status : dbsql_error_http_status(reason));
    log_write(request->log, DBSQL_LOG_DEBUG, "auth", status == DBSQL_OK ? "request done" : "request failed", "request", http->what,
              "status", code, "error_class", reason ? dbsql_error_class(reason) : NULL, (char *)NULL);
  }
  if (status != DBSQL_OK) error_move(&reason, error);
  return status;
}

static dbsql_status basic(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  const struct oauth_post *post = user;
  struct buf plain = BUF_SECRET;
  (void)call;
  oauth_encode(&plain, post->basic_id);
  buf_append_byte(&plain, ':');
  oauth_encode(&plain, secret_text(post->basic_secret));
  buf_append_text(value, "Basic ");
  base64_append(value, plain.data, plain.size);
  dbsql_status status = buf_failed(&plain) || buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
  buf_free_secret(&plain);
  return status;
}

dbsql_status oauth_get(const struct token_request *request, const struct oauth_get *get, json_t **json, dbsql_error **error) {
  struct http_request http = {.method = "GET",
                              .url = get->url,
                              .what = get->what,
                              .headers = get->headers,
                              .header_count = get->header_count,
                              .retry = HTTP_RETRY_IDEMPOTENT,
                              .authorize = get->authorize,
                              .authorize_user = get->authorize_user,
                              .location = get->location,
                              .location_size = get->location_size};
  struct http_response response;
  *json = NULL;
  dbsql_status status = send(request, get->settings ? get->settings : &request->context->http, &http, get->longest, &response, error);
  if (status != DBSQL_OK) return status;
  *json = json_read(slice_of(response.body->data, response.body->size), get->longest);
  mem_wipe(response.body->data, response.body->size);
  http_response_free(&response);
  return *json ? DBSQL_OK : error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the answer is not a JSON object", get->what);
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------- */

void oauth_answer_free(struct oauth_answer *answer) {
  mem_free_secret(answer->access_token);
  mem_free_secret(answer->refresh_token);
  mem_free(answer->token_type);
  mem_free(answer->scope);
  memset(answer, 0, sizeof *answer);
}

static bool copy_member(const json_t *json, const char *name, char **to) {
  const char *text = json_text(json, name);
  if (!text || !*text) return true;
  *to = mem_strdup(text);
  return *to != NULL;
}

/* `expires_in` counts from now; Azure's `expires_on` is a point in time, and both may be texts (auth.md 1.3, 2.7). */
static dbsql_status read_expiry(const json_t *json, const char *who, struct oauth_answer *answer, dbsql_error **error) {
  double seconds;
  if (json_number(json, "expires_in", &seconds)) {
    if (!(seconds >= 0)) {
      return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the answer has an invalid expires_in: %.0f", who, seconds);
    }
    if (seconds > longest_lifetime_s) seconds = longest_lifetime_s;
    if (seconds > 0) answer->expires_unix_ms = clock_unix_us() / 1000 + (int64_t)(seconds * 1000);
  } else if (json_object_get(json, "expires_in") && !json_is_null(json_object_get(json, "expires_in"))) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the answer has an expires_in that is no number", who);
  }
  if (answer->expires_unix_ms == 0 && json_number(json, "expires_on", &seconds) && seconds > 0 && seconds < 1e11) {
    answer->expires_unix_ms = (int64_t)(seconds * 1000);
  }
  return DBSQL_OK;
}

dbsql_status oauth_answer_from(const json_t *json, const char *who, struct oauth_answer *answer, dbsql_error **error) {
  memset(answer, 0, sizeof *answer);
  bool ok = copy_member(json, "access_token", &answer->access_token) && copy_member(json, "token_type", &answer->token_type) &&
            copy_member(json, "refresh_token", &answer->refresh_token) && copy_member(json, "scope", &answer->scope);
  dbsql_status status = ok ? read_expiry(json, who, answer, error) : error_no_memory(error);
  if (status == DBSQL_OK && !answer->access_token) {
    status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the answer has an empty access token", who);
  }
  if (status != DBSQL_OK) oauth_answer_free(answer);
  return status;
}

static dbsql_status read_answer(struct slice body, const char *who, struct oauth_answer *answer, dbsql_error **error) {
  json_t *json = json_read(body, oauth_longest_answer);
  if (!json) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the answer is not a JSON object", who);
  dbsql_status status = oauth_answer_from(json, who, answer, error);
  json_drop_secret(json);
  return status;
}

dbsql_status oauth_token_request(const struct token_request *request, const struct oauth_post *post, struct oauth_answer *answer,
                                 dbsql_error **error) {
  enum { own_headers = 2, most_headers = 8 };
  struct http_target target;
  struct http_header headers[most_headers] = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  size_t count = own_headers;
  for (size_t i = 0; i < post->header_count && count < most_headers; i++) headers[count++] = post->headers[i];
  memset(answer, 0, sizeof *answer);
  dbsql_error *reason = NULL;
  dbsql_status status = oauth_check_url(request->context, post->url, "the token endpoint", &target, &reason);
  if (status == DBSQL_OK) {
    struct http_request http = {
        .method = "POST",
        .url = post->url,
        .what = post->what,
        .headers = headers,
        .header_count = count,
        .body = post->form,
        .retry = post->single_use ? HTTP_RETRY_REFUSED : HTTP_RETRY_IDEMPOTENT,
        .authorize = post->basic_id ? basic : NULL,
        .authorize_user = (void *)(uintptr_t)post,
    };
    struct http_response response;
    status = send(request, &request->context->http, &http, oauth_longest_answer, &response, &reason);
    if (status == DBSQL_OK) {
      status = read_answer(slice_of(response.body->data, response.body->size), post->what, answer, &reason);
      mem_wipe(response.body->data, response.body->size);
      http_response_free(&response);
      error_set_host(&reason, target.host);
    } else {
      describe_refusal(&reason);
    }
  }
  hide_all(post, &reason);
  if (status != DBSQL_OK) error_move(&reason, error);
  return status;
}

dbsql_status oauth_make_token(const struct oauth_answer *answer, const char *who, int64_t margin_ms, int64_t unknown_ms,
                              struct token **token, dbsql_error **error) {
  if (answer->token_type && !text_equal_nocase(answer->token_type, "Bearer")) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the answer's token is of another type than Bearer", who);
  }
  struct token_parts parts = {
      .value = slice_text(answer->access_token),
      .expires_unix_ms = answer->expires_unix_ms ? answer->expires_unix_ms : jwt_expiry_ms(slice_text(answer->access_token)),
      .lifetime_ms = unknown_ms,
      .margin_ms = margin_ms,
      .scopes = answer->scope,
  };
  return token_new(&parts, who, token, error);
}

dbsql_status oauth_exchange_token(const struct token_request *request, const struct oauth_exchange *exchange, struct oauth_answer *answer,
                                  dbsql_error **error) {
  struct buf form = BUF_SECRET;
  oauth_field(&form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
  oauth_field(&form, "subject_token", exchange->subject);
  oauth_field(&form, "subject_token_type", "urn:ietf:params:oauth:token-type:jwt");
  oauth_field(&form, "scope", exchange->scope);
  oauth_field(&form, "return_original_token_if_authenticated", exchange->original_if_accepted ? "true" : NULL);
  oauth_field(&form, "client_id", exchange->client_id);
  struct oauth_post post = {
      .what = "token exchange", .url = exchange->url, .form = buf_slice(&form), .secrets = &exchange->subject, .secret_count = 1};
  dbsql_status status = buf_failed(&form) ? error_no_memory(error) : oauth_token_request(request, &post, answer, error);
  buf_free_secret(&form);
  return status;
}
