/* The warehouse's OTLP sink: JSON and protobuf, valid and not (telemetry.md 11.3). */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "otlp.h"
#include "telemetry.h"

static json_t *parse(const char *text) {
  char *copy = strdup(text);
  for (char *c = copy; *c; c++) {
    if (*c == '\'') *c = '"';
  }
  json_error_t error;
  json_t *json = json_loads(copy, 0, &error);
  if (!json) fail_msg("%s in %s", error.text, copy);
  free(copy);
  return json;
}

static char message[480];
static json_t *warnings;

static json_t *read_json(enum otlp_signal signal, const char *text) {
  char *copy = strdup(text);
  for (char *c = copy; *c; c++) {
    if (*c == '\'') *c = '"';
  }
  json_array_clear(warnings);
  message[0] = '\0';
  json_t *json = otlp_read(signal, false, slice_text(copy), warnings, message, sizeof message);
  free(copy);
  return json;
}

static void assert_refused(enum otlp_signal signal, const char *text, const char *why) {
  json_t *json = read_json(signal, text);
  if (json) fail_msg("taken: %s", text);
  if (!strstr(message, why)) fail_msg("\"%s\" is not in \"%s\"", why, message);
}

#define SPAN_IDS "'traceId':'0af7651916cd43dd8448eb211c80319c','spanId':'b7ad6b7169203331'"
#define SPAN_TIMES "'startTimeUnixNano':'1767225600123000000','endTimeUnixNano':'1767225600635000000'"
#define SPANS(span) "{'resourceSpans':[{'scopeSpans':[{'spans':[" span "]}]}]}"
#define METRICS(metric) "{'resourceMetrics':[{'scopeMetrics':[{'metrics':[" metric "]}]}]}"
#define LOGS(record) "{'resourceLogs':[{'scopeLogs':[{'logRecords':[" record "]}]}]}"

/* The example of telemetry.md 11.3. */
static const char example[] =
    "{'resourceSpans':[{'resource':{'attributes':[{'key':'service.name','value':{'stringValue':'apache.arrow.adbc'}}]},"
    "'scopeSpans':[{'scope':{'name':'apache.arrow.adbc.databricks','version':'0.1.0'},'spans':[{" SPAN_IDS
    ",'parentSpanId':'00f067aa0ba902b7','name':'DatabricksStatement.ExecuteQuery','kind':3," SPAN_TIMES
    ",'attributes':[{'key':'db.system.name','value':{'stringValue':'databricks'}},"
    "{'key':'db.response.returned_rows','value':{'intValue':'250000'}},{'key':'d','value':{'doubleValue':0.5}},"
    "{'key':'b','value':{'boolValue':true}},{'key':'l','value':{'arrayValue':{'values':[{'stringValue':'x'}]}}},"
    "{'key':'m','value':{'kvlistValue':{'values':[{'key':'k','value':{'bytesValue':'AQID'}}]}}}],"
    "'events':[{'timeUnixNano':'1767225600124000000','name':'poll'}],'status':{'code':1}}]}]}]}";

