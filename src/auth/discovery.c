#include "auth/discovery.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/host.h"
#include "base/mem.h"
#include "base/text.h"

enum { total_ms = 10000, longest_account = 64 };
#define KEPT_NS (INT64_C(3600) * 1000000000)

void discovery_free(struct discovery *found) {
  mem_free(found->token_endpoint);
  mem_free(found->authorization_endpoint);
  mem_free(found->issuer);
  mem_free(found->audience);
  memset(found, 0, sizeof *found);
}

/* Whether what `document` says of `url` may be believed: the same origin, or a host of Databricks (T4). */
static bool is_trusted(const struct token_request *request, const char *url, const char *document) {
  struct http_target target, from;
  if (http_target_parse(url, &target, NULL) != DBSQL_OK || http_target_parse(document, &from, NULL) != DBSQL_OK) return false;
  if (strcmp(target.host, from.host) == 0 && target.port == from.port && target.tls == from.tls) {
    return oauth_check_url(request->context, url, "an endpoint", &target, NULL) == DBSQL_OK;
  }
  return target.tls && target.port == 443 && host_is_databricks(target.host);
}

/* ---- The workspace's own words ------------------------------------------------------------------------------------------- */

static bool is_account(const char *text) {
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i++) {
    if (!text_is_alpha(text[i]) && !text_is_digit(text[i]) && text[i] != '-') return false;
  }
  return length > 0 && length <= longest_account;
}

/* Appends `pattern` with the account in the place of its placeholder; false if there is none that fits. */
static bool fill_account(struct buf *out, const char *pattern, const char *account) {
  static const char placeholder[] = "{account_id}";
  const char *at = strstr(pattern, placeholder);
  if (at && (!account || !is_account(account))) return false;
  if (at) {
    buf_append(out, pattern, (size_t)(at - pattern));
    buf_append_text(out, account);
    pattern = at + sizeof placeholder - 1;
  }
  buf_append_text(out, pattern);
  return strchr(pattern, '{') == NULL;
}

static void warn(const struct token_request *request, const char *message) {
  log_write(request->log, DBSQL_LOG_WARN, "auth", message, "host", request->context->host, (char *)NULL);
}

/* The root of the OIDC paths: what the host's metadata say, if it can be believed, or else the usual. */
static dbsql_status find_root(const struct token_request *request, const struct discovery_settings *settings, struct buf *root,
                              struct discovery *found, dbsql_error **error) {
  struct buf url = BUF_INIT;
  json_t *json = NULL;
  dbsql_error *reason = NULL;
  dbsql_status status = DBSQL_OK;
  buf_printf(&url, "%s/.well-known/databricks-config", request->context->origin);
  const char *address = buf_text(&url);
  if (address)
    status =
        oauth_get(request, &(struct oauth_get){.url = address, .what = "host metadata", .longest = oauth_longest_document}, &json, &reason);
  if (!address || status == DBSQL_ERROR_NO_MEMORY || status == DBSQL_ERROR_CANCELLED) {
    status = address ? status : DBSQL_ERROR_NO_MEMORY;
    if (address) {
      error_move(&reason, error);
    } else {
      error_no_memory(error);
    }
    goto cleanup;
  }
  status = DBSQL_OK;
  const char *endpoint = json ? json_text(json, "oidc_endpoint") : NULL;
  if (endpoint) {
    const char *account = settings->account_id && *settings->account_id ? settings->account_id : json_text(json, "account_id");
    bool filled = fill_account(root, endpoint, account);
    const char *whole = buf_text(root);
    if (!filled || !whole || !is_trusted(request, whole, address)) {
      warn(request, "the host's metadata name an OIDC endpoint that is not used");
      buf_reset(root);
    }
  }
  json_t *audiences = json ? json_object_get(json, "token_federation_default_oidc_audiences") : NULL;
  json_t *audience = json_is_array(audiences) ? json_array_get(audiences, 0) : NULL;
  if (json_is_string(audience)) {
    found->audience = mem_strdup(json_string_value(audience));
    if (!found->audience) status = error_no_memory(error);
  }
  if (root->size == 0) buf_printf(root, "%s/oidc", request->context->origin);
  while (root->size > 0 && root->data[root->size - 1] == '/') root->size--;
  if (status == DBSQL_OK && !buf_text(root)) status = error_no_memory(error);

cleanup:
  error_clear(&reason);
  json_decref(json);
  buf_free(&url);
  return status;
}

/* ---- Documents ----------------------------------------------------------------------------------------------------------- */

static bool lists(const json_t *array, const char *word) {
  size_t index;
  json_t *item;
  json_array_foreach(array, index, item) {
    if (json_is_string(item) && strcmp(json_string_value(item), word) == 0) return true;
  }
  return false;
}

