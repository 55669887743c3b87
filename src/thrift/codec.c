#include "thrift/codec.h"

#include "base/error.h"

const struct thrift_kind_info thrift_kinds[THRIFT_KIND_RAW_LIST + 1] = {
    [THRIFT_KIND_BOOL] = {THRIFT_BOOL, false, 0},
    [THRIFT_KIND_BYTE] = {THRIFT_BYTE, false, 0},
    [THRIFT_KIND_I16] = {THRIFT_I16, false, 0},
    [THRIFT_KIND_I32] = {THRIFT_I32, false, 0},
    [THRIFT_KIND_I64] = {THRIFT_I64, false, 0},
    [THRIFT_KIND_DOUBLE] = {THRIFT_DOUBLE, false, 0},
    [THRIFT_KIND_STRING] = {THRIFT_STRING, false, 0},
    [THRIFT_KIND_BINARY] = {THRIFT_STRING, false, 0},
    [THRIFT_KIND_STRUCT] = {THRIFT_STRUCT, false, 0},
    [THRIFT_KIND_STRUCT_ITEM] = {THRIFT_STRUCT, false, 0},
    [THRIFT_KIND_STRUCTS] = {THRIFT_LIST, true, THRIFT_KIND_STRUCT_ITEM},
    [THRIFT_KIND_STRINGS] = {THRIFT_LIST, true, THRIFT_KIND_STRING},
    [THRIFT_KIND_STRING_LISTS] = {THRIFT_LIST, true, THRIFT_KIND_STRINGS},
    [THRIFT_KIND_I32S] = {THRIFT_LIST, true, THRIFT_KIND_I32},
    [THRIFT_KIND_STRING_MAP] = {THRIFT_MAP, true, THRIFT_KIND_STRING},
    [THRIFT_KIND_I32_MAP] = {THRIFT_MAP, true, THRIFT_KIND_I32},
    [THRIFT_KIND_STRUCT_MAP] = {THRIFT_MAP, true, THRIFT_KIND_STRUCT_ITEM},
    [THRIFT_KIND_RAW_LIST] = {THRIFT_LIST, false, 0},
};

size_t thrift_item_size(uint8_t kind, const struct thrift_field *field) {
  switch (kind) {
    case THRIFT_KIND_STRUCTS: return field->type->size;
    case THRIFT_KIND_STRINGS: return sizeof(struct slice);
    case THRIFT_KIND_STRING_LISTS: return sizeof(struct thrift_strings);
    case THRIFT_KIND_I32S: return sizeof(int32_t);
    default: return field->pair_size;
  }
}

const char *thrift_enum_name(const struct thrift_enum *names, int32_t number) {
  for (size_t i = 0; i < names->count; i++) {
    if (names->values[i].number == number) return names->values[i].name;
  }
  return NULL;
}

/* ---- Decoding ------------------------------------------------------------------------------------------------------------ */

struct decoder {
  struct thrift_reader *reader;
  struct arena *arena;
  size_t allowed; /* bytes of the arena that this message may still take */
  dbsql_error **error;
};

/* `*out` is NULL if `count` is 0. */
static dbsql_status allocate(struct decoder *decoder, size_t count, size_t size, void *out) {
  void *block = NULL;
  if (count != 0) {
    bool fits = count <= decoder->allowed / size;
    size_t needed = fits ? (count * size + 15) & ~(size_t)15 : 0; /* as the arena rounds */
    if (!fits || needed > decoder->allowed) {
      return thrift_malformed(decoder->reader, decoder->error, "%zu items would take too much memory for a message of this size", count);
    }
    decoder->allowed -= needed;
    block = arena_alloc(decoder->arena, count, size);
    if (!block) return error_no_memory(decoder->error);
  }
  memcpy(out, &block, sizeof block);
  return DBSQL_OK;
}

static dbsql_status decode_struct(struct decoder *decoder, const struct thrift_struct *type, void *out, int depth);

static dbsql_status expect_type(struct decoder *decoder, const char *what, uint8_t found, uint8_t expected) {
  if (found == expected) return DBSQL_OK;
  return thrift_malformed(decoder->reader, decoder->error, "%s of type %s where %s is expected", what, thrift_type_name(found),
                          thrift_type_name(expected));
}

