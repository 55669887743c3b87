/* OAuth: the token endpoint (RFC 6749 3.2, RFC 7521, RFC 7523, RFC 7636, RFC 8693). */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "oidc_internal.h"

/* One request on its way to an answer. `error` is set once something is wrong; then nothing is issued. */
struct ask {
  struct oidc *oidc;
  const struct oidc_request *request;
  struct form form;
  char *base;
  char *issuer;
  const struct oidc_client *client; /* NULL: none was named */
  bool proven;                      /* the client has shown who it is */
  bool asserted;                    /* by a signed assertion */
  bool basic;                       /* the secret came in the header */
  const char *error;
  char description[400];
  /* What is issued. */
  char *access;
  char *refresh;
  char *scope;
  int64_t life_s;
};

DBSQL_PRINTF(3, 4) static bool refuse(struct ask *ask, const char *error, const char *format, ...) {
  va_list args;
  if (ask->error) return false;
  ask->error = error;
  va_start(args, format);
  vsnprintf(ask->description, sizeof ask->description, format, args);
  va_end(args);
  return false;
}

/* ---- The client ------------------------------------------------------------------------------------------------------------------- */

static bool check_secret(struct ask *ask, const char *id, const char *secret) {
  ask->client = oidc_client_find(ask->oidc, id);
  if (!ask->client || !ask->client->secret || !oidc_equal(secret, ask->client->secret))
    return refuse(ask, "invalid_client", "Client authentication failed");
  ask->proven = true;
  return true;
}

/* "Basic" with both parts escaped as in a form (RFC 6749 2.3.1). */
static bool check_basic(struct ask *ask, const char *encoded) {
  size_t length = strlen(encoded);
  uint8_t *plain = wh_new(length + 4, 1);
  char *id = NULL, *secret = NULL;
  bool good = false;
  int size = length > 0 && length < 8192 && length % 4 == 0 ? EVP_DecodeBlock(plain, (const uint8_t *)encoded, (int)length) : -1;
  ask->basic = true;
  if (size > 0) {
    size -= encoded[length - 1] == '=' ? encoded[length - 2] == '=' ? 2 : 1 : 0;
    const uint8_t *colon = memchr(plain, ':', (size_t)size);
    if (colon) {
      id = form_decode(slice_of(plain, (size_t)(colon - plain)));
      secret = form_decode(slice_of(colon + 1, (size_t)(plain + size - colon - 1)));
    }
  }
  if (!id || !secret) {
    refuse(ask, "invalid_client", "The Authorization header is no HTTP Basic with an escaped id and secret");
  } else if (form_get(&ask->form, "client_secret")) {
    refuse(ask, "invalid_request", "The client authenticates in two ways");
  } else if (form_get(&ask->form, "client_id") && strcmp(form_get(&ask->form, "client_id"), id) != 0) {
    refuse(ask, "invalid_request", "Header and form name different clients");
  } else {
    good = check_secret(ask, id, secret);
  }
  free(plain);
  free(id);
  free(secret);
  return good;
}

