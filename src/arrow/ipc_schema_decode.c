/* Schema message to ArrowSchema (results.md 3.4 and 3.10). */
#include "arrow/ipc_message.h"
#include "base/error.h"
#include "base/text.h"

struct decoder {
  struct flatbuf *flatbuf;
  uint32_t fields;
  size_t text_left; /* bytes that may still be copied */
  dbsql_error **error;
};

static dbsql_status bad(struct decoder *decoder, const char *format, ...) DBSQL_PRINTF(2, 3);
static dbsql_status bad(struct decoder *decoder, const char *format, ...) {
  va_list args;
  va_start(args, format);
  dbsql_status status = error_set_v(decoder->error, DBSQL_ERROR_DRIVER, NULL, format, args);
  va_end(args);
  return status;
}

static dbsql_status malformed(struct decoder *decoder) {
  return ipc_metadata_error(decoder->flatbuf, "schema", decoder->error);
}

static bool spend_text(struct decoder *decoder, size_t size) {
  if (size > decoder->text_left) return false;
  decoder->text_left -= size;
  return true;
}

/* KeyValue pairs to the metadata block of the C data interface; nothing for none. */
static dbsql_status decode_metadata(struct decoder *decoder, const struct flatbuf_table *table, int slot, struct buf *out) {
  struct flatbuf_vector pairs;
  if (!flatbuf_vector(decoder->flatbuf, table, slot, 4, 4, &pairs)) return malformed(decoder);
  if (pairs.count == 0) return DBSQL_OK;
  int32_t count = (int32_t)pairs.count;
  buf_append(out, &count, 4);
  for (uint32_t i = 0; i < pairs.count; i++) {
    struct flatbuf_table pair;
    if (!flatbuf_vector_table(decoder->flatbuf, &pairs, i, &pair)) return malformed(decoder);
    for (int part = 0; part < 2; part++) {
      struct slice text;
      if (!flatbuf_string(decoder->flatbuf, &pair, part, &text)) return malformed(decoder);
      if (!spend_text(decoder, text.size + 4)) return bad(decoder, "Arrow schema: its names and metadata share too many bytes");
      int32_t length = (int32_t)text.size;
      buf_append(out, &length, 4);
      buf_append_slice(out, text);
    }
  }
  return DBSQL_OK;
}

/* The value `number` names as a letter of `letters`, 0 if it is out of range. */
static char letter(const char *letters, int64_t number) {
  return number >= 0 && number < (int64_t)strlen(letters) ? letters[number] : 0;
}

static dbsql_status out_of_range(struct decoder *decoder, unsigned type, const char *what, int64_t value) {
  return bad(decoder, "Arrow type %s: %s %lld is not supported", ipc_type_name(type), what, (long long)value);
}

static dbsql_status decode_union(struct decoder *decoder, const struct flatbuf_table *table, int64_t n_children, struct buf *out) {
  struct flatbuf_vector ids;
  int64_t mode;
  if (!flatbuf_number(decoder->flatbuf, table, 0, 2, 0, &mode) || !flatbuf_vector(decoder->flatbuf, table, 1, 4, 4, &ids))
    return malformed(decoder);
  if (mode != 0 && mode != 1) return out_of_range(decoder, IPC_UNION, "mode", mode);
  if (n_children > IPC_MAX_UNION) return out_of_range(decoder, IPC_UNION, "a number of children of", n_children);
  if (ids.count != 0 && ids.count != n_children) return out_of_range(decoder, IPC_UNION, "a number of type ids of", ids.count);
  buf_append_text(out, mode ? "+ud:" : "+us:");
  for (int64_t i = 0; i < n_children; i++) {
    int32_t id = ids.count ? flatbuf_int32_at(decoder->flatbuf, ids.at + 4 * (uint32_t)i) : (int32_t)i;
    if (id < 0 || id > 127) return out_of_range(decoder, IPC_UNION, "type id", id);
    buf_printf(out, "%s%d", i ? "," : "", id);
  }
  return DBSQL_OK;
}

