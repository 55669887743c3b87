#include "telemetry_check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "telemetry_schema.h"

const char *const telemetry_reasons[TELEMETRY_REASONS] = {"bad-json", "unknown-key", "wrong-type", "wrong-value",
                                                          "missing",  "forbidden",   "oversized"};

void telemetry_make_printable(char *text) {
  size_t bad;
  while (!utf8_is_valid(text, strlen(text), &bad)) text[bad] = '?';
  for (char *c = text; *c; c++) {
    if ((uint8_t)*c < ' ' || *c == 0x7f) *c = '?';
  }
}

/* Where in the entry the check is. */
struct place {
  const struct place *outer;
  const char *key;
};

static size_t path_of(const struct place *place, char *out, size_t room) {
  size_t at = place->outer ? path_of(place->outer, out, room) : 0;
  if (!place->key[0] || at + 1 >= room) return at;
  int length = snprintf(out + at, room - at, "%s%.60s", at ? "." : "", place->key);
  return at + (size_t)(length < 0 ? 0 : length) < room ? at + (size_t)length : room - 1;
}

static bool refuse(struct telemetry_finding *finding, enum telemetry_reason reason, const struct place *place, const char *format, ...)
    DBSQL_PRINTF(4, 5);
static bool refuse(struct telemetry_finding *finding, enum telemetry_reason reason, const struct place *place, const char *format, ...) {
  char path[200] = "";
  if (place) path_of(place, path, sizeof path);
  finding->reason = reason;
  size_t at = path[0] ? (size_t)snprintf(finding->text, sizeof finding->text, "%s: ", path) : 0;
  va_list args;
  va_start(args, format);
  vsnprintf(finding->text + at, sizeof finding->text - at, format, args);
  va_end(args);
  telemetry_make_printable(finding->text);
  return false;
}

static const char *type_name(const json_t *value) {
  switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a text";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a fraction";
    case JSON_NULL: return "null";
    default: return "a boolean";
  }
}

/* ---- The envelope ------------------------------------------------------------------------------------------------------------------- */

/* Milliseconds from 2017 to 2100: neither seconds nor microseconds. */
static bool is_millis(int64_t value) {
  return value > INT64_C(1483228800000) && value < INT64_C(4102444800000);
}

json_t *telemetry_check_envelope(struct slice body, struct telemetry_finding *finding) {
  json_error_t error;
  if (body.size > telemetry_request_limit) {
    refuse(finding, TELEMETRY_OVERSIZED, NULL, "the request has %zu bytes; at most %d are taken", body.size, telemetry_request_limit);
    return NULL;
  }
  json_t *json = json_loadb(body.size ? (const char *)body.data : "", body.size, JSON_REJECT_DUPLICATES, &error);
  if (!json) {
    refuse(finding, TELEMETRY_BAD_JSON, NULL, "the request is no JSON: %s (at byte %d)", error.text, error.position);
    return NULL;
  }
  const char *key;
  json_t *value;
  bool good = true;
  if (!json_is_object(json)) good = refuse(finding, TELEMETRY_WRONG_TYPE, NULL, "the request must be an object, not %s", type_name(json));
  if (good) {
    json_object_foreach(json, key, value) {
      struct place place = {NULL, key};
      if (strcmp(key, "uploadTime") != 0 && strcmp(key, "items") != 0 && strcmp(key, "protoLogs") != 0) {
        good = refuse(finding, TELEMETRY_UNKNOWN_KEY, &place, "there is no such key in a request (known: uploadTime, items, protoLogs)");
        break;
      }
    }
  }
  json_t *time = json_object_get(json, "uploadTime"), *items = json_object_get(json, "items"), *logs = json_object_get(json, "protoLogs");
  const struct place at_time = {NULL, "uploadTime"}, at_items = {NULL, "items"}, at_logs = {NULL, "protoLogs"};
  if (!good) {
  } else if (!time) {
    good = refuse(finding, TELEMETRY_MISSING, &at_time, "missing");
  } else if (!json_is_integer(time)) {
    good = refuse(finding, TELEMETRY_WRONG_TYPE, &at_time, "must be an integer, not %s", type_name(time));
  } else if (!is_millis(json_integer_value(time))) {
    good =
        refuse(finding, TELEMETRY_WRONG_VALUE, &at_time, "%lld is no time in milliseconds since 1970", (long long)json_integer_value(time));
  } else if (!items) {
    good = refuse(finding, TELEMETRY_MISSING, &at_items, "missing (an empty array must be there)");
  } else if (!json_is_array(items)) {
    good = refuse(finding, TELEMETRY_WRONG_TYPE, &at_items, "must be an array, not %s", type_name(items));
  } else if (json_array_size(items) > 0) {
    good = refuse(finding, TELEMETRY_WRONG_VALUE, &at_items, "must be empty: entries go into protoLogs");
  } else if (!logs) {
    good = refuse(finding, TELEMETRY_MISSING, &at_logs, "missing");
  } else if (!json_is_array(logs)) {
    good = refuse(finding, TELEMETRY_WRONG_TYPE, &at_logs, "must be an array of texts, not %s", type_name(logs));
  } else if (json_array_size(logs) == 0) {
    good = refuse(finding, TELEMETRY_MISSING, &at_logs, "holds no entry");
  } else if (json_array_size(logs) > telemetry_entries_limit) {
    good = refuse(finding, TELEMETRY_OVERSIZED, &at_logs, "holds %zu entries; at most %d are taken", json_array_size(logs),
                  telemetry_entries_limit);
  }
  if (good) return json;
  json_decref(json);
  return NULL;
}

