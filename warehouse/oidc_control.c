/* OAuth: what tests can order and read (/control/...). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "oidc_internal.h"

bool oidc_control_serves(const char *path) {
  return strcmp(path, "/control/revoke") == 0 || strcmp(path, "/control/mint") == 0 || strcmp(path, "/control/oauth") == 0;
}

json_t *oidc_stats(struct oidc *oidc) {
  static const char *const names[OIDC_COUNTERS] = {
      "token_requests", "refused", "metadata_requests", "authorize_requests", "consents", NULL, NULL, NULL, NULL, NULL,
      "accepted",       "rejected"};
  static const char *const grants[OIDC_COUNTERS] = {[OIDC_COUNT_SECRET] = "client_secret",
                                                    [OIDC_COUNT_ASSERTION] = "client_assertion",
                                                    [OIDC_COUNT_CODE] = "authorization_code",
                                                    [OIDC_COUNT_REFRESH] = "refresh_token",
                                                    [OIDC_COUNT_EXCHANGE] = "token_exchange"};
  json_t *out = json_object(), *issued = json_object();
  pthread_mutex_lock(&oidc->lock);
  for (size_t i = 0; i < OIDC_COUNTERS; i++) {
    json_object_set_new(names[i] ? out : issued, names[i] ? names[i] : grants[i], json_integer(oidc->counters[i]));
  }
  pthread_mutex_unlock(&oidc->lock);
  json_object_set_new(out, "issued", issued);
  return out;
}

/* ---- Settings --------------------------------------------------------------------------------------------------------------------- */

static json_t *settings(struct oidc *oidc) {
  json_t *out = json_object();
  pthread_mutex_lock(&oidc->lock);
  json_object_set_new(out, "token_life_s", json_integer(oidc->token_life_s));
  json_object_set_new(out, "refresh_life_s", json_integer(oidc->refresh_life_s));
  json_object_set_new(out, "clock_skew_s", json_integer(oidc->clock_skew_s));
  json_object_set_new(out, "rotate_refresh", json_boolean(oidc->rotate_refresh));
  json_object_set_new(out, "auto_consent", json_boolean(oidc->auto_consent));
  pthread_mutex_unlock(&oidc->lock);
  return out;
}

static bool read_settings(struct oidc *oidc, const json_t *body, char *message, size_t size) {
  const int64_t year = 31536000;
  struct {
    const char *name;
    int64_t *number;
    bool *flag;
    int64_t low;
  } known[] = {{"token_life_s", &oidc->token_life_s, NULL, 1},
               {"refresh_life_s", &oidc->refresh_life_s, NULL, 1},
               {"clock_skew_s", &oidc->clock_skew_s, NULL, -year},
               {"rotate_refresh", NULL, &oidc->rotate_refresh, 0},
               {"auto_consent", NULL, &oidc->auto_consent, 0}};
  const char *key;
  json_t *value;
  for (int round = 0; round < 2; round++) { /* all are looked at before one is set */
    json_object_foreach((json_t *)(uintptr_t)body, key, value) {
      size_t i = 0, count = sizeof known / sizeof *known;
      while (i < count && strcmp(known[i].name, key) != 0) i++;
      if (i == count) {
        snprintf(message, size, "there is no setting \"%s\"", key);
        return false;
      }
      if (known[i].flag ? !json_is_boolean(value)
                        : !json_is_integer(value) || json_integer_value(value) < known[i].low || json_integer_value(value) > year) {
        snprintf(message, size, "\"%s\" must be %s", key, known[i].flag ? "true or false" : "a whole number of seconds, a year at most");
        return false;
      }
      if (round == 0) continue;
      if (known[i].flag) *known[i].flag = json_boolean_value(value);
      if (known[i].number) *known[i].number = json_integer_value(value);
    }
  }
  return true;
}

/* ---- Revocation ------------------------------------------------------------------------------------------------------------------- */

/* With the lock. */
static bool revoke(struct oidc *oidc, const json_t *body, char *message, size_t size) {
  const char *token = json_string_value(json_object_get(body, "token"));
  const char *client = json_string_value(json_object_get(body, "client_id"));
  int64_t ends = oidc_now(oidc) + 31536000;
  if (json_is_true(json_object_get(body, "all"))) {
    oidc->revoked_below = oidc->serial;
    for (size_t i = 0; i < oidc->grant_count; i++) {
      if (oidc->grants[i].kind != OIDC_REVOKED && oidc->grants[i].kind != OIDC_PROOF) oidc->grants[i].ends = 0;
    }
    return true;
  }
  if (client) {
    oidc_revoke(oidc, client, ends);
    return true;
  }
  if (!token) {
    snprintf(message, size, "revoke takes {\"token\": ...}, {\"client_id\": ...} or {\"all\": true}");
    return false;
  }
  struct oidc_grant *grant = oidc_grant_find(oidc, OIDC_REFRESH, token);
  if (grant) { /* and all access tokens of the login */
    oidc_revoke(oidc, grant->family, ends);
    return true;
  }
  enum oidc_access access;
  json_t *claims = oidc_read_access(oidc, token, &access);
  if (claims) oidc_revoke(oidc, json_string_value(json_object_get(claims, "jti")), ends);
  if (!claims) snprintf(message, size, "this token is not valid anyway");
  json_decref(claims);
  return claims != NULL;
}

