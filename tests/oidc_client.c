#include "oidc_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "warehouse/form.h"
#include "warehouse/jwt.h"

void oidc_client_init(struct oidc_client *client, struct warehouse_process *warehouse) {
  client->warehouse = warehouse;
  snprintf(client->base, sizeof client->base, "http://127.0.0.1:%d", warehouse_port(warehouse));
}

struct text {
  char *data;
  size_t size;
};

static size_t collect(char *data, size_t size, size_t count, void *user) {
  struct text *text = user;
  text->data = realloc(text->data, text->size + size * count + 1);
  memcpy(text->data + text->size, data, size * count);
  text->size += size * count;
  text->data[text->size] = '\0';
  return size * count;
}

struct oidc_response oidc_send(const struct oidc_client *client, const char *method, const char *path, const char *body, const char *type,
                               const char *authorization) {
  struct oidc_response response = {0};
  struct text content = {calloc(1, 1), 0}, headers = {calloc(1, 1), 0};
  char url[8192], line[20000];
  struct curl_slist *list = curl_slist_append(NULL, "Expect:");
  snprintf(url, sizeof url, "%s%s", strncmp(path, "http", 4) == 0 ? "" : client->base, path);
  snprintf(line, sizeof line, "Content-Type: %s", type ? type : "application/x-www-form-urlencoded");
  list = curl_slist_append(list, line);
  if (authorization) {
    snprintf(line, sizeof line, "Authorization: %s", authorization);
    list = curl_slist_append(list, line);
  }
  CURL *curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &content);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
  if (body) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  if (curl_easy_perform(curl) == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response.status);
  char *location = NULL;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
  if (location) snprintf(response.location, sizeof response.location, "%s", location);
  curl_easy_cleanup(curl);
  curl_slist_free_all(list);
  response.body = content.data;
  response.headers = headers.data;
  response.json = json_loads(response.body, 0, NULL);
  return response;
}

void oidc_response_free(struct oidc_response *response) {
  free(response->body);
  free(response->headers);
  json_decref(response->json);
  memset(response, 0, sizeof *response);
}

const char *oidc_text(const struct oidc_response *response, const char *name) {
  return json_string_value(json_object_get(response->json, name));
}

char *oidc_form(const char *name, ...) {
  struct buf form = BUF_INIT;
  va_list args;
  va_start(args, name);
  for (; name; name = va_arg(args, const char *)) {
    const char *value = va_arg(args, const char *);
    if (!value) continue;
    if (form.size) buf_append_byte(&form, '&');
    form_encode(&form, name);
    buf_append_byte(&form, '=');
    form_encode(&form, value);
  }
  va_end(args);
  char *text = strdup(form.size ? buf_text(&form) : "");
  buf_free(&form);
  return text;
}

struct oidc_response oidc_ask(const struct oidc_client *client, char *form, const char *authorization) {
  struct oidc_response response = oidc_send(client, "POST", "/oidc/v1/token", form, NULL, authorization);
  free(form);
  return response;
}

char *oidc_token(const struct oidc_client *client, char *form, const char *authorization) {
  struct oidc_response response = oidc_ask(client, form, authorization);
  if (response.status != 200 || !oidc_text(&response, "access_token")) fail_msg("HTTP %ld: %s", response.status, response.body);
  assert_string_equal(oidc_text(&response, "token_type"), "Bearer");
  char *token = strdup(oidc_text(&response, "access_token"));
  oidc_response_free(&response);
  return token;
}

void oidc_refused(const struct oidc_client *client, char *form, const char *authorization, const char *code, const char *words) {
  struct oidc_response response = oidc_ask(client, form, authorization);
  const char *error = oidc_text(&response, "error"), *description = oidc_text(&response, "error_description");
  if (response.status != (strcmp(code, "invalid_client") == 0 ? 401 : 400) || !error || strcmp(error, code) != 0 || !description ||
      !strstr(description, words)) {
    fail_msg("HTTP %ld: %s, and not %s: %s", response.status, response.body, code, words);
  }
  oidc_response_free(&response);
}

long oidc_access(const struct oidc_client *client, const char *token) {
  char *authorization = malloc(strlen(token) + 8);
  sprintf(authorization, "Bearer %s", token);
  struct oidc_response response =
      oidc_send(client, "POST", "/sql/1.0/warehouses/local", "no Thrift", "application/x-thrift", authorization);
  long status = response.status;
  oidc_response_free(&response);
  free(authorization);
  return status;
}