static dbsql_status decode_raw_list(struct decoder *decoder, const struct thrift_field *field, struct thrift_raw_list *list) {
  uint8_t element_type;
  uint32_t count;
  dbsql_status status = thrift_read_list(decoder->reader, &element_type, &count, decoder->error);
  if (status == DBSQL_OK && count != 0) status = expect_type(decoder, "values", element_type, field->element_type);
  if (status != DBSQL_OK) return status;
  const uint8_t *start = decoder->reader->at;
  if (count != 0) status = thrift_skip_elements(decoder->reader, element_type, count, 0, decoder->error);
  *list = (struct thrift_raw_list){field->element_type, count, slice_of(start, (size_t)(decoder->reader->at - start))};
  return status;
}

static dbsql_status decode_value(struct decoder *decoder, uint8_t kind, const struct thrift_field *field, void *slot, int depth);

/* A list or map. Its types do not matter if it is empty. */
static dbsql_status decode_items(struct decoder *decoder, uint8_t kind, const struct thrift_field *field, struct thrift_items *list,
                                 int depth) {
  uint8_t item_kind = thrift_kinds[kind].item_kind;
  uint8_t item_type = thrift_kinds[item_kind].wire_type;
  bool is_map = thrift_kinds[kind].wire_type == THRIFT_MAP;
  uint8_t key_type = THRIFT_STRING, found;
  uint32_t count;
  if (depth <= 0) return thrift_malformed(decoder->reader, decoder->error, "it is nested too deeply");
  dbsql_status status = is_map ? thrift_read_map(decoder->reader, &key_type, &found, &count, decoder->error)
                               : thrift_read_list(decoder->reader, &found, &count, decoder->error);
  if (status != DBSQL_OK) return status;
  if (count != 0) {
    if (is_map) status = expect_type(decoder, "map keys", key_type, THRIFT_STRING);
    if (status == DBSQL_OK) status = expect_type(decoder, is_map ? "map values" : "list elements", found, item_type);
    if (status != DBSQL_OK) return status;
  }
  size_t item_size = thrift_item_size(kind, field);
  status = allocate(decoder, count, item_size, &list->items);
  if (status != DBSQL_OK) return status;
  list->count = count;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *item = (uint8_t *)list->items + i * item_size;
    if (is_map) {
      status = thrift_read_string(decoder->reader, (struct slice *)(void *)item, decoder->error);
      if (status != DBSQL_OK) return status;
      item += field->value_offset;
    }
    status = decode_value(decoder, item_kind, field, item, depth - 1);
    if (status != DBSQL_OK) return status;
  }
  return DBSQL_OK;
}

static dbsql_status decode_value(struct decoder *decoder, uint8_t kind, const struct thrift_field *field, void *slot, int depth) {
  switch (kind) {
    case THRIFT_KIND_BOOL: return thrift_read_bool(decoder->reader, slot, decoder->error);
    case THRIFT_KIND_BYTE: return thrift_read_byte(decoder->reader, slot, decoder->error);
    case THRIFT_KIND_I16: return thrift_read_i16(decoder->reader, slot, decoder->error);
    case THRIFT_KIND_I32: return thrift_read_i32(decoder->reader, slot, decoder->error);
    case THRIFT_KIND_I64: return thrift_read_i64(decoder->reader, slot, decoder->error);
    case THRIFT_KIND_DOUBLE: return thrift_read_double(decoder->reader, slot, decoder->error);
    case THRIFT_KIND_STRING:
    case THRIFT_KIND_BINARY: return thrift_read_string(decoder->reader, slot, decoder->error);
    case THRIFT_KIND_STRUCT: {
      void *nested = NULL;
      dbsql_status status = allocate(decoder, 1, field->type->size, &nested);
      if (status != DBSQL_OK) return status;
      memcpy(slot, &nested, sizeof nested);
      return decode_struct(decoder, field->type, nested, depth);
    }
    case THRIFT_KIND_STRUCT_ITEM: return decode_struct(decoder, field->type, slot, depth);
    case THRIFT_KIND_RAW_LIST: return decode_raw_list(decoder, field, slot);
    default: return decode_items(decoder, kind, field, slot, depth);
  }
}

