/*
 * Record batch message to arrays (results.md 3.5, 4.3 and 4.4).
 *
 * All arrays of a batch lie in one block, which counts the arrays that have not been released and holds one reference to the chunk:
 * a child that was moved out keeps the block alive by itself.
 */
#include <stdalign.h>

#include "arrow/ipc_bits.h"
#include "arrow/ipc_body.h"
#include "arrow/ipc_message.h"
#include "arrow/ipc_reader.h"
#include "base/error.h"
#include "base/mem.h"

struct batch_block {
  atomic_size_t refs; /* arrays not released yet */
  struct chunk *chunk;
  void **copies; /* buffers that had to be copied or decompressed */
  size_t n_copies;
};

/* Stands in where a buffer is empty: some readers dislike NULL, and one zero is a legal offsets buffer. */
static const alignas(64) uint8_t zeros[64];

static void free_block(struct batch_block *block) {
  for (size_t i = 0; i < block->n_copies; i++) mem_free_aligned(block->copies[i]);
  chunk_unref(block->chunk);
  mem_free(block);
}

static void release_array(struct ArrowArray *array) {
  struct batch_block *block = array->private_data;
  for (int64_t i = 0; i < array->n_children; i++)
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  array->release = NULL;
  if (atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) == 1) free_block(block);
}

struct batch_decoder {
  const struct ipc_schema *schema;
  struct ipc_message *message;
  struct ipc_body body;
  struct flatbuf_vector nodes;
  struct flatbuf_vector buffers;
  uint32_t next_node;
  uint32_t next_buffer;
  struct batch_block *block;
  struct ArrowArray *arrays;        /* one for each field but the root, in their order */
  struct ArrowArray **next_pointer; /* slots for child pointers */
  const void **next_slot;           /* slots for buffer pointers */
  dbsql_error **error;
};

/* Takes the next buffer, aligned to `alignment`; what is unaligned is copied. */
static dbsql_status take_buffer(struct batch_decoder *decoder, const struct ipc_field *field, const char *what, size_t alignment,
                                struct slice *out) {
  const struct flatbuf *flatbuf = &decoder->message->flatbuf;
  uint32_t at = decoder->buffers.at + 16 * decoder->next_buffer++;
  int64_t offset = flatbuf_int64_at(flatbuf, at), size = flatbuf_int64_at(flatbuf, at + 8);
  struct slice body = decoder->message->body;
  if (offset < 0 || size < 0 || (uint64_t)offset > body.size || (uint64_t)size > body.size - (uint64_t)offset)
    return ipc_field_error(decoder->schema, field, decoder->error,
                           "the %s buffer (%lld bytes at %lld) lies outside of the body of %zu bytes", what, (long long)size,
                           (long long)offset, body.size);
  *out = slice_of(size ? body.data + offset : zeros, (size_t)size);
  void *copy = NULL;
  dbsql_status status = ipc_body_buffer(&decoder->body, out, alignment, &copy, decoder->error);
  if (copy) decoder->block->copies[decoder->block->n_copies++] = copy;
  if (status != DBSQL_OK && decoder->error && *decoder->error) {
    dbsql_error *cause = *decoder->error;
    *decoder->error = NULL;
    dbsql_status outer = ipc_field_error(decoder->schema, field, decoder->error, "the %s buffer: %s", what, dbsql_error_message(cause));
    if (status == DBSQL_ERROR_NO_MEMORY || outer == DBSQL_ERROR_NO_MEMORY) status = error_no_memory(decoder->error);
    dbsql_error_free(cause);
  }
  return status;
}

static dbsql_status too_short(struct batch_decoder *decoder, const struct ipc_field *field, const char *what, struct slice buffer,
                              uint64_t needed) {
  return ipc_field_error(decoder->schema, field, decoder->error, "%s: the %s buffer has %zu bytes, %llu are needed",
                         ipc_type_name(field->type), what, buffer.size, (unsigned long long)needed);
}

