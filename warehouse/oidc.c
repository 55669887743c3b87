/* OAuth: clients, grants, access tokens. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "memory.h"
#include "oidc_internal.h"

/* ---- Small things ----------------------------------------------------------------------------------------------------------------- */

void oidc_count(struct oidc *oidc, enum oidc_counter counter) {
  pthread_mutex_lock(&oidc->lock);
  oidc->counters[counter]++;
  pthread_mutex_unlock(&oidc->lock);
}

int64_t oidc_now(const struct oidc *oidc) {
  return clock_unix_us() / 1000000 + oidc->clock_skew_s;
}

void oidc_random(char out[oidc_id_size]) {
  uint8_t bytes[32];
  struct buf text = BUF_INIT;
  if (RAND_bytes(bytes, sizeof bytes) != 1) {
    fputs("dbsql-warehouse: no random numbers can be had\n", stderr);
    exit(1); /* tokens that could be guessed are worse */
  }
  jwks_encode(&text, bytes, sizeof bytes);
  wh_check(&text);
  memcpy(out, text.data, oidc_id_size - 1);
  out[oidc_id_size - 1] = '\0';
  buf_free(&text);
}

bool oidc_equal(const char *a, const char *b) {
  size_t length = strlen(b);
  return strlen(a) == length && CRYPTO_memcmp(a, b, length) == 0;
}

struct oidc_client *oidc_client_find(const struct oidc *oidc, const char *id) {
  for (size_t i = 0; id && i < oidc->client_count; i++) {
    if (strcmp(oidc->clients[i].id, id) == 0) return &oidc->clients[i];
  }
  return NULL;
}

char *oidc_base(const struct oidc *oidc, const struct oidc_request *request) {
  const char *host = request->host ? request->host : "";
  const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
  size_t length = end ? (size_t)(end - host) + 1 : strcspn(host, ":");
  int64_t port = oidc->tls ? 443 : 80;
  static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
  bool known = text_equal_nocase_n(host, length, oidc->host, strlen(oidc->host));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    known = known || text_equal_nocase_n(host, length, names[i], strlen(names[i]));
  }
  if (host[length] == ':' && !text_parse_int64(host + length + 1, strlen(host + length + 1), &port)) known = false;
  if (!known || port < 1 || port > 65535) return wh_copy(oidc->base);
  return wh_print("%s://%.*s:%d", oidc->tls ? "https" : "http", (int)length, host, (int)port);
}

void oidc_reply_json(struct oidc_reply *reply, int status, json_t *json) {
  char *text = json_dumps(json, JSON_COMPACT);
  buf_append_text(&reply->body, text ? text : "{}");
  free(text);
  json_decref(json);
  reply->status = status;
  reply->content_type = "application/json";
}

void oidc_reply_header(struct oidc_reply *reply, const char *name, const char *value) {
  if (reply->header_count == oidc_header_limit) return;
  reply->names[reply->header_count] = name;
  reply->values[reply->header_count++] = wh_copy(value);
}

void oidc_reply_free(struct oidc_reply *reply) {
  for (size_t i = 0; i < reply->header_count; i++) free(reply->values[i]);
  buf_free_secret(&reply->body);
  *reply = (struct oidc_reply){0};
}

/* ---- Requests --------------------------------------------------------------------------------------------------------------------- */

/* The path without the account, if it names ours: "/oidc/accounts/ID/v1/token" is "/oidc/v1/token". NULL: another account. */
static const char *path_tail(const char *path) {
  static const char root[] = "/oidc", account[] = "/accounts/" OIDC_ACCOUNT "/";
  if (strncmp(path, root, sizeof root - 1) != 0) return NULL;
  path += sizeof root - 1;
  return strncmp(path, account, sizeof account - 1) == 0 ? path + sizeof account - 2 : path;
}

const char *oidc_endpoint(const char *path) {
  static const struct {
    const char *tail, *name;
  } known[] = {
      {"/.well-known/oauth-authorization-server", "oidc-metadata"},
      {"/.well-known/openid-configuration", "oidc-metadata"},
      {"/jwks.json", "oidc-jwks"},
      {"/v1/authorize", "oidc-authorize"},
      {"/oauth2/v2.0/authorize", "oidc-authorize"},
      {"/v1/token", "oidc-token"},
      {"/oauth2/v2.0/token", "oidc-token"},
  };
  if (strcmp(path, "/.well-known/databricks-config") == 0) return "oidc-config";
  const char *tail = path_tail(path);
  for (size_t i = 0; tail && i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].tail, tail) == 0) return known[i].name;
  }
  return NULL;
}

