/* What the warehouse takes at its telemetry endpoints and what it refuses, and why (telemetry.md 7, appendix A); feature flags (3). */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "telemetry.h"
#include "telemetry_schema.h"

/* ---- Asking ------------------------------------------------------------------------------------------------------------------------- */

static const struct fault no_fault = {.kind = FAULT_NONE};

struct reply {
  int status;
  json_t *json;
  char message[480];
};

static struct reply ask(struct telemetry *telemetry, enum telemetry_endpoint endpoint, const char *method, const char *path,
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

static struct reply post(struct telemetry *telemetry, enum telemetry_endpoint endpoint, const char *body, const struct fault *fault) {
  bool ext = endpoint == TELEMETRY_EXT;
  return ask(telemetry, endpoint, "POST", ext ? "/telemetry-ext" : "/telemetry-unauth", body, ext, NULL, fault);
}

static char *envelope(const json_t *const *entries, size_t count) {
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
static json_t *parse(const char *text) {
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
static void change(json_t *json, const char *path, const char *value) {
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

/* ---- Valid -------------------------------------------------------------------------------------------------------------------------- */

static void assert_accepted(enum telemetry_endpoint endpoint, const json_t *entry, int warnings) {
  struct telemetry telemetry;
  telemetry_init(&telemetry, 1 << 20, NULL);
  char *body = envelope(&entry, 1);
  struct reply reply = post(&telemetry, endpoint, body, &no_fault);
  const json_t *errors = json_object_get(reply.json, "errors");
  if (json_array_size(errors) > 0) fail_msg("%s: %s", body, json_string_value(json_array_get(errors, 0)));
  assert_int_equal(reply.status, 200);
  assert_int_equal(json_object_size(reply.json), 4);
  assert_int_equal(json_integer_value(json_object_get(reply.json, "numProtoSuccess")), 1);
  assert_int_equal(json_integer_value(json_object_get(reply.json, "numSuccess")), 0);
  assert_true(json_is_integer(json_object_get(reply.json, "numRealtimeSuccess")));
  json_decref(reply.json);
  struct buf out = BUF_INIT;
  assert_int_equal(telemetry_control(&telemetry, "GET", "/control/telemetry", slice_text(""), &out), 200);
  json_t *events = json_loadb((const char *)out.data, out.size, 0, NULL);
  assert_int_equal(json_array_size(events), 1);
  assert_true(json_equal(json_object_get(json_array_get(events, 0), "event"), entry));
  assert_int_equal(json_array_size(json_object_get(json_array_get(events, 0), "warnings")), warnings);
  json_decref(events);
  buf_free(&out);
  free(body);
  telemetry_destroy(&telemetry);
}

/* As the drivers send them (7.2, 7.3). */
static void test_valid_entries(void **state) {
  (void)state;
  static const struct {
    enum telemetry_endpoint endpoint;
    int warnings;
    const char *entry;
  } cases[] = {
      {TELEMETRY_EXT, 0, whole},
      /* a session that opens, one that closes in no time */
      {TELEMETRY_EXT, 0,
       "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'session_id':'s','sql_operation':{'operation_detail':"
       "{'operation_type':'CREATE_SESSION'}},'operation_latency_ms':7}}}"},
      {TELEMETRY_EXT, 0,
       "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'session_id':'s','sql_operation':{'operation_detail':"
       "{'operation_type':'DELETE_SESSION'}},'operation_latency_ms':0}}}"},
      /* Go: an id of its own form, no time */
      {TELEMETRY_EXT, 0,
       "{'frontend_log_event_id':'20260101000000-0123456789abcdef','context':{'client_context':{'client_type':'golang',"
       "'client_version':'1.12.0'}},'entry':{'sql_driver_log':{" IDS "," SYSTEM ",'sql_operation':{'operation_detail':"
       "{'operation_type':'CLOSE_STATEMENT'}},'operation_latency_ms':1}}}"},
      /* C#: the time one level up, wide integers as texts, empty ids */
      {TELEMETRY_EXT, 0,
       "{'workspace_id':0," ID ",'context':{'timestamp_millis':1767225600123},'entry':{'sql_driver_log':{'session_id':'s',"
       "'sql_statement_id':'','sql_operation':{'operation_detail':{'operation_type':'LIST_TABLES'}},"
       "'operation_latency_ms':'12'}}}"},
      /* Node: the workspace as a text */
      {TELEMETRY_EXT, 0, "{'workspace_id':'123'," ID "," CONTEXT ",'entry':{'sql_driver_log':{'session_id':'s'," SYSTEM "}}}"},
      /* an error without a statement (Go: ConnectionScopedError_NotDropped); a failed statement that never got an id */
      {TELEMETRY_EXT, 0, "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'error_info':{'error_name':'auth','stack_trace':''}}}}"},
      {TELEMETRY_EXT, 0,
       "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'session_id':'s','sql_operation':{'operation_detail':"
       "{'operation_type':'EXECUTE_STATEMENT'}},'error_info':{'error_name':'timeout'},'operation_latency_ms':3}}}"},
      /* a volume; and what had better not be sent */
      {TELEMETRY_EXT, 0,
       "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{" IDS ",'vol_operation':{'volume_operation_type':'PUT'},"
       "'operation_latency_ms':3}}}"},
      {TELEMETRY_EXT, 2,
       "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{" IDS ",'vol_operation':{'volume_operation_type':'GET',"
       "'volume_path':'/Volumes/a','local_file':'/home/a'},'operation_latency_ms':3}}}"},
      {TELEMETRY_UNAUTH, 1,
       "{" ID ",'context':{'client_context':{'timestamp_millis':1767225600123,'user_agent':'a/1 (me)'}},'entry':{'sql_driver_log':"
       "{'error_info':{'error_name':'auth'}}}}"},
      {TELEMETRY_UNAUTH, 0,
       "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'driver_connection_params':{'mode':'THRIFT'},"
       "'error_info':{'error_name':'auth','stack_trace':''}}}}"},
      {TELEMETRY_UNAUTH, 0,
       "{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'sql_operation':{'operation_detail':{'operation_type':"
       "'CREATE_SESSION'}},'operation_latency_ms':7}}}"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *entry = parse(cases[i].entry);
    assert_accepted(cases[i].endpoint, entry, cases[i].warnings);
    json_decref(entry);
  }
}

/* Every key of the schema, with every name of every enum. */
static void fill(const struct schema_object *object, json_t *json, int turn) {
  for (const struct schema_field *field = object->fields; field->name; field++) {
    size_t names = 0;
    while (field->type == SCHEMA_ENUM && field->values[names]) names++;
    json_t *value = NULL;
    switch (field->type) {
      case SCHEMA_TEXT: value = json_string("x"); break;
      case SCHEMA_BOOL: value = json_boolean(turn & 1); break;
      case SCHEMA_INT32:
      case SCHEMA_INT64: value = json_integer(turn); break;
      case SCHEMA_ENUM: value = json_string(field->values[(size_t)turn % names]); break;
      case SCHEMA_TEXTS: value = json_pack("[s]", "x"); break;
      case SCHEMA_OBJECT: value = json_object(); fill(field->object, value, turn);
    }
    json_object_set_new(json, field->name, value);
  }
}

static void test_every_key_is_taken(void **state) {
  (void)state;
  for (int turn = 0; turn < 18; turn++) {
    json_t *entry = json_object();
    fill(&schema_entry, entry, turn);
    change(entry, "frontend_log_event_id", "'7d0f4c1e-52b1-4f6f-9f7a-0c2d6a1b9e33'");
    change(entry, "context.timestamp_millis", "1767225600123");
    change(entry, "context.client_context.timestamp_millis", "1767225600123");
    assert_accepted(TELEMETRY_EXT, entry, 9);
    json_decref(entry);
  }
}

/* ---- Refused ------------------------------------------------------------------------------------------------------------------------ */

static void assert_rejected(enum telemetry_endpoint endpoint, const json_t *entry, enum telemetry_reason reason, const char *text) {
  struct telemetry telemetry;
  telemetry_init(&telemetry, 1 << 20, NULL);
  json_t *good = parse("{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'driver_connection_params':{'mode':'SEA'}}}}");
  const json_t *both[] = {entry, good};
  char *body = envelope(both, 2);
  struct reply reply = post(&telemetry, endpoint, body, &no_fault);
  assert_int_equal(reply.status, 200);
  assert_int_equal(json_integer_value(json_object_get(reply.json, "numProtoSuccess")), 1);
  const json_t *errors = json_object_get(reply.json, "errors");
  assert_int_equal(json_array_size(errors), 1);
  const char *said = json_string_value(json_array_get(errors, 0));
  if (strncmp(said, "protoLogs[0]: ", 14) != 0 || !strstr(said, text)) fail_msg("\"%s\" is not in \"%s\"", text, said);
  json_t *stats = telemetry_log_stats(&telemetry.log);
  const json_t *counts = json_object_get(stats, telemetry_endpoint_names[endpoint]);
  assert_int_equal(json_integer_value(json_object_get(counts, "accepted")), 1);
  assert_int_equal(json_integer_value(json_object_get(counts, "rejected")), 1);
  for (int i = 0; i < TELEMETRY_REASONS; i++) {
    int64_t count = json_integer_value(json_object_get(json_object_get(stats, "rejected_by"), telemetry_reasons[i]));
    if (count != (i == (int)reason)) fail_msg("%s: %s counts %d", said, telemetry_reasons[i], (int)count);
  }
  json_decref(stats);
  json_decref(reply.json);
  json_decref(good);
  free(body);
  telemetry_destroy(&telemetry);
}

static void test_invalid_entries(void **state) {
  (void)state;
  static const struct {
    const char *path, *value; /* NULL: taken away */
    enum telemetry_reason reason;
    const char *text;
  } cases[] = {
      /* unknown keys, and wrong nesting */
      {"statement", "1", TELEMETRY_UNKNOWN_KEY, "statement: there is no such key"},
      {"@.sesion_id", "'s'", TELEMETRY_UNKNOWN_KEY, "entry.sql_driver_log.sesion_id: there is no such key (\"session_id\" is one)"},
      {"@.sql_operation.query_text", "'SELECT'", TELEMETRY_UNKNOWN_KEY, "entry.sql_driver_log.sql_operation.query_text: there is no such"},
      {"@.operation_type", "'QUERY'", TELEMETRY_UNKNOWN_KEY, "wrongly nested: the key belongs into \"operation_detail\""},
      {"@.sql_operation.total_chunks_present", "1", TELEMETRY_UNKNOWN_KEY, "wrongly nested: the key belongs into \"chunk_details\""},
      {"sql_driver_log", "{}", TELEMETRY_UNKNOWN_KEY, "wrongly nested: the key belongs into \"entry\""},
      {"@.workspace_id", "1", TELEMETRY_UNKNOWN_KEY, "belongs into \"the entry itself\""},
      {"@.driver_connection_params.retry_max_attempts", "1", TELEMETRY_UNKNOWN_KEY, "no key of the public schema (sent by Go)"},
      {"@.error_info.error_message", "'m'", TELEMETRY_UNKNOWN_KEY, "its field is reserved"},
      {"@.driver_connection_params.host_info.non_proxy_hosts", "'x'", TELEMETRY_UNKNOWN_KEY, "(sent by JDBC)"},
      /* types */
      {"frontend_log_event_id", "5", TELEMETRY_WRONG_TYPE, "frontend_log_event_id: must be a text, not an integer"},
      {"workspace_id", "'abc'", TELEMETRY_WRONG_TYPE, "workspace_id: must be an integer"},
      {"workspace_id", "1.5", TELEMETRY_WRONG_TYPE, "workspace_id: must be an integer, not a fraction"},
      {"context", "[]", TELEMETRY_WRONG_TYPE, "context: must be an object, not an array"},
      {"entry", "'{}'", TELEMETRY_WRONG_TYPE, "entry: must be an object, not a text"},
      {"@.session_id", "null", TELEMETRY_WRONG_TYPE, "session_id: null: what is not known is left out"},
      {"@.operation_latency_ms", "null", TELEMETRY_WRONG_TYPE, "operation_latency_ms: null"},
      {"@.operation_latency_ms", "true", TELEMETRY_WRONG_TYPE, "must be an integer, not a boolean"},
      {"@.operation_latency_ms", "'1e3'", TELEMETRY_WRONG_TYPE, "decimal digits"},
      {"@.sql_operation.is_compressed", "'true'", TELEMETRY_WRONG_TYPE, "is_compressed: must be true or false, not a text"},
      {"@.sql_operation.statement_type", "1", TELEMETRY_WRONG_TYPE, "statement_type: must be a name, not an integer"},
      {"@.sql_operation.chunk_details.total_chunks_present", "'3'", TELEMETRY_WRONG_TYPE, "total_chunks_present: must be an integer"},
      {"@.driver_connection_params.non_proxy_hosts", "'a,b'", TELEMETRY_WRONG_TYPE, "non_proxy_hosts: must be an array of texts"},
      {"@.driver_connection_params.non_proxy_hosts", "['a',1]", TELEMETRY_WRONG_TYPE, "number 1 is an integer"},
      /* values: closed enums, ranges, forms */
      {"@.sql_operation.statement_type", "'NONE'", TELEMETRY_WRONG_VALUE,
       "\"NONE\" is no member of the closed enum (TYPE_UNSPECIFIED, QUERY"},
      {"@.sql_operation.execution_result", "'external_links'", TELEMETRY_WRONG_VALUE, "execution_result: \"external_links\" is no member"},
      {"@.sql_operation.operation_detail.operation_type", "'FETCH'", TELEMETRY_WRONG_VALUE, "operation_type: \"FETCH\" is no member"},
      {"@.driver_connection_params.auth_mech", "'BASIC'", TELEMETRY_WRONG_VALUE, "auth_mech: \"BASIC\" is no member"},
      {"@.driver_connection_params.host_info.port", "4294967296", TELEMETRY_WRONG_VALUE, "host_info.port: 4294967296 is no int32"},
      {"@.operation_latency_ms", "-1", TELEMETRY_WRONG_VALUE, "operation_latency_ms: -1 is negative"},
      {"frontend_log_event_id", "'12'", TELEMETRY_WRONG_VALUE, "\"12\" is no UUID"},
      {"frontend_log_event_id", "'7d0f4c1e-52b1-4f6f-9f7a-0c2d6a1b9e3g'", TELEMETRY_WRONG_VALUE, "is no UUID"},
      {"context.client_context.timestamp_millis", "1767225600", TELEMETRY_WRONG_VALUE, "timestamp_millis: no time in milliseconds"},
      /* what must be there */
      {"frontend_log_event_id", NULL, TELEMETRY_MISSING, "frontend_log_event_id: missing"},
      {"frontend_log_event_id", "''", TELEMETRY_MISSING, "frontend_log_event_id: missing"},
      {"context", NULL, TELEMETRY_MISSING, "context: missing"},
      {"context.client_context", NULL, TELEMETRY_MISSING, "context.client_context: missing"},
      {"context.client_context.timestamp_millis", NULL, TELEMETRY_MISSING, "client_context.timestamp_millis: missing"},
      {"context.client_context.user_agent", NULL, TELEMETRY_MISSING, "client_context.user_agent: missing"},
      {"entry", NULL, TELEMETRY_MISSING, "entry: missing"},
      {"entry", "{}", TELEMETRY_MISSING, "entry.sql_driver_log: missing"},
      {"@", "{'session_id':'s'}", TELEMETRY_MISSING, "says nothing"},
      {"@.error_info.error_name", NULL, TELEMETRY_MISSING, "error_info.error_name: missing"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *entry = parse(whole);
    change(entry, cases[i].path, cases[i].value);
    assert_rejected(TELEMETRY_EXT, entry, cases[i].reason, cases[i].text);
    json_decref(entry);
  }
  /* without an error these are needed */
  static const char *const needed[] = {"session_id", "sql_statement_id", "operation_latency_ms"};
  for (size_t i = 0; i < 3; i++) {
    json_t *entry = parse(whole);
    char path[64], text[96];
    change(entry, "@.error_info", NULL);
    snprintf(path, sizeof path, "@.%s", needed[i]);
    change(entry, path, NULL);
    snprintf(text, sizeof text, "entry.sql_driver_log.%s: missing in a record of", needed[i]);
    assert_rejected(TELEMETRY_EXT, entry, TELEMETRY_MISSING, text);
    json_decref(entry);
  }
}

static void test_unauthenticated_entries(void **state) {
  (void)state;
  static const struct {
    const char *path, *value, *text;
  } cases[] = {
      {"workspace_id", "1", "workspace_id: not without authentication"},
      {"@.session_id", "'s'", "session_id: not without authentication"},
      {"@.sql_statement_id", "'s'", "sql_statement_id: not without authentication"},
      {"@.system_configuration", "{}", "system_configuration: not without authentication"},
      {"@.error_info.stack_trace", "'at'", "stack_trace: not without authentication"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *entry = parse("{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'error_info':{'error_name':'auth'}}}}");
    change(entry, cases[i].path, cases[i].value);
    assert_rejected(TELEMETRY_UNAUTH, entry, TELEMETRY_FORBIDDEN, cases[i].text);
    json_decref(entry);
  }
}

/* Requests that are refused as a whole. */
static void test_invalid_requests(void **state) {
  (void)state;
#define TIME "'uploadTime':1767225603000"
  static const struct {
    const char *body;
    int status;
    enum telemetry_reason reason;
    const char *text;
  } cases[] = {
      {"", 400, TELEMETRY_BAD_JSON, "the request is no JSON"},
      {"{" TIME ",'items':[],'protoLogs':['{}'", 400, TELEMETRY_BAD_JSON, "the request is no JSON"},
      {"{" TIME "," TIME ",'items':[],'protoLogs':[]}", 400, TELEMETRY_BAD_JSON, "duplicate"},
      {"[]", 400, TELEMETRY_WRONG_TYPE, "the request must be an object, not an array"},
      {"{" TIME ",'items':[],'protoLogs':['{}'],'proto_logs':[]}", 400, TELEMETRY_UNKNOWN_KEY, "proto_logs: there is no such key"},
      {"{'items':[],'protoLogs':['{}']}", 400, TELEMETRY_MISSING, "uploadTime: missing"},
      {"{'uploadTime':'1767225603000','items':[],'protoLogs':['{}']}", 400, TELEMETRY_WRONG_TYPE, "uploadTime: must be an integer"},
      {"{'uploadTime':1767225603,'items':[],'protoLogs':['{}']}", 400, TELEMETRY_WRONG_VALUE, "uploadTime: 1767225603 is no time in milli"},
      {"{" TIME ",'protoLogs':['{}']}", 400, TELEMETRY_MISSING, "items: missing"},
      {"{" TIME ",'items':null,'protoLogs':['{}']}", 400, TELEMETRY_WRONG_TYPE, "items: must be an array, not null"},
      {"{" TIME ",'items':['x'],'protoLogs':['{}']}", 400, TELEMETRY_WRONG_VALUE, "items: must be empty"},
      {"{" TIME ",'items':[]}", 400, TELEMETRY_MISSING, "protoLogs: missing"},
      {"{" TIME ",'items':[],'protoLogs':{}}", 400, TELEMETRY_WRONG_TYPE, "protoLogs: must be an array of texts, not an object"},
      {"{" TIME ",'items':[],'protoLogs':[]}", 400, TELEMETRY_MISSING, "protoLogs: holds no entry"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct telemetry telemetry;
    telemetry_init(&telemetry, 1 << 20, NULL);
    char *body = strdup(cases[i].body);
    for (char *c = body; *c; c++) {
      if (*c == '\'') *c = '"';
    }
    struct reply reply = post(&telemetry, TELEMETRY_EXT, body, &no_fault);
    assert_int_equal(reply.status, cases[i].status);
    if (!strstr(reply.message, cases[i].text)) fail_msg("\"%s\" is not in \"%s\"", cases[i].text, reply.message);
    json_t *stats = telemetry_log_stats(&telemetry.log);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "telemetry-ext"), "refused")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "rejected_by"), telemetry_reasons[cases[i].reason])), 1);
    json_decref(stats);
    json_decref(reply.json);
    free(body);
    telemetry_destroy(&telemetry);
  }
}

static void test_entries_that_are_no_json(void **state) {
  (void)state;
  struct telemetry telemetry;
  telemetry_init(&telemetry, 1 << 20, NULL);
#define UMLAUTS "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
  /* the last key has what steers terminals, and is cut within a character */
  static const char body[] =
      "{\"uploadTime\":1767225603000,\"items\":[],\"protoLogs\":[\"{\\\"a\\\":\", {\"entry\":{}}, \"[1]\", \"\", "
      "\"{\\\"a\\\":1,\\\"a\\\":2}\", "
      "\"{\\\"\\\\n\\\\u001b"
      "a" UMLAUTS UMLAUTS UMLAUTS UMLAUTS "\\\":1}\"]}";
  static const char *const texts[] = {"protoLogs[0]: the text holds no JSON",
                                      "protoLogs[1]: must be a text that holds JSON, not an object",
                                      "protoLogs[2]: the text must hold an object, not an array",
                                      "protoLogs[3]: the text holds no JSON",
                                      "protoLogs[4]: the text holds no JSON: duplicate object key",
                                      "protoLogs[5]: ??a\xc3\xa4"};
  struct reply reply = post(&telemetry, TELEMETRY_EXT, body, &no_fault);
  assert_int_equal(reply.status, 200);
  assert_int_equal(json_integer_value(json_object_get(reply.json, "numProtoSuccess")), 0);
  const json_t *errors = json_object_get(reply.json, "errors");
  assert_int_equal(json_array_size(errors), 6);
  for (size_t i = 0; i < 6; i++) assert_non_null(strstr(json_string_value(json_array_get(errors, i)), texts[i]));
  assert_null(strpbrk(json_string_value(json_array_get(errors, 5)), "\n\x1b"));
  json_decref(reply.json);
  telemetry_destroy(&telemetry);
}

static void test_oversized(void **state) {
  (void)state;
  struct telemetry telemetry;
  telemetry_init(&telemetry, 64 << 20, NULL);
  /* one entry */
  json_t *entry = parse(whole);
  char *text = malloc(telemetry_entry_limit + 1);
  memset(text, 'x', telemetry_entry_limit);
  text[telemetry_entry_limit] = '\0';
  json_object_set_new(json_object_get(json_object_get(json_object_get(entry, "entry"), "sql_driver_log"), "error_info"), "stack_trace",
                      json_string(text));
  const json_t *one[] = {entry};
  char *body = envelope(one, 1);
  struct reply reply = post(&telemetry, TELEMETRY_EXT, body, &no_fault);
  assert_int_equal(reply.status, 200);
  assert_non_null(strstr(json_string_value(json_array_get(json_object_get(reply.json, "errors"), 0)), "at most 262144 are taken"));
  json_decref(reply.json);
  free(body);
  /* many entries */
  struct buf many = BUF_INIT;
  buf_append_text(&many, "{\"uploadTime\":1767225603000,\"items\":[],\"protoLogs\":[\"\"");
  for (int i = 0; i < telemetry_entries_limit; i++) buf_append_text(&many, ",\"\"");
  buf_append_text(&many, "]}");
  reply = post(&telemetry, TELEMETRY_EXT, buf_text(&many), &no_fault);
  assert_int_equal(reply.status, 413);
  assert_non_null(strstr(reply.message, "protoLogs: holds 10001 entries"));
  buf_free(&many);
  /* the request */
  text = realloc(text, telemetry_request_limit + 2);
  memset(text, ' ', telemetry_request_limit + 1);
  text[telemetry_request_limit + 1] = '\0';
  reply = post(&telemetry, TELEMETRY_EXT, text, &no_fault);
  assert_int_equal(reply.status, 413);
  assert_non_null(strstr(reply.message, "the request has 8388609 bytes"));
  free(text);
  json_decref(entry);
  telemetry_destroy(&telemetry);
}

static void test_headers(void **state) {
  (void)state;
  struct telemetry telemetry;
  telemetry_init(&telemetry, 1 << 20, NULL);
  json_t *entry = parse(whole);
  const json_t *one[] = {entry};
  char *body = envelope(one, 1);
  static const struct {
    enum telemetry_endpoint endpoint;
    const char *method, *header, *value;
    bool has_token;
    int status;
    const char *text;
  } cases[] = {
      {TELEMETRY_EXT, "POST", "x", "y", true, 200, ""},
      {TELEMETRY_EXT, "POST", "content-type", "Application/JSON; charset=utf-8", true, 200, ""},
      {TELEMETRY_EXT, "POST", "x-databricks-org-id", "1234", true, 200, ""},
      {TELEMETRY_EXT, "POST", "x", "y", false, 401, "no token"},
      {TELEMETRY_EXT, "GET", "x", "y", true, 405, "POST"},
      {TELEMETRY_EXT, "POST", "content-type", "text/plain", true, 415, "Content-Type: must be application/json"},
      {TELEMETRY_EXT, "POST", "content-type", NULL, true, 415, "Content-Type: must be application/json"},
      {TELEMETRY_EXT, "POST", "user-agent", NULL, true, 400, "User-Agent: missing"},
      {TELEMETRY_EXT, "POST", "x-databricks-org-id", "12a", true, 400, "x-databricks-org-id: must be of digits"},
      {TELEMETRY_UNAUTH, "POST", "x", "y", true, 400, "Authorization: this header must not be sent"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *const headers[] = {cases[i].header, cases[i].value, NULL};
    struct reply reply = ask(&telemetry, cases[i].endpoint, cases[i].method, "/telemetry", body, cases[i].has_token, headers, &no_fault);
    assert_int_equal(reply.status, cases[i].status);
    assert_non_null(strstr(reply.message, cases[i].text));
    json_decref(reply.json);
  }
  free(body);
  json_decref(entry);
  telemetry_destroy(&telemetry);
}

/* ---- Feature flags ------------------------------------------------------------------------------------------------------------------ */

static struct reply flags(struct telemetry *telemetry, const char *path, const char *org) {
  const char *const headers[] = {"x-databricks-org-id", org, NULL};
  return ask(telemetry, TELEMETRY_FLAGS, "GET", path, "", true, org ? headers : NULL, &no_fault);
}

static void assert_flags(struct telemetry *telemetry, const char *path, const char *org, const char *expected) {
  struct reply reply = flags(telemetry, path, org);
  json_t *json = parse(expected);
  assert_int_equal(reply.status, 200);
  if (!json_equal(reply.json, json)) fail_msg("%s: not %s but %s", path, expected, json_dumps(reply.json, 0));
  json_decref(json);
  json_decref(reply.json);
}

static int control(struct telemetry *telemetry, const char *method, const char *path, const char *body, char text[200]) {
  struct buf out = BUF_INIT;
  int status = telemetry_control(telemetry, method, path, slice_text(body), &out);
  snprintf(text, 200, "%s", buf_text(&out));
  buf_free(&out);
  return status;
}

static void test_flags(void **state) {
  (void)state;
  struct telemetry telemetry;
  char text[200];
  telemetry_init(&telemetry, 1 << 20, NULL);
#define FLAGS "/api/2.0/connector-service/feature-flags/"
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", NULL, "{'flags':[],'ttl_seconds':900}");
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"a\":\"true\",\"b\":\"x\"},\"ttl_seconds\":60}", text), 200);
  assert_int_equal(
      control(&telemetry, "POST", "/control/flags", "{\"flags\":[{\"name\":\"c\",\"value\":\"1\"}],\"client\":\"ADBC\"}", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{},\"org\":\"7\",\"ttl_seconds\":null}", text), 200);
  assert_int_equal(
      control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"d\":\"2\"},\"org\":\"7\",\"client\":\"ADBC\",\"ttl_seconds\":-1}", text),
      200);
  assert_flags(&telemetry, FLAGS "GOLANG/1.12.0", NULL,
               "{'flags':[{'name':'a','value':'true'},{'name':'b','value':'x'}],'ttl_seconds':60}");
  assert_flags(&telemetry, "/2.0/connector-service/feature-flags/JDBC/1.0.7", NULL,
               "{'flags':[{'name':'a','value':'true'},{'name':'b','value':'x'}],'ttl_seconds':60}");
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", "8", "{'flags':[{'name':'c','value':'1'}],'ttl_seconds':900}");
  assert_flags(&telemetry, FLAGS "GOLANG/1.12.0", "7", "{'flags':[]}");
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", "7", "{'flags':[{'name':'d','value':'2'}],'ttl_seconds':-1}");
  /* a set takes the place of the one before */
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"c\":\"3\"},\"client\":\"ADBC\"}", text), 200);
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", NULL, "{'flags':[{'name':'c','value':'3'}],'ttl_seconds':900}");
  /* whatever the order */
  assert_int_equal(control(&telemetry, "DELETE", "/control/flags", "", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"c\":\"1\"},\"client\":\"ADBC\"}", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{},\"org\":\"7\"}", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{}}", text), 200);
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", "7", "{'flags':[{'name':'c','value':'1'}],'ttl_seconds':900}");
  static const char *const bad[][2] = {{"[]", "is a JSON object"},
                                       {"{\"ttl_seconds\":1}", "\\\"flags\\\" is missing"},
                                       {"{\"flags\":{\"a\":true}}", "both texts"},
                                       {"{\"flags\":[{\"name\":\"a\"}]}", "and nothing else"},
                                       {"{\"flags\":1}", "must be an object or an array"},
                                       {"{\"flags\":{},\"ttl\":1}", "there is no member"},
                                       {"{\"flags\":{},\"ttl_seconds\":\"1\"}", "must be an integer"},
                                       {"{\"flags\":{},\"client\":5}", "must be a text"},
                                       {"{", "no JSON"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(control(&telemetry, "POST", "/control/flags", bad[i][0], text), 400);
    if (!strstr(text, bad[i][1])) fail_msg("\"%s\" is not in \"%s\"", bad[i][1], text);
  }
  assert_int_equal(control(&telemetry, "DELETE", "/control/flags", "", text), 200);
  assert_string_equal(text, "[]");
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", NULL, "{'flags':[],'ttl_seconds':900}");

  static const struct {
    const char *path;
    int status;
  } paths[] = {{FLAGS "ADBC/0.1.0-oss", 404}, {FLAGS "ADBC/0.1", 404},     {FLAGS "adbc/0.1.0", 404},
               {FLAGS "ADBC", 404},           {FLAGS "ADBC/1.2.3.4", 404}, {FLAGS "/1.2.3", 404}};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    assert_int_equal(flags(&telemetry, paths[i].path, NULL).status, paths[i].status);
  assert_int_equal(flags(&telemetry, FLAGS "ADBC/0.1.0", "12x").status, 400);
  const char *const nobody[] = {"user-agent", NULL, NULL};
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "GET", FLAGS "ADBC/0.1.0", "", true, nobody, &no_fault).status, 400);
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "GET", FLAGS "ADBC/0.1.0", "", false, NULL, &no_fault).status, 401);
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "POST", FLAGS "ADBC/0.1.0", "", true, NULL, &no_fault).status, 405);
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "GET", FLAGS "ADBC/0.1.0", "x", true, NULL, &no_fault).status, 400);
  telemetry_destroy(&telemetry);
}

