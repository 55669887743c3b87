#include "telemetry_endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define FLAG_NAME "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc"

static void wrong(struct endpoint *endpoint, const char *what, const char *detail) {
  if (!endpoint->wrong[0]) snprintf(endpoint->wrong, sizeof endpoint->wrong, "%s: %s", what, detail ? detail : "");
}

const json_t *json_at(const json_t *root, const char *path) {
  char part[80];
  while (root && *path) {
    size_t length = strcspn(path, ".");
    memcpy(part, path, length);
    part[length] = 0;
    root = json_object_get(root, part);
    path += length + (path[length] == '.');
  }
  return root;
}

/* ---- What an entry may hold: every leaf must be a tag, of its type, and what must be there is -------------------------------- */

static const struct tag *tag_at(const char *path) {
  for (size_t i = 0; i < tag_count; i++) {
    if (strcmp(tag_table[i].wire, path) == 0) return &tag_table[i];
  }
  return NULL;
}

static void check_leaf(struct endpoint *endpoint, const char *path, const json_t *value, bool unauth) {
  const struct tag *tag = tag_at(path);
  if (!tag) {
    wrong(endpoint, "unknown key", path);
    return;
  }
  if (tag->source == SOURCE_NEVER || !(tag->scope & SCOPE_DATABRICKS)) wrong(endpoint, "must not leave", path);
  if (unauth && !tag->unauth) wrong(endpoint, "must not leave without credentials", path);
  bool good = false;
  switch (tag->type) {
    case TAG_TEXT:
    case TAG_TEXT8: good = json_is_string(value) && json_string_length(value) > 0; break;
    case TAG_GUID: good = json_is_string(value) && json_string_length(value) == 36; break;
    case TAG_COUNT:
    case TAG_COUNT32:
    case TAG_NUMBER: good = json_is_integer(value); break;
    case TAG_FLAG: good = json_is_boolean(value); break;
    case TAG_ENUM: good = json_is_string(value) && tag_enum_value(tag->names, json_string_value(value)) != 0; break;
  }
  if (!good) wrong(endpoint, "wrong type or value", path);
}

static void check_tree(struct endpoint *endpoint, const char *path, const json_t *value, bool unauth) {
  if (!json_is_object(value)) {
    check_leaf(endpoint, path, value, unauth);
    return;
  }
  const char *key;
  json_t *member;
  if (json_object_size(value) == 0) wrong(endpoint, "empty object", path);
  json_object_foreach((json_t *)value, key, member) {
    char inner[256];
    snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "." : "", key);
    check_tree(endpoint, inner, member, unauth);
  }
}

static size_t check_body(struct endpoint *endpoint, const struct http_exchange *exchange, bool unauth) {
  json_error_t why;
  json_t *root = json_loadb(exchange->body, exchange->body_size, JSON_REJECT_DUPLICATES, &why);
  if (!root) {
    wrong(endpoint, "the body is no JSON", why.text);
    return 0;
  }
  const char *key;
  json_t *value;
  json_object_foreach(root, key, value) {
    if (strcmp(key, "uploadTime") != 0 && strcmp(key, "items") != 0 && strcmp(key, "protoLogs") != 0) wrong(endpoint, "unknown key", key);
  }
  json_t *logs = json_object_get(root, "protoLogs"), *items = json_object_get(root, "items");
  if (!json_is_integer(json_object_get(root, "uploadTime"))) wrong(endpoint, "uploadTime", "is no integer");
  if (!json_is_array(items) || json_array_size(items) != 0) wrong(endpoint, "items", "is no empty array");
  if (!json_is_array(logs) || json_array_size(logs) == 0) wrong(endpoint, "protoLogs", "is no array with something in it");
  size_t count = json_array_size(logs);
  for (size_t i = 0; i < count; i++) {
    const json_t *text = json_array_get(logs, i);
    json_t *entry = json_is_string(text) ? json_loads(json_string_value(text), JSON_REJECT_DUPLICATES, &why) : NULL;
    if (!entry) {
      wrong(endpoint, "an entry is no JSON in a string", why.text);
      continue;
    }
    check_tree(endpoint, "", entry, unauth);
    if (!json_is_integer(json_at(entry, "entry.sql_driver_log.operation_latency_ms"))) wrong(endpoint, "missing", "operation_latency_ms");
    if (!json_at(entry, "frontend_log_event_id")) wrong(endpoint, "missing", "frontend_log_event_id");
    if (!json_at(entry, "context.client_context.timestamp_millis")) wrong(endpoint, "missing", "timestamp_millis");
    json_array_append_new(endpoint->entries, entry);
  }
  json_decref(root);
  return count;
}

