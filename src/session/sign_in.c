#include "session/sign_in.h"

#include <string.h>

#include "auth/crypto.h"
#include "auth/methods.h"
#include "base/mem.h"
#include "session/connection.h"
#include "session/user_agent.h"

static const char *text_or(const dbsql_config *config, enum option_id id, enum option_id other) {
  return config_is_set(config, id) ? config_text(config, id) : config_text(config, other);
}

static struct discovery_settings endpoints_of(const dbsql_config *config) {
  return (struct discovery_settings){.token_endpoint = config_text(config, OPTION_token_endpoint),
                                     .authorization_endpoint = config_text(config, OPTION_authorization_endpoint),
                                     .discovery_url = config_text(config, OPTION_discovery_url),
                                     .account_id = config_text(config, OPTION_account_id)};
}

static dbsql_status make_static(const dbsql_config *config, dbsql_token_provider **provider, dbsql_error **error) {
  const struct secret *token = config_secret(config, OPTION_access_token);
  struct token_parts parts = {.value = slice_of(secret_text(token), secret_length(token))};
  return provider_static(&parts, provider, error);
}

static dbsql_status make_client(const dbsql_config *config, bool with_key, dbsql_token_provider **provider, dbsql_error **error) {
  struct client_credentials settings = {.endpoints = endpoints_of(config),
                                        .client_id = config_text(config, OPTION_client_id),
                                        .scopes = config_text(config, OPTION_scopes),
                                        .secret = with_key ? NULL : config_secret(config, OPTION_client_secret),
                                        .key_file = config_text(config, OPTION_jwt_key_file),
                                        .passphrase = config_secret(config, OPTION_jwt_key_passphrase),
                                        .algorithm = config_text(config, OPTION_jwt_algorithm),
                                        .key_id = config_text(config, OPTION_jwt_kid)};
  return provider_client_credentials(&settings, provider, error);
}

static struct user_sign_in user_of(const dbsql_config *config, bool interactive) {
  const char *client_id = config_text(config, OPTION_client_id);
  return (struct user_sign_in){.endpoints = endpoints_of(config),
                               .client_id = *client_id ? client_id : "databricks-sql-connector",
                               .client_secret = config_secret(config, OPTION_client_secret),
                               .scopes = config_text(config, OPTION_scopes),
                               .ports = config_text(config, OPTION_oauth_redirect_port),
                               .refresh_token = config_secret(config, OPTION_refresh_token),
                               .interactive = interactive,
                               .store = interactive && config_bool(config, OPTION_token_cache),
                               .profile = config_text(config, OPTION_profile),
                               .open = config->browser,
                               .open_user = config->browser_user};
}

static dbsql_status make_user(const dbsql_config *config, bool interactive, dbsql_token_provider **provider, dbsql_error **error) {
  struct user_sign_in settings = user_of(config, interactive);
  return provider_user_sign_in(&settings, provider, error);
}

static dbsql_status make_azure(const dbsql_config *config, bool with_secret, dbsql_token_provider **provider, dbsql_error **error) {
  const struct secret *secret = config_secret(config, OPTION_azure_client_secret);
  if (!secret) secret = config_secret(config, OPTION_client_secret);
  struct azure_settings settings = {.tenant_id = config_text(config, OPTION_azure_tenant_id),
                                    .client_id = text_or(config, OPTION_azure_client_id, OPTION_client_id),
                                    .client_secret = with_secret ? secret : NULL,
                                    .resource_id = config_text(config, OPTION_azure_workspace_resource_id),
                                    .token_endpoint = config_text(config, OPTION_token_endpoint)};
  return provider_azure(&settings, provider, error);
}

static dbsql_status make_workload(const dbsql_config *config, enum workload_source source, dbsql_token_provider **provider,
                                  dbsql_error **error) {
  struct workload_settings settings = {.endpoints = endpoints_of(config),
                                       .source = source,
                                       .variable = config_text(config, OPTION_oidc_token_env),
                                       .file = config_text(config, OPTION_oidc_token_file),
                                       .audience = config_text(config, OPTION_token_audience),
                                       .client_id = config_text(config, OPTION_client_id),
                                       .scopes = config_text(config, OPTION_scopes)};
  return provider_workload(&settings, provider, error);
}