static void test_json_is_taken(void **state) {
  (void)state;
  static const struct {
    enum otlp_signal signal;
    size_t items;
    int unknown;
    const char *text;
  } cases[] = {
      {OTLP_TRACES, 0, 0, "{}"},
      {OTLP_TRACES, 0, 0, "{'resourceSpans':null}"},
      {OTLP_TRACES, 1, 0, example},
      {OTLP_TRACES, 1, 0, SPANS("{" SPAN_IDS ",'parentSpanId':'','name':'n','startTimeUnixNano':5,'endTimeUnixNano':5}")},
      {OTLP_TRACES, 1, 1, SPANS("{" SPAN_IDS ",'name':'n','trace_id':'x'," SPAN_TIMES "}")}, /* unknown keys are ignored, and told */
      {OTLP_METRICS, 2, 0,
       METRICS("{'name':'a','unit':'s','histogram':{'aggregationTemporality':2,'dataPoints':[{'timeUnixNano':'1','count':'3','sum':1.5,"
               "'bucketCounts':['1','2'],'explicitBounds':[0.1],'min':0,'max':1}]}},"
               "{'name':'b','sum':{'isMonotonic':true,'aggregationTemporality':2,'dataPoints':[{'timeUnixNano':'1','asInt':'-5'}]}}")},
      {OTLP_METRICS, 3, 0,
       METRICS("{'name':'a','gauge':{'dataPoints':[{'timeUnixNano':'1','asDouble':'NaN'}]}},"
               "{'name':'b','exponentialHistogram':{'dataPoints':[{'timeUnixNano':'1','scale':-3,'positive':{'offset':-1,'bucketCounts':['"
               "1']}}]}},"
               "{'name':'c','summary':{'dataPoints':[{'timeUnixNano':'1','quantileValues':[{'quantile':0.5,'value':2}]}]}}")},
      {OTLP_LOGS, 1, 0,
       LOGS("{'timeUnixNano':'18446744073709551615','severityNumber':9,'severityText':'INFO','body':{'stringValue':'x'},'traceId':''}")},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *json = read_json(cases[i].signal, cases[i].text);
    if (!json) fail_msg("%s: %s", message, cases[i].text);
    json_t *items = otlp_items(cases[i].signal, json);
    assert_int_equal(json_array_size(items), cases[i].items);
    assert_int_equal(json_array_size(warnings), cases[i].unknown);
    json_decref(items);
    json_decref(json);
  }
}

static void test_json_is_refused(void **state) {
  (void)state;
  static const struct {
    enum otlp_signal signal;
    const char *text, *why;
  } cases[] = {
      {OTLP_TRACES, "", "no JSON"},
      {OTLP_TRACES, "[]", "the request: must be an object"},
      {OTLP_TRACES, "{'resourceSpans':{}}", "resourceSpans: must be an array"},
      {OTLP_TRACES, SPANS("5"), "resourceSpans[0].scopeSpans[0].spans[0]: must be an object"},
      {OTLP_TRACES, SPANS("{'spanId':'b7ad6b7169203331','name':'n'," SPAN_TIMES "}"), "spans[0].traceId: missing"},
      {OTLP_TRACES, SPANS("{'traceId':'CvdlGRbNQ92ESOshHIAxnA==','spanId':'b7ad6b7169203331','name':'n'," SPAN_TIMES "}"),
       "traceId: must be 32 hex digits"}, /* base64 */
      {OTLP_TRACES, SPANS("{'traceId':'00000000000000000000000000000000','spanId':'b7ad6b7169203331','name':'n'," SPAN_TIMES "}"),
       "not all zero"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'parentSpanId':'xyz','name':'n'," SPAN_TIMES "}"), "parentSpanId: must be 16 hex digits"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS "," SPAN_TIMES "}"), "spans[0].name: missing"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':''," SPAN_TIMES "}"), "spans[0].name: missing"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n','kind':'SPAN_KIND_CLIENT'," SPAN_TIMES "}"), "kind: must be an integer from 0 to 5"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n','kind':6," SPAN_TIMES "}"), "kind: must be an integer from 0 to 5"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n','startTimeUnixNano':'9','endTimeUnixNano':'8'}"), "ends before it starts"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n','startTimeUnixNano':'0','endTimeUnixNano':'8'}"), "startTimeUnixNano: missing"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n','startTimeUnixNano':'18446744073709551616','endTimeUnixNano':'8'}"), "64 bits without"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n','startTimeUnixNano':-1,'endTimeUnixNano':'8'}"), "64 bits without a sign"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n'," SPAN_TIMES ",'attributes':[{'value':{'intValue':1}}]}"),
       "attributes[0].key: missing"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n'," SPAN_TIMES ",'attributes':[{'key':'k','value':'v'}]}"), "value: must be an object"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n'," SPAN_TIMES ",'attributes':[{'key':'k','value':{'intValue':1.5}}]}"),
       "intValue: must be an integer of 64 bits"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n'," SPAN_TIMES ",'attributes':[{'key':'k','value':{'intValue':'1','boolValue':true}}]}"),
       "only one of intValue and boolValue"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n'," SPAN_TIMES ",'attributes':[{'key':'k','value':{'bytesValue':'a b'}}]}"), "base64"},
      {OTLP_TRACES, SPANS("{" SPAN_IDS ",'name':'n'," SPAN_TIMES ",'status':{'code':3}}"), "status.code: must be an integer from 0 to 2"},
      {OTLP_METRICS, METRICS("{'name':'a'}"), "metrics[0]: holds no data"},
      {OTLP_METRICS, METRICS("{'gauge':{}}"), "metrics[0].name: missing"},
      {OTLP_METRICS, METRICS("{'name':'a','gauge':{},'sum':{}}"), "only one of gauge and sum"},
      {OTLP_METRICS, METRICS("{'name':'a','gauge':{'dataPoints':[{'timeUnixNano':'1'}]}}"), "dataPoints[0]: holds no data"},
      {OTLP_METRICS, METRICS("{'name':'a','histogram':{'dataPoints':[{'timeUnixNano':'1','bucketCounts':['1'],'explicitBounds':[1]}]}}"),
       "one more of bucketCounts"},
      {OTLP_LOGS, LOGS("{'severityNumber':9}"), "timeUnixNano and observedTimeUnixNano are missing"},
      {OTLP_LOGS, LOGS("{'timeUnixNano':'1','severityNumber':25}"), "severityNumber: must be an integer from 0 to 24"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_refused(cases[i].signal, cases[i].text, cases[i].why);
  /* deep */
  struct buf deep = BUF_INIT;
  buf_append_text(&deep, "{'resourceLogs':[{'scopeLogs':[{'logRecords':[{'timeUnixNano':'1','body':");
  for (int i = 0; i < 100; i++) buf_append_text(&deep, "{'arrayValue':{'values':[");
  for (int i = 0; i < 100; i++) buf_append_text(&deep, "]}}");
  buf_append_text(&deep, "}]}]}]}");
  assert_refused(OTLP_LOGS, buf_text(&deep), "nested too deeply");
  buf_free(&deep);
}

