/* The JSON form of OTLP, checked by the tables. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "otlp.h"
#include "otlp_schema.h"

static bool refuse(struct otlp_reader *reader, const char *path, const char *what) {
  snprintf(reader->message, reader->size, "%s: %s", path[0] ? path : "the request", what);
  return false;
}

/* An integer, or one in decimal digits as a text. */
static bool is_integer(const json_t *value, bool is_signed, bool wide) {
  if (json_is_integer(value)) {
    int64_t number = json_integer_value(value);
    return wide ? is_signed || number >= 0 : is_signed ? number >= INT32_MIN && number <= INT32_MAX : number >= 0 && number <= UINT32_MAX;
  }
  const char *text = json_string_value(value);
  if (!text || !wide) return false;
  if (is_signed && *text == '-') text++;
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i++) {
    if (!text_is_digit(text[i])) return false;
  }
  const char *highest = is_signed ? "9223372036854775808" : "18446744073709551615";
  return length > 0 && (length < strlen(highest) || (length == strlen(highest) && strcmp(text, highest) <= 0));
}

static bool is_double(const json_t *value) {
  const char *text = json_string_value(value);
  if (!text) return json_is_number(value);
  char *end = NULL;
  (void)strtod(text, &end);
  return *text && (!*end || strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0);
}

static bool is_base64(const json_t *value) {
  const char *text = json_string_value(value);
  if (!text) return false;
  for (; *text && *text != '='; text++) {
    if (!text_is_digit(*text) && !text_is_alpha(*text) && !strchr("+/-_", *text)) return false;
  }
  return strspn(text, "=") == strlen(text) && strlen(text) <= 2;
}

static bool check_id(struct otlp_reader *reader, const struct otlp_field *field, const json_t *value, const char *path) {
  const char *text = json_string_value(value);
  char what[96];
  bool zeros = true;
  if (text && !*text) return field->flags & OTLP_REQUIRED ? refuse(reader, path, "missing") : true;
  snprintf(what, sizeof what, "must be %d hex digits, not all zero", field->highest * 2);
  if (!text || strlen(text) != (size_t)field->highest * 2) return refuse(reader, path, what);
  for (const char *c = text; *c; c++) {
    char lower = text_lower(*c);
    if (!text_is_digit(lower) && (lower < 'a' || lower > 'f')) return refuse(reader, path, what);
    if (*c != '0') zeros = false;
  }
  return zeros ? refuse(reader, path, what) : true;
}

static bool check_value(struct otlp_reader *reader, const struct otlp_field *field, const json_t *value, const char *path) {
  bool required = field->flags & OTLP_REQUIRED, good;
  char what[64];
  switch (field->type) {
    case OTLP_STRING:
      if (!json_is_string(value)) return refuse(reader, path, "must be a text");
      return required && json_string_length(value) == 0 ? refuse(reader, path, "missing") : true;
    case OTLP_BOOL: return json_is_boolean(value) ? true : refuse(reader, path, "must be true or false");
    case OTLP_DOUBLE: return is_double(value) ? true : refuse(reader, path, "must be a number");
    case OTLP_BYTES: return is_base64(value) ? true : refuse(reader, path, "must be bytes in base64");
    case OTLP_ID: return check_id(reader, field, value, path);
    case OTLP_ENUM:
      if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= field->highest) return true;
      snprintf(what, sizeof what, "must be an integer from 0 to %d (an enum)", field->highest);
      return refuse(reader, path, what);
    case OTLP_MESSAGE:
      if (reader->depth == otlp_depth_limit) return refuse(reader, path, "nested too deeply");
      reader->depth++;
      good = otlp_check(reader, field->message, value, path);
      reader->depth--;
      return good;
    default: {
      bool wide = field->type != OTLP_SINT32 && field->type != OTLP_UINT32 && field->type != OTLP_FIXED32;
      bool is_signed = field->type == OTLP_SINT32 || field->type == OTLP_INT64 || field->type == OTLP_SFIXED64;
      if (!is_integer(value, is_signed, wide)) {
        snprintf(what, sizeof what, "must be an integer of %d bits%s%s", wide ? 64 : 32, is_signed ? "" : " without a sign",
                 wide ? ", as a text" : "");
        return refuse(reader, path, what);
      }
      return required && (json_is_integer(value) ? json_integer_value(value) == 0
                                                 : strspn(json_string_value(value), "0") == json_string_length(value))
                 ? refuse(reader, path, "missing")
                 : true;
    }
  }
}