/* The provider that auth_type asks for. */
static dbsql_status make_provider(const dbsql_config *config, dbsql_token_provider **provider, dbsql_error **error) {
  switch ((enum auth_type)config_int(config, OPTION_auth_type)) {
    case AUTH_EXTERNAL: *provider = provider_keep((dbsql_token_provider *)(void *)config->provider); return DBSQL_OK;
    case AUTH_PAT: return make_static(config, provider, error);
    case AUTH_OAUTH_M2M: return make_client(config, !config_secret(config, OPTION_client_secret), provider, error);
    case AUTH_OAUTH_JWT: return make_client(config, true, provider, error);
    case AUTH_OAUTH_U2M: return make_user(config, true, provider, error);
    case AUTH_REFRESH_TOKEN: return make_user(config, false, provider, error);
    case AUTH_AZURE_CLIENT_SECRET: return make_azure(config, true, provider, error);
    case AUTH_AZURE_MSI: return make_azure(config, false, provider, error);
    case AUTH_ENV_OIDC: return make_workload(config, WORKLOAD_ENVIRONMENT, provider, error);
    case AUTH_FILE_OIDC: return make_workload(config, WORKLOAD_FILE, provider, error);
    case AUTH_GITHUB_OIDC: return make_workload(config, WORKLOAD_GITHUB, provider, error);
    case AUTH_NONE:
    case AUTH_DEFAULT: break; /* the one is handled elsewhere, the other resolved */
  }
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "auth_type is not resolved");
}

static dbsql_status federate(const dbsql_config *config, dbsql_token_provider **provider, dbsql_error **error) {
  struct federation_settings settings = {.client_id = config_text(config, OPTION_federation_client_id),
                                         .strict = !config_bool(config, OPTION_federation_fallback)};
  dbsql_token_provider *outer;
  dbsql_status status = provider_federated(*provider, &settings, &outer, error);
  if (status != DBSQL_OK) return status;
  provider_drop(*provider);
  *provider = outer;
  return DBSQL_OK;
}

dbsql_status sign_in_context(const dbsql_config *config, const struct http_settings *http, struct auth_context **context,
                             dbsql_error **error) {
  struct buf origin = BUF_INIT;
  const char *host = config_text(config, OPTION_host);
  bool brackets = strchr(host, ':') != NULL;
  buf_printf(&origin, "%s://%s%s%s", config_bool(config, OPTION_tls) ? "https" : "http", brackets ? "[" : "", host, brackets ? "]" : "");
  int64_t port = config_int(config, OPTION_port);
  if (port != (config_bool(config, OPTION_tls) ? 443 : 80)) buf_printf(&origin, ":%lld", (long long)port);
  const char *text = buf_text(&origin);
  dbsql_status status =
      text ? auth_context_new(text, host, config_bool(config, OPTION_allow_insecure_http), http, context, error) : error_no_memory(error);
  buf_free(&origin);
  return status;
}

/* ---- One provider for all connections that sign in the same way ----------------------------------------------------------- */

/* A hash of everything that a provider is made from: the options from auth_type to federation_fallback, and whom it is for. */
static bool made_from(const dbsql_config *config, uint8_t out[sha256_size]) {
  struct buf all = BUF_SECRET;
  buf_printf(&all, "%s:%lld:%d:%d:%p:%p:%p:", config_text(config, OPTION_host), (long long)config_int(config, OPTION_port),
             config_bool(config, OPTION_tls), config_bool(config, OPTION_ignore_environment), (void *)config->provider,
             (void *)(uintptr_t)config->browser, config->browser_user);
  for (int id = OPTION_auth_type; id <= OPTION_federation_fallback; id++) {
    const struct secret *secret = config_secret(config, (enum option_id)id);
    struct slice text = secret ? slice_of(secret_text(secret), secret_length(secret)) : slice_text(config_text(config, (enum option_id)id));
    buf_printf(&all, "%d=%lld:%zu:", id, (long long)config_int(config, (enum option_id)id), text.size);
    buf_append_slice(&all, text);
  }
  bool ok = !buf_failed(&all) && crypto_sha256(all.data, all.size, out);
  buf_free_secret(&all);
  return ok;
}

/* Its own, federated if that is wanted, and with a cache around it if it is worth one. */
static dbsql_status make_whole(const dbsql_config *config, dbsql_token_provider **provider, dbsql_error **error) {
  dbsql_status status = make_provider(config, provider, error);
  if (status == DBSQL_OK && config_bool(config, OPTION_federation)) status = federate(config, provider, error);
  if (status != DBSQL_OK || !(*provider)->needs_cache) return status;
  dbsql_token_provider *cached;
  status = provider_cached(*provider, 0, &cached, error);
  if (status != DBSQL_OK) return status;
  provider_drop(*provider);
  *provider = cached;
  return DBSQL_OK;
}

/* The one of the slot if it fits; otherwise a new one, which takes its place. */
static dbsql_status find_provider(const dbsql_config *config, dbsql_token_provider **provider, dbsql_error **error) {
  struct sign_in_slot *slot = config->sign_in;
  uint8_t key[sha256_size];
  int64_t type = config_int(config, OPTION_auth_type);
  bool is_cheap = (type == AUTH_PAT || type == AUTH_EXTERNAL) && !config_bool(config, OPTION_federation);
  if (!slot || is_cheap) return make_whole(config, provider, error);
  if (!made_from(config, key)) return error_no_memory(error);
  dbsql_status status = DBSQL_OK;
  struct shared *old = NULL;
  pthread_mutex_lock(&slot->lock);
  if (slot->provider && memcmp(slot->made_from, key, sizeof key) == 0) {
    *provider = provider_keep((dbsql_token_provider *)(void *)slot->provider);
  } else {
    status = make_whole(config, provider, error);
    if (status == DBSQL_OK) {
      old = slot->provider;
      slot->provider = &provider_keep(*provider)->shared;
      memcpy(slot->made_from, key, sizeof key);
    }
  }
  pthread_mutex_unlock(&slot->lock);
  shared_drop(old);
  return status;
}