void oidc_answer(struct oidc *oidc, const struct oidc_request *request, struct oidc_reply *reply) {
  const char *endpoint = oidc_endpoint(request->path);
  oidc_reply_header(reply, "Cache-Control", "no-store");
  if (strcmp(endpoint, "oidc-token") == 0) {
    oidc_answer_token(oidc, request, reply);
  } else if (strcmp(endpoint, "oidc-authorize") == 0) {
    oidc_answer_authorize(oidc, request, reply);
  } else {
    oidc_answer_metadata(oidc, request, endpoint, reply);
  }
  wh_check(&reply->body);
}

/* ---- Scopes ----------------------------------------------------------------------------------------------------------------------- */

bool oidc_scope_has(const char *scope, const char *one) {
  size_t length = strlen(one);
  for (const char *at = scope; *at;) {
    size_t word = strcspn(at, " ");
    if (word == length && memcmp(at, one, length) == 0) return true;
    at += word;
    at += strspn(at, " ");
  }
  return false;
}

bool oidc_scope_check(const char *scope, bool *offline) {
  static const char *const known[] = {"all-apis", "sql", "offline_access", "openid", "profile", "email", "clusters", "unity-catalog"};
  *offline = oidc_scope_has(scope, "offline_access");
  for (const char *at = scope; *at;) {
    size_t word = strcspn(at, " ");
    bool found = word == 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
      found = found || (strlen(known[i]) == word && memcmp(known[i], at, word) == 0);
    }
    if (!found) return false;
    at += word;
    at += strspn(at, " ");
  }
  return true;
}

/* ---- Grants ----------------------------------------------------------------------------------------------------------------------- */

static void grant_free(struct oidc_grant *grant) {
  char *texts[] = {grant->id, grant->family, grant->client, grant->user, grant->scope, grant->redirect, grant->challenge, grant->state};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
}

struct oidc_grant *oidc_grant_add(struct oidc *oidc, struct oidc_grant grant) {
  int64_t now = oidc_now(oidc);
  size_t kept = 0;
  bool full = oidc->grant_count >= oidc_grant_limit;
  for (size_t i = 0; i < oidc->grant_count; i++) {
    bool drop = oidc->grants[i].ends < now || (full && oidc->grants[i].kind != OIDC_REVOKED);
    if (drop) full = false;
    if (drop) {
      grant_free(&oidc->grants[i]);
    } else {
      oidc->grants[kept++] = oidc->grants[i];
    }
  }
  oidc->grant_count = kept;
  oidc->grants = wh_grow(oidc->grants, kept + 1, sizeof *oidc->grants);
  oidc->grants[oidc->grant_count++] = grant;
  return &oidc->grants[kept];
}

void oidc_grants_free(struct oidc *oidc) {
  for (size_t i = 0; i < oidc->grant_count; i++) grant_free(&oidc->grants[i]);
  free(oidc->grants);
}

struct oidc_grant *oidc_grant_find(struct oidc *oidc, enum oidc_grant_kind kind, const char *id) {
  int64_t now = oidc_now(oidc);
  for (size_t i = 0; i < oidc->grant_count; i++) {
    struct oidc_grant *grant = &oidc->grants[i];
    if (grant->kind == kind && grant->ends >= now && oidc_equal(grant->id, id)) return grant;
  }
  return NULL;
}

void oidc_revoke(struct oidc *oidc, const char *id, int64_t ends) {
  if (id) oidc_grant_add(oidc, (struct oidc_grant){.kind = OIDC_REVOKED, .id = wh_copy(id), .ends = ends});
}

/* ---- Access tokens ---------------------------------------------------------------------------------------------------------------- */