/* RFC 7523 3: signed by a key of the client, about itself, for us, in its time, and only once. */
static bool check_assertion(struct ask *ask, const char *assertion) {
  static const char type[] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
  const char *given = form_get(&ask->form, "client_assertion_type"), *reason = NULL, *named = form_get(&ask->form, "client_id");
  if (!given || strcmp(given, type) != 0) return refuse(ask, "invalid_request", "client_assertion_type must be %s", type);
  json_t *unproven = jwt_peek(assertion);
  const char *id = json_string_value(json_object_get(unproven, "iss"));
  ask->client = oidc_client_find(ask->oidc, id);
  json_t *claims = NULL;
  if (!unproven) {
    reason = "it is no JWT";
  } else if (!ask->client || ask->client->keys.count == 0) {
    reason = "its issuer is no client with a key";
  } else if (named && strcmp(named, id) != 0) {
    reason = "client_id is another client";
  } else {
    claims = jwt_verify(&ask->client->keys, assertion, &reason);
  }
  if (claims) {
    const char *jti = json_string_value(json_object_get(claims, "jti"));
    pthread_mutex_lock(&ask->oidc->lock);
    reason = oidc_check_proof(ask->oidc, ask->base, claims, oidc_now(ask->oidc), false);
    if (!reason && !jwt_claim_is(claims, "iss", ask->client->id)) reason = "its issuer is not the client";
    if (!reason && !jwt_claim_is(claims, "sub", ask->client->id)) reason = "its subject is not the client";
    if (!reason && (!jti || !*jti || strlen(jti) > 256)) reason = "it has no jti";
    if (!reason) {
      char *key = wh_print("%s %s", ask->client->id, jti);
      if (oidc_grant_find(ask->oidc, OIDC_PROOF, key)) {
        reason = "it was used before";
        free(key);
      } else {
        int64_t ends = (int64_t)json_number_value(json_object_get(claims, "exp")) + oidc_leeway_s;
        oidc_grant_add(ask->oidc, (struct oidc_grant){.kind = OIDC_PROOF, .id = key, .ends = ends});
      }
    }
    pthread_mutex_unlock(&ask->oidc->lock);
  }
  json_decref(claims);
  json_decref(unproven);
  if (reason) return refuse(ask, "invalid_client", "The client assertion is refused: %s", reason);
  ask->proven = ask->asserted = true;
  return true;
}

static bool check_client(struct ask *ask) {
  const char *authorization = ask->request->authorization;
  const char *assertion = form_get(&ask->form, "client_assertion"), *id = form_get(&ask->form, "client_id");
  const char *secret = form_get(&ask->form, "client_secret");
  if (!id) id = form_get(&ask->form, "identity_federation_client_id");
  if (authorization) {
    if (!text_has_prefix_nocase(authorization, "Basic ")) return refuse(ask, "invalid_client", "Clients authenticate with HTTP Basic");
    if (assertion) return refuse(ask, "invalid_request", "The client authenticates in two ways");
    return check_basic(ask, authorization + 6);
  }
  if (assertion && secret) return refuse(ask, "invalid_request", "The client authenticates in two ways");
  if (assertion) return check_assertion(ask, assertion);
  if (secret && !id) return refuse(ask, "invalid_request", "client_secret needs client_id");
  if (secret) return check_secret(ask, id, secret);
  if (!id) return true;
  ask->client = oidc_client_find(ask->oidc, id);
  return ask->client || refuse(ask, "invalid_client", "There is no such client");
}

/* Clients with a secret or a key must have shown it (RFC 6749 3.2.1). */
static bool check_public(struct ask *ask) {
  if (!ask->client) return refuse(ask, "invalid_request", "client_id is missing");
  if (ask->proven || (!ask->client->secret && ask->client->keys.count == 0)) return true;
  return refuse(ask, "invalid_client", "This client must authenticate");
}

/* ---- Issuing ---------------------------------------------------------------------------------------------------------------------- */

/* With the lock. */
static void issue(struct ask *ask, const char *subject, const char *scope, const char *family, bool with_refresh) {
  struct oidc *oidc = ask->oidc;
  char refresh[oidc_id_size];
  const char *client = ask->client ? ask->client->id : "";
  struct oidc_identity identity = {ask->issuer, client, subject, scope, family};
  ask->life_s = oidc->token_life_s;
  ask->scope = wh_copy(scope);
  ask->access = oidc_issue(oidc, &identity, ask->life_s);
  if (!with_refresh) return;
  oidc_random(refresh);
  ask->refresh = wh_copy(refresh);
  oidc_grant_add(oidc, (struct oidc_grant){.kind = OIDC_REFRESH,
                                           .id = wh_copy(refresh),
                                           .ends = oidc_now(oidc) + oidc->refresh_life_s,
                                           .family = wh_copy(family),
                                           .client = wh_copy(client),
                                           .user = wh_copy(subject),
                                           .scope = wh_copy(scope)});
}

static bool wanted_scope(struct ask *ask, const char *otherwise, const char **scope) {
  bool offline;
  const char *asked = form_get(&ask->form, "scope");
  *scope = asked && *asked ? asked : otherwise;
  return oidc_scope_check(*scope, &offline) || refuse(ask, "invalid_scope", "There is no such scope among '%s'", *scope);
}