/* ---- The log ------------------------------------------------------------------------------------------------------------------------ */

static void test_search_finds_escaped_texts(void **state) {
  (void)state;
  struct telemetry telemetry;
  char text[200];
  telemetry_init(&telemetry, 1 << 20, NULL);
  json_t *entry = parse("{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'error_info':{'error_name':'x'}}}}");
  change(entry, "@.error_info.stack_trace", "'one \\\\ two\\u00e4'");
  const json_t *one[] = {entry};
  char *body = envelope(one, 1);
  json_decref(post(&telemetry, TELEMETRY_EXT, body, &no_fault).json);
  /* refused ones are searched too, and escaped in ASCII */
  json_decref(post(&telemetry, TELEMETRY_EXT, "{\"a\":\"b\\\\u00E4c\"}", &no_fault).json);
  static const char question[] = "{\"texts\":[\"one \\\\ two\\u00e4\",\"b\\u00e4c\",\"nowhere\",\"tests/1\"]}";
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", question, text), 200);
  assert_string_equal(text,
                      "{\"complete\":true,\"found\":{\"one \\\\ two\xc3\xa4\":1,\"b\xc3\xa4"
                      "c\":1,\"nowhere\":0,\"tests/1\":2}}");
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", "{\"texts\":[\"\"]}", text), 400);
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", "{}", text), 400);
  assert_int_equal(control(&telemetry, "PUT", "/control/telemetry", "", text), 404);
  assert_int_equal(control(&telemetry, "GET", "/control/stats", "", text), 0);
  free(body);
  json_decref(entry);
  telemetry_destroy(&telemetry);
}

