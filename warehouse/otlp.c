#include "otlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "otlp_schema.h"

static const struct {
  const struct otlp_message *request;
  const char *resources, *scopes, *items, *item, *rejected;
} signals[] = {
    {&otlp_traces_request, "resourceSpans", "scopeSpans", "spans", "span", "rejectedSpans"},
    {&otlp_metrics_request, "resourceMetrics", "scopeMetrics", "metrics", "metric", "rejectedDataPoints"},
    {&otlp_logs_request, "resourceLogs", "scopeLogs", "logRecords", "record", "rejectedLogRecords"},
};

json_t *otlp_read(enum otlp_signal signal, bool protobuf, struct slice body, json_t *warnings, char *message, size_t size) {
  struct otlp_reader reader = {warnings, message, size, 0};
  json_error_t error;
  json_t *json = NULL;
  if (protobuf) {
    json = otlp_decode(&reader, signals[signal].request, body);
  } else {
    json = json_loadb(body.size ? (const char *)body.data : "", body.size, JSON_REJECT_DUPLICATES, &error);
    if (!json) snprintf(message, size, "the request is no JSON: %s (at byte %d)", error.text, error.position);
  }
  if (json && otlp_check(&reader, signals[signal].request, json, "")) return json;
  json_decref(json);
  return NULL;
}

json_t *otlp_items(enum otlp_signal signal, const json_t *request) {
  json_t *out = json_array();
  size_t r, s, i;
  json_t *resource, *scope, *item;
  json_array_foreach(json_object_get(request, signals[signal].resources), r, resource) {
    json_array_foreach(json_object_get(resource, signals[signal].scopes), s, scope) {
      json_array_foreach(json_object_get(scope, signals[signal].items), i, item) {
        json_t *whole = json_object();
        if (json_object_get(resource, "resource")) json_object_set(whole, "resource", json_object_get(resource, "resource"));
        if (json_object_get(scope, "scope")) json_object_set(whole, "scope", json_object_get(scope, "scope"));
        json_object_set(whole, signals[signal].item, item);
        json_array_append_new(out, whole);
      }
    }
  }
  return out;
}

const char *otlp_item_key(enum otlp_signal signal) {
  return signals[signal].item;
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------------------ */

static void put_varint(struct buf *out, uint64_t value) {
  for (; value > 0x7f; value >>= 7) buf_append_byte(out, (uint8_t)(value | 0x80));
  buf_append_byte(out, (uint8_t)value);
}

static void put_text(struct buf *out, uint8_t tag, const char *text) {
  buf_append_byte(out, tag);
  put_varint(out, strlen(text));
  buf_append_text(out, text);
}

static void put_json(json_t *json, struct buf *out) {
  char *text = json_dumps(json, JSON_COMPACT);
  if (text) buf_append_text(out, text);
  free(text);
  json_decref(json);
}

void otlp_answer(enum otlp_signal signal, bool protobuf, int64_t rejected, const char *message, struct buf *out) {
  if (!protobuf) {
    json_t *json = json_object();
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)rejected);
    if (rejected)
      json_object_set_new(json, "partialSuccess", json_pack("{s:s, s:s}", signals[signal].rejected, number, "errorMessage", message));
    put_json(json, out);
  } else if (rejected) {
    struct buf partial = BUF_INIT;
    buf_append_byte(&partial, 1 << 3);
    put_varint(&partial, (uint64_t)rejected);
    put_text(&partial, 2 << 3 | 2, message);
    buf_append_byte(out, 1 << 3 | 2);
    put_varint(out, partial.size);
    buf_append_slice(out, buf_slice(&partial));
    wh_check(&partial);
    buf_free(&partial);
  }
  wh_check(out);
}

void otlp_status(bool protobuf, int code, const char *message, struct buf *out) {
  if (protobuf) {
    buf_append_byte(out, 1 << 3);
    put_varint(out, (uint64_t)code);
    put_text(out, 2 << 3 | 2, message);
  } else {
    json_t *json = json_object();
    json_object_set_new(json, "code", json_integer(code));
    json_object_set_new(json, "message", json_string(message));
    put_json(json, out);
  }
  wh_check(out);
}