/* ---- Tokens to order -------------------------------------------------------------------------------------------------------------- */

/* {"issuer": "foreign" or "warehouse", "sub", "aud", "expires_in", "alg", "header": {...}, "claims": {...}, "bad_signature": true}. Each
 * has a default that makes a good token. */
static json_t *mint(struct oidc *oidc, const json_t *body, char *message, size_t size) {
  static const char *const members[] = {"issuer", "sub", "aud", "expires_in", "alg", "header", "claims", "bad_signature"};
  const char *issuer = json_string_value(json_object_get(body, "issuer")), *alg = json_string_value(json_object_get(body, "alg"));
  const json_t *life = json_object_get(body, "expires_in"), *subject = json_object_get(body, "sub");
  const json_t *more = json_object_get(body, "claims"), *header = json_object_get(body, "header");
  json_t *audience = json_object_get(body, "aud"), *value, *out = NULL;
  const char *key;
  json_object_foreach((json_t *)(uintptr_t)body, key, value) {
    size_t i = 0;
    while (i < sizeof members / sizeof *members && strcmp(members[i], key) != 0) i++;
    if (i == sizeof members / sizeof *members) {
      snprintf(message, size, "there is no member \"%s\"", key);
      return NULL;
    }
  }
  bool own = issuer && strcmp(issuer, "warehouse") == 0;
  if (issuer && !own && strcmp(issuer, "foreign") != 0) {
    snprintf(message, size, "\"issuer\" is \"foreign\" or \"warehouse\"");
    return NULL;
  }
  if ((life && !json_is_integer(life)) || (more && !json_is_object(more)) || (header && !json_is_object(header)) ||
      (subject && !json_is_string(subject)) || (audience && !json_is_string(audience) && !json_is_array(audience))) {
    snprintf(message, size, "a member has a value of a wrong type");
    return NULL;
  }
  char id[oidc_id_size];
  oidc_random(id);
  char *own_issuer = wh_print("%s/oidc", oidc->base);
  json_t *claims = json_object();
  pthread_mutex_lock(&oidc->lock);
  int64_t now = oidc_now(oidc);
  if (own) {
    json_object_set_new(claims, "serial", json_integer(++oidc->serial));
    json_object_set_new(claims, "client_id", json_string("databricks-sql-connector"));
    json_object_set_new(claims, "scope", json_string("all-apis"));
    json_object_set_new(claims, "sid", json_string(id));
  }
  pthread_mutex_unlock(&oidc->lock);
  json_object_set_new(claims, "iss", json_string(own ? own_issuer : OIDC_FOREIGN_ISSUER));
  json_object_set_new(claims, "sub", json_string(subject ? json_string_value(subject) : OIDC_USER));
  json_object_set_new(claims, "aud", audience ? json_incref(audience) : json_string(own ? OIDC_WORKSPACE : OIDC_ACCOUNT));
  json_object_set_new(claims, "iat", json_integer(now));
  json_object_set_new(claims, "exp", json_integer(now + (life ? json_integer_value(life) : 300)));
  json_object_set_new(claims, "jti", json_string(id));
  if (more) json_object_update(claims, (json_t *)(uintptr_t)more);
  char *token = jwt_sign(own ? &oidc->keys.keys[0] : &oidc->foreign.keys[0], alg ? alg : own ? "RS256" : "ES256", header, claims);
  if (token && json_is_true(json_object_get(body, "bad_signature"))) {
    char *last = strrchr(token, '.') + 1;
    if (*last) *last = *last == 'A' ? 'B' : 'A';
  }
  if (token) {
    out = json_object();
    json_object_set_new(out, "token", json_string(token));
  } else {
    snprintf(message, size, "the key of that issuer cannot sign by \"%s\"", alg ? alg : "");
  }
  free(token);
  free(own_issuer);
  json_decref(claims);
  return out;
}

json_t *oidc_control(struct oidc *oidc, const char *method, const char *path, const json_t *body, int *status, char *message, size_t size) {
  bool post = strcmp(method, "POST") == 0;
  if (!post && !(strcmp(method, "GET") == 0 && strcmp(path, "/control/oauth") == 0)) {
    *status = 405;
    snprintf(message, size, "there is POST /control/revoke, POST /control/mint, GET and POST /control/oauth");
    return NULL;
  }
  *status = 400;
  if (post && !json_is_object(body)) {
    snprintf(message, size, "the body is no JSON object");
    return NULL;
  }
  json_t *out = NULL;
  if (strcmp(path, "/control/mint") == 0) {
    out = mint(oidc, body, message, size);
  } else {
    bool good = true;
    pthread_mutex_lock(&oidc->lock);
    if (post) good = strcmp(path, "/control/revoke") == 0 ? revoke(oidc, body, message, size) : read_settings(oidc, body, message, size);
    pthread_mutex_unlock(&oidc->lock);
    if (good) out = settings(oidc);
  }
  if (out) *status = 200;
  return out;
}
