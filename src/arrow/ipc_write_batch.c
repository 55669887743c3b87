/*
 * Arrays to a record batch message. The number of nodes and buffers follows from the schema, so the metadata are laid out first and
 * patched while the body is appended behind them: nothing is written twice.
 */
#include "arrow/ipc_bits.h"
#include "arrow/ipc_message.h"
#include "arrow/ipc_reader.h"
#include "arrow/ipc_write_message.h"
#include "arrow/ipc_writer.h"
#include "base/error.h"

struct batch_writer {
  const struct ipc_schema *schema;
  struct flatbuf_writer flatbuf;
  struct buf *out;
  size_t next_node;
  size_t next_buffer;
  size_t body; /* where it begins in `out` */
  dbsql_error **error;
};

/* Begins the next buffer and makes room for its bytes; they are padded with zeros to a multiple of 8. NULL if out of memory. */
static uint8_t *put_buffer(struct batch_writer *writer, uint64_t size) {
  size_t padded = (size_t)(size + 7) & ~(size_t)7, at = writer->out->size;
  if (size > SIZE_MAX / 2) {
    writer->out->failed = true;
    return NULL;
  }
  uint8_t *bytes = buf_extend(writer->out, padded);
  flatbuf_store(&writer->flatbuf, writer->next_buffer, at - writer->body, 8);
  flatbuf_store(&writer->flatbuf, writer->next_buffer + 8, size, 8);
  writer->next_buffer += 16;
  if (bytes) memset(bytes + size, 0, padded - (size_t)size);
  return bytes;
}

static void put_bytes(struct batch_writer *writer, const void *from, uint64_t size) {
  uint8_t *to = put_buffer(writer, size);
  if (to && size != 0) memcpy(to, from, (size_t)size);
}

static void put_bits(struct batch_writer *writer, const uint8_t *from, int64_t offset, int64_t length) {
  uint8_t *to = put_buffer(writer, ((uint64_t)length + 7) / 8);
  if (to) ipc_bits_copy(from, offset, length, to);
}

static int64_t load_offset(const void *offsets, int width, int64_t index) {
  int32_t narrow;
  int64_t wide;
  if (width == 8) {
    memcpy(&wide, (const uint8_t *)offsets + 8 * index, 8);
    return wide;
  }
  memcpy(&narrow, (const uint8_t *)offsets + 4 * index, 4);
  return narrow;
}

/* The offsets of `length` entries from `at` on, counted from the first; `*first` and `*last` are what they refer to. */
static dbsql_status put_offsets(struct batch_writer *writer, const struct ipc_field *field, const void *offsets, int64_t at, int64_t length,
                                int64_t *first, int64_t *last) {
  int width = field->offset_width;
  *first = *last = 0;
  if (length != 0) {
    *first = *last = load_offset(offsets, width, at);
    for (int64_t i = 1; i <= length; i++) {
      int64_t next = load_offset(offsets, width, at + i);
      if (next < *last || *last < 0)
        return ipc_field_error(writer->schema, field, writer->error, "%s: an offset is negative or less than the one before",
                               ipc_type_name(field->type));
      *last = next;
    }
  }
  /* Also a list of no entries gets one zero: old readers want it. */
  uint8_t *to = put_buffer(writer, ((uint64_t)length + 1) * (uint64_t)width);
  if (!to) return error_no_memory(writer->error);
  if (length == 0) {
    memset(to, 0, (size_t)width);
    return DBSQL_OK;
  }
  for (int64_t i = 0; i <= length; i++) {
    int64_t value = load_offset(offsets, width, at + i) - *first;
    int32_t narrow = (int32_t)value;
    if (width == 8)
      memcpy(to + 8 * i, &value, 8);
    else
      memcpy(to + 4 * i, &narrow, 4);
  }
  return DBSQL_OK;
}