/* ---- By the schema ------------------------------------------------------------------------------------------------------------------ */

static const struct schema_field *field_of(const struct schema_object *object, const char *key) {
  for (const struct schema_field *field = object->fields; field->name; field++) {
    if (strcmp(field->name, key) == 0) return field;
  }
  return NULL;
}

/* Says where the key belongs, or which one was perhaps meant. */
static bool refuse_key(struct telemetry_finding *finding, const struct schema_object *object, const struct place *place) {
  const char *who = schema_stray(object->name, place->key);
  if (who) return refuse(finding, TELEMETRY_UNKNOWN_KEY, place, "no key of the public schema (sent by %s)", who);
  for (const struct schema_object *const *other = schema_objects; *other; other++) {
    if (field_of(*other, place->key))
      return refuse(finding, TELEMETRY_UNKNOWN_KEY, place, "wrongly nested: the key belongs into \"%s\"",
                    (*other)->name[0] ? (*other)->name : "the entry itself");
  }
  for (const struct schema_field *field = object->fields; field->name; field++) {
    if (text_distance(place->key, field->name, 3) <= 3)
      return refuse(finding, TELEMETRY_UNKNOWN_KEY, place, "there is no such key (\"%s\" is one)", field->name);
  }
  return refuse(finding, TELEMETRY_UNKNOWN_KEY, place, "there is no such key");
}

static bool check_integer(const json_t *value, bool wide, const struct place *place, struct telemetry_finding *finding) {
  int64_t number = 0;
  if (json_is_integer(value)) {
    number = json_integer_value(value);
  } else if (wide && json_is_string(value)) { /* the protobuf form of JSON, as C# sends it */
    if (!text_parse_int64(json_string_value(value), json_string_length(value), &number))
      return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be an integer, or one in decimal digits as a text");
  } else {
    return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be an integer, not %s", type_name(value));
  }
  if (number < 0) return refuse(finding, TELEMETRY_WRONG_VALUE, place, "%lld is negative", (long long)number);
  if (!wide && number > INT32_MAX) return refuse(finding, TELEMETRY_WRONG_VALUE, place, "%lld is no int32", (long long)number);
  return true;
}

static bool check_enum(const json_t *value, const struct schema_field *field, const struct place *place,
                       struct telemetry_finding *finding) {
  if (!json_is_string(value)) return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be a name, not %s", type_name(value));
  for (const char *const *known = field->values; *known; known++) {
    if (strcmp(*known, json_string_value(value)) == 0) return true;
  }
  char all[256] = "";
  size_t at = 0;
  for (const char *const *known = field->values; *known && at < sizeof all; known++) {
    at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", at ? ", " : "", *known);
  }
  return refuse(finding, TELEMETRY_WRONG_VALUE, place, "\"%.40s\" is no member of the closed enum (%.180s)", json_string_value(value), all);
}

static bool check_object(const struct schema_object *object, const json_t *json, const struct place *outer, json_t *warnings,
                         struct telemetry_finding *finding);

static bool check_field(const struct schema_field *field, const json_t *value, const struct place *place, json_t *warnings,
                        struct telemetry_finding *finding) {
  if (json_is_null(value)) return refuse(finding, TELEMETRY_WRONG_TYPE, place, "null: what is not known is left out");
  switch (field->type) {
    case SCHEMA_TEXT:
      if (!json_is_string(value)) return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be a text, not %s", type_name(value));
      break;
    case SCHEMA_BOOL:
      if (!json_is_boolean(value)) return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be true or false, not %s", type_name(value));
      break;
    case SCHEMA_INT32: return check_integer(value, false, place, finding);
    case SCHEMA_INT64: return check_integer(value, true, place, finding);
    case SCHEMA_ENUM: return check_enum(value, field, place, finding);
    case SCHEMA_OBJECT:
      if (!json_is_object(value)) return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be an object, not %s", type_name(value));
      return check_object(field->object, value, place, warnings, finding);
    case SCHEMA_TEXTS:
      if (!json_is_array(value)) return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be an array of texts, not %s", type_name(value));
      for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
          return refuse(finding, TELEMETRY_WRONG_TYPE, place, "must be an array of texts; number %zu is %s", i,
                        type_name(json_array_get(value, i)));
      }
      break;
  }
  if (field->private && json_string_length(value) > 0) {
    char path[200] = "";
    path_of(place, path, sizeof path);
    json_array_append_new(warnings, json_sprintf("%s: tells about people or their machines, and should not be sent", path));
  }
  return true;
}