/* The format string of a type with parameters. The ranges of widths and precisions are checked where formats are (ipc_types.c). */
static dbsql_status decode_type(struct decoder *decoder, unsigned type, const struct flatbuf_table *table, int64_t n_children,
                                int64_t *flags, struct buf *out) {
  static const char *const plain[] = {
      [IPC_NULL] = "n",    [IPC_BINARY] = "z",       [IPC_UTF8] = "u",       [IPC_BOOL] = "b",       [IPC_LIST] = "+l",
      [IPC_STRUCT] = "+s", [IPC_LARGE_BINARY] = "Z", [IPC_LARGE_UTF8] = "U", [IPC_LARGE_LIST] = "+L"};
  struct flatbuf *flatbuf = decoder->flatbuf;
  int64_t number = 0, unit = 0;
  bool flag;
  char code;
  struct slice zone;
  if (type < sizeof plain / sizeof *plain && plain[type]) {
    buf_append_text(out, plain[type]);
    return DBSQL_OK;
  }
  switch (type) {
    case IPC_INT:
      if (!flatbuf_number(flatbuf, table, 0, 4, 0, &number) || !flatbuf_bool(flatbuf, table, 1, &flag)) return malformed(decoder);
      code = number == 8 ? 'C' : number == 16 ? 'S' : number == 32 ? 'I' : number == 64 ? 'L' : 0;
      if (!code) return out_of_range(decoder, type, "a width of", number);
      buf_append_byte(out, (uint8_t)(flag ? text_lower(code) : code));
      return DBSQL_OK;
    case IPC_FLOATING_POINT:
      if (!flatbuf_number(flatbuf, table, 0, 2, 0, &number)) return malformed(decoder);
      if (!(code = letter("efg", number))) return out_of_range(decoder, type, "precision", number);
      buf_append_byte(out, (uint8_t)code);
      return DBSQL_OK;
    case IPC_DECIMAL: {
      int64_t scale, bits;
      if (!flatbuf_number(flatbuf, table, 0, 4, 0, &number) || !flatbuf_number(flatbuf, table, 1, 4, 0, &scale) ||
          !flatbuf_number(flatbuf, table, 2, 4, 128, &bits))
        return malformed(decoder);
      buf_printf(out, "d:%lld,%lld", (long long)number, (long long)scale);
      if (bits != 128) buf_printf(out, ",%lld", (long long)bits);
      return DBSQL_OK;
    }
    case IPC_DATE:
      if (!flatbuf_number(flatbuf, table, 0, 2, 1, &unit)) return malformed(decoder);
      if (!(code = letter("Dm", unit))) return out_of_range(decoder, type, "unit", unit);
      buf_printf(out, "td%c", code);
      return DBSQL_OK;
    case IPC_TIME:
      if (!flatbuf_number(flatbuf, table, 0, 2, 1, &unit) || !flatbuf_number(flatbuf, table, 1, 4, 32, &number)) return malformed(decoder);
      if (!(code = letter("smun", unit))) return out_of_range(decoder, type, "unit", unit);
      if (number != (unit < 2 ? 32 : 64)) return out_of_range(decoder, type, "a width of", number);
      buf_printf(out, "tt%c", code);
      return DBSQL_OK;
    case IPC_TIMESTAMP:
      if (!flatbuf_number(flatbuf, table, 0, 2, 0, &unit) || !flatbuf_string(flatbuf, table, 1, &zone)) return malformed(decoder);
      if (!(code = letter("smun", unit))) return out_of_range(decoder, type, "unit", unit);
      if (zone.size != 0 && (memchr(zone.data, 0, zone.size) || !utf8_is_valid(zone.data, zone.size, NULL)))
        return bad(decoder, "Arrow type Timestamp: the name of its time zone is not text");
      if (!spend_text(decoder, zone.size)) return bad(decoder, "Arrow schema: its names and metadata share too many bytes");
      buf_printf(out, "ts%c:", code);
      buf_append_slice(out, zone);
      return DBSQL_OK;
    case IPC_INTERVAL:
      if (!flatbuf_number(flatbuf, table, 0, 2, 0, &unit)) return malformed(decoder);
      if (!(code = letter("MDn", unit))) return out_of_range(decoder, type, "unit", unit);
      buf_printf(out, "ti%c", code);
      return DBSQL_OK;
    case IPC_UNION: return decode_union(decoder, table, n_children, out);
    case IPC_FIXED_SIZE_BINARY:
      if (!flatbuf_number(flatbuf, table, 0, 4, 0, &number)) return malformed(decoder);
      if (number < 1 || number > IPC_MAX_WIDTH) return out_of_range(decoder, type, "a width of", number);
      buf_printf(out, "w:%lld", (long long)number);
      return DBSQL_OK;
    case IPC_FIXED_SIZE_LIST:
      if (!flatbuf_number(flatbuf, table, 0, 4, 0, &number)) return malformed(decoder);
      if (number < 0) return out_of_range(decoder, type, "a size of", number);
      buf_printf(out, "+w:%lld", (long long)number);
      return DBSQL_OK;
    case IPC_MAP:
      if (!flatbuf_bool(flatbuf, table, 0, &flag)) return malformed(decoder);
      if (flag) *flags |= ARROW_FLAG_MAP_KEYS_SORTED;
      buf_append_text(out, "+m");
      return DBSQL_OK;
    case IPC_DURATION:
      if (!flatbuf_number(flatbuf, table, 0, 2, 1, &unit)) return malformed(decoder);
      if (!(code = letter("smun", unit))) return out_of_range(decoder, type, "unit", unit);
      buf_printf(out, "tD%c", code);
      return DBSQL_OK;
    default: return bad(decoder, "unsupported Arrow type %s", ipc_type_name(type));
  }
}

static dbsql_status decode_field(struct decoder *decoder, const struct flatbuf_table *table, int depth, uint32_t ordinal,
                                 struct ArrowSchema *out);

static dbsql_status decode_children(struct decoder *decoder, const struct flatbuf_vector *children, int depth, struct ArrowSchema *out) {
  dbsql_status status = DBSQL_OK;
  for (uint32_t i = 0; i < children->count && status == DBSQL_OK; i++) {
    struct flatbuf_table child;
    if (!flatbuf_vector_table(decoder->flatbuf, children, i, &child)) return malformed(decoder);
    status = decode_field(decoder, &child, depth, i + 1, out->children[i]);
  }
  return status;
}