/* The node, and the validity bitmap where the type has one. */
static void put_node(struct batch_writer *writer, const struct ipc_field *field, const struct ArrowArray *array, int64_t at,
                     int64_t length) {
  bool has_validity = field->layout != IPC_LAYOUT_NONE && field->type != IPC_UNION;
  const uint8_t *bits = has_validity && array->null_count != 0 ? array->buffers[0] : NULL;
  int64_t nulls = bits ? length - ipc_bits_count(bits, at, length) : 0;
  if (field->layout == IPC_LAYOUT_NONE) nulls = length;
  flatbuf_store(&writer->flatbuf, writer->next_node, (uint64_t)length, 8);
  flatbuf_store(&writer->flatbuf, writer->next_node + 8, (uint64_t)nulls, 8);
  writer->next_node += 16;
  if (!has_validity) return;
  if (nulls != 0)
    put_bits(writer, bits, at, length);
  else
    put_buffer(writer, 0);
}

/* What the C data interface promises and what can be seen from the structs alone. */
static dbsql_status check_array(struct batch_writer *writer, const struct ipc_field *field, const struct ArrowArray *array) {
  if (array->release == NULL) return ipc_field_error(writer->schema, field, writer->error, "the array has been released");
  if (array->n_children != (int64_t)field->n_children || array->n_buffers != field->n_buffers || array->length < 0 || array->offset < 0 ||
      array->length > IPC_MAX_LENGTH || array->offset > INT64_MAX / 2)
    return ipc_field_error(writer->schema, field, writer->error,
                           "the array (%lld entries at %lld, %lld buffers, %lld children) does not fit the type %s",
                           (long long)array->length, (long long)array->offset, (long long)array->n_buffers, (long long)array->n_children,
                           ipc_type_name(field->type));
  return DBSQL_OK;
}

static dbsql_status put_array(struct batch_writer *writer, uint32_t index, const struct ArrowArray *array, int64_t at, int64_t length);

static dbsql_status put_child(struct batch_writer *writer, uint32_t index, const struct ArrowArray *child, int64_t at, int64_t length) {
  const struct ipc_field *field = &writer->schema->fields[index];
  dbsql_status status = check_array(writer, field, child);
  if (status != DBSQL_OK) return status;
  if (length > child->length || at > child->length - length)
    return ipc_field_error(writer->schema, field, writer->error, "it has %lld entries, %lld are needed", (long long)child->length,
                           (long long)at + (long long)length);
  return put_array(writer, index, child, child->offset + at, length);
}

/* All children from their entry `at` on; `length` -1 means all of them. */
static dbsql_status put_children(struct batch_writer *writer, uint32_t index, const struct ArrowArray *array, int64_t at, int64_t length) {
  const struct ipc_field *field = &writer->schema->fields[index];
  dbsql_status status = DBSQL_OK;
  uint32_t child = index + 1;
  for (uint32_t i = 0; i < field->n_children && status == DBSQL_OK; i++) {
    status = put_child(writer, child, array->children[i], at, length < 0 ? array->children[i]->length : length);
    child = writer->schema->fields[child].next;
  }
  return status;
}