static void grant_client_credentials(struct ask *ask) {
  const char *scope;
  if (!ask->client || !ask->proven) {
    refuse(ask, "invalid_client", "The client must authenticate");
    return;
  }
  if (!wanted_scope(ask, "all-apis", &scope)) return;
  pthread_mutex_lock(&ask->oidc->lock);
  issue(ask, ask->client->id, scope, NULL, false);
  ask->oidc->counters[ask->asserted ? OIDC_COUNT_ASSERTION : OIDC_COUNT_SECRET]++;
  pthread_mutex_unlock(&ask->oidc->lock);
}

/* RFC 7636 4.6, by S256 alone. */
static bool verifier_fits(const char *verifier, const char *challenge) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  struct buf text = BUF_INIT;
  size_t length = strlen(verifier);
  if (length < 43 || length > 128 || EVP_Digest(verifier, length, digest, &size, EVP_sha256(), NULL) != 1) return false;
  jwks_encode(&text, digest, size);
  char *made = wh_take(&text);
  bool good = oidc_equal(made, challenge);
  free(made);
  return good;
}

static void grant_code(struct ask *ask) {
  const char *code = form_get(&ask->form, "code"), *verifier = form_get(&ask->form, "code_verifier");
  const char *redirect = form_get(&ask->form, "redirect_uri");
  if (!check_public(ask)) return;
  if (!code || !verifier || !redirect) {
    refuse(ask, "invalid_request", "%s is missing", !code ? "code" : !verifier ? "code_verifier" : "redirect_uri");
    return;
  }
  struct oidc *oidc = ask->oidc;
  pthread_mutex_lock(&oidc->lock);
  struct oidc_grant *grant = oidc_grant_find(oidc, OIDC_CODE, code);
  if (!grant) {
    refuse(ask, "invalid_grant", "The code is unknown or has expired");
  } else if (grant->used) { /* somebody has it who should not: all that came of it ends (RFC 6749 4.1.2) */
    refuse(ask, "invalid_grant", "The code was used before");
    oidc_revoke(oidc, grant->family, oidc_now(oidc) + oidc->refresh_life_s);
  } else if (strcmp(grant->client, ask->client->id) != 0) {
    refuse(ask, "invalid_grant", "The code was given to another client");
  } else if (strcmp(grant->redirect, redirect) != 0) {
    refuse(ask, "invalid_grant", "redirect_uri is not the one of the code");
  } else if (!verifier_fits(verifier, grant->challenge)) {
    grant->used = true; /* no second guess */
    refuse(ask, "invalid_grant", "code_verifier does not fit");
  } else {
    /* What is issued moves the grants. */
    char *user = wh_copy(grant->user), *scope = wh_copy(grant->scope), *family = wh_copy(grant->family);
    grant->used = true;
    grant->ends += oidc->refresh_life_s; /* its reuse is to be seen for as long as it matters */
    issue(ask, user, scope, family, oidc_scope_has(scope, "offline_access"));
    oidc->counters[OIDC_COUNT_CODE]++;
    free(user);
    free(scope);
    free(family);
  }
  pthread_mutex_unlock(&oidc->lock);
}

/* A refresh may ask for less, not for more. */
static bool scope_within(const char *asked, const char *granted) {
  struct buf word = BUF_INIT;
  bool good = true;
  for (const char *at = asked; *at && good;) {
    size_t length = strcspn(at, " ");
    buf_reset(&word);
    buf_append(&word, at, length);
    const char *text = buf_text(&word);
    wh_check(&word);
    good = length == 0 || oidc_scope_has(granted, text);
    at += length;
    at += strspn(at, " ");
  }
  buf_free(&word);
  return good;
}