static dbsql_status take_endpoint(const struct token_request *request, const json_t *json, const char *name, const char *document,
                                  char **to, dbsql_error **error) {
  const char *url = json_text(json, name);
  if (*to || !url) return DBSQL_OK;
  if (!is_trusted(request, url, document)) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000",
                     "OAuth discovery: the document of %s names a %s at another host, or without TLS: nothing is sent there",
                     request->context->host, name);
  }
  *to = mem_strdup(url);
  return *to ? DBSQL_OK : error_no_memory(error);
}

/* Reads one document; success with nothing found if there is none at that place. */
static dbsql_status read_document(const struct token_request *request, const char *url, bool must_exist, struct discovery *found,
                                  dbsql_error **error) {
  json_t *json = NULL;
  dbsql_error *reason = NULL;
  dbsql_status status =
      oauth_get(request, &(struct oauth_get){.url = url, .what = "OAuth discovery", .longest = oauth_longest_document}, &json, &reason);
  if (status != DBSQL_OK) {
    int http_status = dbsql_error_http_status(reason);
    bool absent = (http_status >= 400 && http_status <= 499 && http_status != 407 && http_status != 429) || http_status == 0;
    /* A page instead of a document is no document either. What the network says is not to be guessed around. */
    bool no_document = http_status != 0 ? absent : strstr(dbsql_error_message(reason), "not a JSON object") != NULL;
    if (!must_exist && no_document && status == DBSQL_ERROR_REQUEST) {
      error_clear(&reason);
      return DBSQL_OK;
    }
    error_move(&reason, error);
    return status;
  }
  const char *issuer = json_text(json, "issuer");
  if (issuer && !is_trusted(request, issuer, url)) {
    status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "OAuth discovery: the document of %s is of an issuer at another host",
                       request->context->host);
  }
  if (status == DBSQL_OK) status = take_endpoint(request, json, "token_endpoint", url, &found->token_endpoint, error);
  bool is_first = !found->authorization_endpoint;
  if (status == DBSQL_OK) status = take_endpoint(request, json, "authorization_endpoint", url, &found->authorization_endpoint, error);
  bool promises = json_is_true(json_object_get(json, "authorization_response_iss_parameter_supported"));
  if (status == DBSQL_OK && is_first && found->authorization_endpoint && issuer && promises) {
    found->issuer = mem_strdup(issuer);
    if (!found->issuer) status = error_no_memory(error);
  }
  json_t *methods = json_object_get(json, "token_endpoint_auth_methods_supported");
  if (json_is_array(methods) && json_array_size(methods) > 0) {
    found->post_only = !lists(methods, "client_secret_basic") && lists(methods, "client_secret_post");
  }
  json_decref(json);
  return status;
}

static dbsql_status set_fixed(const struct token_request *request, struct buf *root, struct discovery *found, dbsql_error **error) {
  const char *version = host_is_azure(request->context->host) ? "oauth2/v2.0" : "v1";
  struct buf url = BUF_INIT;
  bool ok = true;
  if (!found->token_endpoint) {
    buf_printf(&url, "%s/%s/token", buf_text(root), version);
    ok = (found->token_endpoint = buf_take_text(&url)) != NULL;
  }
  if (!found->authorization_endpoint) {
    buf_printf(&url, "%s/%s/authorize", buf_text(root), version);
    ok = (found->authorization_endpoint = buf_take_text(&url)) != NULL && ok;
  }
  buf_free(&url);
  return ok ? DBSQL_OK : error_no_memory(error);
}

static dbsql_status find(const struct token_request *request, const struct discovery_settings *settings, struct discovery *found,
                         dbsql_error **error) {
  static const char *const documents[] = {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"};
  struct buf root = BUF_INIT, url = BUF_INIT;
  dbsql_status status;
  if (settings->discovery_url && *settings->discovery_url) {
    struct http_target target;
    status = oauth_check_url(request->context, settings->discovery_url, "discovery_url", &target, error);
    if (status == DBSQL_OK) status = read_document(request, settings->discovery_url, true, found, error);
    if (status == DBSQL_OK && !found->token_endpoint) {
      status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "OAuth discovery: the document at discovery_url names no token_endpoint");
    }
    return status;
  }
  status = find_root(request, settings, &root, found, error);
  for (size_t i = 0; i < 2 && status == DBSQL_OK && !(found->token_endpoint && found->authorization_endpoint); i++) {
    buf_reset(&url);
    buf_append_slice(&url, buf_slice(&root));
    buf_append_text(&url, documents[i]);
    status = buf_text(&url) ? read_document(request, buf_text(&url), false, found, error) : error_no_memory(error);
  }
  if (status == DBSQL_OK) status = set_fixed(request, &root, found, error);
  buf_free(&root);
  buf_free(&url);
  return status;
}

