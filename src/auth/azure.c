/* Entra ID: service principals and managed identities (auth.md 2.6, 2.7). */
#include <stdint.h>
#include <string.h>

#include "auth/methods.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

struct azure {
  dbsql_token_provider base;
  char *tenant_id;
  char *client_id;
  struct secret *client_secret;
  char *resource_id;
  char *token_endpoint;
  char *identity_url;
};

/* What differs between the clouds, by the workspace's host (auth.md 2.1). The special suffixes come before the general one. */
struct cloud {
  const char *suffix;
  const char *application; /* of Databricks in Entra ID */
  const char *login;
  const char *management;
};
static const struct cloud clouds[] = {
    {".dev.azuredatabricks.net", "62a912ac-b58e-4c1d-89ea-b2dbfc7358fc", "https://login.microsoftonline.com",
     "https://management.core.windows.net/"},
    {".staging.azuredatabricks.net", "4a67d088-db5c-48f1-9ff2-0aace800ae68", "https://login.microsoftonline.com",
     "https://management.core.windows.net/"},
    {".databricks.azure.us", "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d", "https://login.microsoftonline.us",
     "https://management.core.usgovcloudapi.net/"},
    {".databricks.azure.cn", "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d", "https://login.chinacloudapi.cn",
     "https://management.core.chinacloudapi.cn/"},
    {"", "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d", "https://login.microsoftonline.com", "https://management.core.windows.net/"},
};

static const struct cloud *cloud_of(const char *host) {
  size_t length = strlen(host);
  const struct cloud *cloud = clouds;
  for (;; cloud++) {
    size_t end = strlen(cloud->suffix);
    if (length >= end && text_equal_nocase(host + length - end, cloud->suffix)) return cloud;
  }
}

/* A GUID or a domain name: it becomes part of a URL (T5). */
static bool is_tenant(const char *text) {
  for (const char *c = text ? text : ""; *c; c++) {
    if (!text_is_alpha(*c) && !text_is_digit(*c) && *c != '-' && *c != '.') return false;
  }
  return text && *text && *text != '.';
}

bool azure_tenant_of(const char *location, const char *host, char *tenant, size_t size) {
  const struct cloud *cloud = cloud_of(host);
  struct http_target target;
  size_t length = strlen(cloud->login);
  if (http_target_parse(location, &target, NULL) != DBSQL_OK || target.port != 443) return false;
  if (strncmp(location, cloud->login, length) != 0 || location[length] != '/') return false;
  const char *segment = location + length + 1;
  size_t end = strcspn(segment, "/?#");
  if (end >= size) return false;
  memcpy(tenant, segment, end);
  tenant[end] = 0;
  return is_tenant(tenant);
}

/* Asks the workspace where it would send somebody to sign in, without going there. */
static dbsql_status find_tenant(const struct token_request *request, char *tenant, size_t size, dbsql_error **error) {
  char location[1024] = "";
  struct buf url = BUF_INIT;
  json_t *json = NULL;
  dbsql_error *reason = NULL;
  buf_printf(&url, "%s/aad/auth", request->context->origin);
  struct oauth_get get = {.url = buf_text(&url),
                          .what = "tenant request",
                          .longest = oauth_longest_document,
                          .location = location,
                          .location_size = sizeof location};
  dbsql_status status = get.url ? oauth_get(request, &get, &json, &reason) : error_no_memory(&reason);
  json_decref(json);
  buf_free(&url);
  int http_status = dbsql_error_http_status(reason);
  if (status == DBSQL_OK || (http_status >= 300 && http_status <= 399)) {
    error_clear(&reason);
    if (azure_tenant_of(location, request->context->host, tenant, size)) return DBSQL_OK;
    return error_set(error, DBSQL_ERROR_REQUEST, "28000",
                     "the workspace does not tell its tenant in a way that can be believed: set azure_tenant_id");
  }
  error_prefix(&reason, "azure_tenant_id is not set, and the workspace cannot be asked for it");
  error_move(&reason, error);
  return status;
}