static dbsql_status decode_field(struct decoder *decoder, const struct flatbuf_table *table, int depth, uint32_t ordinal,
                                 struct ArrowSchema *out) {
  struct flatbuf *flatbuf = decoder->flatbuf;
  struct buf format = BUF_INIT, metadata = BUF_INIT;
  struct flatbuf_table type_table, dictionary;
  struct flatbuf_vector children;
  struct slice name;
  uint8_t type;
  bool nullable, has_dictionary;
  dbsql_status status;
  if (depth > IPC_MAX_DEPTH) return bad(decoder, "Arrow schema: fields nest deeper than %d", IPC_MAX_DEPTH);
  if (!flatbuf_string(flatbuf, table, 0, &name) || !flatbuf_bool(flatbuf, table, 1, &nullable) ||
      !flatbuf_union(flatbuf, table, 2, &type, &type_table) || !flatbuf_child(flatbuf, table, 4, &has_dictionary, &dictionary) ||
      !flatbuf_vector(flatbuf, table, 5, 4, 4, &children))
    return malformed(decoder);
  if (!name.data) name = slice_text("");
  if (memchr(name.data, 0, name.size) || !utf8_is_valid(name.data, name.size, NULL))
    return bad(decoder, "Arrow schema: the name of a field is not UTF-8 text");
  if (children.count > IPC_MAX_FIELDS - decoder->fields) return bad(decoder, "Arrow schema: more than %d fields", IPC_MAX_FIELDS);
  decoder->fields += children.count;
  if (!spend_text(decoder, name.size)) return bad(decoder, "Arrow schema: its names and metadata share too many bytes");
  int64_t flags = nullable ? ARROW_FLAG_NULLABLE : 0;
  if (has_dictionary) {
    status = bad(decoder, "unsupported Arrow type Dictionary (of %s)", ipc_type_name(type));
    goto cleanup;
  }
  if ((status = decode_type(decoder, type, &type_table, children.count, &flags, &format)) != DBSQL_OK) goto cleanup;
  if ((status = decode_metadata(decoder, table, 6, &metadata)) != DBSQL_OK) goto cleanup;
  if (buf_failed(&format) || buf_failed(&metadata)) {
    status = error_no_memory(decoder->error);
    goto cleanup;
  }
  status = ipc_schema_node(out, buf_slice(&format), name, buf_slice(&metadata), flags, children.count, decoder->error);
  if (status == DBSQL_OK) status = decode_children(decoder, &children, depth + 1, out);

cleanup:
  if (status != DBSQL_OK) {
    int shown = name.size < 100 ? (int)name.size : 100;
    if (depth == 1)
      error_prefix(decoder->error, "column %u \"%.*s\"", ordinal, shown, (const char *)name.data);
    else
      error_prefix(decoder->error, "field \"%.*s\"", shown, (const char *)name.data);
  }
  buf_free(&format);
  buf_free(&metadata);
  return status;
}

dbsql_status ipc_schema_decode(struct ipc_message *message, struct ipc_schema **schema, dbsql_error **error) {
  struct decoder decoder = {&message->flatbuf, 1, ((size_t)1 << 20) + IPC_MAX_TEXT_RATIO * message->flatbuf.bytes.size, error};
  struct ArrowSchema arrow = {.release = NULL};
  struct flatbuf_vector fields;
  struct buf metadata = BUF_INIT;
  int64_t endianness;
  dbsql_status status;
  *schema = NULL;
  if (!flatbuf_number(&message->flatbuf, &message->header, 0, 2, 0, &endianness) ||
      !flatbuf_vector(&message->flatbuf, &message->header, 1, 4, 4, &fields)) {
    status = malformed(&decoder);
    goto cleanup;
  }
  if (endianness != 0) {
    status = bad(&decoder, endianness == 1 ? "Arrow schema: big-endian data are not supported" : "Arrow schema: unknown endianness");
    goto cleanup;
  }
  if (message->body.size != 0) {
    status = bad(&decoder, "Arrow schema message: it must not have a body");
    goto cleanup;
  }
  if (fields.count >= IPC_MAX_FIELDS) {
    status = bad(&decoder, "Arrow schema: more than %d fields", IPC_MAX_FIELDS);
    goto cleanup;
  }
  decoder.fields += fields.count;
  if ((status = decode_metadata(&decoder, &message->header, 2, &metadata)) != DBSQL_OK) goto cleanup;
  if (buf_failed(&metadata)) {
    status = error_no_memory(error);
    goto cleanup;
  }
  status = ipc_schema_node(&arrow, slice_text("+s"), slice_text(""), buf_slice(&metadata), 0, fields.count, error);
  if (status == DBSQL_OK) status = decode_children(&decoder, &fields, 1, &arrow);
  if (status == DBSQL_OK) status = ipc_schema_take(&arrow, schema, error);

cleanup:
  if (arrow.release) arrow.release(&arrow);
  buf_free(&metadata);
  return status;
}