char *oidc_issue(struct oidc *oidc, const struct oidc_identity *identity, int64_t life_s) {
  char id[oidc_id_size], own_family[oidc_id_size];
  int64_t now = oidc_now(oidc);
  oidc_random(id);
  oidc_random(own_family);
  json_t *claims = json_object();
  json_object_set_new(claims, "iss", json_string(identity->issuer));
  json_object_set_new(claims, "aud", json_string(OIDC_WORKSPACE));
  json_object_set_new(claims, "sub", json_string(identity->subject));
  json_object_set_new(claims, "client_id", json_string(identity->client));
  json_object_set_new(claims, "scope", json_string(identity->scope));
  json_object_set_new(claims, "iat", json_integer(now));
  json_object_set_new(claims, "exp", json_integer(now + life_s));
  json_object_set_new(claims, "jti", json_string(id));
  json_object_set_new(claims, "sid", json_string(identity->family ? identity->family : own_family));
  json_object_set_new(claims, "serial", json_integer(++oidc->serial));
  char *token = jwt_sign(&oidc->keys.keys[0], "RS256", NULL, claims);
  json_decref(claims);
  return token;
}

/* Takes over the claims of a token that is ours, and gives them back if it is still good. With the lock. */
static json_t *judge_access(struct oidc *oidc, json_t *claims, enum oidc_access *access) {
  *access = OIDC_ACCESS_UNKNOWN;
  if (!claims) return NULL;
  const char *id = json_string_value(json_object_get(claims, "jti"));
  const char *family = json_string_value(json_object_get(claims, "sid"));
  const char *scope = json_string_value(json_object_get(claims, "scope"));
  const char *client = json_string_value(json_object_get(claims, "client_id"));
  *access = OIDC_ACCESS_ENDED;
  bool good = id && family && scope && client && json_integer_value(json_object_get(claims, "exp")) > oidc_now(oidc) &&
              json_integer_value(json_object_get(claims, "serial")) > oidc->revoked_below && !oidc_grant_find(oidc, OIDC_REVOKED, id) &&
              !oidc_grant_find(oidc, OIDC_REVOKED, family) && !oidc_grant_find(oidc, OIDC_REVOKED, client);
  if (!good) {
    json_decref(claims);
    return NULL;
  }
  *access = oidc_scope_has(scope, "sql") || oidc_scope_has(scope, "all-apis") ? OIDC_ACCESS_GOOD : OIDC_ACCESS_FORBIDDEN;
  return claims;
}

json_t *oidc_read_access(struct oidc *oidc, const char *token, enum oidc_access *access) {
  const char *reason;
  return judge_access(oidc, jwt_verify(&oidc->keys, token, &reason), access);
}

enum oidc_access oidc_check_access(struct oidc *oidc, const char *token) {
  enum oidc_access access;
  const char *reason;
  json_t *claims = jwt_verify(&oidc->keys, token, &reason); /* dear, and the keys do not change: nobody waits for it */
  pthread_mutex_lock(&oidc->lock);
  json_decref(judge_access(oidc, claims, &access));
  oidc->counters[access == OIDC_ACCESS_GOOD ? OIDC_COUNT_ACCEPTED : OIDC_COUNT_REJECTED]++;
  pthread_mutex_unlock(&oidc->lock);
  return access;
}

const char *oidc_check_proof(const struct oidc *oidc, const char *base, const json_t *claims, int64_t now, bool exchange) {
  const json_t *end = json_object_get(claims, "exp"), *start = json_object_get(claims, "nbf"), *made = json_object_get(claims, "iat");
  if (!json_is_number(end)) return "it has no exp";
  if (json_number_value(end) + oidc_leeway_s <= (double)now) return "it has expired";
  if (json_number_value(end) > (double)(now + oidc_longest_proof_s)) return "it lives for too long";
  if (start && !(json_is_number(start) && json_number_value(start) <= (double)(now + oidc_leeway_s))) return "it is not valid yet";
  if (made && !(json_is_number(made) && json_number_value(made) <= (double)(now + oidc_leeway_s))) return "it is from the future";
  const char *const bases[] = {base, oidc->base};
  for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
    static const char *const paths[] = {"/oidc/v1/token", "/oidc/oauth2/v2.0/token", "/oidc/accounts/" OIDC_ACCOUNT "/v1/token", "/oidc",
                                        ""};
    for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
      char *name = wh_print("%s%s", bases[i], paths[k]);
      bool found = (exchange || paths[k][0]) && jwt_claim_is(claims, "aud", name);
      free(name);
      if (found) return NULL;
    }
  }
  if (exchange && (jwt_claim_is(claims, "aud", OIDC_ACCOUNT) || jwt_claim_is(claims, "aud", OIDC_WORKSPACE))) return NULL;
  return "its audience is somebody else";
}
