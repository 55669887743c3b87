#include "api/api.h"
#include "auth/provider.h"
#include "base/mem.h"
#include "session/config_internal.h"
#include "session/sign_in.h"

dbsql_status dbsql_token_provider_static(const char *token, const char *token_type, int64_t expires_at_ms, dbsql_token_provider **provider,
                                         dbsql_error **error) {
  API_REQUIRE(provider, error);
  *provider = NULL;
  API_REQUIRE(token, error);
  if (expires_at_ms < 0) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s: expires_at_ms must not be negative", __func__);
  struct token_parts parts = {.value = slice_text(token), .type = token_type, .expires_unix_ms = expires_at_ms};
  return provider_static(&parts, provider, error);
}

dbsql_status dbsql_token_provider_external(const dbsql_token_source *source, dbsql_token_provider **provider, dbsql_error **error) {
  API_REQUIRE(provider, error);
  *provider = NULL;
  API_REQUIRE(source, error);
  API_REQUIRE(source->struct_size >= sizeof *source, error);
  if (!source->get_token) return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "external token provider: token source is nil");
  if (source->flags & ~(uint32_t)(DBSQL_TOKEN_THREAD_SAFE | DBSQL_TOKEN_NO_CACHE | DBSQL_TOKEN_NO_BACKGROUND)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "external token provider: its flags have a bit that means nothing");
  }
  return provider_external(source, provider, error);
}

dbsql_status dbsql_token_provider_cached(dbsql_token_provider *inner, int64_t refresh_ahead_ms, dbsql_token_provider **provider,
                                         dbsql_error **error) {
  API_REQUIRE(provider, error);
  *provider = NULL;
  API_REQUIRE(inner, error);
  if (refresh_ahead_ms < 0) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s: refresh_ahead_ms must not be negative", __func__);
  return provider_cached(inner, refresh_ahead_ms, provider, error);
}

dbsql_status dbsql_token_provider_federated(dbsql_token_provider *inner, const char *client_id, bool strict,
                                            dbsql_token_provider **provider, dbsql_error **error) {
  API_REQUIRE(provider, error);
  *provider = NULL;
  API_REQUIRE(inner, error);
  struct federation_settings settings = {.client_id = client_id, .strict = strict};
  return provider_federated(inner, &settings, provider, error);
}

void dbsql_token_provider_free(dbsql_token_provider *provider) {
  provider_drop(provider);
}

const char *dbsql_token_provider_name(const dbsql_token_provider *provider) {
  return provider ? provider->name : "";
}

dbsql_status dbsql_config_set_token_provider(dbsql_config *config, dbsql_token_provider *provider, dbsql_error **error) {
  API_REQUIRE(config, error);
  dbsql_token_provider *cached = NULL;
  /* Here and not for each connection, so that all of them share one cache. */
  if (provider && provider->needs_cache) {
    dbsql_status status = provider_cached(provider, 0, &cached, error);
    if (status != DBSQL_OK) return status;
    provider = cached;
  }
  config_set_provider(config, provider ? &provider->shared : NULL);
  provider_drop(cached);
  return DBSQL_OK;
}

/* ---- Signing in without a connection ------------------------------------------------------------------------------------- */

dbsql_status dbsql_config_effective(const dbsql_config *config, dbsql_config **effective, dbsql_error **error) {
  API_REQUIRE(effective, error);
  *effective = NULL;
  API_REQUIRE(config, error);
  dbsql_config *copy = NULL;
  dbsql_status status = config_copy(config, &copy, error);
  if (status == DBSQL_OK) status = config_resolve_sign_in(copy, error);
  if (status == DBSQL_OK) {
    *effective = copy;
  } else {
    dbsql_config_free(copy);
  }
  return status;
}

const char *dbsql_config_source(const dbsql_config *config, const char *name) {
  if (!config || !name) return "";
  struct name_match match = config_find_name(slice_text(name));
  if (match.kind != NAME_OPTION) return "";
  const struct option_value *value = &config->values[match.option];
  if (!value->is_set) return "default";
  return value->from_profile ? "profile" : value->from_environment ? "environment" : "option";
}

dbsql_status dbsql_sign_in(const dbsql_config *config, const dbsql_call *call, char **token, int64_t *expires_at_ms, dbsql_error **error) {
  int64_t expires = 0;
  API_REQUIRE(token, error);
  *token = NULL;
  API_REQUIRE(config, error);
  dbsql_status status = sign_in_token(config, call, token, &expires, error);
  if (expires_at_ms) *expires_at_ms = expires;
  return status;
}

dbsql_status dbsql_sign_out(const dbsql_config *config, const dbsql_call *call, bool *was_there, dbsql_error **error) {
  bool found = false;
  API_REQUIRE(config, error);
  dbsql_status status = sign_in_forget(config, call, &found, error);
  if (was_there) *was_there = found;
  return status;
}