static void test_log_is_bounded(void **state) {
  (void)state;
  struct telemetry telemetry;
  char text[200];
  telemetry_init(&telemetry, 64 << 10, NULL);
  json_t *entry = parse(whole);
  const json_t *one[] = {entry};
  char *body = envelope(one, 1);
  for (int i = 0; i < 500; i++) json_decref(post(&telemetry, TELEMETRY_EXT, body, &no_fault).json);
  assert_true(telemetry.log.bytes <= 64 << 10);
  json_t *stats = telemetry_log_stats(&telemetry.log);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "telemetry-ext"), "accepted")), 500);
  assert_int_equal(json_integer_value(json_object_get(stats, "duplicates")), 499);
  assert_int_equal(json_integer_value(json_object_get(stats, "forgotten_events")) + (int64_t)telemetry.log.count, 500);
  json_decref(stats);
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", "{\"texts\":[\"nowhere\"]}", text), 200);
  assert_non_null(strstr(text, "\"complete\":false"));
  assert_int_equal(control(&telemetry, "DELETE", "/control/telemetry", "", text), 200);
  assert_int_equal(telemetry.log.count, 0);
  assert_int_equal(telemetry.log.bytes, 0);
  stats = telemetry_log_stats(&telemetry.log);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "telemetry-ext"), "accepted")), 0);
  assert_int_equal(json_integer_value(json_object_get(stats, "duplicates")), 0);
  json_decref(stats);
  free(body);
  json_decref(entry);
  telemetry_destroy(&telemetry);
}