/* The unknown fields of one struct, in order. */
struct unknown_list {
  struct thrift_unknown *first, *last;
  int count;
};

static dbsql_status keep_unknown(struct decoder *decoder, struct unknown_list *list, uint8_t type, int16_t id, int depth) {
  if (list->count == thrift_max_unknown_fields) {
    return thrift_malformed(decoder->reader, decoder->error, "more than %d unknown fields", list->count);
  }
  struct thrift_unknown *field = NULL;
  dbsql_status status = allocate(decoder, 1, sizeof *field, &field);
  if (status != DBSQL_OK) return status;
  const uint8_t *start = decoder->reader->at;
  status = thrift_skip(decoder->reader, type, depth, decoder->error);
  if (status != DBSQL_OK) return status;
  *field = (struct thrift_unknown){NULL, slice_of(start, (size_t)(decoder->reader->at - start)), id, type};
  struct thrift_unknown **place = &list->first;
  if (list->last && list->last->id <= id) place = &list->last->next;
  while (*place && (*place)->id <= id) place = &(*place)->next;
  field->next = *place;
  *place = field;
  if (!field->next) list->last = field;
  list->count++;
  return DBSQL_OK;
}

/* The field of that id, or NULL. Fields mostly come in order: the one behind the last is looked at first. */
static const struct thrift_field *find_field(const struct thrift_struct *type, int16_t id, uint16_t *hint) {
  if (*hint < type->field_count && type->fields[*hint].id == id) return &type->fields[(*hint)++];
  for (uint16_t at = 0; at < type->field_count; at++) {
    if (type->fields[at].id != id) continue;
    *hint = (uint16_t)(at + 1);
    return &type->fields[at];
  }
  return NULL;
}

static dbsql_status decode_struct(struct decoder *decoder, const struct thrift_struct *type, void *out, int depth) {
  uint8_t *base = out;
  struct unknown_list unknown = {NULL, NULL, 0};
  uint16_t hint = 0;
  int set = 0;
  dbsql_status status;
  if (depth <= 0) return thrift_malformed(decoder->reader, decoder->error, "it is nested too deeply");
  for (;;) {
    uint8_t wire_type;
    int16_t id;
    status = thrift_read_field(decoder->reader, &wire_type, &id, decoder->error);
    if (status != DBSQL_OK || wire_type == THRIFT_STOP) break;
    const struct thrift_field *field = find_field(type, id, &hint);
    if (!field || thrift_kinds[field->kind].wire_type != wire_type) {
      status = keep_unknown(decoder, &unknown, wire_type, id, depth - 1);
      if (status != DBSQL_OK) break;
      continue;
    }
    /* A second one: which would be meant? */
    bool *has = (bool *)(base + field->has_offset);
    status = *has ? thrift_malformed(decoder->reader, decoder->error, "the field is there twice")
                  : decode_value(decoder, field->kind, field, base + field->offset, depth - 1);
    if (status != DBSQL_OK) {
      error_prefix(decoder->error, "%s.%s", type->name, field->name);
      return status;
    }
    *has = true;
    set++;
  }
  if (status == DBSQL_OK && type->is_union && set > 1) {
    status = thrift_malformed(decoder->reader, decoder->error, "a union has %d fields set", set);
  }
  if (status != DBSQL_OK) error_prefix(decoder->error, "%s", type->name);
  memcpy(base, &unknown.first, sizeof unknown.first);
  return status;
}

dbsql_status thrift_read_struct(struct thrift_reader *reader, const struct thrift_struct *type, struct arena *arena, void *out,
                                dbsql_error **error) {
  size_t size = thrift_reader_left(reader);
  size_t most = SIZE_MAX / 2;
  size_t allowed =
      size > (most - thrift_memory_constant) / thrift_memory_factor ? most : size * thrift_memory_factor + thrift_memory_constant;
  struct decoder decoder = {reader, arena, allowed, error};
  memset(out, 0, type->size);
  return decode_struct(&decoder, type, out, thrift_max_depth);
}

dbsql_status thrift_decode(const struct thrift_struct *type, struct slice bytes, struct arena *arena, void *out, dbsql_error **error) {
  struct thrift_reader reader = thrift_reader_of(bytes);
  dbsql_status status = thrift_read_struct(&reader, type, arena, out, error);
  if (status == DBSQL_OK && thrift_reader_left(&reader) != 0) {
    status = thrift_malformed(&reader, error, "%zu bytes follow after %s", thrift_reader_left(&reader), type->name);
  }
  return status;
}