/* ---- Answers -------------------------------------------------------------------------------------------------------------- */

static void copy_header(const struct http_exchange *exchange, const char *name, char *out, size_t size) {
  char *value = exchange_header(exchange, name);
  snprintf(out, size, "%s", value ? value : "");
  free(value);
}

static void answer_flags(struct endpoint *endpoint, struct http_exchange *exchange) {
  char body[512];
  pthread_mutex_lock(&endpoint->lock);
  endpoint->flag_requests++;
  if (strcmp(exchange->method, "GET") != 0) wrong(endpoint, "flags", "are not asked for with GET");
  if (strcmp(exchange->target, "/api/2.0/connector-service/feature-flags/ADBC/" DBSQL_VERSION) != 0)
    wrong(endpoint, "flags", exchange->target);
  copy_header(exchange, "User-Agent", endpoint->user_agent, sizeof endpoint->user_agent);
  copy_header(exchange, "Authorization", endpoint->authorization, sizeof endpoint->authorization);
  copy_header(exchange, "x-databricks-org-id", endpoint->org_id, sizeof endpoint->org_id);
  struct test_event *gate = endpoint->flag_gate;
  int status = endpoint->flag_status;
  if (endpoint->flag) {
    snprintf(body, sizeof body, "{\"flags\":[{\"name\":\"" FLAG_NAME "\",\"value\":\"%s\"}],\"ttl_seconds\":%lld}", endpoint->flag,
             (long long)endpoint->ttl);
  } else {
    snprintf(body, sizeof body, "{\"flags\":[],\"ttl_seconds\":%lld}", (long long)endpoint->ttl);
  }
  pthread_mutex_unlock(&endpoint->lock);
  if (gate) test_event_wait(gate);
  exchange_reply(exchange, status, "Content-Type: application/json\r\n", body);
}

static void answer_traces(struct endpoint *endpoint, struct http_exchange *exchange) {
  json_error_t why;
  json_t *body = json_loadb(exchange->body, exchange->body_size, 0, &why);
  if (body) {
    json_array_append_new(endpoint->traces, body);
  } else {
    json_array_append_new(endpoint->traces, json_null());
  }
  copy_header(exchange, "Authorization", endpoint->authorization, sizeof endpoint->authorization);
  endpoint->trace_posts++;
}

static void reply_success(struct http_exchange *exchange, size_t count, const char *more) {
  char body[256];
  snprintf(body, sizeof body, "{\"errors\":[%s],\"numSuccess\":0,\"numProtoSuccess\":%zu,\"numRealtimeSuccess\":0%s}",
           more && !*more ? "\"one was not taken\"" : "", count, more ? more : "");
  exchange_reply(exchange, 200, "Content-Type: application/json\r\nx-request-id: r-1\r\n", body);
}