/* Both for the caller to drop, also on failure. */
static dbsql_status make_both(const dbsql_config *config, const struct http_settings *http, dbsql_token_provider **provider,
                              struct auth_context **context, dbsql_error **error) {
  dbsql_status status = find_provider(config, provider, error);
  if (status == DBSQL_OK) status = sign_in_context(config, http, context, error);
  return status;
}

dbsql_status sign_in_authenticator(const dbsql_config *config, const struct http_settings *http, struct authenticator **authenticator,
                                   dbsql_error **error) {
  if (config_int(config, OPTION_auth_type) == AUTH_NONE) {
    return config_is_plain(config) ? authenticator_anonymous(authenticator, error) : authenticator_none(authenticator, error);
  }
  dbsql_token_provider *provider = NULL;
  struct auth_context *context = NULL;
  dbsql_status status = make_both(config, http, &provider, &context, error);
  if (status == DBSQL_OK) status = authenticator_provider(provider, context, &config->log, authenticator, error);
  auth_context_drop(context);
  provider_drop(provider);
  return status;
}

/* ---- Without a connection ------------------------------------------------------------------------------------------------ */

/* A resolved copy, and what goes with it. */
struct alone {
  dbsql_config *config;
  struct buf user_agent;
  struct http_settings http;
  struct call call;
};

static void alone_end(struct alone *alone) {
  dbsql_config_free(alone->config);
  buf_free(&alone->user_agent);
}

static dbsql_status alone_begin(const dbsql_config *config, const dbsql_call *user_call, struct alone *alone, dbsql_error **error) {
  memset(alone, 0, sizeof *alone);
  dbsql_status status = call_validate(user_call, error);
  if (status == DBSQL_OK) status = config_copy(config, &alone->config, error);
  if (status == DBSQL_OK) status = config_resolve_sign_in(alone->config, error);
  if (status != DBSQL_OK) return status;
  const dbsql_config *own = alone->config;
  call_begin(&alone->call, user_call, config_int(own, OPTION_call_timeout_ms));
  user_agent_append(&alone->user_agent, config_text(own, OPTION_user_agent_entry), !config_bool(own, OPTION_ignore_environment));
  const char *user_agent = buf_text(&alone->user_agent);
  if (!user_agent) return error_no_memory(error);
  connection_http_settings(own, user_agent, &alone->http);
  return DBSQL_OK;
}

dbsql_status sign_in_token(const dbsql_config *config, const dbsql_call *user_call, char **value, int64_t *expires_unix_ms,
                           dbsql_error **error) {
  struct alone alone;
  dbsql_token_provider *provider = NULL;
  struct auth_context *context = NULL;
  struct token *token = NULL;
  dbsql_status status = alone_begin(config, user_call, &alone, error);
  if (status == DBSQL_OK && config_int(alone.config, OPTION_auth_type) == AUTH_NONE) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "28000",
                       "there are no credentials to sign in with: set auth_type, access_token, client_id and client_secret, or a profile");
  }
  if (status == DBSQL_OK) status = make_both(alone.config, &alone.http, &provider, &context, error);
  if (status == DBSQL_OK) {
    struct token_request request = {.context = context, .call = &alone.call, .log = &alone.config->log, .reason = DBSQL_TOKEN_INITIAL};
    status = provider_get(provider, &request, &token, error);
    call_annotate(&alone.call, error);
  }
  if (status == DBSQL_OK) {
    struct slice text = token_value(token);
    *expires_unix_ms = token->expires_unix_ms;
    *value = mem_strndup((const char *)text.data, text.size);
    if (!*value) status = error_no_memory(error);
  }
  token_drop(token);
  auth_context_drop(context);
  provider_drop(provider);
  alone_end(&alone);
  return status;
}

dbsql_status sign_in_forget(const dbsql_config *config, const dbsql_call *user_call, bool *was_there, dbsql_error **error) {
  struct alone alone;
  struct auth_context *context = NULL;
  dbsql_status status = alone_begin(config, user_call, &alone, error);
  if (status == DBSQL_OK && config_int(alone.config, OPTION_auth_type) != AUTH_OAUTH_U2M) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY024", "only auth_type=oauth-u2m keeps tokens that could be removed");
  }
  if (status == DBSQL_OK) status = sign_in_context(alone.config, &alone.http, &context, error);
  if (status == DBSQL_OK) {
    struct user_sign_in settings = user_of(alone.config, true);
    status = user_sign_in_forget(&settings, context->origin, &alone.call, was_there, error);
  }
  auth_context_drop(context);
  alone_end(&alone);
  return status;
}