/* Entries [at, at + length) of the array's buffers. */
static dbsql_status put_array(struct batch_writer *writer, uint32_t index, const struct ArrowArray *array, int64_t at, int64_t length) {
  const struct ipc_field *field = &writer->schema->fields[index];
  int64_t first, last;
  dbsql_status status;
  if (length > IPC_MAX_LENGTH)
    return ipc_field_error(writer->schema, field, writer->error, "a length of %lld is not supported", (long long)length);
  put_node(writer, field, array, at, length);
  switch (field->layout) {
    case IPC_LAYOUT_NONE: break;
    case IPC_LAYOUT_BITS: put_bits(writer, array->buffers[1], at, length); break;
    case IPC_LAYOUT_FIXED: {
      const uint8_t *values = array->buffers[1];
      if (length == 0)
        put_buffer(writer, 0);
      else
        put_bytes(writer, values + at * field->width, (uint64_t)length * (uint64_t)field->width);
      break;
    }
    case IPC_LAYOUT_BYTES: {
      if ((status = put_offsets(writer, field, array->buffers[1], at, length, &first, &last)) != DBSQL_OK) return status;
      const uint8_t *bytes = array->buffers[2];
      if (last == first)
        put_buffer(writer, 0);
      else
        put_bytes(writer, bytes + first, (uint64_t)(last - first));
      break;
    }
    case IPC_LAYOUT_LIST:
      if ((status = put_offsets(writer, field, array->buffers[1], at, length, &first, &last)) != DBSQL_OK) return status;
      if ((status = put_children(writer, index, array, first, last - first)) != DBSQL_OK) return status;
      break;
    case IPC_LAYOUT_FIXED_LIST:
      if ((status = put_children(writer, index, array, at * field->width, length * field->width)) != DBSQL_OK) return status;
      break;
    case IPC_LAYOUT_STRUCT:
      if ((status = put_children(writer, index, array, at, length)) != DBSQL_OK) return status;
      break;
    default: {
      const uint8_t *types = array->buffers[0];
      const uint8_t *offsets = field->layout == IPC_LAYOUT_DENSE ? array->buffers[1] : NULL;
      if (length == 0)
        put_buffer(writer, 0);
      else
        put_bytes(writer, types + at, (uint64_t)length);
      if (field->layout == IPC_LAYOUT_DENSE) {
        if (length == 0)
          put_buffer(writer, 0);
        else
          put_bytes(writer, offsets + 4 * at, 4 * (uint64_t)length);
      }
      /* The offsets of a dense union count from the start of each child: those are written whole. */
      bool sparse = field->layout == IPC_LAYOUT_SPARSE;
      if ((status = put_children(writer, index, array, sparse ? at : 0, sparse ? length : -1)) != DBSQL_OK) return status;
      break;
    }
  }
  return buf_failed(writer->out) ? error_no_memory(writer->error) : DBSQL_OK;
}

dbsql_status ipc_write_batch_of(const struct ipc_schema *schema, const struct ArrowArray *batch, struct buf *out, dbsql_error **error) {
  struct batch_writer writer = {.schema = schema, .out = out, .error = error};
  struct ipc_write_message message;
  dbsql_status status = check_array(&writer, &schema->fields[0], batch);
  if (status != DBSQL_OK) return status;
  if (batch->null_count != 0 && batch->buffers[0] && ipc_bits_count(batch->buffers[0], batch->offset, batch->length) != batch->length)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "a record batch cannot have rows that are NULL as a whole");
  ipc_write_message_begin(&message, out, IPC_HEADER_BATCH);
  struct flatbuf_slot slots[] = {{.width = 8, .value = batch->length}, {.width = 4}, {.width = 4}};
  flatbuf_point(&message.flatbuf, message.header_slot, flatbuf_put_table(&message.flatbuf, slots, 3));
  writer.flatbuf = message.flatbuf;
  writer.next_node = flatbuf_put_structs(&writer.flatbuf, slots[1].at, schema->n_fields - 1, 16);
  writer.next_buffer = flatbuf_put_structs(&writer.flatbuf, slots[2].at, schema->n_buffers, 16);
  ipc_write_message_end(&message);
  writer.body = out->size;
  status = put_children(&writer, 0, batch, batch->offset, batch->length);
  if (status == DBSQL_OK && buf_failed(out)) status = error_no_memory(error);
  if (status != DBSQL_OK) {
    out->size = message.start;
    return status;
  }
  flatbuf_store(&message.flatbuf, message.body_length, out->size - writer.body, 8);
  return DBSQL_OK;
}

dbsql_status ipc_write_batch(const struct ArrowSchema *arrow, const struct ArrowArray *batch, struct buf *out, dbsql_error **error) {
  struct ipc_schema *schema;
  dbsql_status status = ipc_schema_from_arrow(arrow, &schema, error);
  if (status != DBSQL_OK) return status;
  status = ipc_write_batch_of(schema, batch, out, error);
  ipc_schema_unref(schema);
  return status;
}