static void grant_refresh(struct ask *ask) {
  const char *token = form_get(&ask->form, "refresh_token"), *asked = form_get(&ask->form, "scope");
  if (!check_public(ask)) return;
  if (!token) {
    refuse(ask, "invalid_request", "refresh_token is missing");
    return;
  }
  struct oidc *oidc = ask->oidc;
  pthread_mutex_lock(&oidc->lock);
  struct oidc_grant *grant = oidc_grant_find(oidc, OIDC_REFRESH, token);
  if (!grant || oidc_grant_find(oidc, OIDC_REVOKED, grant->family) || oidc_grant_find(oidc, OIDC_REVOKED, grant->client)) {
    refuse(ask, "invalid_grant", "Refresh token is invalid");
  } else if (strcmp(grant->client, ask->client->id) != 0) {
    refuse(ask, "invalid_grant", "Refresh token is of another client");
  } else if (grant->used) { /* two have it, and one of them is a thief (RFC 9700 4.14.2) */
    refuse(ask, "invalid_grant", "Refresh token was used before");
    oidc_revoke(oidc, grant->family, grant->ends);
  } else if (asked && !scope_within(asked, grant->scope)) {
    refuse(ask, "invalid_scope", "The login has no such scope: '%s'", asked);
  } else {
    bool rotate = oidc->rotate_refresh && ask->request->fault->kind != FAULT_OIDC_SAME_REFRESH;
    char *user = wh_copy(grant->user), *scope = wh_copy(grant->scope), *family = wh_copy(grant->family);
    grant->used = rotate;
    issue(ask, user, asked && *asked ? asked : scope, family, false);
    if (rotate) { /* the new one has all that the old one had */
      char next[oidc_id_size];
      oidc_random(next);
      ask->refresh = wh_copy(next);
      oidc_grant_add(oidc, (struct oidc_grant){.kind = OIDC_REFRESH,
                                               .id = wh_copy(next),
                                               .ends = oidc_now(oidc) + oidc->refresh_life_s,
                                               .family = wh_copy(family),
                                               .client = wh_copy(ask->client->id),
                                               .user = wh_copy(user),
                                               .scope = wh_copy(scope)});
    }
    oidc->counters[OIDC_COUNT_REFRESH]++;
    free(user);
    free(scope);
    free(family);
  }
  pthread_mutex_unlock(&oidc->lock);
}

/* ---- Exchange --------------------------------------------------------------------------------------------------------------------- */

/* A token of this warehouse may come back as it is, if the client asks for that (auth.md 1.9). With the lock. */
static bool return_original(struct ask *ask, const char *subject) {
  enum oidc_access access;
  json_t *claims = oidc_read_access(ask->oidc, subject, &access);
  if (!claims) return false;
  ask->access = wh_copy(subject);
  ask->scope = wh_copy(json_string_value(json_object_get(claims, "scope")));
  ask->life_s = json_integer_value(json_object_get(claims, "exp")) - oidc_now(ask->oidc);
  json_decref(claims);
  return true;
}

static void exchange(struct ask *ask, const char *subject, bool return_allowed) {
  struct oidc *oidc = ask->oidc;
  const char *scope, *reason = "it is no JWT", *user = NULL;
  if (!wanted_scope(ask, "sql", &scope)) return;
  json_t *unproven = jwt_peek(subject), *claims = NULL;
  const char *issuer = json_string_value(json_object_get(unproven, "iss"));
  pthread_mutex_lock(&oidc->lock);
  bool original = return_allowed && return_original(ask, subject);
  if (!original && unproven) {
    const struct oidc_issuer *trusted = NULL;
    for (size_t i = 0; issuer && i < oidc->issuer_count; i++) {
      if (strcmp(oidc->issuers[i].url, issuer) == 0) trusted = &oidc->issuers[i];
    }
    reason = "no federation policy is for its issuer";
    if (trusted) claims = jwt_verify(&trusted->keys, subject, &reason);
    if (claims) reason = oidc_check_proof(oidc, ask->base, claims, oidc_now(oidc), true);
    user = json_string_value(json_object_get(claims, "sub"));
    if (claims && !reason && !(user && *user)) reason = "it has no subject";
  }
  if (original || !reason) oidc->counters[OIDC_COUNT_EXCHANGE]++;
  /* With a client, the policy of that service principal counts; without, the account's maps the subject to a user. */
  if (!original && !reason) issue(ask, ask->client ? ask->client->id : user, scope, NULL, false);
  pthread_mutex_unlock(&oidc->lock);
  if (!original && reason) refuse(ask, "invalid_grant", "The subject token is refused: %s", reason);
  json_decref(claims);
  json_decref(unproven);
}

