/* Protobuf to JSON, by the tables. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "otlp.h"
#include "otlp_schema.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static bool refuse(struct otlp_reader *reader, const struct otlp_message *message, const struct otlp_field *field, const char *what) {
  snprintf(reader->message, reader->size, "protobuf, %s%s%s: %s", message->name, field ? "." : "", field ? field->name : "", what);
  return false;
}

static bool read_varint(struct slice *in, uint64_t *value) {
  *value = 0;
  for (size_t i = 0; i < in->size && i < 10; i++) {
    uint8_t byte = in->data[i];
    if (i == 9 && byte > 1) return false;
    *value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte & 0x80) continue;
    *in = slice_of(in->data + i + 1, in->size - i - 1);
    return true;
  }
  return false;
}

static bool read_fixed(struct slice *in, size_t bytes, uint64_t *value) {
  if (in->size < bytes) return false;
  *value = 0;
  for (size_t i = 0; i < bytes; i++) *value |= (uint64_t)in->data[i] << (8 * i);
  *in = slice_of(in->data + bytes, in->size - bytes);
  return true;
}

static bool read_bytes(struct slice *in, struct slice *bytes) {
  uint64_t length;
  if (!read_varint(in, &length) || length > in->size) return false;
  *bytes = slice_of(in->data, (size_t)length);
  *in = slice_of(in->data + length, in->size - (size_t)length);
  return true;
}

static enum wire wire_of(enum otlp_type type) {
  switch (type) {
    case OTLP_STRING:
    case OTLP_BYTES:
    case OTLP_ID:
    case OTLP_MESSAGE: return WIRE_BYTES;
    case OTLP_FIXED64:
    case OTLP_SFIXED64:
    case OTLP_DOUBLE: return WIRE_FIXED64;
    case OTLP_FIXED32: return WIRE_FIXED32;
    default: return WIRE_VARINT;
  }
}

/* 64-bit integers are texts in JSON; what is no number is a text too. */
static json_t *number_value(enum otlp_type type, uint64_t bits) {
  char text[32];
  double real;
  switch (type) {
    case OTLP_BOOL: return json_boolean(bits != 0);
    case OTLP_SINT32: return json_integer((int32_t)((uint32_t)bits >> 1) ^ -(int32_t)(bits & 1));
    case OTLP_UINT32:
    case OTLP_FIXED32: return json_integer((json_int_t)(uint32_t)bits);
    case OTLP_ENUM: return json_integer((json_int_t)(int32_t)(uint32_t)bits);
    case OTLP_INT64:
    case OTLP_SFIXED64: snprintf(text, sizeof text, "%" PRId64, (int64_t)bits); return json_string(text);
    case OTLP_DOUBLE:
      memcpy(&real, &bits, sizeof real);
      if (isfinite(real)) return json_real(real);
      return json_string(isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity");
    default: snprintf(text, sizeof text, "%" PRIu64, bits); return json_string(text);
  }
}

static json_t *hex_value(struct slice bytes) {
  static const char digits[] = "0123456789abcdef";
  char *text = wh_new(bytes.size * 2 + 1, 1);
  for (size_t i = 0; i < bytes.size; i++) {
    text[i * 2] = digits[bytes.data[i] >> 4];
    text[i * 2 + 1] = digits[bytes.data[i] & 15];
  }
  json_t *value = json_string(text);
  free(text);
  return value;
}

static json_t *base64_value(struct slice bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *text = wh_new((bytes.size + 2) / 3 * 4 + 1, 1), *out = text;
  for (size_t i = 0; i < bytes.size; i += 3) {
    size_t left = bytes.size - i;
    uint32_t bits =
        (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) | (left > 2 ? (uint32_t)bytes.data[i + 2] : 0);
    *out++ = digits[bits >> 18];
    *out++ = digits[bits >> 12 & 63];
    *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
    *out++ = left > 2 ? digits[bits & 63] : '=';
  }
  json_t *value = json_string(text);
  free(text);
  return value;
}

static json_t *bytes_value(struct otlp_reader *reader, const struct otlp_message *message, const struct otlp_field *field,
                           struct slice bytes) {
  json_t *value = NULL;
  switch (field->type) {
    case OTLP_MESSAGE:
      if (reader->depth == otlp_depth_limit) {
        refuse(reader, message, field, "nested too deeply");
        return NULL;
      }
      reader->depth++;
      value = otlp_decode(reader, field->message, bytes);
      reader->depth--;
      return value;
    case OTLP_ID: return hex_value(bytes);
    case OTLP_BYTES: return base64_value(bytes);
    default:
      value = json_stringn(bytes.size ? (const char *)bytes.data : "", bytes.size);
      if (!value) refuse(reader, message, field, "the text is not UTF-8");
      return value;
  }
}

static void keep(json_t *json, const struct otlp_field *field, json_t *value) {
  if (!(field->flags & OTLP_REPEATED)) {
    json_object_set_new(json, field->name, value);
    return;
  }
  json_t *list = json_object_get(json, field->name);
  if (!list) {
    list = json_array();
    json_object_set_new(json, field->name, list);
  }
  json_array_append_new(list, value);
}

static bool read_number(struct slice *in, enum wire wire, uint64_t *bits) {
  return wire == WIRE_VARINT ? read_varint(in, bits) : read_fixed(in, wire == WIRE_FIXED64 ? 8 : 4, bits);
}

static bool read_field(struct otlp_reader *reader, const struct otlp_message *message, const struct otlp_field *field, enum wire wire,
                       struct slice *in, json_t *json) {
  enum wire expected = wire_of(field->type);
  uint64_t bits;
  struct slice bytes;
  if (wire == expected && expected == WIRE_BYTES) {
    if (!read_bytes(in, &bytes)) return refuse(reader, message, field, "its length is beyond the end");
    json_t *value = bytes_value(reader, message, field, bytes);
    if (!value) return false;
    keep(json, field, value);
    return true;
  }
  if (wire == expected) {
    if (!read_number(in, wire, &bits)) return refuse(reader, message, field, "the number is cut off or too long");
    keep(json, field, number_value(field->type, bits));
    return true;
  }
  if (wire == WIRE_BYTES && (field->flags & OTLP_REPEATED)) { /* packed */
    if (!read_bytes(in, &bytes)) return refuse(reader, message, field, "its length is beyond the end");
    while (bytes.size > 0) {
      if (!read_number(&bytes, expected, &bits)) return refuse(reader, message, field, "a packed number is cut off or too long");
      keep(json, field, number_value(field->type, bits));
    }
    return true;
  }
  char text[80];
  snprintf(text, sizeof text, "has wire type %d instead of %d", (int)wire, (int)expected);
  return refuse(reader, message, field, text);
}

static bool skip(struct otlp_reader *reader, const struct otlp_message *message, uint64_t number, unsigned wire, struct slice *in) {
  uint64_t bits;
  struct slice bytes;
  bool good = wire == WIRE_BYTES                                                    ? read_bytes(in, &bytes)
              : wire == WIRE_VARINT || wire == WIRE_FIXED64 || wire == WIRE_FIXED32 ? read_number(in, (enum wire)wire, &bits)
                                                                                    : false;
  char text[80];
  if (!good) {
    snprintf(text, sizeof text, "field %" PRIu64 " with wire type %u cannot be read", number, wire);
    return refuse(reader, message, NULL, text);
  }
  if (json_array_size(reader->warnings) < otlp_warnings_limit)
    json_array_append_new(reader->warnings, json_sprintf("%s: unknown field %lld", message->name, (long long)number));
  return true;
}

json_t *otlp_decode(struct otlp_reader *reader, const struct otlp_message *message, struct slice bytes) {
  json_t *json = json_object();
  struct slice in = bytes;
  bool good = true;
  while (good && in.size > 0) {
    uint64_t tag;
    if (!read_varint(&in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
      good = refuse(reader, message, NULL, "a tag cannot be read");
      break;
    }
    const struct otlp_field *field = message->fields;
    while (field->number && field->number != tag >> 3) field++;
    good = field->number ? read_field(reader, message, field, (enum wire)(tag & 7), &in, json)
                         : skip(reader, message, tag >> 3, (unsigned)(tag & 7), &in);
  }
  if (good) return json;
  json_decref(json);
  return NULL;
}
