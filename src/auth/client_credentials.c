/* Machine to machine: a client id with a secret (auth.md 2.3) or with a private key (2.8, RFC 7523). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/crypto.h"
#include "auth/methods.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum { assertion_seconds = 300, assertion_early_seconds = 30 };

struct client {
  dbsql_token_provider base;
  struct discovery_cache endpoints;
  char *client_id;
  struct secret *secret; /* NULL: the key */
  char *scopes;
  struct crypto_key *key;
  char *algorithm;
  char *key_id; /* may be NULL */
};

/* "HEADER.CLAIMS" of the assertion. */
static bool unsigned_assertion(const struct client *client, const char *audience, struct buf *out) {
  uint8_t random[16];
  struct buf id = BUF_INIT;
  if (!crypto_random(random, sizeof random)) return false;
  hex_append(&id, random, sizeof random);
  int64_t now = clock_unix_us() / 1000000;
  json_t *header = json_pack("{s:s, s:s, s:s*}", "alg", client->algorithm, "typ", "JWT", "kid", client->key_id);
  json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "iss", client->client_id, "sub", client->client_id, "aud", audience,
                             "iat", (json_int_t)now, "nbf", (json_int_t)(now - assertion_early_seconds), "exp",
                             (json_int_t)(now + assertion_seconds), "jti", buf_text(&id));
  char *first = header ? json_dumps(header, JSON_COMPACT) : NULL, *second = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
  bool ok = first && second;
  if (ok) {
    base64url_append(out, first, strlen(first));
    buf_append_byte(out, '.');
    base64url_append(out, second, strlen(second));
  }
  free(first);
  free(second);
  json_decref(header);
  json_decref(claims);
  buf_free(&id);
  return ok && !buf_failed(out);
}

static dbsql_status make_assertion(const struct client *client, const char *audience, struct buf *out, dbsql_error **error) {
  struct buf signature = BUF_INIT;
  dbsql_status status = unsigned_assertion(client, audience, out) ? DBSQL_OK : error_no_memory(error);
  if (status == DBSQL_OK) status = crypto_sign(client->key, client->algorithm, buf_slice(out), &signature, error);
  if (status == DBSQL_OK) {
    buf_append_byte(out, '.');
    base64url_append(out, signature.data, signature.size);
    if (!buf_text(out)) status = error_no_memory(error);
  }
  buf_free(&signature);
  return status;
}

static dbsql_status client_get(dbsql_token_provider *self, const struct token_request *request, struct token **token, dbsql_error **error) {
  struct client *client = (struct client *)(void *)self;
  struct discovery endpoints = {0};
  struct oauth_answer answer = {0};
  struct buf form = BUF_SECRET, assertion = BUF_SECRET;
  *token = NULL;
  dbsql_status status = call_check(request->call, "getting an OAuth token", error);
  if (status == DBSQL_OK) status = discovery_cache_get(&client->endpoints, request, &endpoints, error);
  if (status != DBSQL_OK) goto cleanup;
  oauth_field(&form, "grant_type", "client_credentials");
  oauth_field(&form, "scope", client->scopes);
  struct oauth_post post = {.what = "token request", .url = endpoints.token_endpoint};
  const char *hidden;
  if (client->key) {
    status = make_assertion(client, endpoints.token_endpoint, &assertion, error);
    if (status != DBSQL_OK) goto cleanup;
    hidden = (const char *)assertion.data;
    oauth_field(&form, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    oauth_field(&form, "client_assertion", hidden);
  } else if (endpoints.post_only) {
    hidden = secret_text(client->secret);
    oauth_field(&form, "client_id", client->client_id);
    oauth_field(&form, "client_secret", hidden);
  } else {
    hidden = secret_text(client->secret);
    post.basic_id = client->client_id;
    post.basic_secret = client->secret;
  }
  post.secrets = &hidden;
  post.secret_count = 1;
  post.form = buf_slice(&form);
  status = buf_failed(&form) ? error_no_memory(error) : oauth_token_request(request, &post, &answer, error);
  if (status == DBSQL_OK) status = oauth_make_token(&answer, "token request", 0, oauth_unknown_lifetime_ms, token, error);

cleanup:
  if (status != DBSQL_OK) error_prefix(error, "%s", self->name);
  oauth_answer_free(&answer);
  discovery_free(&endpoints);
  buf_free_secret(&form);
  buf_free_secret(&assertion);
  return status;
}

static void client_destroy(dbsql_token_provider *self) {
  struct client *client = (struct client *)(void *)self;
  discovery_cache_free(&client->endpoints);
  secret_free(client->secret);
  crypto_key_free(client->key);
  mem_free(client->client_id);
  mem_free(client->scopes);
  mem_free(client->algorithm);
  mem_free(client->key_id);
  mem_free(client);
}

static const struct provider_ops client_ops = {client_get, NULL, client_destroy};

dbsql_status provider_client_credentials(const struct client_credentials *settings, dbsql_token_provider **out, dbsql_error **error) {
  struct client *client = mem_alloc_zero(1, sizeof *client);
  if (!client) return error_no_memory(error);
  provider_init(&client->base, &client_ops, settings->secret ? "oauth-m2m" : "oauth-jwt");
  client->base.can_renew = client->base.needs_cache = true;
  bool ok = discovery_cache_init(&client->endpoints, &settings->endpoints);
  client->client_id = mem_strdup(settings->client_id);
  client->scopes = oauth_scopes(settings->scopes, "all-apis");
  ok = ok && client->client_id && client->scopes;
  if (settings->secret) {
    client->secret = secret_new(secret_text(settings->secret), secret_length(settings->secret));
    ok = ok && client->secret;
  } else {
    client->algorithm = mem_strdup(settings->algorithm && *settings->algorithm ? settings->algorithm : "RS256");
    ok = ok && client->algorithm;
    if (settings->key_id && *settings->key_id) ok = (client->key_id = mem_strdup(settings->key_id)) != NULL && ok;
  }
  dbsql_status status = ok ? DBSQL_OK : error_no_memory(error);
  if (status == DBSQL_OK && !client->secret) {
    const char *passphrase = settings->passphrase ? secret_text(settings->passphrase) : NULL;
    status = crypto_key_load(settings->key_file, passphrase, &client->key, error);
    if (status == DBSQL_OK) status = crypto_key_check(client->key, client->algorithm, error);
  }
  if (status != DBSQL_OK) {
    provider_drop(&client->base);
    return status;
  }
  *out = &client->base;
  return DBSQL_OK;
}