json_t *oidc_order(const struct oidc_client *client, const char *path, const char *json) {
  char url[64];
  snprintf(url, sizeof url, "/control/%s", path);
  struct oidc_response response = oidc_send(client, "POST", url, json, "application/json", NULL);
  if (response.status != 200) fail_msg("%s %s: HTTP %ld: %s", path, json, response.status, response.body);
  json_t *out = json_incref(response.json);
  oidc_response_free(&response);
  return out;
}

char *oidc_mint(const struct oidc_client *client, const char *json) {
  json_t *answer = oidc_order(client, "mint", json);
  char *token = strdup(json_string_value(json_object_get(answer, "token")));
  json_decref(answer);
  return token;
}

long oidc_counter(const struct oidc_client *client, const char *name) {
  struct oidc_response response = oidc_send(client, "GET", "/control/stats", NULL, NULL, NULL);
  const json_t *at = json_object_get(response.json, "oauth");
  if (strncmp(name, "issued.", 7) == 0) {
    at = json_object_get(at, "issued");
    name += 7;
  }
  at = json_object_get(at, name);
  if (!json_is_integer(at)) fail_msg("there is no counter %s in %s", name, response.body);
  long value = (long)json_integer_value(at);
  oidc_response_free(&response);
  return value;
}

json_t *oidc_claims(const char *token) {
  json_t *claims = jwt_peek(token);
  if (!claims) fail_msg("this is no JWT: %s", token);
  return claims;
}

/* ---- U2M -------------------------------------------------------------------------------------------------------------------------- */

char *oidc_authorize_query(const char *name, const char *value) {
  const char *parts[][2] = {
      {"client_id", "databricks-sql-connector"}, {"redirect_uri", REDIRECT},    {"response_type", "code"},        {"state", "st&te = 1"},
      {"scope", "sql offline_access"},           {"code_challenge", CHALLENGE}, {"code_challenge_method", "S256"}};
  for (size_t i = 0; name && i < sizeof parts / sizeof *parts; i++) {
    if (strcmp(parts[i][0], name) == 0) parts[i][1] = value;
  }
  return oidc_form(parts[0][0], parts[0][1], parts[1][0], parts[1][1], parts[2][0], parts[2][1], parts[3][0], parts[3][1], parts[4][0],
                   parts[4][1], parts[5][0], parts[5][1], parts[6][0], parts[6][1], NULL);
}

struct oidc_response oidc_consent(const struct oidc_client *client, const char *query, const char *decision) {
  char url[4096], consent[128] = "";
  snprintf(url, sizeof url, "/oidc/v1/authorize?%s", query);
  struct oidc_response page = oidc_send(client, "GET", url, NULL, NULL, NULL);
  if (page.status != 200) return page;
  const char *at = strstr(page.body, "name=\"consent\" value=\"");
  if (!at || sscanf(at, "name=\"consent\" value=\"%100[^\"]", consent) != 1) fail_msg("no consent in %s", page.body);
  oidc_response_free(&page);
  char *form = oidc_form("consent", consent, "user", "ada@example.com", "decision", decision, NULL);
  struct oidc_response response = oidc_send(client, "POST", "/oidc/v1/authorize", form, NULL, NULL);
  free(form);
  return response;
}

void oidc_location_parameter(const struct oidc_response *response, const char *name, char *out, size_t size) {
  struct form form = {.count = 0};
  const char *query = strchr(response->location, '?');
  if (query && !form_read(&form, slice_text(query + 1))) fail_msg("the address cannot be read: %s", response->location);
  if (form_duplicate(&form)) fail_msg("%s is there twice: %s", form_duplicate(&form), response->location);
  const char *value = form_get(&form, name);
  snprintf(out, size, "%s", value ? value : "");
  form_free(&form);
}

char *oidc_code(const struct oidc_client *client) {
  char code[128], state[64];
  char *query = oidc_authorize_query(NULL, NULL);
  struct oidc_response response = oidc_consent(client, query, "allow");
  free(query);
  assert_int_equal(response.status, 303);
  assert_memory_equal(response.location, REDIRECT "/?", strlen(REDIRECT "/?"));
  oidc_location_parameter(&response, "code", code, sizeof code);
  oidc_location_parameter(&response, "state", state, sizeof state);
  assert_string_equal(state, "st&te = 1");
  assert_true(strlen(code) > 20);
  oidc_response_free(&response);
  return strdup(code);
}