static void handle(struct http_exchange *exchange, void *user) {
  struct endpoint *endpoint = user;
  if (strncmp(exchange->target, "/api/2.0/connector-service/", 27) == 0) {
    answer_flags(endpoint, exchange);
    return;
  }
  bool unauth = strcmp(exchange->target, "/telemetry-unauth") == 0, traces = strcmp(exchange->target, "/v1/traces") == 0;
  pthread_mutex_lock(&endpoint->lock);
  endpoint->bytes = realloc(endpoint->bytes, endpoint->byte_count + strlen(exchange->head) + exchange->body_size + 1);
  memcpy(endpoint->bytes + endpoint->byte_count, exchange->head, strlen(exchange->head));
  endpoint->byte_count += strlen(exchange->head);
  memcpy(endpoint->bytes + endpoint->byte_count, exchange->body, exchange->body_size);
  endpoint->byte_count += exchange->body_size;
  endpoint->bytes[endpoint->byte_count] = 0;
  size_t count = 0;
  if (traces) {
    answer_traces(endpoint, exchange);
  } else if (!unauth && strcmp(exchange->target, "/telemetry-ext") != 0) {
    wrong(endpoint, "path", exchange->target);
  } else {
    endpoint->posts++;
    endpoint->unauth_posts += unauth;
    char content_type[64];
    copy_header(exchange, "Content-Type", content_type, sizeof content_type);
    copy_header(exchange, "User-Agent", endpoint->user_agent, sizeof endpoint->user_agent);
    copy_header(exchange, "Authorization", endpoint->authorization, sizeof endpoint->authorization);
    copy_header(exchange, "x-databricks-org-id", endpoint->org_id, sizeof endpoint->org_id);
    if (strcmp(exchange->method, "POST") != 0) wrong(endpoint, "method", exchange->method);
    if (strcmp(content_type, "application/json") != 0) wrong(endpoint, "Content-Type", content_type);
    if (unauth == (endpoint->authorization[0] != 0)) wrong(endpoint, "Authorization", endpoint->authorization);
    if (unauth && endpoint->org_id[0]) wrong(endpoint, "org id", endpoint->org_id);
    count = check_body(endpoint, exchange, unauth);
  }
  enum endpoint_fault fault = endpoint->fault_count != 0 ? endpoint->fault : FAULT_NONE;
  if (endpoint->fault_count > 0) endpoint->fault_count--;
  int status = endpoint->status;
  const char *headers = endpoint->headers;
  if (fault == FAULT_PARTIAL) {
    endpoint->accepted += (int64_t)count - 1;
  } else if (fault == FAULT_NONE || fault == FAULT_NEW_KEYS || fault == FAULT_DELAY || fault == FAULT_GARBAGE) {
    endpoint->accepted += (int64_t)count;
  }
  pthread_mutex_unlock(&endpoint->lock);
  test_event_set(&endpoint->arrived);
  switch (fault) {
    case FAULT_NONE:
      if (traces) {
        exchange_reply(exchange, 200, "Content-Type: application/json\r\n", "{}");
      } else {
        reply_success(exchange, count, NULL);
      }
      break;
    case FAULT_STATUS: exchange_reply(exchange, status, headers, "{\"error\":\"no\"}"); break;
    case FAULT_HANG:
      test_event_wait(&endpoint->release);
      exchange_close(exchange);
      break;
    case FAULT_RESET: exchange_reset(exchange); break;
    case FAULT_CUT:
      exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"errors\":[");
      exchange_reset(exchange);
      break;
    case FAULT_GARBAGE: exchange_reply(exchange, 200, NULL, "<html>not what you think</html>"); break;
    case FAULT_NEW_KEYS: reply_success(exchange, count, ",\"numQuantumSuccess\":{\"a\":[1]}"); break;
    case FAULT_PARTIAL: reply_success(exchange, count - 1, ""); break;
    case FAULT_HUGE:
      exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
      for (int i = 0; i < 1600; i++) {
        char part[65536];
        memset(part, ' ', sizeof part);
        if (!exchange_write(exchange, part, sizeof part)) break;
      }
      exchange_close(exchange);
      break;
    case FAULT_SLOW:
      exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
      for (int i = 0; i < 1000; i++) {
        struct timespec pause = {0, 20000000};
        if (!exchange_write(exchange, " ", 1)) break;
        nanosleep(&pause, NULL);
      }
      exchange_close(exchange);
      break;
    case FAULT_REDIRECT: exchange_reply(exchange, 302, "Location: /elsewhere\r\n", ""); break;
    case FAULT_DELAY:
      test_event_wait(&endpoint->release);
      reply_success(exchange, count, NULL);
      break;
  }
}

void endpoint_start(struct endpoint *endpoint) {
  memset(endpoint, 0, sizeof *endpoint);
  pthread_mutex_init(&endpoint->lock, NULL);
  endpoint->release = (struct test_event)TEST_EVENT_INIT;
  endpoint->arrived = (struct test_event)TEST_EVENT_INIT;
  endpoint->flag = "true";
  endpoint->flag_status = 200;
  endpoint->ttl = 900;
  endpoint->entries = json_array();
  endpoint->traces = json_array();
  struct http_server_settings settings = {.handler = handle, .user = endpoint};
  endpoint->server = http_server_start(&settings);
}