/* ---- Encoding ------------------------------------------------------------------------------------------------------------ */

static void encode_struct(const struct thrift_struct *type, const void *value, struct buf *out, int depth);

static void encode_value(uint8_t kind, const struct thrift_field *field, const void *slot, struct buf *out, int depth) {
  switch (kind) {
    case THRIFT_KIND_BOOL: thrift_write_bool(out, *(const bool *)slot); break;
    case THRIFT_KIND_BYTE: thrift_write_byte(out, *(const int8_t *)slot); break;
    case THRIFT_KIND_I16: thrift_write_i16(out, *(const int16_t *)slot); break;
    case THRIFT_KIND_I32: thrift_write_i32(out, *(const int32_t *)slot); break;
    case THRIFT_KIND_I64: thrift_write_i64(out, *(const int64_t *)slot); break;
    case THRIFT_KIND_DOUBLE: thrift_write_double(out, *(const double *)slot); break;
    case THRIFT_KIND_STRING:
    case THRIFT_KIND_BINARY: thrift_write_string(out, *(const struct slice *)slot); break;
    case THRIFT_KIND_STRUCT: {
      const void *nested;
      memcpy(&nested, slot, sizeof nested);
      encode_struct(field->type, nested, out, depth);
      break;
    }
    case THRIFT_KIND_STRUCT_ITEM: encode_struct(field->type, slot, out, depth); break;
    case THRIFT_KIND_RAW_LIST: {
      const struct thrift_raw_list *list = slot;
      thrift_write_list(out, field->element_type, list->count);
      buf_append_slice(out, list->bytes);
      break;
    }
    default: {
      const struct thrift_items *list = slot;
      uint8_t item_kind = thrift_kinds[kind].item_kind;
      bool is_map = thrift_kinds[kind].wire_type == THRIFT_MAP;
      size_t item_size = thrift_item_size(kind, field);
      if (is_map) {
        thrift_write_map(out, THRIFT_STRING, thrift_kinds[item_kind].wire_type, list->count);
      } else {
        thrift_write_list(out, thrift_kinds[item_kind].wire_type, list->count);
      }
      for (uint32_t i = 0; i < list->count && !buf_failed(out); i++) {
        const uint8_t *item = (const uint8_t *)list->items + i * item_size;
        if (is_map) {
          thrift_write_string(out, *(const struct slice *)(const void *)item);
          item += field->value_offset;
        }
        encode_value(item_kind, field, item, out, depth - 1);
      }
    }
  }
}

static bool is_set(const struct thrift_field *field, const uint8_t *base) {
  if (!*(const bool *)(base + field->has_offset)) return false;
  if (field->kind != THRIFT_KIND_STRUCT) return true;
  const void *nested;
  memcpy(&nested, base + field->offset, sizeof nested);
  return nested != NULL;
}

static void encode_unknown(const struct thrift_unknown *field, struct buf *out) {
  thrift_write_field(out, field->type, field->id);
  buf_append_slice(out, field->bytes);
}

static void encode_struct(const struct thrift_struct *type, const void *value, struct buf *out, int depth) {
  const uint8_t *base = value;
  const struct thrift_unknown *unknown;
  memcpy(&unknown, base, sizeof unknown);
  if (depth <= 0) {
    out->failed = true;
    return;
  }
  for (uint16_t i = 0; i < type->field_count; i++) {
    const struct thrift_field *field = &type->fields[i];
    if (!is_set(field, base)) continue;
    for (; unknown && unknown->id < field->id; unknown = unknown->next) encode_unknown(unknown, out);
    thrift_write_field(out, thrift_kinds[field->kind].wire_type, field->id);
    encode_value(field->kind, field, base + field->offset, out, depth - 1);
  }
  for (; unknown; unknown = unknown->next) encode_unknown(unknown, out);
  thrift_write_stop(out);
}

void thrift_encode(const struct thrift_struct *type, const void *value, struct buf *out) {
  encode_struct(type, value, out, thrift_max_depth);
}