/* The validity bitmap: its size, and the number of nulls that it really holds. NULL if there are none. */
static dbsql_status take_validity(struct batch_decoder *decoder, const struct ipc_field *field, struct ArrowArray *array) {
  struct slice bits;
  dbsql_status status = take_buffer(decoder, field, "validity", 1, &bits);
  if (status != DBSQL_OK) return status;
  array->buffers[0] = NULL;
  if (bits.size == 0 && array->null_count == 0) return DBSQL_OK;
  uint64_t needed = ((uint64_t)array->length + 7) / 8;
  if (bits.size < needed) return too_short(decoder, field, "validity", bits, needed);
  int64_t nulls = array->length - ipc_bits_count(bits.data, 0, array->length);
  if (nulls != array->null_count)
    return ipc_field_error(decoder->schema, field, decoder->error, "%lld NULLs are declared, %lld are in the validity bitmap",
                           (long long)array->null_count, (long long)nulls);
  if (nulls != 0) array->buffers[0] = bits.data;
  return DBSQL_OK;
}

/* True if none of the n + 1 offsets is negative or less than the one before: the sign bits are collected, not branched on. A
 * difference of two numbers that are not negative cannot overflow, and a negative one shows by itself. The inner loops have a fixed
 * length so that compilers make vector code of them at -O2 too. */
enum { offsets_at_once = 64 };

static bool offsets_rise32(const uint32_t *offsets, int64_t n) {
  uint32_t signs = offsets[0];
  int64_t i = 0;
  for (; n - i >= offsets_at_once; i += offsets_at_once)
    for (int k = 0; k < offsets_at_once; k++) signs |= offsets[i + k + 1] | (offsets[i + k + 1] - offsets[i + k]);
  for (; i < n; i++) signs |= offsets[i + 1] | (offsets[i + 1] - offsets[i]);
  return signs >> 31 == 0;
}

static bool offsets_rise64(const uint64_t *offsets, int64_t n) {
  uint64_t signs = offsets[0];
  int64_t i = 0;
  for (; n - i >= offsets_at_once; i += offsets_at_once)
    for (int k = 0; k < offsets_at_once; k++) signs |= offsets[i + k + 1] | (offsets[i + k + 1] - offsets[i + k]);
  for (; i < n; i++) signs |= offsets[i + 1] | (offsets[i + 1] - offsets[i]);
  return signs >> 63 == 0;
}

/* Offsets of `length` entries: rising, none negative; `*last` is where the last entry ends. */
static dbsql_status take_offsets(struct batch_decoder *decoder, const struct ipc_field *field, struct ArrowArray *array, int64_t *last) {
  struct slice offsets;
  *last = 0;
  int width = field->offset_width;
  dbsql_status status = take_buffer(decoder, field, "offsets", (size_t)width, &offsets);
  if (status != DBSQL_OK) return status;
  array->buffers[1] = zeros;
  if (array->length == 0) return DBSQL_OK; /* whatever was sent, nothing refers to it */
  uint64_t needed = ((uint64_t)array->length + 1) * (uint64_t)width;
  if (offsets.size < needed) return too_short(decoder, field, "offsets", offsets, needed);
  const void *values = offsets.data;
  if (width == 4 ? !offsets_rise32(values, array->length) : !offsets_rise64(values, array->length))
    return ipc_field_error(decoder->schema, field, decoder->error, "%s: an offset is negative or less than the one before",
                           ipc_type_name(field->type));
  array->buffers[1] = offsets.data;
  if (width == 4) {
    int32_t value;
    memcpy(&value, offsets.data + needed - 4, 4);
    *last = value;
  } else {
    memcpy(last, offsets.data + needed - 8, 8);
  }
  return DBSQL_OK;
}

/* Values of `width` bytes, or bits. */
static dbsql_status take_values(struct batch_decoder *decoder, const struct ipc_field *field, struct ArrowArray *array) {
  struct slice values;
  size_t alignment = field->layout == IPC_LAYOUT_BITS || field->type == IPC_FIXED_SIZE_BINARY ? 1 : (size_t)field->width;
  if (field->type == IPC_INTERVAL && field->unit == 1) alignment = 4;
  if (alignment > 8) alignment = 8; /* what IPC promises; wider values are read in parts (results.md 3.9) */
  dbsql_status status = take_buffer(decoder, field, "data", alignment, &values);
  if (status != DBSQL_OK) return status;
  uint64_t length = (uint64_t)array->length;
  uint64_t needed = field->layout == IPC_LAYOUT_BITS ? (length + 7) / 8 : length * (uint64_t)field->width;
  if (values.size < needed) return too_short(decoder, field, "data", values, needed);
  array->buffers[1] = values.data;
  return DBSQL_OK;
}

