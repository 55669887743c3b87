/* ArrowSchema to schema message, and the frame that all messages share. */
#include "arrow/ipc_message.h"
#include "arrow/ipc_reader.h"
#include "arrow/ipc_write_message.h"
#include "arrow/ipc_writer.h"
#include "base/error.h"

void ipc_write_message_begin(struct ipc_write_message *message, struct buf *out, int header_type) {
  static const uint8_t head[12] = {0xFF, 0xFF, 0xFF, 0xFF};
  message->start = out->size;
  buf_append(out, head, sizeof head);
  message->flatbuf = (struct flatbuf_writer){out, message->start + 8};
  struct flatbuf_slot slots[] = {{.width = 2, .value = IPC_VERSION_V5}, {.width = 1, .value = header_type}, {.width = 4}, {.width = 8}};
  flatbuf_point(&message->flatbuf, message->start + 8, flatbuf_put_table(&message->flatbuf, slots, 4));
  message->header_slot = slots[2].at;
  message->body_length = slots[3].at;
}

void ipc_write_message_end(struct ipc_write_message *message) {
  flatbuf_pad(&message->flatbuf, 8);
  flatbuf_store(&message->flatbuf, message->start + 4, message->flatbuf.out->size - message->start - 8, 4);
}

void ipc_write_end(struct buf *out) {
  static const uint8_t mark[8] = {0xFF, 0xFF, 0xFF, 0xFF};
  buf_append(out, mark, sizeof mark);
}

/* The table of a type with its parameters; returns where it lies. */
static size_t put_type(struct flatbuf_writer *writer, const struct ipc_field *field) {
  const struct ArrowSchema *schema = field->schema;
  struct flatbuf_slot slots[3] = {{0}, {0}, {0}};
  size_t count = 0;
  int32_t ids[IPC_MAX_UNION];
  int8_t child_of[128];
  const char *zone = NULL;
  switch (field->type) {
    case IPC_INT:
      slots[0] = (struct flatbuf_slot){.width = 4, .value = 8 * field->width};
      slots[1] = (struct flatbuf_slot){.width = 1, .value = field->is_signed};
      count = 2;
      break;
    case IPC_FLOATING_POINT:
    case IPC_DATE:
    case IPC_INTERVAL:
    case IPC_DURATION:
      slots[0] = (struct flatbuf_slot){.width = 2, .value = field->unit};
      count = 1;
      break;
    case IPC_TIME:
      slots[0] = (struct flatbuf_slot){.width = 2, .value = field->unit};
      slots[1] = (struct flatbuf_slot){.width = 4, .value = 8 * field->width};
      count = 2;
      break;
    case IPC_TIMESTAMP:
      zone = schema->format + 4;
      slots[0] = (struct flatbuf_slot){.width = 2, .value = field->unit};
      if (*zone) slots[1] = (struct flatbuf_slot){.width = 4};
      count = *zone ? 2 : 1;
      break;
    case IPC_DECIMAL:
      slots[0] = (struct flatbuf_slot){.width = 4, .value = field->precision};
      slots[1] = (struct flatbuf_slot){.width = 4, .value = field->scale};
      slots[2] = (struct flatbuf_slot){.width = 4, .value = 8 * field->width};
      count = 3;
      break;
    case IPC_FIXED_SIZE_BINARY:
    case IPC_FIXED_SIZE_LIST:
      slots[0] = (struct flatbuf_slot){.width = 4, .value = field->width};
      count = 1;
      break;
    case IPC_MAP:
      slots[0] = (struct flatbuf_slot){.width = 1, .value = (schema->flags & ARROW_FLAG_MAP_KEYS_SORTED) != 0};
      count = 1;
      break;
    case IPC_UNION:
      slots[0] = (struct flatbuf_slot){.width = 2, .value = field->layout == IPC_LAYOUT_DENSE};
      slots[1] = (struct flatbuf_slot){.width = 4};
      count = 2;
      break;
    default: break;
  }
  size_t table = flatbuf_put_table(writer, slots, count);
  if (zone && *zone) flatbuf_put_string(writer, slots[1].at, slice_text(zone));
  if (field->type == IPC_UNION) {
    ipc_union_members(schema->format, field->n_children, child_of);
    for (int id = 0; id < 128; id++)
      if (child_of[id] >= 0) ids[child_of[id]] = id;
    flatbuf_put_int32s(writer, slots[1].at, ids, field->n_children);
  }
  return table;
}

