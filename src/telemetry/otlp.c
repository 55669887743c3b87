#include "telemetry/otlp.h"

#include <jansson.h>

#include "base/text.h"
#include "telemetry/wire.h"

static const char scope_name[] = "apache.arrow.adbc.databricks";
static const char service_name[] = "apache.arrow.adbc";
enum { kind_client = 3, status_ok = 1, status_error = 2, flags_mask = 0xFF };

const char *otlp_span_name(const struct tag_event *event) {
  switch (event->operation_type) {
    case operation_type_CREATE_SESSION: return "DatabricksConnection.Open";
    case operation_type_DELETE_SESSION: return "DatabricksConnection.Close";
    case operation_type_EXECUTE_STATEMENT: return "DatabricksStatement.ExecuteQuery";
    case operation_type_EXECUTE_STATEMENT_ASYNC: return "DatabricksStatement.ExecuteQuery";
    case operation_type_CLOSE_STATEMENT: return "DatabricksStatement.Close";
    case operation_type_CANCEL_STATEMENT: return "DatabricksStatement.Cancel";
    case operation_type_LIST_TYPE_INFO: return "DatabricksConnection.GetTypeInfo";
    case operation_type_LIST_CATALOGS: return "DatabricksConnection.GetCatalogs";
    case operation_type_LIST_SCHEMAS: return "DatabricksConnection.GetSchemas";
    case operation_type_LIST_TABLES: return "DatabricksConnection.GetTables";
    case operation_type_LIST_TABLE_TYPES: return "DatabricksConnection.GetTableTypes";
    case operation_type_LIST_COLUMNS: return "DatabricksConnection.GetColumns";
    case operation_type_LIST_FUNCTIONS: return "DatabricksConnection.GetFunctions";
    case operation_type_LIST_PRIMARY_KEYS: return "DatabricksConnection.GetPrimaryKeys";
    case operation_type_LIST_IMPORTED_KEYS: return "DatabricksConnection.GetImportedKeys";
    case operation_type_LIST_EXPORTED_KEYS: return "DatabricksConnection.GetExportedKeys";
    case operation_type_LIST_CROSS_REFERENCES: return "DatabricksConnection.GetCrossReferences";
    default: return "Databricks.Operation";
  }
}

/* ---- JSON: keys in lowerCamelCase, ids in hex, enums as numbers, 64-bit numbers as texts ----------------------------------- */

static void json_hex(struct buf *out, const char *key, const uint8_t *bytes, size_t size) {
  buf_printf(out, "\"%s\":\"", key);
  for (size_t i = 0; i < size; i++) buf_printf(out, "%02x", bytes[i]);
  buf_append_text(out, "\",");
}