static dbsql_status decode_array(struct batch_decoder *decoder, uint32_t index, struct ArrowArray *array);

/* Children of at least (the columns of a batch: exactly) `length` entries. */
static dbsql_status decode_children(struct batch_decoder *decoder, uint32_t index, struct ArrowArray *array, int64_t length) {
  const struct ipc_field *field = &decoder->schema->fields[index];
  dbsql_status status = DBSQL_OK;
  array->n_children = field->n_children;
  array->children = field->n_children ? decoder->next_pointer : NULL;
  decoder->next_pointer += field->n_children;
  uint32_t child = index + 1;
  for (uint32_t i = 0; i < field->n_children; i++) {
    array->children[i] = &decoder->arrays[child - 1];
    child = decoder->schema->fields[child].next;
  }
  child = index + 1;
  for (uint32_t i = 0; i < field->n_children && status == DBSQL_OK; i++) {
    const struct ipc_field *child_field = &decoder->schema->fields[child];
    if ((status = decode_array(decoder, child, array->children[i])) != DBSQL_OK) break;
    int64_t has = array->children[i]->length;
    if (index == 0 ? has != length : has < length)
      status = ipc_field_error(decoder->schema, child_field, decoder->error, "it has %lld entries, %lld are needed", (long long)has,
                               (long long)length);
    child = child_field->next;
  }
  return status;
}

/* Types, and offsets where the union is dense; then the children. */
static dbsql_status decode_union(struct batch_decoder *decoder, uint32_t index, struct ArrowArray *array) {
  const struct ipc_field *field = &decoder->schema->fields[index];
  bool dense = field->layout == IPC_LAYOUT_DENSE;
  uint64_t length = (uint64_t)array->length;
  struct slice types, offsets = slice_of(zeros, 0);
  int8_t child_of[128];
  dbsql_status status;
  if (decoder->message->version == IPC_VERSION_V4 && (status = take_buffer(decoder, field, "validity", 1, &types)) != DBSQL_OK)
    return status;
  if (array->null_count != 0) return ipc_field_error(decoder->schema, field, decoder->error, "Union: NULLs of its own are not supported");
  if ((status = take_buffer(decoder, field, "types", 1, &types)) != DBSQL_OK) return status;
  if (dense && (status = take_buffer(decoder, field, "offsets", 4, &offsets)) != DBSQL_OK) return status;
  if (types.size < length) return too_short(decoder, field, "types", types, length);
  if (dense && offsets.size < 4 * length) return too_short(decoder, field, "offsets", offsets, 4 * length);
  array->buffers[0] = types.data;
  if (dense) array->buffers[1] = offsets.data;
  if ((status = decode_children(decoder, index, array, dense ? 0 : array->length)) != DBSQL_OK) return status;
  ipc_union_members(field->schema->format, field->n_children, child_of);
  for (uint64_t i = 0; i < length; i++) {
    int child = types.data[i] < 128 ? child_of[types.data[i]] : -1;
    if (child < 0) return ipc_field_error(decoder->schema, field, decoder->error, "Union: unknown type id %d", types.data[i]);
    if (!dense) continue;
    int32_t offset;
    memcpy(&offset, offsets.data + 4 * i, 4);
    if (offset < 0 || offset >= array->children[child]->length)
      return ipc_field_error(decoder->schema, field, decoder->error, "Union: offset %d lies outside of its child", offset);
  }
  return DBSQL_OK;
}

static dbsql_status decode_list(struct batch_decoder *decoder, uint32_t index, struct ArrowArray *array) {
  const struct ipc_field *field = &decoder->schema->fields[index];
  int64_t last;
  dbsql_status status = take_validity(decoder, field, array);
  if (status == DBSQL_OK) status = take_offsets(decoder, field, array, &last);
  if (status == DBSQL_OK) status = decode_children(decoder, index, array, last);
  if (status != DBSQL_OK || field->type != IPC_MAP) return status;
  const struct ArrowArray *entries = array->children[0];
  if (entries->null_count != 0 || entries->children[0]->null_count != 0)
    return ipc_field_error(decoder->schema, field, decoder->error, "Map: an entry or a key is NULL");
  return DBSQL_OK;
}

