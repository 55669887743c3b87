#include "auth/token.h"

#include <string.h>

#include "auth/crypto.h"
#include "auth/json.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

enum { ns_per_ms = 1000000, us_per_ms = 1000 };
/* Longer lifetimes are cut to this: ten years (auth.md 1.3). */
#define LONGEST_MS (INT64_C(3650) * 24 * 3600 * 1000)
/* A JWT that is longer is none that we look into (T30). */
enum { longest_jwt = 16 * 1024 };

static void destroy(struct shared *shared) {
  struct token *token = (struct token *)(void *)shared;
  secret_free(token->header);
  secret_free(token->more);
  mem_free(token->scopes);
  mem_free(token->note);
  mem_free(token);
}

static bool is_type_byte(char c) {
  return text_is_alpha(c) || text_is_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static dbsql_status check(const struct token_parts *parts, const char *who, dbsql_error **error) {
  if (parts->value.size == 0) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: empty access token", who);
  if (parts->value.size > token_longest) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the access token is too long", who);
  for (size_t i = 0; i < parts->value.size; i++) {
    uint8_t byte = parts->value.data[i];
    if (byte <= 0x20 || byte >= 0x7F) {
      return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the access token has a character at position %zu that a token cannot have",
                       who, i);
    }
  }
  for (const char *c = parts->type ? parts->type : ""; *c; c++) {
    if (!is_type_byte(*c))
      return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the token's type has a character that no type has", who);
  }
  for (size_t i = 0; i < parts->header_count; i++) {
    const struct token_header *header = &parts->headers[i];
    bool bad = !header->name || !header->name[0] || !header->value;
    for (const char *c = bad ? "" : header->name; *c; c++) bad = bad || !is_type_byte(*c);
    for (const char *c = bad ? "" : header->value; *c; c++) bad = bad || (unsigned char)*c < 0x20 || *c == 0x7F;
    if (bad || text_equal_nocase(header->name, "Authorization")) {
      return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: header %zu that goes with the token cannot be sent", who, i + 1);
    }
  }
  return DBSQL_OK;
}