/* A request that is forgotten while it is under way, and one that is cleared. */
static void test_end_of_a_forgotten_request(void **state) {
  (void)state;
  struct telemetry_log log;
  telemetry_log_init(&log, 1 << 20);
  json_t *headers = json_object();
  int64_t id = telemetry_log_begin(&log, TELEMETRY_EXT, "POST", "/telemetry-ext", headers, slice_text("x"), NULL);
  telemetry_log_clear(&log);
  struct telemetry_outcome outcome = {
      .status = 200, .accepted = 1, .errors = json_array(), .warnings = json_array(), .events = json_pack("[{}]")};
  telemetry_log_end(&log, TELEMETRY_EXT, id, &outcome, false);
  assert_int_equal(log.forgotten_events, 1);
  assert_int_equal(log.counts[TELEMETRY_EXT].accepted, 1);
  json_decref(outcome.errors);
  json_decref(outcome.warnings);
  json_decref(outcome.events);
  json_decref(headers);
  telemetry_log_destroy(&log);
}

struct work {
  struct telemetry *telemetry;
  char *body;
};

static void *send_many(void *user) {
  struct work *work = user;
  for (int i = 0; i < 50; i++) json_decref(post(work->telemetry, TELEMETRY_EXT, work->body, &no_fault).json);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  struct telemetry telemetry;
  pthread_t threads[8];
  telemetry_init(&telemetry, 256 << 10, NULL);
  json_t *entry = parse(whole), *bad = parse("{}");
  const json_t *three[] = {entry, bad, entry};
  struct work work = {&telemetry, envelope(three, 3)};
  for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, send_many, &work), 0);
  for (int i = 0; i < 100; i++) {
    struct buf out = BUF_INIT;
    telemetry_log_requests(&telemetry.log, &out);
    json_t *json = json_loadb((const char *)out.data, out.size, 0, NULL);
    assert_non_null(json);
    json_decref(json);
    buf_free(&out);
  }
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  json_t *stats = telemetry_log_stats(&telemetry.log);
  const json_t *counts = json_object_get(stats, "telemetry-ext");
  assert_int_equal(json_integer_value(json_object_get(counts, "requests")), 400);
  assert_int_equal(json_integer_value(json_object_get(counts, "accepted")), 800);
  assert_int_equal(json_integer_value(json_object_get(counts, "rejected")), 400);
  json_decref(stats);
  free(work.body);
  json_decref(entry);
  json_decref(bad);
  telemetry_destroy(&telemetry);
}