static dbsql_status decode_bytes(struct batch_decoder *decoder, const struct ipc_field *field, struct ArrowArray *array) {
  int64_t last;
  struct slice bytes;
  dbsql_status status = take_validity(decoder, field, array);
  if (status == DBSQL_OK) status = take_offsets(decoder, field, array, &last);
  if (status == DBSQL_OK) status = take_buffer(decoder, field, "data", 1, &bytes);
  if (status != DBSQL_OK) return status;
  if (bytes.size < (uint64_t)last) return too_short(decoder, field, "data", bytes, (uint64_t)last);
  array->buffers[2] = bytes.data;
  return DBSQL_OK;
}

/* Sets the counts that every array has, and takes its node. */
static dbsql_status begin_array(struct batch_decoder *decoder, const struct ipc_field *field, struct ArrowArray *array) {
  uint32_t at = decoder->nodes.at + 16 * decoder->next_node++;
  array->length = flatbuf_int64_at(&decoder->message->flatbuf, at);
  array->null_count = flatbuf_int64_at(&decoder->message->flatbuf, at + 8);
  if (array->length < 0 || array->length > IPC_MAX_LENGTH)
    return ipc_field_error(decoder->schema, field, decoder->error, "a length of %lld is not supported", (long long)array->length);
  if (array->null_count < 0 || array->null_count > array->length)
    return ipc_field_error(decoder->schema, field, decoder->error, "%lld NULLs in %lld entries", (long long)array->null_count,
                           (long long)array->length);
  array->n_buffers = field->n_buffers;
  array->buffers = decoder->next_slot;
  decoder->next_slot += field->n_buffers;
  array->release = release_array;
  array->private_data = decoder->block;
  return DBSQL_OK;
}

static dbsql_status decode_array(struct batch_decoder *decoder, uint32_t index, struct ArrowArray *array) {
  const struct ipc_field *field = &decoder->schema->fields[index];
  dbsql_status status = begin_array(decoder, field, array);
  if (status != DBSQL_OK) return status;
  switch (field->layout) {
    case IPC_LAYOUT_NONE: array->null_count = array->length; return DBSQL_OK;
    case IPC_LAYOUT_BITS:
    case IPC_LAYOUT_FIXED:
      status = take_validity(decoder, field, array);
      return status == DBSQL_OK ? take_values(decoder, field, array) : status;
    case IPC_LAYOUT_BYTES: return decode_bytes(decoder, field, array);
    case IPC_LAYOUT_LIST: return decode_list(decoder, index, array);
    case IPC_LAYOUT_FIXED_LIST:
      status = take_validity(decoder, field, array);
      return status == DBSQL_OK ? decode_children(decoder, index, array, array->length * field->width) : status;
    case IPC_LAYOUT_STRUCT:
      status = take_validity(decoder, field, array);
      return status == DBSQL_OK ? decode_children(decoder, index, array, array->length) : status;
    default: return decode_union(decoder, index, array);
  }
}