/* ---- Protobuf ----------------------------------------------------------------------------------------------------------------------- */

static void put_varint(struct buf *out, uint64_t value) {
  for (; value > 0x7f; value >>= 7) buf_append_byte(out, (uint8_t)(value | 0x80));
  buf_append_byte(out, (uint8_t)value);
}

static void put_bytes(struct buf *out, unsigned field, const void *bytes, size_t size) {
  put_varint(out, field << 3 | 2);
  put_varint(out, size);
  buf_append(out, bytes, size);
}

static void put_fixed64(struct buf *out, unsigned field, uint64_t value) {
  put_varint(out, field << 3 | 1);
  for (int i = 0; i < 8; i++) buf_append_byte(out, (uint8_t)(value >> (8 * i)));
}

/* Puts what is in the buffer into a message around it. */
static void wrap(struct buf *buf, unsigned field) {
  struct buf outer = BUF_INIT;
  put_bytes(&outer, field, buf->data, buf->size);
  buf_free(buf);
  *buf = outer;
}

static void put_attribute(struct buf *out, unsigned field, const char *key, struct buf *value) {
  struct buf pair = BUF_INIT;
  put_bytes(&pair, 1, key, strlen(key));
  put_bytes(&pair, 2, value->data, value->size);
  put_bytes(out, field, pair.data, pair.size);
  buf_free(&pair);
  buf_free(value);
}

