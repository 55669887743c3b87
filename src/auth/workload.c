/* Workload identity federation (auth.md 2.12): the place where the program runs vouches for it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/methods.h"
#include "base/environment.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

enum { longest_file = 64 * 1024 };

struct workload {
  dbsql_token_provider base;
  struct discovery_cache endpoints;
  enum workload_source source;
  char *variable, *file, *audience, *client_id, *scopes; /* NULL where nothing is set */
};

static dbsql_status from_environment(const struct workload *workload, struct buf *out, dbsql_error **error) {
  const char *name = workload->variable ? workload->variable : "DATABRICKS_OIDC_TOKEN";
  const char *value = environment_get(name);
  if (!value) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "the variable %s with the identity token is not set", name);
  buf_append_text(out, value);
  return DBSQL_OK;
}

/* Read again for each exchange: Kubernetes renews the file. */
static dbsql_status from_file(const struct workload *workload, struct buf *out, dbsql_error **error) {
  int fd = open(workload->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) {
    int reason = errno;
    if (fd >= 0) close(fd);
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "the file %s with the identity token cannot be read: %s", workload->file,
                     strerror(reason));
  }
  ssize_t got = S_ISREG(info.st_mode) ? 1 : -1;
  while (got > 0 && out->size <= longest_file && buf_reserve(out, 4096)) {
    got = read(fd, out->data + out->size, 4096);
    if (got > 0) out->size += (size_t)got;
  }
  close(fd);
  if (got != 0 && !buf_failed(out)) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "the file %s is no file with an identity token", workload->file);
  }
  return DBSQL_OK;
}

static dbsql_status bearer(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)call;
  buf_append_text(value, "Bearer ");
  buf_append_text(value, user);
  return buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
}

static dbsql_status from_github(const struct workload *workload, const struct token_request *request, const struct discovery *endpoints,
                                struct buf *out, dbsql_error **error) {
  const char *base = environment_get("ACTIONS_ID_TOKEN_REQUEST_URL"), *key = environment_get("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
  if (!base || !key) {
    return error_set(
        error, DBSQL_ERROR_REQUEST, "28000",
        "ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set: the job needs the permission id-token: write");
  }
  struct buf url = BUF_INIT;
  struct http_target target;
  const char *audience = workload->audience ? workload->audience : endpoints->audience ? endpoints->audience : endpoints->token_endpoint;
  buf_append_text(&url, base);
  buf_append_text(&url, strchr(base, '?') ? "&audience=" : "?audience=");
  oauth_encode(&url, audience);
  json_t *json = NULL;
  dbsql_status status = buf_text(&url) ? oauth_check_url(request->context, buf_text(&url), "ACTIONS_ID_TOKEN_REQUEST_URL", &target, error)
                                       : error_no_memory(error); /* T27 */
  if (status == DBSQL_OK) {
    struct oauth_get get = {.url = buf_text(&url), .what = "GitHub token request", .longest = oauth_longest_answer};
    get.authorize = bearer;
    get.authorize_user = (void *)(uintptr_t)key;
    status = oauth_get(request, &get, &json, error);
    error_hide(error, key);
  }
  if (status == DBSQL_OK) {
    const char *value = json_text(json, "value");
    if (value) buf_append_text(out, value);
    if (!value) status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "GitHub token request: the answer has no token");
  }
  json_drop_secret(json);
  buf_free(&url);
  return status;
}

static dbsql_status identity(const struct workload *workload, const struct token_request *request, const struct discovery *endpoints,
                             struct buf *out, dbsql_error **error) {
  dbsql_status status = workload->source == WORKLOAD_ENVIRONMENT ? from_environment(workload, out, error)
                        : workload->source == WORKLOAD_FILE      ? from_file(workload, out, error)
                                                                 : from_github(workload, request, endpoints, out, error);
  if (status != DBSQL_OK) return status;
  while (out->size > 0 && text_is_space((char)out->data[out->size - 1])) out->size--;
  if (!buf_text(out)) return error_no_memory(error);
  if (out->size == 0) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "the identity token is empty");
  /* Whoever writes the configuration names file or variable and the host: any other secret of this place is not for them (T3). */
  return jwt_is_one(buf_slice(out)) ? DBSQL_OK : error_set(error, DBSQL_ERROR_REQUEST, "28000", "the identity token is no JWT");
}

static dbsql_status workload_get(dbsql_token_provider *self, const struct token_request *request, struct token **token,
                                 dbsql_error **error) {
  struct workload *workload = (struct workload *)(void *)self;
  struct discovery endpoints = {0};
  struct oauth_answer answer = {0};
  struct buf subject = BUF_SECRET;
  *token = NULL;
  dbsql_status status = call_check(request->call, "getting a token for the workload", error);
  if (status == DBSQL_OK && request->context->http.ignore_environment && workload->source != WORKLOAD_FILE) {
    status =
        error_set(error, DBSQL_ERROR_DRIVER, "HY024", "its identity is in the environment, which ignore_environment forbids to look at");
  }
  if (status == DBSQL_OK) status = discovery_cache_get(&workload->endpoints, request, &endpoints, error);
  if (status == DBSQL_OK) status = identity(workload, request, &endpoints, &subject, error);
  if (status == DBSQL_OK) {
    struct oauth_exchange exchange = {.url = endpoints.token_endpoint,
                                      .subject = (const char *)subject.data,
                                      .client_id = workload->client_id,
                                      .scope = workload->scopes};
    status = oauth_exchange_token(request, &exchange, &answer, error);
  }
  if (status == DBSQL_OK) status = oauth_make_token(&answer, "token exchange", 0, oauth_unknown_lifetime_ms, token, error);
  if (status != DBSQL_OK) error_prefix(error, "%s", self->name);
  oauth_answer_free(&answer);
  discovery_free(&endpoints);
  buf_free_secret(&subject);
  return status;
}

static void workload_destroy(dbsql_token_provider *self) {
  struct workload *workload = (struct workload *)(void *)self;
  discovery_cache_free(&workload->endpoints);
  mem_free(workload->variable);
  mem_free(workload->file);
  mem_free(workload->audience);
  mem_free(workload->client_id);
  mem_free(workload->scopes);
  mem_free(workload);
}

static const struct provider_ops workload_ops = {workload_get, NULL, workload_destroy};

static bool copy_set(const char *text, char **to) {
  if (text && *text) *to = mem_strdup(text);
  return !text || !*text || *to;
}

dbsql_status provider_workload(const struct workload_settings *settings, dbsql_token_provider **out, dbsql_error **error) {
  static const char *const names[] = {"env-oidc", "file-oidc", "github-oidc"};
  struct workload *workload = mem_alloc_zero(1, sizeof *workload);
  if (!workload) return error_no_memory(error);
  provider_init(&workload->base, &workload_ops, "%s", names[settings->source]);
  workload->base.can_renew = workload->base.needs_cache = true;
  workload->source = settings->source;
  bool ok = discovery_cache_init(&workload->endpoints, &settings->endpoints);
  ok = copy_set(settings->variable, &workload->variable) && ok;
  ok = copy_set(settings->file, &workload->file) && ok;
  ok = copy_set(settings->audience, &workload->audience) && ok;
  ok = copy_set(settings->client_id, &workload->client_id) && ok;
  workload->scopes = oauth_scopes(settings->scopes, "all-apis");
  if (!ok || !workload->scopes) {
    provider_drop(&workload->base);
    return error_no_memory(error);
  }
  *out = &workload->base;
  return DBSQL_OK;
}