/* Reads the header: counts, compression; checks that there are as many nodes and buffers as the schema needs. */
static dbsql_status begin_batch(struct batch_decoder *decoder, int64_t *length) {
  struct ipc_message *message = decoder->message;
  struct flatbuf *flatbuf = &message->flatbuf;
  struct flatbuf_table compression;
  struct flatbuf_vector variadic;
  bool compressed;
  int64_t codec = IPC_CODEC_NONE, method = 0;
  if (!flatbuf_number(flatbuf, &message->header, 0, 8, 0, length) ||
      !flatbuf_vector(flatbuf, &message->header, 1, 16, 8, &decoder->nodes) ||
      !flatbuf_vector(flatbuf, &message->header, 2, 16, 8, &decoder->buffers) ||
      !flatbuf_child(flatbuf, &message->header, 3, &compressed, &compression) ||
      !flatbuf_vector(flatbuf, &message->header, 4, 8, 8, &variadic) ||
      (compressed && (!flatbuf_number(flatbuf, &compression, 0, 1, 0, &codec) || !flatbuf_number(flatbuf, &compression, 1, 1, 0, &method))))
    return ipc_metadata_error(flatbuf, "record batch", decoder->error);
  if (compressed && ((codec != IPC_CODEC_LZ4 && codec != IPC_CODEC_ZSTD) || method != 0))
    return error_set(decoder->error, DBSQL_ERROR_DRIVER, NULL, "Arrow record batch: compression %d (method %d) is not supported",
                     (int)codec, (int)method);
  decoder->body.codec = (int)codec;
  if (*length < 0 || *length > IPC_MAX_LENGTH)
    return error_set(decoder->error, DBSQL_ERROR_DRIVER, NULL, "Arrow record batch: a length of %lld rows is not supported",
                     (long long)*length);
  uint32_t nodes = decoder->schema->n_fields - 1;
  size_t buffers = decoder->schema->n_buffers + (message->version == IPC_VERSION_V4 ? decoder->schema->n_unions : 0);
  if (variadic.count != 0)
    return error_set(decoder->error, DBSQL_ERROR_DRIVER, NULL,
                     "Arrow record batch: it has view buffers, which no column of the schema has");
  if (decoder->nodes.count != nodes || decoder->buffers.count != buffers)
    return error_set(decoder->error, DBSQL_ERROR_DRIVER, NULL,
                     "Arrow record batch: %u nodes and %u buffers do not fit the schema, which needs %u and %zu", decoder->nodes.count,
                     decoder->buffers.count, nodes, buffers);
  return DBSQL_OK;
}

/* One block for everything: the arrays, the pointers to them, the buffer pointers, the list of copies. */
static dbsql_status make_block(struct batch_decoder *decoder, struct chunk *owner) {
  size_t arrays = decoder->schema->n_fields - 1, slots = decoder->schema->n_buffers + 2, copies = decoder->buffers.count + (size_t)1;
  size_t size =
      sizeof(struct batch_block) + arrays * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *)) + (slots + copies) * sizeof(void *);
  struct batch_block *block = mem_alloc_zero(1, size);
  if (!block) return error_no_memory(decoder->error);
  atomic_init(&block->refs, arrays + 1);
  block->chunk = chunk_ref(owner);
  decoder->block = block;
  decoder->arrays = (struct ArrowArray *)(void *)(block + 1);
  decoder->next_pointer = (struct ArrowArray **)(void *)(decoder->arrays + arrays);
  decoder->next_slot = (const void **)(void *)(decoder->next_pointer + arrays);
  block->copies = (void **)(void *)(decoder->next_slot + slots);
  return DBSQL_OK;
}

dbsql_status ipc_batch_decode(const struct ipc_schema *schema, struct chunk *owner, struct ipc_message *message, size_t limit,
                              struct ArrowArray *out, dbsql_error **error) {
  struct batch_decoder decoder = {.schema = schema, .message = message, .body = {.left = limit}, .error = error};
  int64_t length;
  memset(out, 0, sizeof *out);
  dbsql_status status = begin_batch(&decoder, &length);
  if (status == DBSQL_OK) status = make_block(&decoder, owner);
  if (status != DBSQL_OK) return status;
  out->length = length;
  out->n_buffers = 1;
  out->buffers = decoder.next_slot++;
  out->private_data = decoder.block;
  out->release = release_array;
  status = decode_children(&decoder, 0, out, length);
  if (status == DBSQL_OK) return status;
  free_block(decoder.block);
  memset(out, 0, sizeof *out);
  return status;
}

/* Leaves rows [first, first + count) of one column. */
static void slice_column(struct ArrowArray *array, int64_t first, int64_t count) {
  array->offset += first;
  array->length = count;
  if (array->n_buffers == 0) {
    array->null_count = count; /* Null */
  } else if (array->null_count != 0) {
    array->null_count = count - ipc_bits_count(array->buffers[0], array->offset, count);
    if (array->null_count == 0) array->buffers[0] = NULL;
  }
}

void arrow_batch_slice(struct ArrowArray *batch, int64_t first, int64_t count) {
  if (first < 0) first = 0;
  if (first > batch->length) first = batch->length;
  if (count < 0) count = 0;
  if (count > batch->length - first) count = batch->length - first;
  if (first == 0 && count == batch->length) return;
  batch->length = count;
  for (int64_t i = 0; i < batch->n_children; i++) slice_column(batch->children[i], first, count);
}