/* The same span as in `example`. */
static struct buf example_protobuf(void) {
  static const uint8_t trace[16] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};
  static const uint8_t id[8] = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}, parent[8] = {0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7};
  struct buf span = BUF_INIT, value = BUF_INIT, inner = BUF_INIT, scope = BUF_INIT, resource = BUF_INIT, all = BUF_INIT;
  double half = 0.5;
  uint64_t bits;
  memcpy(&bits, &half, 8);
  put_bytes(&span, 1, trace, 16);
  put_bytes(&span, 2, id, 8);
  put_bytes(&span, 4, parent, 8);
  put_bytes(&span, 5, "DatabricksStatement.ExecuteQuery", 32);
  put_varint(&span, 6 << 3);
  put_varint(&span, 3);
  put_fixed64(&span, 7, UINT64_C(1767225600123000000));
  put_fixed64(&span, 8, UINT64_C(1767225600635000000));
  put_bytes(&value, 1, "databricks", 10);
  put_attribute(&span, 9, "db.system.name", &value);
  put_varint(&value, 3 << 3);
  put_varint(&value, 250000);
  put_attribute(&span, 9, "db.response.returned_rows", &value);
  put_fixed64(&value, 4, bits);
  put_attribute(&span, 9, "d", &value);
  put_varint(&value, 2 << 3);
  put_varint(&value, 1);
  put_attribute(&span, 9, "b", &value);
  put_bytes(&value, 1, "x", 1);
  wrap(&value, 1);
  wrap(&value, 5);
  put_attribute(&span, 9, "l", &value);
  put_bytes(&inner, 7, "\1\2\3", 3);
  put_attribute(&value, 1, "k", &inner);
  wrap(&value, 6);
  put_attribute(&span, 9, "m", &value);
  put_fixed64(&value, 1, UINT64_C(1767225600124000000));
  put_bytes(&value, 2, "poll", 4);
  put_bytes(&span, 11, value.data, value.size);
  buf_free(&value);
  put_bytes(&span, 15, "\x18\x01", 2);

  put_bytes(&value, 1, "apache.arrow.adbc.databricks", 28);
  put_bytes(&value, 2, "0.1.0", 5);
  put_bytes(&scope, 1, value.data, value.size);
  buf_free(&value);
  put_bytes(&scope, 2, span.data, span.size);
  put_bytes(&value, 1, "apache.arrow.adbc", 17);
  put_attribute(&inner, 1, "service.name", &value);
  put_bytes(&resource, 1, inner.data, inner.size);
  put_bytes(&resource, 2, scope.data, scope.size);
  put_bytes(&all, 1, resource.data, resource.size);
  buf_free(&inner);
  buf_free(&resource);
  buf_free(&scope);
  buf_free(&span);
  return all;
}

static void test_protobuf_becomes_the_same(void **state) {
  (void)state;
  struct buf bytes = example_protobuf();
  json_t *json = otlp_read(OTLP_TRACES, true, buf_slice(&bytes), warnings, message, sizeof message), *expected = parse(example);
  if (!json) fail_msg("%s", message);
  if (!json_equal(json, expected)) fail_msg("%s", json_dumps(json, 0));
  json_decref(json);
  json_decref(expected);
  buf_free(&bytes);
}

