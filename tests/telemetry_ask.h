/* What the tests of the warehouse's telemetry share: requests without a server, and entries to send in them. */
#ifndef DBSQL_TESTS_TELEMETRY_ASK_H
#define DBSQL_TESTS_TELEMETRY_ASK_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "telemetry.h"

static const struct fault no_fault = {.kind = FAULT_NONE};

struct reply {
  int status;
  json_t *json;
  char message[480];
};

static inline struct reply ask(struct telemetry *telemetry, enum telemetry_endpoint endpoint, const char *method, const char *path,
                               const char *body, bool has_token, const char *const *headers, const struct fault *fault) {
  struct telemetry_request request = {.endpoint = endpoint, .method = method, .path = path, .headers = json_object()};
  json_object_set_new(request.headers, "user-agent", json_string("tests/1"));
  json_object_set_new(request.headers, "content-type", json_string("application/json"));
  for (; headers && *headers; headers += 2) {
    if (headers[1]) json_object_set_new(request.headers, headers[0], json_string(headers[1]));
    if (!headers[1]) json_object_del(request.headers, headers[0]);
  }
  request.has_authorization = has_token;
  request.access_status = has_token ? 0 : 401;
  request.access_why = "no token";
  request.body = slice_text(body);
  struct telemetry_answer answer;
  telemetry_receive(telemetry, &request, fault);
  telemetry_answer(telemetry, &request, fault, &answer);
  struct reply reply = {.status = answer.status};
  memcpy(reply.message, answer.message, sizeof reply.message);
  if (answer.body.size > 0) reply.json = json_loadb((const char *)answer.body.data, answer.body.size, 0, NULL);
  buf_free(&answer.body);
  json_decref(request.headers);
  return reply;
}

static inline struct reply post(struct telemetry *telemetry, enum telemetry_endpoint endpoint, const char *body,
                                const struct fault *fault) {
  bool ext = endpoint == TELEMETRY_EXT;
  return ask(telemetry, endpoint, "POST", ext ? "/telemetry-ext" : "/telemetry-unauth", body, ext, NULL, fault);
}

static inline char *envelope(const json_t *const *entries, size_t count) {
  json_t *json = json_pack("{s:I, s:[], s:[]}", "uploadTime", (json_int_t)1767225603000, "items", "protoLogs");
  for (size_t i = 0; i < count; i++) {
    char *text = json_dumps(entries[i], JSON_COMPACT);
    json_array_append_new(json_object_get(json, "protoLogs"), json_string(text));
    free(text);
  }
  char *text = json_dumps(json, JSON_COMPACT);
  json_decref(json);
  return text;
}

/* JSON with ' for ". */
static inline json_t *parse(const char *text) {
  char *copy = strdup(text);
  for (char *c = copy; *c; c++) {
    if (*c == '\'') *c = '"';
  }
  json_error_t error;
  json_t *json = json_loads(copy, JSON_DECODE_ANY, &error);
  if (!json) fail_msg("%s in %s", error.text, copy);
  free(copy);
  return json;
}

/* Sets (or with NULL removes) what the path names; an "entry.sql_driver_log" may be written as "@". */
static inline void change(json_t *json, const char *path, const char *value) {
  char full[256];
  snprintf(full, sizeof full, "%s%s", path[0] == '@' ? "entry.sql_driver_log" : "", path[0] == '@' ? path + 1 : path);
  char *save = NULL, *key = strtok_r(full, ".", &save), *next = strtok_r(NULL, ".", &save);
  for (; next; key = next, next = strtok_r(NULL, ".", &save)) {
    if (!json_object_get(json, key)) json_object_set_new(json, key, json_object());
    json = json_object_get(json, key);
  }
  if (value) {
    json_object_set_new(json, key, parse(value));
  } else {
    assert_int_equal(json_object_del(json, key), 0);
  }
}

#define ID "'frontend_log_event_id':'7d0f4c1e-52b1-4f6f-9f7a-0c2d6a1b9e33'"
#define CONTEXT "'context':{'client_context':{'timestamp_millis':1767225600123,'user_agent':'DatabricksCClient/0.1.0'}}"
#define SYSTEM                                                                                                                      \
  "'system_configuration':{'driver_version':'0.1.0','runtime_name':'C','runtime_version':'glibc 2.36','runtime_vendor':'gcc 12.2'," \
  "'os_name':'Linux','os_version':'Debian','os_arch':'x86_64','driver_name':'c','client_app_name':'app','locale_name':'en_GB',"     \
  "'char_set_encoding':'UTF-8','process_name':'report'}"
#define IDS "'session_id':'01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b','sql_statement_id':'01f0a1b2-d5e6-1f70-9b8c-1d2e3f4a5b6c'"

/* telemetry.md 7.9 */
static const char whole[] =
    "{'workspace_id':1234567890123456," ID "," CONTEXT ",'entry':{'sql_driver_log':{" IDS "," SYSTEM
    ",'driver_connection_params':{'mode':'THRIFT','host_info':{'host_url':'h','port':443,'proxy_auth_type':'NONE'},'use_proxy':false,"
    "'auth_mech':'OAUTH','auth_flow':'CLIENT_CREDENTIALS','enable_arrow':true,'socket_timeout':900,'non_proxy_hosts':['a','b'],"
    "'string_column_length':255,'rows_fetched_per_block':100000},'auth_type':'oauth-client_credentials',"
    "'sql_operation':{'statement_type':'QUERY','is_compressed':true,'execution_result':'EXTERNAL_LINKS','retry_count':1,'chunk_id':3,"
    "'chunk_details':{'initial_chunk_latency_millis':84,'slowest_chunk_latency_millis':311,'total_chunks_present':12,"
    "'total_chunks_iterated':9,'sum_chunks_download_time_millis':1420},"
    "'result_latency':{'result_set_ready_latency_millis':640,'result_set_consumption_latency_millis':2210},"
    "'operation_detail':{'n_operation_status_calls':5,'operation_status_latency_millis':190,'operation_type':'EXECUTE_STATEMENT',"
    "'is_internal_call':false}},'error_info':{'error_name':'chunk_download_error'},'operation_latency_ms':512}}}";

#endif