static void grant_exchange(struct ask *ask) {
  static const char jwt[] = "urn:ietf:params:oauth:token-type:jwt", access[] = "urn:ietf:params:oauth:token-type:access_token",
                    id[] = "urn:ietf:params:oauth:token-type:id_token",
                    personal[] = "urn:databricks:params:oauth:token-type:personal-access-token";
  const char *subject = form_get(&ask->form, "subject_token"), *type = form_get(&ask->form, "subject_token_type"), *scope;
  const char *wanted = form_get(&ask->form, "requested_token_type"),
             *original = form_get(&ask->form, "return_original_token_if_authenticated");
  if (!subject || !type) {
    refuse(ask, "invalid_request", "%s is missing", subject ? "subject_token_type" : "subject_token");
  } else if (wanted && strcmp(wanted, access) != 0) {
    refuse(ask, "invalid_request", "requested_token_type must be %s", access);
  } else if (strcmp(type, personal) == 0) {
    if (!wanted_scope(ask, "all-apis", &scope)) return;
    if (!ask->oidc->token || !oidc_equal(subject, ask->oidc->token)) {
      refuse(ask, "invalid_grant", "The subject token is refused: %s", "it is no personal access token of this warehouse");
      return;
    }
    pthread_mutex_lock(&ask->oidc->lock);
    issue(ask, OIDC_USER, scope, NULL, false);
    ask->oidc->counters[OIDC_COUNT_EXCHANGE]++;
    pthread_mutex_unlock(&ask->oidc->lock);
  } else if (strcmp(type, jwt) != 0 && strcmp(type, access) != 0 && strcmp(type, id) != 0) {
    refuse(ask, "invalid_request", "There is no such subject_token_type: '%s'", type);
  } else {
    exchange(ask, subject, original && strcmp(original, "true") == 0);
  }
}

/* The older form (auth.md 1.15). */
static void grant_bearer(struct ask *ask) {
  const char *assertion = form_get(&ask->form, "assertion");
  if (assertion) {
    exchange(ask, assertion, form_get(&ask->form, "return_original_token_if_authenticated") != NULL);
  } else {
    refuse(ask, "invalid_request", "assertion is missing");
  }
}

/* ---- The answer ------------------------------------------------------------------------------------------------------------------- */

static void reply_error(const struct ask *ask, const char *error, const char *description, struct oidc_reply *reply) {
  bool client = strcmp(error, "invalid_client") == 0;
  char *shown = wh_copy(description);
  for (char *at = shown; *at; at++) { /* what RFC 6749 5.2 lets stand there */
    if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\') *at = '?';
  }
  if (client && ask->basic) oidc_reply_header(reply, "WWW-Authenticate", "Basic realm=\"dbsql-warehouse\"");
  oidc_reply_json(reply, client ? 401 : 400, json_pack("{s:s, s:s}", "error", error, "error_description", shown));
  free(shown);
}

/* The refusals that somebody has ordered. */
static bool reply_fault(const struct ask *ask, struct oidc_reply *reply) {
  const struct fault *fault = ask->request->fault;
  const char *code = fault->message[0] ? fault->message : "invalid_grant";
  if (fault->kind == FAULT_OIDC_ERROR) {
    reply_error(ask, code, "Ordered refusal", reply);
  } else if (fault->kind == FAULT_OIDC_ERROR_CODE) {
    oidc_reply_json(reply, 400, json_pack("{s:s, s:s}", "errorCode", code, "errorSummary", "Ordered refusal"));
  } else if (fault->kind == FAULT_OIDC_ECHO) {
    struct buf text = BUF_INIT;
    buf_append_text(&text, "Cannot read: ");
    for (size_t i = 0; i < ask->form.count; i++) buf_printf(&text, "%s=%s ", ask->form.fields[i].name, ask->form.fields[i].value);
    if (ask->request->authorization) buf_append_text(&text, ask->request->authorization);
    char *description = wh_take(&text);
    reply_error(ask, code, description, reply);
    free(description);
  } else {
    return false;
  }
  return true;
}