static void put_metadata(struct flatbuf_writer *writer, size_t at, const char *metadata) {
  int32_t pairs, length;
  memcpy(&pairs, metadata, 4);
  metadata += 4;
  size_t vector = flatbuf_put_offsets(writer, at, (size_t)pairs);
  for (int32_t i = 0; i < pairs; i++) {
    struct flatbuf_slot slots[] = {{.width = 4}, {.width = 4}};
    flatbuf_point(writer, vector + 4 * (size_t)i, flatbuf_put_table(writer, slots, 2));
    for (int part = 0; part < 2; part++) {
      memcpy(&length, metadata, 4);
      flatbuf_put_string(writer, slots[part].at, slice_of(metadata + 4, (size_t)length));
      metadata += 4 + (size_t)length;
    }
  }
}

static bool has_metadata(const struct ArrowSchema *schema) {
  int32_t pairs = 0;
  if (schema->metadata) memcpy(&pairs, schema->metadata, 4);
  return pairs > 0;
}

static void put_fields(struct flatbuf_writer *writer, size_t at, const struct ipc_schema *schema, uint32_t parent);

static size_t put_field(struct flatbuf_writer *writer, const struct ipc_schema *schema, uint32_t index) {
  const struct ipc_field *field = &schema->fields[index];
  const struct ArrowSchema *arrow = field->schema;
  struct flatbuf_slot slots[7] = {{.width = 4},
                                  {.width = 1, .value = (arrow->flags & ARROW_FLAG_NULLABLE) != 0},
                                  {.width = 1, .value = field->type},
                                  {.width = 4},
                                  {0},
                                  {.width = 4},
                                  {0}};
  if (has_metadata(arrow)) slots[6].width = 4;
  size_t table = flatbuf_put_table(writer, slots, 7);
  flatbuf_put_string(writer, slots[0].at, arrow->name ? slice_text(arrow->name) : slice_text(""));
  flatbuf_point(writer, slots[3].at, put_type(writer, field));
  put_fields(writer, slots[5].at, schema, index);
  if (slots[6].width) put_metadata(writer, slots[6].at, arrow->metadata);
  return table;
}

static void put_fields(struct flatbuf_writer *writer, size_t at, const struct ipc_schema *schema, uint32_t parent) {
  size_t vector = flatbuf_put_offsets(writer, at, schema->fields[parent].n_children);
  uint32_t child = parent + 1;
  for (uint32_t i = 0; i < schema->fields[parent].n_children; i++) {
    flatbuf_point(writer, vector + 4 * (size_t)i, put_field(writer, schema, child));
    child = schema->fields[child].next;
  }
}

dbsql_status ipc_write_schema(const struct ArrowSchema *arrow, struct buf *out, dbsql_error **error) {
  struct ipc_schema *schema;
  struct ipc_write_message message;
  dbsql_status status = ipc_schema_from_arrow(arrow, &schema, error);
  if (status != DBSQL_OK) return status;
  ipc_write_message_begin(&message, out, IPC_HEADER_SCHEMA);
  struct flatbuf_slot slots[3] = {{.width = 2}, {.width = 4}, {0}};
  if (has_metadata(&schema->arrow)) slots[2].width = 4;
  flatbuf_point(&message.flatbuf, message.header_slot, flatbuf_put_table(&message.flatbuf, slots, 3));
  put_fields(&message.flatbuf, slots[1].at, schema, 0);
  if (slots[2].width) put_metadata(&message.flatbuf, slots[2].at, schema->arrow.metadata);
  ipc_write_message_end(&message);
  ipc_schema_unref(schema);
  if (buf_failed(out)) {
    out->size = message.start;
    return error_no_memory(error);
  }
  if (out->size - message.start - 8 > IPC_MAX_METADATA) {
    out->size = message.start;
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the schema is larger than %zu bytes", IPC_MAX_METADATA);
  }
  return DBSQL_OK;
}
