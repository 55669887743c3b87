/* Events for people to read. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "telemetry.h"

/* Foreign text: nothing of it steers the terminal. */
static void put(FILE *out, const char *text) {
  for (; *text; text++) fputc((uint8_t)*text < ' ' || *text == 0x7f ? '?' : *text, out);
}

static const json_t *member(const json_t *json, const char *path) {
  char key[64];
  while (json && *path) {
    size_t length = strcspn(path, ".");
    if (length >= sizeof key) return NULL;
    memcpy(key, path, length);
    key[length] = '\0';
    json = json_object_get(json, key);
    path += length + (path[length] == '.');
  }
  return json;
}

/* Any value, with what comes before it; nothing if it is not there. */
static void put_value(FILE *out, const char *before, const json_t *value, const char *after) {
  if (!value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0)) return;
  fputs(before, out);
  if (json_is_string(value)) {
    put(out, json_string_value(value));
  } else {
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text) put(out, text);
    free(text);
  }
  fputs(after, out);
}

static void put_member(FILE *out, const char *before, const json_t *json, const char *path, const char *after) {
  put_value(out, before, member(json, path), after);
}

static void put_object(FILE *out, const char *before, const json_t *json) {
  const char *key;
  json_t *value;
  if (json_object_size(json) == 0) return;
  fputs(before, out);
  json_object_foreach((json_t *)(uintptr_t)json, key, value) {
    fputc(' ', out);
    put(out, key);
    put_value(out, "=", value, "");
  }
  fputc('\n', out);
}

/* ---- Entries ------------------------------------------------------------------------------------------------------------------------ */

static void print_entry(FILE *out, const json_t *entry) {
  const json_t *log = member(entry, "entry.sql_driver_log"), *operation = member(log, "sql_operation");
  put_member(out, " ", operation, "operation_detail.operation_type", "");
  put_member(out, " ", operation, "statement_type", "");
  put_member(out, " volume ", log, "vol_operation.volume_operation_type", "");
  if (!operation && !member(log, "vol_operation")) fputs(member(log, "error_info") ? " error" : " connection", out);
  put_member(out, ", ", log, "operation_latency_ms", " ms");
  put_member(out, ", ", operation, "execution_result", "");
  put_member(out, ", error ", log, "error_info.error_name", "");
  put_member(out, "\n    session ", log, "session_id", "");
  put_member(out, "\n    statement ", log, "sql_statement_id", "");
  put_member(out, "\n    event ", entry, "frontend_log_event_id", "");
  put_member(out, ", at ", entry, "context.client_context.timestamp_millis", " ms");
  put_member(out, ", at ", entry, "context.timestamp_millis", " ms");
  put_member(out, ", by ", entry, "context.client_context.user_agent", "");
  fputc('\n', out);
  if (json_object_size(member(operation, "chunk_details")) > 0) {
    put_member(out, "    chunks ", operation, "chunk_details.total_chunks_iterated", "");
    put_member(out, " of ", operation, "chunk_details.total_chunks_present", "");
    put_member(out, ", first ", operation, "chunk_details.initial_chunk_latency_millis", " ms");
    put_member(out, ", slowest ", operation, "chunk_details.slowest_chunk_latency_millis", " ms");
    put_member(out, ", all ", operation, "chunk_details.sum_chunks_download_time_millis", " ms");
    fputc('\n', out);
  }
  if (json_object_size(member(operation, "result_latency")) > 0) {
    put_member(out, "    ready after ", operation, "result_latency.result_set_ready_latency_millis", " ms");
    put_member(out, ", consumed in ", operation, "result_latency.result_set_consumption_latency_millis", " ms");
    fputc('\n', out);
  }
  if (member(operation, "operation_detail.n_operation_status_calls")) {
    put_member(out, "    polls ", operation, "operation_detail.n_operation_status_calls", "");
    put_member(out, " in ", operation, "operation_detail.operation_status_latency_millis", " ms\n");
  }
  put_member(out, "    trace ", log, "error_info.stack_trace", "\n");
  put_object(out, "    parameters", member(log, "driver_connection_params"));
  put_object(out, "    system", member(log, "system_configuration"));
}

