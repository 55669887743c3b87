/* What the warehouse takes at its telemetry endpoints and what it refuses, and why (telemetry.md 7, appendix A). */
#include "telemetry_ask.h"
#include "telemetry_schema.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_valid_entries),    cmocka_unit_test(test_every_key_is_taken),
      cmocka_unit_test(test_invalid_entries),  cmocka_unit_test(test_unauthenticated_entries),
      cmocka_unit_test(test_invalid_requests), cmocka_unit_test(test_entries_that_are_no_json),
      cmocka_unit_test(test_oversized),        cmocka_unit_test(test_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