void endpoint_stop(struct endpoint *endpoint) {
  test_event_set(&endpoint->release);
  http_server_stop(endpoint->server);
  if (endpoint->wrong[0]) fail_msg("the endpoint was told something wrong: %s", endpoint->wrong);
  json_decref(endpoint->entries);
  json_decref(endpoint->traces);
  free(endpoint->bytes);
  pthread_mutex_destroy(&endpoint->lock);
}

void endpoint_fail(struct endpoint *endpoint, enum endpoint_fault fault, int count, int status, const char *headers) {
  pthread_mutex_lock(&endpoint->lock);
  endpoint->fault = fault;
  endpoint->fault_count = count;
  endpoint->status = status;
  endpoint->headers = headers;
  pthread_mutex_unlock(&endpoint->lock);
}

int endpoint_posts(struct endpoint *endpoint) {
  pthread_mutex_lock(&endpoint->lock);
  int posts = endpoint->posts;
  pthread_mutex_unlock(&endpoint->lock);
  return posts;
}

size_t endpoint_count(struct endpoint *endpoint) {
  pthread_mutex_lock(&endpoint->lock);
  size_t count = json_array_size(endpoint->entries);
  pthread_mutex_unlock(&endpoint->lock);
  return count;
}

const json_t *endpoint_log(struct endpoint *endpoint, size_t index) {
  pthread_mutex_lock(&endpoint->lock);
  const json_t *log = json_at(json_array_get(endpoint->entries, index), "entry.sql_driver_log");
  pthread_mutex_unlock(&endpoint->lock);
  if (!log) fail_msg("entry %zu is missing", index);
  return log;
}

/* ---- Handles --------------------------------------------------------------------------------------------------------------- */

static dbsql_status authorize(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)call;
  (void)error;
  buf_append_text(value, user ? user : "Bearer token-1");
  return DBSQL_OK;
}

void target_init(struct telemetry_target *target, const char *origin) {
  *target = (struct telemetry_target){
      .origin = origin,
      .org_id = "1234567890123456",
      .http = {.user_agent = "dbsql/test (app)",
               .tls_verify = true,
               .tls_verify_hostname = true,
               .tls_system_store = true,
               .ignore_environment = true},
      .authorize = authorize,
      .tags = {.workspace_id = 1234567890123456,
               .user_agent = "dbsql/test (app)",
               .session_id = "01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b",
               .driver_name = "dbsql-c",
               .mode = mode_THRIFT,
               .auth_mech = auth_mech_PAT,
               .auth_type = "pat",
               .enable_arrow = FLAG_TRUE,
               .use_proxy = FLAG_FALSE,
               .socket_timeout = 900,
               .server_address = "localhost",
               .http_path = "/sql/1.0/warehouses/secret-path",
               .host_url = "secret-host"},
  };
}

struct telemetry *handle_open_to(const struct telemetry_target *target, const char *settings) {
  struct telemetry_config config;
  telemetry_config_init(&config);
  char *copy = strdup(settings), *rest = NULL;
  for (char *part = strtok_r(copy, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
    char *equals = strchr(part, '=');
    *equals = 0;
    dbsql_error *error = NULL;
    if (telemetry_config_set(&config, part, equals + 1, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  }
  free(copy);
  struct telemetry *handle = NULL;
  dbsql_error *error = NULL;
  if (telemetry_open(target, &config, &handle, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  telemetry_config_free(&config);
  return handle;
}

struct telemetry *handle_open(const char *origin, const char *settings) {
  struct telemetry_target target;
  target_init(&target, origin);
  return handle_open_to(&target, settings);
}

void handle_statement(struct telemetry *handle, uint8_t number) {
  struct telemetry_statement statement;
  uint8_t id[16] = {0xAB, number, 1};
  telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  telemetry_set_id(&statement, id);
  telemetry_executed(&statement);
  telemetry_ready(&statement, execution_result_INLINE_ARROW, true);
  telemetry_after_execute(&statement);
}

void handle_end(struct telemetry *handle) {
  telemetry_close(handle);
  telemetry_free(handle);
}

dbsql_telemetry_stats handle_stats(struct telemetry *handle) {
  dbsql_telemetry_stats stats = {.struct_size = sizeof stats};
  telemetry_stats(handle, &stats);
  return stats;
}