/* ---- OTLP --------------------------------------------------------------------------------------------------------------------------- */

static uint64_t number(const json_t *json, const char *path) {
  const json_t *value = member(json, path);
  return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10) : (uint64_t)json_integer_value(value);
}

static void put_attributes(FILE *out, const char *before, const json_t *list) {
  size_t i;
  json_t *pair, *value;
  const char *key;
  if (json_array_size(list) == 0) return;
  fputs(before, out);
  json_array_foreach(list, i, pair) {
    put_member(out, " ", pair, "key", "");
    json_object_foreach(json_object_get(pair, "value"), key, value) put_value(out, "=", value, "");
  }
  fputc('\n', out);
}

static void print_span(FILE *out, const json_t *span) {
  static const char *const kinds[] = {"", "internal", "server", "client", "producer", "consumer"};
  static const char *const codes[] = {"", ", ok", ", error"};
  size_t i;
  json_t *event;
  put_member(out, " ", span, "name", "");
  fprintf(out, ", %.3f ms, %s%s", (double)(number(span, "endTimeUnixNano") - number(span, "startTimeUnixNano")) / 1e6,
          kinds[number(span, "kind") % 6], codes[number(span, "status.code") % 3]);
  put_member(out, ": ", span, "status.message", "");
  put_member(out, "\n    trace ", span, "traceId", "");
  put_member(out, ", span ", span, "spanId", "");
  put_member(out, ", parent ", span, "parentSpanId", "");
  fputc('\n', out);
  put_attributes(out, "   ", member(span, "attributes"));
  json_array_foreach(member(span, "events"), i, event) {
    put_member(out, "    event ", event, "name", "\n");
    put_attributes(out, "     ", member(event, "attributes"));
  }
}

static void print_metric(FILE *out, const json_t *metric) {
  static const char *const kinds[] = {"gauge", "sum", "histogram", "exponentialHistogram", "summary"};
  size_t i;
  json_t *point;
  put_member(out, " ", metric, "name", "");
  put_member(out, " in ", metric, "unit", "");
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    const json_t *data = member(metric, kinds[k]);
    if (!data) continue;
    fprintf(out, ", %s\n", kinds[k]);
    json_array_foreach(member(data, "dataPoints"), i, point) {
      fputs("    point", out);
      put_member(out, " ", point, "asInt", "");
      put_member(out, " ", point, "asDouble", "");
      put_member(out, " count ", point, "count", "");
      put_member(out, " sum ", point, "sum", "");
      fputc('\n', out);
      put_attributes(out, "     ", member(point, "attributes"));
    }
  }
}

static void print_record(FILE *out, const json_t *record) {
  put_member(out, " ", record, "severityText", "");
  put_member(out, " ", record, "eventName", "");
  put_member(out, ": ", record, "body.stringValue", "");
  put_member(out, "\n    trace ", record, "traceId", "");
  put_member(out, ", span ", record, "spanId", "");
  fputc('\n', out);
  put_attributes(out, "   ", member(record, "attributes"));
}

void telemetry_print_event(FILE *out, const json_t *event) {
  const json_t *body = json_object_get(event, "event");
  size_t i;
  json_t *warning;
  put_member(out, "", event, "endpoint", "");
  if (json_object_get(body, "span")) {
    print_span(out, json_object_get(body, "span"));
  } else if (json_object_get(body, "metric")) {
    print_metric(out, json_object_get(body, "metric"));
  } else if (json_object_get(body, "record")) {
    print_record(out, json_object_get(body, "record"));
  } else {
    print_entry(out, body);
  }
  put_attributes(out, "    resource", member(body, "resource.attributes"));
  json_array_foreach(json_object_get(event, "warnings"), i, warning) put_value(out, "    warning: ", warning, "\n");
}

void telemetry_print_refusal(FILE *out, enum telemetry_endpoint endpoint, const char *text) {
  fprintf(out, "%s REFUSED ", telemetry_endpoint_names[endpoint]);
  put(out, text ? text : "");
  fputc('\n', out);
}