/* ---- Service principal --------------------------------------------------------------------------------------------------- */

static dbsql_status ask_entra(const struct azure *azure, const struct token_request *request, const struct cloud *cloud,
                              const char *resource, struct oauth_answer *answer, dbsql_error **error) {
  struct buf url = BUF_INIT, scope = BUF_INIT, form = BUF_SECRET;
  const char *secret = secret_text(azure->client_secret);
  char tenant[256] = "";
  if (!azure->token_endpoint && !azure->tenant_id) {
    dbsql_status status = find_tenant(request, tenant, sizeof tenant, error);
    if (status != DBSQL_OK) return status;
  }
  if (azure->token_endpoint) {
    buf_append_text(&url, azure->token_endpoint);
  } else {
    buf_printf(&url, "%s/%s/oauth2/v2.0/token", cloud->login, azure->tenant_id ? azure->tenant_id : tenant);
  }
  buf_printf(&scope, "%s/.default", resource);
  oauth_field(&form, "grant_type", "client_credentials");
  oauth_field(&form, "client_id", azure->client_id);
  oauth_field(&form, "client_secret", secret);
  oauth_field(&form, "scope", buf_text(&scope));
  struct oauth_post post = {
      .what = "Entra ID token request", .url = buf_text(&url), .form = buf_slice(&form), .secrets = &secret, .secret_count = 1};
  dbsql_status status =
      post.url && !buf_failed(&form) && !buf_failed(&scope) ? oauth_token_request(request, &post, answer, error) : error_no_memory(error);
  buf_free(&url);
  buf_free(&scope);
  buf_free_secret(&form);
  return status;
}

/* ---- Managed identity ---------------------------------------------------------------------------------------------------- */

enum { identity_connect_ms = 2000, identity_ms = 10000 };

/* A fixed address in the machine's own network: no proxy, no redirects, no TLS (T26). */
static dbsql_status ask_machine(const struct azure *azure, const struct token_request *request, const char *resource,
                                struct oauth_answer *answer, dbsql_error **error) {
  struct buf url = BUF_INIT, query = BUF_INIT;
  struct http_settings direct = request->context->http;
  direct.use_proxy = false;
  direct.proxy_url = NULL;
  direct.proxy_user = direct.proxy_password = NULL;
  direct.connect_timeout_ms = identity_connect_ms;
  direct.request_timeout_ms = identity_ms;
  direct.retry_max = direct.retry_max < 2 ? direct.retry_max : 2;
  oauth_field(&query, "api-version", "2018-02-01");
  oauth_field(&query, "resource", resource);
  oauth_field(&query, "client_id", azure->client_id);
  buf_append_text(&url, azure->identity_url ? azure->identity_url : "http://169.254.169.254/metadata/identity/oauth2/token");
  buf_append_byte(&url, '?');
  buf_append_slice(&url, buf_slice(&query));
  const struct http_header header = {"Metadata", "true"};
  json_t *json = NULL;
  dbsql_status status = buf_text(&url) && !buf_failed(&query) ? DBSQL_OK : error_no_memory(error);
  if (status == DBSQL_OK) {
    struct oauth_get get = {.url = buf_text(&url),
                            .what = "managed identity request",
                            .longest = oauth_longest_answer,
                            .headers = &header,
                            .header_count = 1,
                            .settings = &direct};
    status = oauth_get(request, &get, &json, error);
  }
  if (status == DBSQL_OK) status = oauth_answer_from(json, "managed identity request", answer, error);
  json_drop_secret(json);
  buf_free(&url);
  buf_free(&query);
  return status;
}

/* ---- Both ---------------------------------------------------------------------------------------------------------------- */

static dbsql_status ask(const struct azure *azure, const struct token_request *request, const struct cloud *cloud, const char *resource,
                        struct oauth_answer *answer, dbsql_error **error) {
  return azure->client_secret ? ask_entra(azure, request, cloud, resource, answer, error)
                              : ask_machine(azure, request, resource, answer, error);
}