static uint64_t nanos(const json_t *json, const char *key) {
  const json_t *value = json_object_get(json, key);
  return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10) : (uint64_t)json_integer_value(value);
}

/* What the tables do not say. */
static bool check_more(struct otlp_reader *reader, const struct otlp_message *message, const json_t *json, const char *path) {
  if (strcmp(message->name, "Span") == 0 && nanos(json, "endTimeUnixNano") < nanos(json, "startTimeUnixNano"))
    return refuse(reader, path, "the span ends before it starts");
  if (strcmp(message->name, "LogRecord") == 0 && !nanos(json, "timeUnixNano") && !nanos(json, "observedTimeUnixNano"))
    return refuse(reader, path, "timeUnixNano and observedTimeUnixNano are missing");
  if (strcmp(message->name, "HistogramDataPoint") == 0) {
    const json_t *counts = json_object_get(json, "bucketCounts");
    if (json_array_size(counts) && json_array_size(counts) != json_array_size(json_object_get(json, "explicitBounds")) + 1)
      return refuse(reader, path, "there must be one more of bucketCounts than of explicitBounds");
  }
  return true;
}

bool otlp_check(struct otlp_reader *reader, const struct otlp_message *message, const json_t *json, const char *path) {
  char at[400];
  const char *key, *chosen = NULL;
  json_t *value;
  if (!json_is_object(json)) return refuse(reader, path, "must be an object");
  json_object_foreach((json_t *)(uintptr_t)json, key, value) {
    const struct otlp_field *field = message->fields;
    while (field->number && strcmp(field->name, key) != 0) field++;
    snprintf(at, sizeof at, "%.300s%s%.60s", path, path[0] ? "." : "", key);
    if (!field->number) {
      if (json_array_size(reader->warnings) < otlp_warnings_limit)
        json_array_append_new(reader->warnings, json_sprintf("%s: unknown key", at));
      continue;
    }
    if (json_is_null(value)) continue; /* as if it were not there */
    if (field->flags & OTLP_ONE_OF) {
      if (chosen) {
        snprintf(at, sizeof at, "only one of %s and %s can be there", chosen, key);
        return refuse(reader, path, at);
      }
      chosen = field->name;
    }
    if (!(field->flags & OTLP_REPEATED)) {
      if (!check_value(reader, field, value, at)) return false;
      continue;
    }
    if (!json_is_array(value)) return refuse(reader, at, "must be an array");
    size_t length = strlen(at);
    for (size_t i = 0; i < json_array_size(value); i++) {
      snprintf(at + length, sizeof at - length, "[%zu]", i);
      if (!check_value(reader, field, json_array_get(value, i), at)) return false;
    }
  }
  bool has_choice = false;
  for (const struct otlp_field *field = message->fields; field->number; field++) {
    const json_t *there = json_object_get(json, field->name);
    has_choice |= (field->flags & OTLP_ONE_OF) != 0;
    if ((field->flags & OTLP_REQUIRED) && (!there || json_is_null(there))) {
      snprintf(at, sizeof at, "%.300s%s%s", path, path[0] ? "." : "", field->name);
      return refuse(reader, at, "missing");
    }
  }
  if (has_choice && !chosen && strcmp(message->name, "AnyValue") != 0) return refuse(reader, path, "holds no data");
  return check_more(reader, message, json, path);
}
