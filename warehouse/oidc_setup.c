/* OAuth: who is registered, and the keys of a run. */
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "oidc_internal.h"

static struct oidc_client *client_get(struct oidc *oidc, const char *id, size_t length) {
  for (size_t i = 0; i < oidc->client_count; i++) {
    if (strlen(oidc->clients[i].id) == length && memcmp(oidc->clients[i].id, id, length) == 0) return &oidc->clients[i];
  }
  oidc->clients = wh_grow(oidc->clients, oidc->client_count + 1, sizeof *oidc->clients);
  struct oidc_client *client = &oidc->clients[oidc->client_count++];
  *client = (struct oidc_client){.id = wh_copy_n(id, length)};
  return client;
}

static void client_redirect(struct oidc_client *client, const char *uri) {
  client->redirects = wh_grow(client->redirects, client->redirect_count + 1, sizeof *client->redirects);
  client->redirects[client->redirect_count++] = wh_copy(uri);
}

/* Splits "NAME:VALUE" at `colon`. NULL if a part is missing. */
static const char *value_after(const char *text, const char *colon, size_t *name_length) {
  *name_length = colon ? (size_t)(colon - text) : 0;
  return *name_length > 0 && colon[1] ? colon + 1 : NULL;
}

static bool is_loopback_uri(const char *uri) {
  static const char *const starts[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    size_t length = strlen(starts[i]);
    if (strncmp(uri, starts[i], length) == 0 && (uri[length] == '\0' || uri[length] == ':' || uri[length] == '/')) {
      return !strpbrk(uri + length, "#?@ \t\r\n");
    }
  }
  return false;
}

static bool read_clients(struct oidc *oidc, const struct oidc_options *options, char **message) {
  size_t length;
  for (size_t i = 0; i < options->clients.count; i++) {
    const char *text = options->clients.values[i], *secret = value_after(text, strchr(text, ':'), &length);
    if (!secret) {
      *message = wh_copy("--oauth-client needs ID:SECRET");
      return false;
    }
    struct oidc_client *client = client_get(oidc, text, length);
    free(client->secret);
    client->secret = wh_copy(secret);
  }
  for (size_t i = 0; i < options->client_keys.count; i++) {
    const char *text = options->client_keys.values[i], *path = value_after(text, strchr(text, ':'), &length);
    if (!path) {
      *message = wh_print("--oauth-client-key needs ID:FILE, not '%s'", text);
      return false;
    }
    if (!jwks_add_pem(&client_get(oidc, text, length)->keys, path, message)) return false;
  }
  for (size_t i = 0; i < options->redirects.count; i++) {
    const char *text = options->redirects.values[i], *uri = value_after(text, strchr(text, ':'), &length);
    if (!uri || !is_loopback_uri(uri)) {
      *message = wh_print("--oauth-redirect needs ID:URI with a URI such as http://localhost:8030, not '%s'", text);
      return false;
    }
    client_redirect(client_get(oidc, text, length), uri);
  }
  return true;
}

static void add_issuer(struct oidc *oidc, char *url, struct jwks keys) {
  oidc->issuers = wh_grow(oidc->issuers, oidc->issuer_count + 1, sizeof *oidc->issuers);
  oidc->issuers[oidc->issuer_count++] = (struct oidc_issuer){url, keys};
}

static bool read_issuers(struct oidc *oidc, const struct oidc_options *options, char **message) {
  size_t length;
  for (size_t i = 0; i < options->issuers.count; i++) {
    const char *text = options->issuers.values[i], *path = value_after(text, strrchr(text, ':'), &length);
    struct jwks keys = {0};
    if (!path || strncmp(path, "//", 2) == 0 || !(text_has_prefix_nocase(text, "https://") || text_has_prefix_nocase(text, "http://"))) {
      *message = wh_print("--trusted-issuer needs URL:FILE, such as https://idp.example.com:keys.json, not '%s'", text);
      return false;
    }
    if (!jwks_read_file(&keys, path, message)) return false;
    add_issuer(oidc, wh_copy_n(text, length), keys);
  }
  return true;
}

struct oidc *oidc_new(const struct oidc_options *options, char **message) {
  /* What the drivers come with (auth.md 2.1); here any port will do for them. */
  static const char *const built_in[] = {"databricks-sql-connector", "databricks-cli", "databricks-sql-python", "databricks-sql-jdbc"};
  struct oidc *oidc = wh_new(1, sizeof *oidc);
  pthread_mutex_init(&oidc->lock, NULL);
  oidc->token = options->token;
  oidc->token_life_s = options->token_life_s;
  oidc->refresh_life_s = options->refresh_life_s;
  oidc->clock_skew_s = options->clock_skew_s;
  oidc->rotate_refresh = true;
  EVP_PKEY *own = EVP_RSA_gen(2048), *foreign = EVP_EC_gen("P-256");
  if (own) jwks_add(&oidc->keys, "warehouse-1", own);
  if (foreign) jwks_add(&oidc->foreign, "idp-1", foreign);
  if (!own || !foreign) {
    *message = wh_copy("no keys can be made for OAuth");
    goto failed;
  }
  EVP_PKEY_up_ref(foreign);
  struct jwks of_issuer = {0};
  jwks_add(&of_issuer, "idp-1", foreign);
  add_issuer(oidc, wh_copy(OIDC_FOREIGN_ISSUER), of_issuer);
  if (!read_clients(oidc, options, message) || !read_issuers(oidc, options, message)) goto failed;
  for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
    struct oidc_client *client = client_get(oidc, built_in[i], strlen(built_in[i]));
    if (client->secret || client->keys.count || client->redirect_count) continue; /* registered in another way */
    client_redirect(client, "http://localhost");
    client_redirect(client, "http://127.0.0.1");
    client_redirect(client, "http://[::1]");
  }
  return oidc;

failed:
  oidc_free(oidc);
  return NULL;
}

void oidc_free(struct oidc *oidc) {
  if (!oidc) return;
  for (size_t i = 0; i < oidc->client_count; i++) {
    struct oidc_client *client = &oidc->clients[i];
    for (size_t k = 0; k < client->redirect_count; k++) free(client->redirects[k]);
    free(client->redirects);
    free(client->id);
    free(client->secret);
    jwks_free(&client->keys);
  }
  for (size_t i = 0; i < oidc->issuer_count; i++) {
    free(oidc->issuers[i].url);
    jwks_free(&oidc->issuers[i].keys);
  }
  oidc_grants_free(oidc);
  jwks_free(&oidc->keys);
  jwks_free(&oidc->foreign);
  free(oidc->clients);
  free(oidc->issuers);
  free(oidc->base);
  free(oidc->host);
  pthread_mutex_destroy(&oidc->lock);
  free(oidc);
}

void oidc_listen(struct oidc *oidc, bool tls, const char *host, uint16_t port) {
  bool v6 = strchr(host, ':') != NULL;
  oidc->tls = tls;
  oidc->host = wh_print("%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
  oidc->base = wh_print("%s://%s:%u", tls ? "https" : "http", oidc->host, (unsigned)port);
}