static void reply_token(const struct ask *ask, bool exchanged, struct oidc_reply *reply) {
  const struct fault *fault = ask->request->fault;
  json_t *json = json_object();
  if (fault->kind == FAULT_OIDC_FOREIGN_TOKEN) {
    json_t *claims = jwt_peek(ask->access);
    char *token = jwt_sign(&ask->oidc->foreign.keys[0], "ES256", NULL, claims);
    json_object_set_new(json, "access_token", json_string(token));
    json_decref(claims);
    free(token);
  } else if (fault->kind != FAULT_OIDC_NO_TOKEN) {
    json_object_set_new(json, "access_token", json_string(fault->kind == FAULT_OIDC_EMPTY_TOKEN ? "" : ask->access));
  }
  json_object_set_new(json, "token_type", json_string(fault->kind == FAULT_OIDC_TOKEN_TYPE ? fault->message : "Bearer"));
  if (fault->kind != FAULT_OIDC_EXPIRES_IN) {
    json_object_set_new(json, "expires_in", json_integer(ask->life_s));
  } else if (fault->message[0]) {
    json_error_t error;
    json_t *value = json_loads(fault->message, JSON_DECODE_ANY, &error);
    json_object_set_new(json, "expires_in", value ? value : json_string(fault->message));
  }
  json_object_set_new(json, "scope", json_string(ask->scope));
  if (ask->refresh) json_object_set_new(json, "refresh_token", json_string(ask->refresh));
  if (exchanged) json_object_set_new(json, "issued_token_type", json_string("urn:ietf:params:oauth:token-type:access_token"));
  oidc_reply_json(reply, 200, json);
}

static bool read_form(struct ask *ask) {
  const char *type = ask->request->content_type;
  if (!type || !text_has_prefix_nocase(type, "application/x-www-form-urlencoded"))
    return refuse(ask, "invalid_request", "The request must be application/x-www-form-urlencoded");
  if (!form_read(&ask->form, ask->request->body)) return refuse(ask, "invalid_request", "The form cannot be read");
  const char *twice = form_duplicate(&ask->form);
  if (twice) return refuse(ask, "invalid_request", "'%s' stands there twice", twice);
  if (!form_get(&ask->form, "grant_type")) return refuse(ask, "invalid_request", "grant_type is missing");
  return true;
}

void oidc_answer_token(struct oidc *oidc, const struct oidc_request *request, struct oidc_reply *reply) {
  static const char exchange_grant[] = "urn:ietf:params:oauth:grant-type:token-exchange",
                    bearer_grant[] = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  struct ask ask = {.oidc = oidc, .request = request};
  bool exchanged = false;
  oidc_count(oidc, OIDC_COUNT_REQUESTS);
  if (strcmp(request->method, "POST") != 0) {
    oidc_reply_header(reply, "Allow", "POST");
    oidc_reply_json(reply, 405, json_pack("{s:s}", "error", "invalid_request"));
    return;
  }
  ask.base = oidc_base(oidc, request);
  ask.issuer = wh_print("%s/oidc", ask.base);
  if (read_form(&ask) && !reply_fault(&ask, reply) && check_client(&ask)) {
    const char *grant = form_get(&ask.form, "grant_type");
    exchanged = strcmp(grant, exchange_grant) == 0;
    if (strcmp(grant, "client_credentials") == 0) {
      grant_client_credentials(&ask);
    } else if (strcmp(grant, "authorization_code") == 0) {
      grant_code(&ask);
    } else if (strcmp(grant, "refresh_token") == 0) {
      grant_refresh(&ask);
    } else if (exchanged) {
      grant_exchange(&ask);
    } else if (strcmp(grant, bearer_grant) == 0) {
      grant_bearer(&ask);
    } else {
      refuse(&ask, "unsupported_grant_type", "There is no such grant: '%s'", grant);
    }
  }
  if (!ask.access && !ask.error && reply->status == 0) refuse(&ask, "server_error", "The token cannot be signed");
  if (ask.error) reply_error(&ask, ask.error, ask.description, reply);
  if (!ask.error && ask.access) reply_token(&ask, exchanged, reply);
  if (reply->status != 200) oidc_count(oidc, OIDC_COUNT_REFUSED);
  form_free(&ask.form);
  free(ask.base);
  free(ask.issuer);
  free(ask.access);
  free(ask.refresh);
  free(ask.scope);
}