static void json_text(struct buf *out, const char *key, const char *text, bool *first) {
  buf_printf(out, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", *first ? "" : ",", key);
  wire_string(out, slice_text(text));
  buf_append_text(out, "}}");
  *first = false;
}

static void json_attributes(struct buf *out, const struct tag_record *record, bool of_process, bool *first) {
  struct tag_value value;
  for (size_t i = 0; i < tag_count; i++) {
    const struct tag *tag = &tag_table[i];
    if (!tag->otlp[0] || (tag->source == SOURCE_PROCESS) != of_process || !tag_may_go(tag, record->kind, TO_LOCAL)) continue;
    tag_read(tag, record, &value);
    if (!value.present) continue;
    if (value.text) {
      json_text(out, tag->otlp, value.text, first);
    } else if (tag->type == TAG_FLAG) {
      buf_printf(out, "%s{\"key\":\"%s\",\"value\":{\"boolValue\":%s}}", *first ? "" : ",", tag->otlp, value.number ? "true" : "false");
    } else {
      buf_printf(out, "%s{\"key\":\"%s\",\"value\":{\"intValue\":\"%lld\"}}", *first ? "" : ",", tag->otlp, (long long)value.number);
    }
    *first = false;
  }
}

static void json_span(struct buf *out, const struct otlp_span *span) {
  buf_append_byte(out, '{');
  json_hex(out, "traceId", span->trace_id, 16);
  json_hex(out, "spanId", span->span_id, 8);
  if (span->has_parent) json_hex(out, "parentSpanId", span->parent_span, 8);
  buf_printf(out, "\"flags\":%u,\"name\":\"%s\",\"kind\":%d,\"startTimeUnixNano\":\"%lld\",\"endTimeUnixNano\":\"%lld\",\"attributes\":[",
             (unsigned)span->trace_flags, otlp_span_name(span->record.event), kind_client, (long long)span->start_unix_ns,
             (long long)span->end_unix_ns);
  bool first = true;
  json_text(out, "db.system.name", "databricks", &first);
  json_attributes(out, &span->record, false, &first);
  buf_printf(out, "],\"status\":{\"code\":%d}}", span->record.event->category ? status_error : status_ok);
}

void otlp_json(struct buf *out, const struct otlp_span *spans, size_t count) {
  bool first = true;
  buf_append_text(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
  json_text(out, "service.name", service_name, &first);
  if (count > 0) json_attributes(out, &spans[0].record, true, &first);
  buf_append_text(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":");
  wire_string(out, slice_text(scope_name));
  buf_append_text(out, ",\"version\":\"" DBSQL_VERSION "\"},\"spans\":[");
  for (size_t i = 0; i < count; i++) {
    if (i > 0) buf_append_byte(out, ',');
    json_span(out, &spans[i]);
  }
  buf_append_text(out, "]}]}]}");
}

/* ---- Protobuf ------------------------------------------------------------------------------------------------------------ */

enum { wire_varint = 0, wire_fixed64 = 1, wire_bytes = 2, wire_fixed32 = 5 };

static void pb_varint(struct buf *out, uint64_t value) {
  while (value >= 0x80) {
    buf_append_byte(out, (uint8_t)(value | 0x80));
    value >>= 7;
  }
  buf_append_byte(out, (uint8_t)value);
}

static void pb_key(struct buf *out, unsigned field, unsigned type) {
  pb_varint(out, (field << 3) | type);
}

static void pb_bytes(struct buf *out, unsigned field, const void *data, size_t size) {
  pb_key(out, field, wire_bytes);
  pb_varint(out, size);
  buf_append(out, data, size);
}

static void pb_text(struct buf *out, unsigned field, const char *text) {
  pb_bytes(out, field, text, strlen(text));
}

static void pb_fixed64(struct buf *out, unsigned field, int64_t value) {
  pb_key(out, field, wire_fixed64);
  for (int i = 0; i < 8; i++) buf_append_byte(out, (uint8_t)((uint64_t)value >> (8 * i)));
}

static void pb_fixed32(struct buf *out, unsigned field, uint32_t value) {
  pb_key(out, field, wire_fixed32);
  for (int i = 0; i < 4; i++) buf_append_byte(out, (uint8_t)(value >> (8 * i)));
}

/* A message within a message: its length comes before it, so it is written first and moved. */
static size_t pb_open(struct buf *out, unsigned field) {
  pb_key(out, field, wire_bytes);
  return out->size;
}

static void pb_close(struct buf *out, size_t start) {
  if (buf_failed(out)) return;
  size_t size = out->size - start;
  uint8_t length[10];
  size_t count = 0;
  for (size_t left = size; left >= 0x80; left >>= 7) length[count++] = (uint8_t)(left | 0x80);
  length[count] = (uint8_t)(size >> (7 * count));
  count++;
  if (!buf_extend(out, count)) return;
  memmove(out->data + start + count, out->data + start, size);
  memcpy(out->data + start, length, count);
}

/* KeyValue: key 1, value 2; AnyValue: text 1, bool 2, int 3. */
static void pb_attribute_text(struct buf *out, unsigned field, const char *key, const char *text) {
  struct slice clean = slice_text(text);
  size_t pair = pb_open(out, field);
  pb_text(out, 1, key);
  size_t any = pb_open(out, 2);
  if (utf8_is_valid(clean.data, clean.size, NULL)) {
    pb_bytes(out, 1, clean.data, clean.size);
  } else {
    pb_text(out, 1, "\xEF\xBF\xBD");
  }
  pb_close(out, any);
  pb_close(out, pair);
}

static void pb_attributes(struct buf *out, unsigned field, const struct tag_record *record, bool of_process) {
  struct tag_value value;
  for (size_t i = 0; i < tag_count; i++) {
    const struct tag *tag = &tag_table[i];
    if (!tag->otlp[0] || (tag->source == SOURCE_PROCESS) != of_process || !tag_may_go(tag, record->kind, TO_LOCAL)) continue;
    tag_read(tag, record, &value);
    if (!value.present) continue;
    if (value.text) {
      pb_attribute_text(out, field, tag->otlp, value.text);
      continue;
    }
    size_t pair = pb_open(out, field);
    pb_text(out, 1, tag->otlp);
    size_t any = pb_open(out, 2);
    pb_key(out, tag->type == TAG_FLAG ? 2 : 3, wire_varint);
    pb_varint(out, (uint64_t)value.number);
    pb_close(out, any);
    pb_close(out, pair);
  }
}

static void pb_span(struct buf *out, const struct otlp_span *span) {
  size_t at = pb_open(out, 2);
  pb_bytes(out, 1, span->trace_id, 16);
  pb_bytes(out, 2, span->span_id, 8);
  if (span->has_parent) pb_bytes(out, 4, span->parent_span, 8);
  pb_text(out, 5, otlp_span_name(span->record.event));
  pb_key(out, 6, wire_varint);
  pb_varint(out, kind_client);
  pb_fixed64(out, 7, span->start_unix_ns);
  pb_fixed64(out, 8, span->end_unix_ns);
  pb_attribute_text(out, 9, "db.system.name", "databricks");
  pb_attributes(out, 9, &span->record, false);
  size_t status = pb_open(out, 15);
  pb_key(out, 3, wire_varint);
  pb_varint(out, span->record.event->category ? status_error : status_ok);
  pb_close(out, status);
  pb_fixed32(out, 16, span->trace_flags & flags_mask);
  pb_close(out, at);
}

void otlp_protobuf(struct buf *out, const struct otlp_span *spans, size_t count) {
  size_t resource_spans = pb_open(out, 1);
  size_t resource = pb_open(out, 1);
  pb_attribute_text(out, 1, "service.name", service_name);
  if (count > 0) pb_attributes(out, 1, &spans[0].record, true);
  pb_close(out, resource);
  size_t scope_spans = pb_open(out, 2);
  size_t scope = pb_open(out, 1);
  pb_text(out, 1, scope_name);
  pb_text(out, 2, DBSQL_VERSION);
  pb_close(out, scope);
  for (size_t i = 0; i < count; i++) pb_span(out, &spans[i]);
  pb_close(out, scope_spans);
  pb_close(out, resource_spans);
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------- */

static bool read_varint(struct slice *in, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 64 && in->size > 0; shift += 7) {
    uint8_t byte = *in->data;
    *in = slice_of(in->data + 1, in->size - 1);
    *value |= (uint64_t)(byte & 0x7F) << shift;
    if (!(byte & 0x80)) return true;
  }
  return false;
}

/* The next field; for bytes `*bytes` is its content. */
static bool read_field(struct slice *in, unsigned *field, uint64_t *number, struct slice *bytes) {
  uint64_t key, length;
  if (in->size == 0 || !read_varint(in, &key)) return false;
  *field = (unsigned)(key >> 3);
  *number = 0;
  *bytes = slice_of(NULL, 0);
  switch (key & 7) {
    case wire_varint: return read_varint(in, number);
    case wire_bytes:
      if (!read_varint(in, &length)) return false;
      break;
    case wire_fixed64: length = 8; break;
    case wire_fixed32: length = 4; break;
    default: return false;
  }
  if (length > in->size) return false;
  if ((key & 7) == wire_bytes) *bytes = slice_of(in->data, (size_t)length);
  *in = slice_of(in->data + length, in->size - (size_t)length);
  return true;
}

static int64_t rejected_protobuf(struct slice body) {
  unsigned field;
  uint64_t number;
  struct slice bytes, inner_bytes;
  int64_t rejected = 0;
  while (read_field(&body, &field, &number, &bytes)) {
    if (field != 1) continue;
    while (read_field(&bytes, &field, &number, &inner_bytes)) {
      if (field == 1 && number <= INT64_MAX) rejected = (int64_t)number;
    }
  }
  return rejected;
}

void otlp_parse_answer(struct slice body, bool json, struct otlp_answer *answer) {
  answer->rejected = 0;
  if (!json) {
    answer->rejected = rejected_protobuf(body);
    return;
  }
  json_error_t why;
  json_t *root = json_loadb((const char *)body.data, body.size, 0, &why);
  const json_t *rejected = json_object_get(json_object_get(root, "partialSuccess"), "rejectedSpans");
  int64_t number = 0;
  if (json_is_integer(rejected)) number = json_integer_value(rejected);
  if (json_is_string(rejected)) text_parse_int64(json_string_value(rejected), json_string_length(rejected), &number);
  if (number > 0) answer->rejected = number;
  json_decref(root);
}