static dbsql_status take_given(const struct token_request *request, const char *given, const char *name, char **to, dbsql_error **error) {
  if (!given || !*given) return DBSQL_OK;
  struct http_target target;
  dbsql_status status = oauth_check_url(request->context, given, name, &target, error);
  if (status != DBSQL_OK) return status;
  *to = mem_strdup(given);
  return *to ? DBSQL_OK : error_no_memory(error);
}

dbsql_status discovery_find(const struct token_request *request, const struct discovery_settings *settings, struct discovery *found,
                            dbsql_error **error) {
  struct call limited = *request->call;
  int64_t end_ns = clock_now_ns() + (int64_t)total_ms * 1000000;
  if (end_ns < limited.deadline_ns) {
    limited.deadline_ns = end_ns;
    limited.timeout_ms = total_ms;
  }
  struct token_request own = *request;
  own.call = &limited;
  memset(found, 0, sizeof *found);
  dbsql_status status = take_given(&own, settings->token_endpoint, "token_endpoint", &found->token_endpoint, error);
  if (status == DBSQL_OK) {
    status = take_given(&own, settings->authorization_endpoint, "authorization_endpoint", &found->authorization_endpoint, error);
  }
  /* Who names the token endpoint wants no discovery; the authorization endpoint is only needed by those who then have none. */
  if (status == DBSQL_OK && !found->token_endpoint) status = find(&own, settings, found, error);
  if (status != DBSQL_OK) discovery_free(found);
  return status;
}

/* ---- The cache ----------------------------------------------------------------------------------------------------------- */

static bool copy_text(const char **text) {
  if (!*text || !**text) {
    *text = NULL;
    return true;
  }
  *text = mem_strdup(*text);
  return *text != NULL;
}

static void free_text(const char *text) {
  mem_free((void *)(uintptr_t)text);
}

bool discovery_cache_init(struct discovery_cache *cache, const struct discovery_settings *settings) {
  memset(cache, 0, sizeof *cache);
  pthread_mutex_init(&cache->lock, NULL);
  cache->settings = *settings;
  bool ok = copy_text(&cache->settings.token_endpoint);
  ok = copy_text(&cache->settings.authorization_endpoint) && ok;
  ok = copy_text(&cache->settings.discovery_url) && ok;
  return copy_text(&cache->settings.account_id) && ok;
}

void discovery_cache_free(struct discovery_cache *cache) {
  free_text(cache->settings.token_endpoint);
  free_text(cache->settings.authorization_endpoint);
  free_text(cache->settings.discovery_url);
  free_text(cache->settings.account_id);
  discovery_free(&cache->found);
  pthread_mutex_destroy(&cache->lock);
}

static bool copy_found(const struct discovery *from, struct discovery *to) {
  memset(to, 0, sizeof *to);
  to->post_only = from->post_only;
  bool ok = !from->token_endpoint || (to->token_endpoint = mem_strdup(from->token_endpoint)) != NULL;
  ok = (!from->authorization_endpoint || (to->authorization_endpoint = mem_strdup(from->authorization_endpoint)) != NULL) && ok;
  ok = (!from->issuer || (to->issuer = mem_strdup(from->issuer)) != NULL) && ok;
  return (!from->audience || (to->audience = mem_strdup(from->audience)) != NULL) && ok;
}

dbsql_status discovery_cache_get(struct discovery_cache *cache, const struct token_request *request, struct discovery *found,
                                 dbsql_error **error) {
  struct discovery fresh;
  memset(found, 0, sizeof *found);
  pthread_mutex_lock(&cache->lock);
  bool known = cache->found.token_endpoint && clock_now_ns() < cache->until_ns;
  bool ok = !known || copy_found(&cache->found, found);
  pthread_mutex_unlock(&cache->lock);
  if (!known) {
    dbsql_status status = discovery_find(request, &cache->settings, &fresh, error);
    if (status != DBSQL_OK) return status;
    ok = copy_found(&fresh, found);
    pthread_mutex_lock(&cache->lock);
    discovery_free(&cache->found);
    cache->found = fresh;
    cache->until_ns = clock_now_ns() + KEPT_NS;
    pthread_mutex_unlock(&cache->lock);
    log_write(request->log, DBSQL_LOG_DEBUG, "auth", "OAuth endpoints found", "token_endpoint", found->token_endpoint, (char *)NULL);
  }
  if (ok) return DBSQL_OK;
  discovery_free(found);
  return error_no_memory(error);
}
