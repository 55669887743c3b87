/* One line for a debug log. What must not be seen is marked in tcli.def (HIDDEN, GUID, LINK); all texts are redacted besides. */
#include "base/log.h"
#include "base/text.h"
#include "thrift/codec.h"

enum { most_text = 200, most_items = 8, longest_guid = 32 };

static void print_struct(const struct thrift_struct *type, const void *value, struct buf *out, int depth);

/* Redacted as a whole before it is cut, so that no half of a secret escapes. */
static void print_text(struct slice text, struct buf *out) {
  struct buf redacted = BUF_INIT;
  redact_append(&redacted, (const char *)text.data, text.size);
  size_t size = redacted.size;
  if (size > most_text) {
    size = most_text;
    while (size > 0 && (redacted.data[size] & 0xC0) == 0x80) size--;
  }
  buf_append(out, redacted.data, size);
  if (size < redacted.size) buf_printf(out, "... (%zu bytes)", text.size);
  if (buf_failed(&redacted)) out->failed = true;
  buf_free(&redacted);
}

static void print_quoted(struct slice text, struct buf *out) {
  buf_append_byte(out, '"');
  print_text(text, out);
  buf_append_byte(out, '"');
}

static void print_link(struct slice link, struct buf *out) {
  size_t size = 0;
  while (size < link.size && link.data[size] != '?' && link.data[size] != '#') size++;
  buf_append_byte(out, '"');
  print_text(slice_of(link.data, size), out);
  buf_append_text(out, size < link.size ? "?***\"" : "\"");
}

static void print_guid(struct slice guid, struct buf *out) {
  char text[2 * longest_guid + 5];
  if (guid.size > longest_guid) {
    buf_printf(out, "<%zu bytes>", guid.size);
    return;
  }
  guid_format(guid.data, guid.size, text);
  buf_append_text(out, text);
}

static void print_number(const struct thrift_enum *names, int32_t number, struct buf *out) {
  const char *name = names ? thrift_enum_name(names, number) : NULL;
  if (name) {
    buf_append_text(out, name);
  } else {
    buf_printf(out, "%d", (int)number);
  }
}

/* key=value, redacted together: the key may be what gives the value away as a secret. */
static void print_pair(struct slice key, struct slice value, struct buf *out) {
  struct buf pair = BUF_INIT;
  buf_append_slice(&pair, key);
  buf_append_byte(&pair, '=');
  buf_append_slice(&pair, value);
  if (buf_failed(&pair)) {
    out->failed = true;
  } else {
    print_text(buf_slice(&pair), out);
  }
  buf_free(&pair);
}

static void print_value(uint8_t kind, const struct thrift_field *field, const void *slot, struct buf *out, int depth);

static void print_items(uint8_t kind, const struct thrift_field *field, const struct thrift_items *list, struct buf *out, int depth) {
  uint8_t item_kind = thrift_kinds[kind].item_kind;
  bool is_map = thrift_kinds[kind].wire_type == THRIFT_MAP;
  size_t item_size = thrift_item_size(kind, field);
  buf_append_byte(out, is_map ? '{' : '[');
  for (uint32_t i = 0; i < list->count; i++) {
    if (i != 0) buf_append_text(out, ", ");
    if (i == most_items) {
      buf_printf(out, "... %u more", (unsigned)(list->count - i));
      break;
    }
    const uint8_t *item = (const uint8_t *)list->items + i * item_size;
    if (!is_map) {
      print_value(item_kind, field, item, out, depth - 1);
      continue;
    }
    struct slice key = *(const struct slice *)(const void *)item;
    const void *value = item + field->value_offset;
    if (field->flags & THRIFT_HIDDEN) {
      print_pair(key, slice_text("***"), out);
    } else if (item_kind == THRIFT_KIND_STRING) {
      print_pair(key, *(const struct slice *)value, out);
    } else {
      print_text(key, out);
      buf_append_byte(out, '=');
      print_value(item_kind, field, value, out, depth - 1);
    }
  }
  buf_append_byte(out, is_map ? '}' : ']');
}

static void print_value(uint8_t kind, const struct thrift_field *field, const void *slot, struct buf *out, int depth) {
  switch (kind) {
    case THRIFT_KIND_BOOL: buf_append_text(out, *(const bool *)slot ? "true" : "false"); break;
    case THRIFT_KIND_BYTE: buf_printf(out, "%d", *(const int8_t *)slot); break;
    case THRIFT_KIND_I16: buf_printf(out, "%d", *(const int16_t *)slot); break;
    case THRIFT_KIND_I32: print_number(field->names, *(const int32_t *)slot, out); break;
    case THRIFT_KIND_I64: buf_printf(out, "%lld", (long long)*(const int64_t *)slot); break;
    case THRIFT_KIND_DOUBLE: buf_printf(out, "%.17g", *(const double *)slot); break;
    case THRIFT_KIND_STRING: print_quoted(*(const struct slice *)slot, out); break;
    case THRIFT_KIND_BINARY: buf_printf(out, "<%zu bytes>", ((const struct slice *)slot)->size); break;
    case THRIFT_KIND_STRUCT: {
      const void *nested;
      memcpy(&nested, slot, sizeof nested);
      if (nested) print_struct(field->type, nested, out, depth);
      break;
    }
    case THRIFT_KIND_STRUCT_ITEM: print_struct(field->type, slot, out, depth); break;
    case THRIFT_KIND_RAW_LIST:
      buf_printf(out, "<%u %s>", (unsigned)((const struct thrift_raw_list *)slot)->count, thrift_type_name(field->element_type));
      break;
    default: print_items(kind, field, slot, out, depth);
  }
}

static void print_field(const struct thrift_field *field, const void *slot, struct buf *out, int depth) {
  buf_printf(out, "%s: ", field->name);
  if (field->flags & THRIFT_GUID) {
    print_guid(*(const struct slice *)slot, out);
  } else if (field->flags & THRIFT_LINK) {
    print_link(*(const struct slice *)slot, out);
  } else if ((field->flags & THRIFT_HIDDEN) && thrift_kinds[field->kind].wire_type == THRIFT_LIST) {
    buf_printf(out, "<%u items>", (unsigned)((const struct thrift_items *)slot)->count);
  } else if ((field->flags & THRIFT_HIDDEN) && thrift_kinds[field->kind].wire_type != THRIFT_MAP) {
    buf_append_text(out, "***");
  } else {
    print_value(field->kind, field, slot, out, depth);
  }
}

static void print_struct(const struct thrift_struct *type, const void *value, struct buf *out, int depth) {
  const uint8_t *base = value;
  const char *separator = "";
  if (depth <= 0) {
    buf_append_text(out, "...");
    return;
  }
  buf_printf(out, "%s{", type->name);
  for (uint16_t i = 0; i < type->field_count; i++) {
    const struct thrift_field *field = &type->fields[i];
    if (!*(const bool *)(base + field->has_offset)) continue;
    buf_append_text(out, separator);
    print_field(field, base + field->offset, out, depth - 1);
    separator = ", ";
  }
  const struct thrift_unknown *unknown;
  memcpy(&unknown, base, sizeof unknown);
  for (; unknown; unknown = unknown->next) {
    buf_printf(out, "%s0x%X: <%s>", separator, (unsigned)(uint16_t)unknown->id, thrift_type_name(unknown->type));
    separator = ", ";
  }
  buf_append_byte(out, '}');
}

void thrift_print(const struct thrift_struct *type, const void *value, struct buf *out) {
  print_struct(type, value, out, thrift_max_depth);
}