static void test_print(void **state) {
  (void)state;
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  struct telemetry telemetry;
  telemetry_init(&telemetry, 1 << 20, file);
  json_t *entry = parse(whole), *bad = parse("{'a':1}");
  change(entry, "@.error_info.stack_trace", "'a\\u001b[2Jb'");
  const json_t *two[] = {entry, bad};
  char *body = envelope(two, 2);
  json_decref(post(&telemetry, TELEMETRY_EXT, body, &no_fault).json);
  fclose(file);
  static const char *const parts[] = {"telemetry-ext EXECUTE_STATEMENT QUERY, 512 ms, EXTERNAL_LINKS, error chunk_download_error\n",
                                      "    session 01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b\n",
                                      "    statement 01f0a1b2-d5e6-1f70-9b8c-1d2e3f4a5b6c\n",
                                      "    chunks 9 of 12, first 84 ms, slowest 311 ms, all 1420 ms\n",
                                      "    ready after 640 ms, consumed in 2210 ms\n",
                                      "    polls 5 in 190 ms\n",
                                      "    trace a?[2Jb\n",
                                      "    parameters mode=THRIFT ",
                                      "    system driver_version=0.1.0 ",
                                      "telemetry-ext REFUSED protoLogs[1]: a: there is no such key\n"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (!strstr(text, parts[i])) fail_msg("\"%s\" is not in \"%s\"", parts[i], text);
  }
  free(text);
  free(body);
  json_decref(entry);
  json_decref(bad);
  telemetry_destroy(&telemetry);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_valid_entries),
      cmocka_unit_test(test_every_key_is_taken),
      cmocka_unit_test(test_invalid_entries),
      cmocka_unit_test(test_unauthenticated_entries),
      cmocka_unit_test(test_invalid_requests),
      cmocka_unit_test(test_entries_that_are_no_json),
      cmocka_unit_test(test_oversized),
      cmocka_unit_test(test_headers),
      cmocka_unit_test(test_flags),
      cmocka_unit_test(test_search_finds_escaped_texts),
      cmocka_unit_test(test_log_is_bounded),
      cmocka_unit_test(test_end_of_a_forgotten_request),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_print),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