/* Any cut and any changed byte is either refused with a text or read; nothing else happens. */
static void test_damaged_protobuf(void **state) {
  (void)state;
  struct buf bytes = example_protobuf();
  for (size_t size = 1; size < bytes.size; size++) {
    uint8_t *copy = malloc(size);
    memcpy(copy, bytes.data, size);
    message[0] = '\0';
    assert_null(otlp_read(OTLP_TRACES, true, slice_of(copy, size), warnings, message, sizeof message));
    assert_true(message[0]);
    free(copy);
  }
  for (size_t i = 0; i < bytes.size * 8; i++) {
    uint8_t *copy = malloc(bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    copy[i / 8] = (uint8_t)(copy[i / 8] ^ (1 << (i % 8)));
    message[0] = '\0';
    json_t *json = otlp_read(OTLP_TRACES, true, slice_of(copy, bytes.size), warnings, message, sizeof message);
    assert_true(json || message[0]);
    json_decref(json);
    free(copy);
  }
  buf_free(&bytes);
}

static void test_bad_protobuf(void **state) {
  (void)state;
#define BYTES(text) text, sizeof text - 1
  static const struct {
    enum otlp_signal signal;
    const char *bytes;
    size_t size;
    const char *why;
  } cases[] = {
      {OTLP_TRACES, BYTES("{\"resourceSpans\":[]}"), "protobuf, ExportTraceServiceRequest: "},
      {OTLP_TRACES, BYTES("\x00"), "a tag cannot be read"},
      {OTLP_TRACES, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a tag cannot be read"},
      {OTLP_TRACES, BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "field 2 with wire type 0 cannot be read"},
      {OTLP_TRACES, BYTES("\x0a\x05"), "ExportTraceServiceRequest.resourceSpans: its length is beyond the end"},
      {OTLP_TRACES, BYTES("\x08\x01"), "resourceSpans: has wire type 0 instead of 2"},
      {OTLP_TRACES, BYTES("\x13"), "field 2 with wire type 3 cannot be read"},
      {OTLP_TRACES, BYTES("\x0a\x03\x1a\x01\xff"), "ResourceSpans.schemaUrl: the text is not UTF-8"},
      /* a span with an id of 15 bytes, and one without anything */
      {OTLP_TRACES, BYTES("\x0a\x04\x12\x02\x12\x00"), "spans[0].traceId: missing"},
      {OTLP_TRACES,
       BYTES("\x0a\x15\x12\x13\x12\x11\x0a\x0f"
             "123456789012345"),
       "traceId: must be 32 hex digits"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    message[0] = '\0';
    assert_null(otlp_read(cases[i].signal, true, slice_of(cases[i].bytes, cases[i].size), warnings, message, sizeof message));
    if (!strstr(message, cases[i].why)) fail_msg("%zu: \"%s\" is not in \"%s\"", i, cases[i].why, message);
  }
  /* unknown fields are ignored, and told */
  json_array_clear(warnings);
  json_t *json = otlp_read(OTLP_TRACES, true,
                           slice_of(BYTES("\x10\x05\x1a\x01x\x25"
                                          "1234"
                                          "\x29"
                                          "12345678")),
                           warnings, message, sizeof message);
  assert_non_null(json);
  assert_int_equal(json_array_size(warnings), 4);
  assert_string_equal(json_string_value(json_array_get(warnings, 0)), "ExportTraceServiceRequest: unknown field 2");
  json_decref(json);
}

/* Numbers, packed and not, of every kind. */
static void test_protobuf_numbers(void **state) {
  (void)state;
  struct buf buckets = BUF_INIT, point = BUF_INIT, histogram = BUF_INIT;
  put_varint(&buckets, 1 << 3);
  put_varint(&buckets, 1); /* zigzag: -1 */
  put_bytes(&buckets, 2, "\x01\x80\x01", 3);
  put_varint(&buckets, 2 << 3);
  put_varint(&buckets, UINT64_MAX);
  put_fixed64(&point, 3, 1);
  put_fixed64(&point, 4, 9);
  put_varint(&point, 6 << 3);
  put_varint(&point, 6); /* 3 */
  put_bytes(&point, 8, buckets.data, buckets.size);
  put_fixed64(&point, 12, UINT64_C(0x7ff0000000000000));
  put_bytes(&histogram, 1, point.data, point.size);
  wrap(&histogram, 10);
  put_bytes(&histogram, 1, "h", 1);
  wrap(&histogram, 2);
  wrap(&histogram, 2);
  wrap(&histogram, 1);
  json_t *json = otlp_read(OTLP_METRICS, true, buf_slice(&histogram), warnings, message, sizeof message);
  if (!json) fail_msg("%s", message);
  json_t *expected =
      parse(METRICS("{'name':'h','exponentialHistogram':{'dataPoints':[{'timeUnixNano':'1','count':'9','scale':3,'positive':"
                    "{'offset':-1,'bucketCounts':['1','128','18446744073709551615']},'min':'Infinity'}]}}"));
  if (!json_equal(json, expected)) fail_msg("%s", json_dumps(json, 0));
  json_decref(json);
  json_decref(expected);
  buf_free(&buckets);
  buf_free(&point);
  buf_free(&histogram);
}

/* ---- Answers, and the whole way ----------------------------------------------------------------------------------------------------- */

static void assert_answer(enum otlp_signal signal, bool protobuf, int64_t rejected, const char *expected, size_t size) {
  struct buf out = BUF_INIT;
  otlp_answer(signal, protobuf, rejected, "no", &out);
  assert_int_equal(out.size, size);
  if (size) assert_memory_equal(out.data, expected, size);
  buf_free(&out);
}

static void test_answers(void **state) {
  (void)state;
  assert_answer(OTLP_TRACES, false, 0, BYTES("{}"));
  assert_answer(OTLP_TRACES, false, 3, BYTES("{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"no\"}}"));
  assert_answer(OTLP_METRICS, false, 3, BYTES("{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"no\"}}"));
  assert_answer(OTLP_LOGS, false, 3, BYTES("{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"no\"}}"));
  assert_answer(OTLP_TRACES, true, 0, "", 0);
  assert_answer(OTLP_TRACES, true, 300, BYTES("\x0a\x07\x08\xac\x02\x12\x02no"));
}

static void test_whole_way(void **state) {
  (void)state;
  char *printed = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&printed, &size);
  struct telemetry telemetry;
  telemetry_init(&telemetry, 1 << 20, file);
  struct buf bytes = example_protobuf();
  struct telemetry_request request = {.endpoint = TELEMETRY_TRACES, .method = "POST", .path = "/v1/traces", .body = buf_slice(&bytes)};
  request.headers = json_pack("{s:s}", "content-type", "application/x-protobuf");
  const struct fault none = {.kind = FAULT_NONE}, partial = {.kind = FAULT_PARTIAL_SUCCESS};
  struct telemetry_answer answer;
  telemetry_receive(&telemetry, &request, &none);
  telemetry_answer(&telemetry, &request, &none, &answer);
  assert_int_equal(answer.status, 200);
  assert_int_equal(answer.body.size, 0);
  assert_string_equal(answer.content_type, "application/x-protobuf");
  telemetry_receive(&telemetry, &request, &partial);
  telemetry_answer(&telemetry, &request, &partial, &answer);
  assert_int_equal(answer.status, 200);
  assert_memory_equal(answer.body.data + 2, "\x08\x01\x12", 3);
  buf_free(&answer.body);
  request.body = slice_text("x");
  telemetry_receive(&telemetry, &request, &none);
  telemetry_answer(&telemetry, &request, &none, &answer);
  assert_int_equal(answer.status, 400);
  assert_memory_equal(answer.body.data, "\x08\x03\x12", 3); /* a google.rpc.Status */
  buf_free(&answer.body);
  json_object_set_new(request.headers, "content-type", json_string("text/plain"));
  telemetry_receive(&telemetry, &request, &none);
  telemetry_answer(&telemetry, &request, &none, &answer);
  assert_int_equal(answer.status, 415);
  buf_free(&answer.body);
  json_t *stats = telemetry_log_stats(&telemetry.log);
  const json_t *counts = json_object_get(stats, "otlp-traces");
  assert_int_equal(json_integer_value(json_object_get(counts, "requests")), 4);
  assert_int_equal(json_integer_value(json_object_get(counts, "accepted")), 1);
  assert_int_equal(json_integer_value(json_object_get(counts, "rejected")), 1);
  assert_int_equal(json_integer_value(json_object_get(counts, "refused")), 2);
  json_decref(stats);
  fclose(file);
  static const char *const parts[] = {"otlp-traces DatabricksStatement.ExecuteQuery, 512.000 ms, client, ok\n",
                                      "    trace 0af7651916cd43dd8448eb211c80319c, span b7ad6b7169203331, parent 00f067aa0ba902b7\n",
                                      " db.system.name=databricks db.response.returned_rows=250000",
                                      "    event poll\n",
                                      "    resource service.name=apache.arrow.adbc\n",
                                      "otlp-traces REFUSED "};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (!strstr(printed, parts[i])) fail_msg("\"%s\" is not in \"%s\"", parts[i], printed);
  }
  free(printed);
  json_decref(request.headers);
  buf_free(&bytes);
  telemetry_destroy(&telemetry);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json_is_taken),    cmocka_unit_test(test_json_is_refused), cmocka_unit_test(test_protobuf_becomes_the_same),
      cmocka_unit_test(test_damaged_protobuf), cmocka_unit_test(test_bad_protobuf),    cmocka_unit_test(test_protobuf_numbers),
      cmocka_unit_test(test_answers),          cmocka_unit_test(test_whole_way),
  };
  warnings = json_array();
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  json_decref(warnings);
  return failed;
}