static bool check_object(const struct schema_object *object, const json_t *json, const struct place *outer, json_t *warnings,
                         struct telemetry_finding *finding) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)json, key, value) {
    const struct place place = {outer, key};
    const struct schema_field *field = field_of(object, key);
    if (!field) return refuse_key(finding, object, &place);
    if (!check_field(field, value, &place, warnings, finding)) return false;
  }
  return true;
}

/* ---- Beyond it ---------------------------------------------------------------------------------------------------------------------- */

static const struct place at_entry = {NULL, "entry"}, at_log = {&at_entry, "sql_driver_log"}, at_context = {NULL, "context"},
                          at_client = {&at_context, "client_context"};

static bool is_hex(const char *text, size_t length) {
  size_t i = 0;
  while (i < length && (text_is_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f') || (text[i] >= 'A' && text[i] <= 'F'))) i++;
  return i == length;
}

/* A UUID, or Go's form: yyyyMMddHHmmss-hhhhhhhhhhhhhhhh. */
static bool is_event_id(const char *id) {
  size_t length = strlen(id);
  if (length == 36)
    return is_hex(id, 8) && id[8] == '-' && is_hex(id + 9, 4) && id[13] == '-' && is_hex(id + 14, 4) && id[18] == '-' &&
           is_hex(id + 19, 4) && id[23] == '-' && is_hex(id + 24, 12);
  if (length != 31 || id[14] != '-' || !is_hex(id + 15, 16)) return false;
  for (int i = 0; i < 14; i++) {
    if (!text_is_digit(id[i])) return false;
  }
  return true;
}

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

static int64_t integer_at(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  int64_t number = json_integer_value(value);
  if (json_is_string(value)) text_parse_int64(json_string_value(value), json_string_length(value), &number);
  return number;
}

/* Three forms are known: JDBC's, Python's and Node's; Go's, without a time; C#'s, with the time one level up. */
static bool check_context(const json_t *context, struct telemetry_finding *finding) {
  const struct place at_millis = {&at_client, "timestamp_millis"}, at_agent = {&at_client, "user_agent"},
                     at_outer = {&at_context, "timestamp_millis"};
  if (!context) return refuse(finding, TELEMETRY_MISSING, &at_context, "missing");
  const json_t *client = json_object_get(context, "client_context");
  if (json_object_get(context, "timestamp_millis") && !is_millis(integer_at(context, "timestamp_millis")))
    return refuse(finding, TELEMETRY_WRONG_VALUE, &at_outer, "no time in milliseconds since 1970");
  if (!client) return json_object_get(context, "timestamp_millis") ? true : refuse(finding, TELEMETRY_MISSING, &at_client, "missing");
  if (json_object_get(client, "timestamp_millis")) {
    if (!is_millis(integer_at(client, "timestamp_millis")))
      return refuse(finding, TELEMETRY_WRONG_VALUE, &at_millis, "no time in milliseconds since 1970");
    return text_at(client, "user_agent")[0] ? true : refuse(finding, TELEMETRY_MISSING, &at_agent, "missing");
  }
  if (text_at(client, "client_type")[0] || json_object_get(context, "timestamp_millis")) return true;
  return refuse(finding, TELEMETRY_MISSING, &at_millis, "missing");
}

/* What may not be known without having logged in (appendix A; telemetry.md 10.4). */
static bool check_unauthenticated(const json_t *entry, const json_t *log, json_t *warnings, struct telemetry_finding *finding) {
  static const char *const keys[] = {"session_id", "sql_statement_id", "system_configuration"};
  const struct place at_workspace = {NULL, "workspace_id"}, at_error = {&at_log, "error_info"}, at_stack = {&at_error, "stack_trace"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const struct place place = {&at_log, keys[i]};
    if (json_object_get(log, keys[i])) return refuse(finding, TELEMETRY_FORBIDDEN, &place, "not without authentication");
  }
  if (json_object_get(entry, "workspace_id")) return refuse(finding, TELEMETRY_FORBIDDEN, &at_workspace, "not without authentication");
  if (text_at(json_object_get(log, "error_info"), "stack_trace")[0])
    return refuse(finding, TELEMETRY_FORBIDDEN, &at_stack, "not without authentication");
  /* What the user added cannot be told from what Node says of its system in the same place. */
  if (strchr(text_at(json_object_get(json_object_get(entry, "context"), "client_context"), "user_agent"), '('))
    json_array_append_new(warnings,
                          json_string("context.client_context.user_agent: what the user added is not told without authentication"));
  return true;
}

/* A record of something that was done says in which session, to which statement, and how long it took. */
static bool check_ids(const json_t *log, struct telemetry_finding *finding) {
  const json_t *operation = json_object_get(log, "sql_operation");
  const struct place at_session = {&at_log, "session_id"}, at_statement = {&at_log, "sql_statement_id"};
  bool done = operation || json_object_get(log, "vol_operation") || json_object_get(log, "operation_latency_ms") ||
              text_at(log, "sql_statement_id")[0];
  if (done && !text_at(log, "session_id")[0] && !json_object_get(log, "error_info"))
    return refuse(finding, TELEMETRY_MISSING, &at_session, "missing in a record of an operation");
  const char *type = text_at(json_object_get(operation, "operation_detail"), "operation_type");
  if (strncmp(type, "EXECUTE_STATEMENT", 17) == 0 || strcmp(type, "CLOSE_STATEMENT") == 0) {
    if (!text_at(log, "sql_statement_id")[0] && !json_object_get(log, "error_info"))
      return refuse(finding, TELEMETRY_MISSING, &at_statement, "missing in a record of %s", type);
  }
  return true;
}

static bool check_log(const json_t *entry, const json_t *log, bool authenticated, json_t *warnings, struct telemetry_finding *finding) {
  const struct place at_latency = {&at_log, "operation_latency_ms"}, at_error = {&at_log, "error_info"},
                     at_name = {&at_error, "error_name"};
  const json_t *error = json_object_get(log, "error_info");
  bool operation = json_object_get(log, "sql_operation") || json_object_get(log, "vol_operation");
  if (!operation && !error && !json_object_get(log, "driver_connection_params") && !json_object_get(log, "system_configuration"))
    return refuse(finding, TELEMETRY_MISSING, &at_log,
                  "says nothing: no operation, no error, no connection parameters, no system configuration");
  if (error && !text_at(error, "error_name")[0]) return refuse(finding, TELEMETRY_MISSING, &at_name, "missing");
  if (operation && !error && !json_object_get(log, "operation_latency_ms"))
    return refuse(finding, TELEMETRY_MISSING, &at_latency, "missing in a record of an operation (a zero must be written)");
  return authenticated ? check_ids(log, finding) : check_unauthenticated(entry, log, warnings, finding);
}

json_t *telemetry_check_entry(const json_t *text, bool authenticated, json_t *warnings, struct telemetry_finding *finding) {
  const struct place at_id = {NULL, "frontend_log_event_id"};
  json_error_t error;
  if (!json_is_string(text)) {
    refuse(finding, TELEMETRY_WRONG_TYPE, NULL, "must be a text that holds JSON, not %s", type_name(text));
    return NULL;
  }
  if (json_string_length(text) > telemetry_entry_limit) {
    refuse(finding, TELEMETRY_OVERSIZED, NULL, "the entry has %zu bytes; at most %d are taken", json_string_length(text),
           telemetry_entry_limit);
    return NULL;
  }
  json_t *entry = json_loadb(json_string_value(text), json_string_length(text), JSON_REJECT_DUPLICATES, &error);
  if (!entry) {
    refuse(finding, TELEMETRY_BAD_JSON, NULL, "the text holds no JSON: %s (at byte %d)", error.text, error.position);
    return NULL;
  }
  bool good = json_is_object(entry);
  if (!good) refuse(finding, TELEMETRY_WRONG_TYPE, NULL, "the text must hold an object, not %s", type_name(entry));
  good = good && check_object(&schema_entry, entry, NULL, warnings, finding);
  const char *id = text_at(entry, "frontend_log_event_id");
  const json_t *log = json_object_get(json_object_get(entry, "entry"), "sql_driver_log");
  if (!good) {
  } else if (!*id) {
    good = refuse(finding, TELEMETRY_MISSING, &at_id, "missing");
  } else if (!is_event_id(id)) {
    good = refuse(finding, TELEMETRY_WRONG_VALUE, &at_id, "\"%.40s\" is no UUID", id);
  } else if (!check_context(json_object_get(entry, "context"), finding)) {
    good = false;
  } else if (!json_object_get(entry, "entry")) {
    good = refuse(finding, TELEMETRY_MISSING, &at_entry, "missing");
  } else if (!log) {
    good = refuse(finding, TELEMETRY_MISSING, &at_log, "missing");
  } else {
    good = check_log(entry, log, authenticated, warnings, finding);
  }
  if (good) return entry;
  json_decref(entry);
  return NULL;
}