static dbsql_status azure_get(dbsql_token_provider *self, const struct token_request *request, struct token **token, dbsql_error **error) {
  struct azure *azure = (struct azure *)(void *)self;
  const struct cloud *cloud = cloud_of(request->context->host);
  struct oauth_answer answer = {0}, management = {0};
  *token = NULL;
  dbsql_status status = call_check(request->call, "getting an Entra ID token", error);
  if (status == DBSQL_OK) status = ask(azure, request, cloud, cloud->application, &answer, error);
  if (status == DBSQL_OK && azure->resource_id) status = ask(azure, request, cloud, cloud->management, &management, error);
  if (status == DBSQL_OK && answer.token_type && !text_equal_nocase(answer.token_type, "Bearer")) {
    status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "the answer's token is of another type than Bearer");
  }
  if (status == DBSQL_OK) {
    struct token_header headers[] = {{"X-Databricks-Azure-SP-Management-Token", management.access_token},
                                     {"X-Databricks-Azure-Workspace-Resource-Id", azure->resource_id}};
    int64_t ends = answer.expires_unix_ms;
    /* Both end when the first of them does. */
    if (management.expires_unix_ms != 0 && (ends == 0 || management.expires_unix_ms < ends)) ends = management.expires_unix_ms;
    struct token_parts parts = {.value = slice_text(answer.access_token),
                                .expires_unix_ms = ends,
                                .lifetime_ms = oauth_unknown_lifetime_ms,
                                .margin_ms = token_unusable_entra_ms,
                                .headers = headers,
                                .header_count = azure->resource_id ? 2 : 0};
    status = token_new(&parts, "Entra ID", token, error);
  }
  if (status != DBSQL_OK) error_prefix(error, "%s", self->name);
  oauth_answer_free(&answer);
  oauth_answer_free(&management);
  return status;
}

static void azure_destroy(dbsql_token_provider *self) {
  struct azure *azure = (struct azure *)(void *)self;
  mem_free(azure->tenant_id);
  mem_free(azure->client_id);
  mem_free(azure->resource_id);
  mem_free(azure->token_endpoint);
  mem_free(azure->identity_url);
  secret_free(azure->client_secret);
  mem_free(azure);
}

static const struct provider_ops azure_ops = {azure_get, NULL, azure_destroy};

static bool copy_set(const char *text, char **to) {
  if (text && *text) *to = mem_strdup(text);
  return !text || !*text || *to;
}

dbsql_status provider_azure(const struct azure_settings *settings, dbsql_token_provider **out, dbsql_error **error) {
  if (settings->client_secret && settings->tenant_id && *settings->tenant_id && !is_tenant(settings->tenant_id)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "azure_tenant_id must be the id or a domain of the tenant");
  }
  struct azure *azure = mem_alloc_zero(1, sizeof *azure);
  if (!azure) return error_no_memory(error);
  provider_init(&azure->base, &azure_ops, settings->client_secret ? "azure-client-secret" : "azure-msi");
  azure->base.can_renew = azure->base.needs_cache = true;
  bool ok = copy_set(settings->tenant_id, &azure->tenant_id);
  ok = copy_set(settings->client_id, &azure->client_id) && ok;
  ok = copy_set(settings->resource_id, &azure->resource_id) && ok;
  ok = copy_set(settings->token_endpoint, &azure->token_endpoint) && ok;
  ok = copy_set(settings->identity_url, &azure->identity_url) && ok;
  if (settings->client_secret) {
    azure->client_secret = secret_new(secret_text(settings->client_secret), secret_length(settings->client_secret));
    ok = ok && azure->client_secret;
  }
  if (!ok) {
    provider_drop(&azure->base);
    return error_no_memory(error);
  }
  *out = &azure->base;
  return DBSQL_OK;
}