static int64_t add_clamped(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void set_times(struct token *token, const struct token_parts *parts) {
  int64_t now_ns = clock_now_ns(), now_us = clock_unix_us();
  token->stale_ns = token->stale_unix_us = token->unusable_ns = token->unusable_unix_us = INT64_MAX;
  int64_t lifetime = parts->lifetime_ms, margin = 0;
  if (parts->expires_unix_ms != 0) {
    if (__builtin_sub_overflow(parts->expires_unix_ms, now_us / us_per_ms, &lifetime)) lifetime = -LONGEST_MS;
    margin = parts->margin_ms ? parts->margin_ms : token_unusable_ms;
    token->expires_unix_ms = parts->expires_unix_ms;
  } else if (lifetime <= 0) {
    return;
  }
  if (lifetime > LONGEST_MS) lifetime = LONGEST_MS;
  if (lifetime < -LONGEST_MS) lifetime = -LONGEST_MS;
  int64_t usable = lifetime - margin;
  token->unusable_ns = add_clamped(now_ns, usable * ns_per_ms);
  token->unusable_unix_us = add_clamped(now_us, usable * us_per_ms);
  int64_t ahead = lifetime / 2 < token_refresh_ahead_ms ? lifetime / 2 : token_refresh_ahead_ms;
  token->stale_ns = add_clamped(now_ns, (lifetime - ahead) * ns_per_ms);
  token->stale_unix_us = add_clamped(now_us, (lifetime - ahead) * us_per_ms);
}

void token_set_refresh_ahead(struct token *token, int64_t ahead_ms) {
  if (token->expires_unix_ms == 0) return;
  int64_t now_ns = clock_now_ns(), now_us = clock_unix_us();
  int64_t lifetime = token->expires_unix_ms - now_us / us_per_ms;
  if (lifetime <= 0) return;
  if (lifetime > LONGEST_MS) lifetime = LONGEST_MS;
  if (ahead_ms > lifetime / 2) ahead_ms = lifetime / 2;
  token->stale_ns = now_ns + (lifetime - ahead_ms) * ns_per_ms;
  token->stale_unix_us = now_us + (lifetime - ahead_ms) * us_per_ms;
}

enum token_state token_state_now(const struct token *token) {
  if (token->stale_ns == INT64_MAX) return TOKEN_FRESH;
  int64_t now_ns = clock_now_ns(), now_us = clock_unix_us();
  if (now_ns > token->unusable_ns || now_us > token->unusable_unix_us) return TOKEN_EXPIRED;
  return now_ns >= token->stale_ns || now_us >= token->stale_unix_us ? TOKEN_STALE : TOKEN_FRESH;
}

static bool fill(struct token *token, const struct token_parts *parts) {
  struct buf text = BUF_SECRET;
  const char *type = parts->type && *parts->type ? parts->type : "Bearer";
  buf_append_text(&text, type);
  buf_append_byte(&text, ' ');
  token->value_at = text.size;
  buf_append_slice(&text, parts->value);
  if (!buf_failed(&text)) token->header = secret_new((const char *)text.data, text.size);
  bool ok = token->header != NULL;
  buf_free_secret(&text);
  for (size_t i = 0; i < parts->header_count; i++) {
    buf_append(&text, parts->headers[i].name, strlen(parts->headers[i].name) + 1);
    buf_append(&text, parts->headers[i].value, strlen(parts->headers[i].value) + 1);
  }
  if (parts->header_count > 0 && !buf_failed(&text)) {
    token->more = secret_new((const char *)text.data, text.size);
    ok = ok && token->more;
  }
  ok = ok && !buf_failed(&text);
  buf_free_secret(&text);
  if (parts->scopes) ok = (token->scopes = mem_strdup(parts->scopes)) != NULL && ok;
  if (parts->note) ok = (token->note = mem_strdup(parts->note)) != NULL && ok;
  return ok && crypto_sha256(secret_text(token->header), secret_length(token->header), token->fingerprint);
}

dbsql_status token_new(const struct token_parts *parts, const char *who, struct token **out, dbsql_error **error) {
  dbsql_status status = check(parts, who, error);
  if (status != DBSQL_OK) return status;
  struct token *token = mem_alloc_zero(1, sizeof *token);
  if (!token) return error_no_memory(error);
  shared_init(&token->shared, destroy);
  set_times(token, parts);
  if (!fill(token, parts)) {
    token_drop(token);
    return error_no_memory(error);
  }
  *out = token;
  return DBSQL_OK;
}

bool token_equal(const struct token *a, const struct token *b) {
  return memcmp(a->fingerprint, b->fingerprint, token_fingerprint_size) == 0;
}

/* ---- Looking into a JWT -------------------------------------------------------------------------------------------------- */

/* The claims, or NULL: three parts, whose first is an object with `alg` (auth.md 1.9). */
static json_t *jwt_part(struct slice part) {
  struct buf decoded = BUF_SECRET;
  json_t *root = NULL;
  if (part.size > 0 && base64url_decode(part, &decoded) && !buf_failed(&decoded)) root = json_read(buf_slice(&decoded), longest_jwt);
  buf_free_secret(&decoded);
  return root;
}

static json_t *jwt_claims(struct slice token) {
  if (token.size == 0 || token.size > longest_jwt) return NULL;
  const uint8_t *first = memchr(token.data, '.', token.size);
  if (!first) return NULL;
  size_t head = (size_t)(first - token.data);
  const uint8_t *second = memchr(first + 1, '.', token.size - head - 1);
  if (!second) return NULL;
  size_t body = (size_t)(second - first) - 1, rest = token.size - head - body - 2;
  if (memchr(second + 1, '.', rest)) return NULL;
  json_t *header = jwt_part(slice_of(token.data, head));
  bool is_jwt = header && json_is_string(json_object_get(header, "alg"));
  json_decref(header);
  return is_jwt ? jwt_part(slice_of(first + 1, body)) : NULL;
}

bool jwt_is_one(struct slice token) {
  json_t *claims = jwt_claims(token);
  json_decref(claims);
  return claims != NULL;
}

int64_t jwt_expiry_ms(struct slice token) {
  json_t *claims = jwt_claims(token);
  json_t *exp = claims ? json_object_get(claims, "exp") : NULL;
  double seconds = json_is_number(exp) ? json_number_value(exp) : 0;
  json_decref(claims);
  return seconds > 0 && seconds < 1e12 ? (int64_t)(seconds * 1000) : 0;
}

bool jwt_issuer(struct slice token, char **issuer) {
  *issuer = NULL;
  json_t *claims = jwt_claims(token);
  json_t *iss = claims ? json_object_get(claims, "iss") : NULL;
  bool found = json_is_string(iss) && json_string_length(iss) > 0 && strlen(json_string_value(iss)) == json_string_length(iss);
  if (found) *issuer = mem_strdup(json_string_value(iss));
  json_decref(claims);
  return found;
}
