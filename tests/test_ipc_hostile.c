/*
 * Arrow IPC from an enemy: valid messages that were damaged, byte by byte and field by field. Whatever is accepted must be safe to read
 * in full (AddressSanitizer watches); whatever is refused says what was wrong.
 */
#include "test.h"

#include <stdio.h>

#include "arrow/flatbuf.h"
#include "arrow/ipc_message.h"
#include "arrow/ipc_reader.h"
#include "arrow/ipc_write_message.h"
#include "arrow/ipc_writer.h"
#include "base/error.h"
#include "base/mem.h"
#include "ipc_arrays.h"
#include "ipc_fixtures.h"

static void write_stream(const char *text, int64_t rows, bool nulls, struct buf *out) {
  struct ArrowSchema schema;
  struct ArrowArray batch;
  test_schema(text, &schema);
  test_random_state = 99;
  test_batch(&schema, rows, 0, nulls, &batch);
  assert_int_equal(ipc_write_schema(&schema, out, NULL), DBSQL_OK);
  assert_int_equal(ipc_write_batch(&schema, &batch, out, NULL), DBSQL_OK);
  ipc_write_end(out);
  batch.release(&batch);
  schema.release(&schema);
}

/* Reads all and looks at every value. The bytes end where their memory ends. Returns the rows; -1, and an error, if they are refused. */
static int64_t read_all(struct slice bytes, dbsql_error **error) {
  struct chunk *chunk = chunk_new(bytes.size);
  struct ipc_reader reader;
  struct ArrowArray batch;
  int64_t rows = 0;
  assert_non_null(chunk);
  if (bytes.size) memcpy(chunk->data, bytes.data, bytes.size);
  chunk->size = bytes.size;
  ipc_reader_init(&reader, chunk, slice_of(chunk->data, bytes.size), NULL);
  reader.decoded_limit = 1 << 20;
  chunk_unref(chunk);
  walk_budget = 20000;
  for (;;) {
    if (ipc_reader_next(&reader, &batch, error) != DBSQL_OK) {
      rows = -1;
      assert_null(batch.release);
      break;
    }
    if (!batch.release) break;
    walk_rows(ipc_schema_arrow(reader.schema), &batch, 0, batch.length);
    rows += batch.length;
    batch.release(&batch);
  }
  ipc_reader_close(&reader);
  walk_budget = INT64_MAX;
  return rows;
}

static void assert_refused(struct slice bytes, const char *text) {
  dbsql_error *error = NULL;
  int64_t rows = read_all(bytes, &error);
  if (rows >= 0) fail_msg("accepted, although: %s", text);
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_DRIVER);
  if (!strstr(dbsql_error_message(error), text)) fail_msg("\"%s\" is not in \"%s\"", text, dbsql_error_message(error));
  error_clear(&error);
}

static const char *const streams[] = {"+s(i;u;+l(+s(b;z)))", "+s(+m(+s(u;d:10,2));+ud:0,1(i;u);n)",
                                      "+s(+us:3,4(l;U);+w:2(tsu:UTC);w:3;+L(c))"};

static void every_truncation_is_noticed(void **state) {
  (void)state;
  for (size_t s = 0; s < sizeof streams / sizeof *streams; s++) {
    struct buf out = BUF_INIT;
    write_stream(streams[s], 5, true, &out);
    int clean = 0;
    for (size_t size = 0; size < out.size; size++) {
      dbsql_error *error = NULL;
      int64_t rows = read_all(slice_of(out.data, size), &error);
      assert_int_equal(rows < 0, error != NULL);
      if (rows >= 0) {
        clean++;
        /* Only between two messages. */
        assert_true(size < out.size && memcmp(out.data + size, "\xFF\xFF\xFF\xFF", 4) == 0);
      }
      error_clear(&error);
    }
    assert_int_equal(clean, 2); /* behind the schema, and before the end mark */
    assert_int_equal(read_all(buf_slice(&out), NULL), 5);
    buf_free(&out);
  }
}

static void every_byte_may_be_anything(void **state) {
  (void)state;
  static const uint8_t values[] = {0x00, 0x01, 0x02, 0x04, 0x07, 0x08, 0x10, 0x40, 0x7F, 0x80, 0xFE, 0xFF};
  size_t accepted = 0, refused = 0;
  for (size_t s = 0; s < sizeof streams / sizeof *streams + 2; s++) {
    struct buf out = BUF_INIT;
    if (s < sizeof streams / sizeof *streams)
      write_stream(streams[s], 5, true, &out);
    else if (s == sizeof streams / sizeof *streams)
      buf_append(&out, lz4_stream, sizeof lz4_stream);
    else
      buf_append(&out, zstd_stream, sizeof zstd_stream);
    int64_t live = mem_test_live_blocks();
    for (size_t at = 0; at < out.size; at++) {
      uint8_t kept = out.data[at];
      for (size_t v = 0; v < sizeof values + 1; v++) {
        dbsql_error *error = NULL;
        out.data[at] = v < sizeof values ? values[v] : (uint8_t)(kept ^ 0x80);
        if (read_all(buf_slice(&out), &error) < 0)
          refused++;
        else
          accepted++;
        error_clear(&error);
      }
      out.data[at] = kept;
    }
    assert_int_equal(mem_test_live_blocks(), live);
    buf_free(&out);
  }
  assert_true(accepted > 1000 && refused > 1000);
}

/* Where the parts of the (first) record batch of a stream lie. */
struct parts {
  struct buf bytes;
  size_t batch;   /* the message */
  size_t message; /* the Message table's scalars: */
  size_t version;
  size_t body_length;
  size_t length; /* of the RecordBatch table */
  size_t nodes;
  size_t buffers;
  size_t body;
};

/* The position of a field, found by the reader's own functions on valid bytes. */
static size_t field_of(const struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot) {
  const uint8_t *entry = flatbuf->bytes.data + table->vtable + 4 + 2 * slot;
  return table->at + (size_t)(entry[0] | entry[1] << 8);
}

static void find_parts(const char *text, int64_t rows, bool nulls, struct parts *parts) {
  memset(parts, 0, sizeof *parts);
  write_stream(text, rows, nulls, &parts->bytes);
  struct ipc_message message;
  bool ended;
  size_t at = 0;
  assert_int_equal(ipc_message_take(buf_slice(&parts->bytes), &at, &message, &ended, NULL), DBSQL_OK);
  parts->batch = at;
  assert_int_equal(ipc_message_take(buf_slice(&parts->bytes), &at, &message, &ended, NULL), DBSQL_OK);
  struct flatbuf_table root;
  struct flatbuf_vector vector;
  size_t start = (size_t)(message.flatbuf.bytes.data - parts->bytes.data);
  assert_true(flatbuf_root(&message.flatbuf, &root));
  parts->version = start + field_of(&message.flatbuf, &root, 0);
  parts->body_length = start + field_of(&message.flatbuf, &root, 3);
  parts->length = start + field_of(&message.flatbuf, &message.header, 0);
  assert_true(flatbuf_vector(&message.flatbuf, &message.header, 1, 16, 8, &vector));
  parts->nodes = start + vector.at;
  assert_true(flatbuf_vector(&message.flatbuf, &message.header, 2, 16, 8, &vector));
  parts->buffers = start + vector.at;
  parts->body = (size_t)(message.body.data - parts->bytes.data);
}

static int64_t get64(const struct parts *parts, size_t at) {
  int64_t value;
  memcpy(&value, parts->bytes.data + at, 8);
  return value;
}

/* With another number of `width` bytes at `at`, the stream is refused and the error says `text`. */
static void refused_with(struct parts *parts, size_t at, size_t width, int64_t value, const char *text) {
  uint8_t kept[8];
  memcpy(kept, parts->bytes.data + at, width);
  memcpy(parts->bytes.data + at, &value, width);
  assert_refused(buf_slice(&parts->bytes), text);
  memcpy(parts->bytes.data + at, kept, width);
}

static void counts_and_buffers_are_checked(void **state) {
  (void)state;
  struct parts parts;
  find_parts("+s(i;u)", 100, true, &parts);
  refused_with(&parts, parts.version, 2, 2, "metadata version V3");
  refused_with(&parts, parts.version, 2, 5, "metadata version V6");
  refused_with(&parts, parts.body_length, 8, -8, "truncated");
  refused_with(&parts, parts.body_length, 8, INT64_MAX, "truncated");
  refused_with(&parts, parts.length, 8, -1, "rows is not supported");
  refused_with(&parts, parts.length, 8, (int64_t)1 << 31, "rows is not supported");
  refused_with(&parts, parts.length, 8, 99, "column 1 \"f0\": it has 100 entries, 99 are needed");
  refused_with(&parts, parts.length, 8, 101, "101 are needed");
  /* Nodes: length, NULLs. */
  int64_t nulls = get64(&parts, parts.nodes + 8);
  assert_true(nulls > 5 && nulls < 95);
  refused_with(&parts, parts.nodes, 8, -1, "column 1 \"f0\": a length of -1");
  refused_with(&parts, parts.nodes, 8, INT64_MAX, "is not supported");
  refused_with(&parts, parts.nodes, 8, INT32_MAX, "the validity buffer has 13 bytes");
  refused_with(&parts, parts.nodes + 8, 8, -1, "-1 NULLs");
  refused_with(&parts, parts.nodes + 8, 8, 101, "101 NULLs in 100 entries");
  refused_with(&parts, parts.nodes + 8, 8, nulls + 1, "are in the validity bitmap");
  refused_with(&parts, parts.nodes + 8, 8, 0, "are in the validity bitmap"); /* NULLs must not be lost */
  refused_with(&parts, parts.nodes + 16, 8, 99, "column 2 \"f1\"");
  /* Buffers: offset, length. The first is the validity bitmap, the second the numbers, then bitmap, offsets, bytes. */
  for (size_t i = 0; i < 5; i++) {
    size_t at = parts.buffers + 16 * i;
    const char *column = i < 2 ? "column 1 \"f0\": the" : "column 2 \"f1\": the";
    refused_with(&parts, at, 8, -8, column);
    refused_with(&parts, at, 8, INT64_MAX, column);
    refused_with(&parts, at, 8, INT64_MAX - get64(&parts, at + 8) + 1, "lies outside of the body");
    refused_with(&parts, at + 8, 8, -1, "lies outside of the body");
    refused_with(&parts, at + 8, 8, INT64_MAX, "lies outside of the body");
    refused_with(&parts, at + 8, 8, get64(&parts, parts.body_length) - get64(&parts, at) + 1, "lies outside of the body");
  }
  refused_with(&parts, parts.buffers + 8, 8, 12, "the validity buffer has 12 bytes, 13 are needed");
  refused_with(&parts, parts.buffers + 8, 8, 0, "the validity buffer has 0 bytes");
  refused_with(&parts, parts.buffers + 24, 8, 399, "the data buffer has 399 bytes, 400 are needed");
  refused_with(&parts, parts.buffers + 16 * 3 + 8, 8, 403, "the offsets buffer has 403 bytes, 404 are needed");
  int64_t bytes = get64(&parts, parts.buffers + 16 * 4 + 8);
  refused_with(&parts, parts.buffers + 16 * 4 + 8, 8, bytes - 1, "the data buffer has");
  /* The numbers of nodes and buffers stand in front of them. */
  refused_with(&parts, parts.nodes - 4, 4, 1, "do not fit the schema");
  refused_with(&parts, parts.buffers - 4, 4, 4, "do not fit the schema");
  refused_with(&parts, parts.buffers - 4, 4, 0x10000001, "malformed");
  /* Offsets. */
  size_t offsets = parts.body + (size_t)get64(&parts, parts.buffers + 16 * 3);
  refused_with(&parts, offsets, 4, -1, "Utf8: an offset is negative or less than the one before");
  refused_with(&parts, offsets + 200, 4, -1, "negative or less");
  refused_with(&parts, offsets + 200, 4, INT32_MAX, "negative or less");
  refused_with(&parts, offsets + 200, 4, INT32_MIN, "negative or less");
  refused_with(&parts, offsets + 400, 4, INT32_MAX, "the data buffer has");
  refused_with(&parts, offsets + 400, 4, bytes + 1, "the data buffer has");
  buf_free(&parts.bytes);
}

static void nested_values_are_checked(void **state) {
  (void)state;
  struct parts parts;
  find_parts("+s(+l(i))", 20, true, &parts);
  int64_t entries = get64(&parts, parts.nodes + 16);
  size_t offsets = parts.body + (size_t)get64(&parts, parts.buffers + 16);
  refused_with(&parts, offsets + 80, 4, entries + 1, "column 1 \"f0\": field \"f0\": it has");
  refused_with(&parts, offsets + 40, 4, -5, "List: an offset is negative");
  buf_free(&parts.bytes);

  find_parts("+s(+w:3(c))", 20, false, &parts);
  refused_with(&parts, parts.nodes + 16, 8, 59, "60 are needed");
  buf_free(&parts.bytes);

  find_parts("+s(+s(c;c))", 20, false, &parts);
  refused_with(&parts, parts.nodes + 32, 8, 19, "field \"f1\": it has 19 entries, 20 are needed");
  buf_free(&parts.bytes);

  find_parts("+s(+m(+s(c;c)))", 20, false, &parts);
  int64_t count = get64(&parts, parts.nodes + 16);
  assert_true(count > 8);
  /* The key's bitmap: the child's first buffer (map: validity, offsets; entries: validity; key: validity) is empty. Point it at the
   * offsets, whose second bytes are zeros: NULL keys. */
  size_t key = parts.buffers + 16 * 3;
  int64_t at = get64(&parts, parts.buffers + 16), size = (count + 7) / 8;
  memcpy(parts.bytes.data + key, &at, 8);
  memcpy(parts.bytes.data + key + 8, &size, 8);
  int64_t nulls = count;
  for (int64_t i = 0; i < count; i++) nulls -= parts.bytes.data[parts.body + (size_t)at + (size_t)i / 8] >> (i & 7) & 1;
  refused_with(&parts, parts.nodes + 16 * 2 + 8, 8, nulls, "Map: an entry or a key is NULL");
  buf_free(&parts.bytes);

  find_parts("+s(+ud:0,5(c;c))", 20, false, &parts);
  size_t types = parts.body + (size_t)get64(&parts, parts.buffers);
  offsets = parts.body + (size_t)get64(&parts, parts.buffers + 16);
  refused_with(&parts, types + 7, 1, 1, "Union: unknown type id 1");
  refused_with(&parts, types + 7, 1, -1, "Union: unknown type id 255");
  bool second = parts.bytes.data[types + 7] == 5;
  refused_with(&parts, offsets + 28, 4, -1, "Union: offset -1");
  refused_with(&parts, offsets + 28, 4, get64(&parts, parts.nodes + (second ? 32u : 16u)), "lies outside of its child");
  refused_with(&parts, parts.nodes + 8, 8, 3, "Union: NULLs of its own");
  refused_with(&parts, parts.buffers + 8, 8, 19, "Union: the types buffer has 19 bytes");
  refused_with(&parts, parts.buffers + 24, 8, 79, "Union: the offsets buffer has 79 bytes");
  buf_free(&parts.bytes);

  find_parts("+s(+L(c);U)", 20, false, &parts);
  offsets = parts.body + (size_t)get64(&parts, parts.buffers + 16);
  refused_with(&parts, offsets + 80, 8, INT64_MIN, "LargeList: an offset is negative");
  refused_with(&parts, offsets + 160, 8, INT64_MAX, "are needed");
  buf_free(&parts.bytes);
}

/* Arrays of no entries may come without offsets, or with any: nothing refers to them, and nobody is shown them. */
static void offsets_of_nothing_do_not_matter(void **state) {
  (void)state;
  struct parts parts;
  find_parts("+s(u;+L(i))", 0, false, &parts);
  for (int variant = 0; variant < 2; variant++) {
    struct ipc_reader reader;
    struct ArrowArray batch;
    int64_t none = 0, wild = -77;
    for (size_t i = 1; i < 5; i += 3) { /* the offsets are the buffers 1 and 4 */
      if (variant == 0)
        memcpy(parts.bytes.data + parts.body + get64(&parts, parts.buffers + 16 * i), &wild, i == 1 ? 4 : 8);
      else
        memcpy(parts.bytes.data + parts.buffers + 16 * i + 8, &none, 8);
    }
    struct chunk *chunk = chunk_new(parts.bytes.size);
    memcpy(chunk->data, parts.bytes.data, parts.bytes.size);
    ipc_reader_init(&reader, chunk, slice_of(chunk->data, parts.bytes.size), NULL);
    chunk_unref(chunk);
    assert_int_equal(ipc_reader_next(&reader, &batch, NULL), DBSQL_OK);
    assert_int_equal(*(const int32_t *)batch.children[0]->buffers[1], 0);
    assert_int_equal(*(const int64_t *)batch.children[1]->buffers[1], 0);
    batch.release(&batch);
    ipc_reader_close(&reader);
  }
  buf_free(&parts.bytes);
}

/* A copy of a fixture with one byte changed: in the compression of its batch, or in its body. */
static void compression_is_checked(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  struct ipc_message message;
  struct flatbuf_table compression;
  bool ended, present;
  size_t at = 0;
  buf_append(&out, zstd_stream, sizeof zstd_stream);
  for (int i = 0; i < 2; i++) assert_int_equal(ipc_message_take(buf_slice(&out), &at, &message, &ended, NULL), DBSQL_OK);
  assert_true(flatbuf_child(&message.flatbuf, &message.header, 3, &present, &compression) && present);
  uint8_t *codec = (uint8_t *)(uintptr_t)message.flatbuf.bytes.data + field_of(&message.flatbuf, &compression, 0);
  assert_int_equal(*codec, 1);
  *codec = 2;
  assert_refused(buf_slice(&out), "compression 2 (method 0) is not supported");
  *codec = 0; /* zstd bytes are no LZ4 frame */
  assert_refused(buf_slice(&out), "begin no LZ4 frame");
  *codec = 1;
  uint8_t *body = (uint8_t *)(uintptr_t)message.body.data, kept[8];
  memcpy(kept, body, 8);
  static const struct {
    int64_t size;
    const char *text;
  } sizes[] = {{14, "holds 15 bytes, not 14"}, {16, "holds 15 bytes, not 16"}, {-2, "impossible"}, {INT64_MAX, "limit"}, {-1, "NULLs"}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    memcpy(body, &sizes[i].size, 8);
    assert_refused(buf_slice(&out), sizes[i].text);
  }
  memcpy(body, kept, 8);
  body[8] ^= 1;
  assert_refused(buf_slice(&out), "column 1 \"n\": the validity buffer: the bytes are no whole zstd frame");
  body[8] ^= 1;
  /* The frame must fill its buffer. */
  struct flatbuf_vector buffers;
  for (int lz4 = 0; lz4 < 2; lz4++) {
    if (lz4) {
      buf_reset(&out);
      buf_append(&out, lz4_stream, sizeof lz4_stream);
      at = 0;
      for (int i = 0; i < 2; i++) assert_int_equal(ipc_message_take(buf_slice(&out), &at, &message, &ended, NULL), DBSQL_OK);
    }
    assert_true(flatbuf_vector(&message.flatbuf, &message.header, 2, 16, 8, &buffers));
    uint8_t *size = (uint8_t *)(uintptr_t)message.flatbuf.bytes.data + buffers.at + 8;
    memcpy(kept, size, 8);
    size[0] = (uint8_t)(size[0] + 1);
    assert_refused(buf_slice(&out), lz4 ? "1 bytes follow the LZ4 frame" : "1 bytes follow the zstd frame");
    size[0] = 7;
    assert_refused(buf_slice(&out), "7 bytes are too few to be compressed");
    memcpy(size, kept, 8);
    assert_int_equal(read_all(buf_slice(&out), NULL), 120);
  }
  buf_free(&out);
}

/* A message of hand-made metadata, for what our writer cannot be talked into. */
struct hand {
  struct buf out;
  struct ipc_write_message message;
};

static size_t hand_begin(struct hand *hand, int64_t endianness) {
  memset(hand, 0, sizeof *hand);
  ipc_write_message_begin(&hand->message, &hand->out, IPC_HEADER_SCHEMA);
  struct flatbuf_slot slots[] = {{.width = 2, .value = endianness}, {.width = 4}};
  flatbuf_point(&hand->message.flatbuf, hand->message.header_slot, flatbuf_put_table(&hand->message.flatbuf, slots, 2));
  return slots[1].at;
}

/* A field of a type with up to three int16/int32 parameters; returns the table, and where its children vector is to be pointed from. */
static size_t hand_field(struct hand *hand, const char *name, uint8_t type, const struct flatbuf_slot *parameters, size_t count,
                         size_t *children) {
  struct flatbuf_writer *writer = &hand->message.flatbuf;
  struct flatbuf_slot slots[] = {{.width = 4}, {0}, {.width = 1, .value = type}, {.width = 4}, {0}, {.width = 4}}, own[3] = {{0}, {0}, {0}};
  for (size_t i = 0; i < count; i++) own[i] = parameters[i];
  size_t table = flatbuf_put_table(writer, slots, 6);
  flatbuf_put_string(writer, slots[0].at, slice_text(name));
  flatbuf_point(writer, slots[3].at, flatbuf_put_table(writer, own, count));
  *children = slots[5].at;
  return table;
}

static void hand_refused(struct hand *hand, const char *text) {
  ipc_write_message_end(&hand->message);
  assert_false(buf_failed(&hand->out));
  assert_refused(buf_slice(&hand->out), text);
  buf_free(&hand->out);
}

/* One column of one type. */
static void type_refused(uint8_t type, const struct flatbuf_slot *parameters, size_t count, const char *text) {
  struct hand hand;
  size_t children, fields = hand_begin(&hand, 0), vector = flatbuf_put_offsets(&hand.message.flatbuf, fields, 1);
  flatbuf_point(&hand.message.flatbuf, vector, hand_field(&hand, "the column", type, parameters, count, &children));
  flatbuf_put_offsets(&hand.message.flatbuf, children, 0);
  hand_refused(&hand, text);
}

static void types_are_checked(void **state) {
  (void)state;
  struct hand hand;
  hand_begin(&hand, 1);
  hand_refused(&hand, "malformed"); /* the offset of the fields was left at 0 */
  flatbuf_put_offsets(&hand.message.flatbuf, hand_begin(&hand, 1), 0);
  hand_refused(&hand, "big-endian");
  flatbuf_put_offsets(&hand.message.flatbuf, hand_begin(&hand, 2), 0);
  hand_refused(&hand, "unknown endianness");
#define P(bytes, number) {.width = bytes, .value = number}
  type_refused(27, NULL, 0, "column 1 \"the column\": unsupported Arrow type unknown");
  type_refused(22, NULL, 0, "unsupported Arrow type RunEndEncoded");
  type_refused(26, NULL, 0, "unsupported Arrow type LargeListView");
  type_refused(IPC_INT, NULL, 0, "Arrow type Int: a width of 0");
  type_refused(IPC_INT, (struct flatbuf_slot[]){P(4, 128)}, 1, "a width of 128");
  type_refused(IPC_FLOATING_POINT, (struct flatbuf_slot[]){P(2, 3)}, 1, "precision 3");
  type_refused(IPC_FLOATING_POINT, (struct flatbuf_slot[]){P(2, -1)}, 1, "precision -1");
  type_refused(IPC_DECIMAL, (struct flatbuf_slot[]){P(4, 39), P(4, 0)}, 2, "d:39,0");
  type_refused(IPC_DECIMAL, (struct flatbuf_slot[]){P(4, 5), P(4, 0), P(4, 16)}, 3, "d:5,0,16");
  type_refused(IPC_DECIMAL, (struct flatbuf_slot[]){P(4, -5), P(4, 0)}, 2, "d:-5,0");
  type_refused(IPC_DATE, (struct flatbuf_slot[]){P(2, 2)}, 1, "unit 2");
  type_refused(IPC_TIME, (struct flatbuf_slot[]){P(2, 3), P(4, 32)}, 2, "a width of 32");
  type_refused(IPC_TIME, (struct flatbuf_slot[]){P(2, 4), P(4, 32)}, 2, "unit 4");
  type_refused(IPC_TIMESTAMP, (struct flatbuf_slot[]){P(2, 4)}, 1, "unit 4");
  type_refused(IPC_INTERVAL, (struct flatbuf_slot[]){P(2, 3)}, 1, "unit 3");
  type_refused(IPC_DURATION, (struct flatbuf_slot[]){P(2, -1)}, 1, "unit -1");
  type_refused(IPC_FIXED_SIZE_BINARY, (struct flatbuf_slot[]){P(4, 0)}, 1, "a width of 0");
  type_refused(IPC_FIXED_SIZE_BINARY, (struct flatbuf_slot[]){P(4, INT32_MAX)}, 1, "a width of 2147483647");
  type_refused(IPC_FIXED_SIZE_LIST, (struct flatbuf_slot[]){P(4, -1)}, 1, "a size of -1");
  type_refused(IPC_LIST, NULL, 0, "List must have one child, not 0");
  type_refused(IPC_MAP, NULL, 0, "Map must have one child, not 0");
  type_refused(IPC_UNION, (struct flatbuf_slot[]){P(2, 2)}, 1, "mode 2");
#undef P
}

/* Where these bytes lie. */
static uint8_t *find_bytes(struct buf *out, const void *bytes, size_t size) {
  for (size_t i = 0; i + size <= out->size; i++)
    if (memcmp(out->data + i, bytes, size) == 0) return out->data + i;
  fail_msg("the bytes are not there");
  return NULL;
}

static void members_of_unions_and_zones_are_checked(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  static const uint8_t ids[] = {2, 0, 0, 0, 3, 0, 0, 0, 125, 0, 0, 0};
  write_stream("+s(+ud:3,125(c;c))", 3, false, &out);
  uint8_t *at = find_bytes(&out, ids, sizeof ids);
  at[0] = 1;
  assert_refused(buf_slice(&out), "Union: a number of type ids of 1");
  at[0] = 2;
  at[8] = 128;
  assert_refused(buf_slice(&out), "Union: type id 128");
  at[8] = 3;
  assert_refused(buf_slice(&out), "Union: the type ids do not fit");
  memset(at + 8, 0xFF, 4);
  assert_refused(buf_slice(&out), "Union: type id -1");
  buf_reset(&out);
  write_stream("+s(tsu:Etc/Some_Zone)", 3, false, &out);
  at = find_bytes(&out, "Some_Zone", 9);
  at[3] = 0;
  assert_refused(buf_slice(&out), "time zone is not text");
  at[3] = 0xFF;
  assert_refused(buf_slice(&out), "time zone is not text");
  buf_free(&out);
}

static void names_are_texts(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  struct ArrowSchema schema;
  test_schema("+s(i)", &schema);
  schema.children[0]->name = "abcdef";
  assert_int_equal(ipc_write_schema(&schema, &out, NULL), DBSQL_OK);
  ptrdiff_t at = -1;
  for (size_t i = 0; i + 6 <= out.size; i++)
    if (memcmp(out.data + i, "abcdef", 6) == 0) at = (ptrdiff_t)i;
  assert_true(at > 0);
  out.data[at + 2] = 0;
  assert_refused(buf_slice(&out), "not UTF-8 text");
  out.data[at + 2] = 0xC0;
  assert_refused(buf_slice(&out), "not UTF-8 text");
  schema.release(&schema);
  buf_free(&out);
}

/* Offsets may share their targets: 1 KB can describe 2^40 fields, and lists can nest for ever. */
static void work_does_not_explode(void **state) {
  (void)state;
  struct hand hand;
  size_t fields = hand_begin(&hand, 0), vector = flatbuf_put_offsets(&hand.message.flatbuf, fields, 1), slots[2], children;
  slots[0] = vector;
  size_t count = 1;
  for (int level = 0; level < 40; level++) {
    size_t table = hand_field(&hand, "x", IPC_STRUCT, NULL, 0, &children);
    for (size_t i = 0; i < count; i++) flatbuf_point(&hand.message.flatbuf, slots[i], table);
    size_t next = flatbuf_put_offsets(&hand.message.flatbuf, children, 2);
    slots[0] = next;
    slots[1] = next + 4;
    count = 2;
  }
  size_t leaf = hand_field(&hand, "x", IPC_NULL, NULL, 0, &children);
  for (size_t i = 0; i < count; i++) flatbuf_point(&hand.message.flatbuf, slots[i], leaf);
  flatbuf_put_offsets(&hand.message.flatbuf, children, 0);
  hand_refused(&hand, "more than 65535 fields");

  for (int depth = 63; depth < 66; depth++) {
    fields = hand_begin(&hand, 0);
    size_t slot = flatbuf_put_offsets(&hand.message.flatbuf, fields, 1);
    for (int level = 1; level <= depth; level++) {
      size_t table = hand_field(&hand, "x", level < depth ? IPC_LIST : IPC_NULL, NULL, 0, &children);
      flatbuf_point(&hand.message.flatbuf, slot, table);
      slot = flatbuf_put_offsets(&hand.message.flatbuf, children, level < depth);
    }
    if (depth > 64) {
      hand_refused(&hand, "nest deeper than 64");
    } else {
      ipc_write_message_end(&hand.message);
      assert_int_equal(read_all(buf_slice(&hand.out), NULL), 0);
      buf_free(&hand.out);
    }
  }

  /* A list of columns that would need 5 MB before the first is looked at. */
  flatbuf_put_offsets(&hand.message.flatbuf, hand_begin(&hand, 0), 65535);
  hand_refused(&hand, "Arrow schema: more than 65535 fields");

  /* Many fields that share one large name. */
  char *name = malloc(300001);
  memset(name, 'n', 300000);
  name[300000] = 0;
  fields = hand_begin(&hand, 0);
  vector = flatbuf_put_offsets(&hand.message.flatbuf, fields, 60000);
  size_t shared = hand_field(&hand, name, IPC_NULL, NULL, 0, &children);
  flatbuf_put_offsets(&hand.message.flatbuf, children, 0);
  for (size_t i = 0; i < 60000; i++) flatbuf_point(&hand.message.flatbuf, vector + 4 * i, shared);
  hand_refused(&hand, "share too many bytes");

  /* The same with one pair of metadata. */
  memset(&hand, 0, sizeof hand);
  ipc_write_message_begin(&hand.message, &hand.out, IPC_HEADER_SCHEMA);
  struct flatbuf_slot schema[] = {{.width = 2}, {.width = 4}, {.width = 4}}, pair[] = {{.width = 4}, {.width = 4}};
  flatbuf_point(&hand.message.flatbuf, hand.message.header_slot, flatbuf_put_table(&hand.message.flatbuf, schema, 3));
  flatbuf_put_offsets(&hand.message.flatbuf, schema[1].at, 0);
  vector = flatbuf_put_offsets(&hand.message.flatbuf, schema[2].at, 60000);
  shared = flatbuf_put_table(&hand.message.flatbuf, pair, 2);
  flatbuf_put_string(&hand.message.flatbuf, pair[0].at, slice_text("key"));
  flatbuf_put_string(&hand.message.flatbuf, pair[1].at, slice_text(name));
  for (size_t i = 0; i < 60000; i++) flatbuf_point(&hand.message.flatbuf, vector + 4 * i, shared);
  hand_refused(&hand, "share too many bytes");
  free(name);
}

static void framing_is_checked(void **state) {
  (void)state;
  for (int kind = 2; kind < 7; kind++) {
    struct hand hand;
    struct flatbuf_slot slots[] = {{.width = 8}};
    if (kind == 3) continue;
    memset(&hand, 0, sizeof hand);
    ipc_write_message_begin(&hand.message, &hand.out, kind);
    flatbuf_point(&hand.message.flatbuf, hand.message.header_slot, flatbuf_put_table(&hand.message.flatbuf, slots, 1));
    hand_refused(&hand, kind == 2 ? "dictionary batches" : "is neither a schema nor a record batch");
  }
  static const uint8_t negative[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xF8, 0xFF, 0xFF, 0xFF};
  assert_refused(slice_of(negative, 8), "more than the limit");
  assert_refused(slice_of("\xFF\xFF\xFF\xFF\x10\0\0\0abcdefgh", 16), "truncated");
  assert_refused(slice_of("\xFF\xFF\xFF\xFF\x04\0\0\0abcd", 12), "malformed metadata (wrong size)");
  assert_refused(slice_of("\xFF\xFF\xFF", 3), "truncated");
  assert_refused(slice_of("\xFF\xFF\xFF\xFF\0\0\0", 7), "truncated");
  assert_refused(slice_of("\xFF\xFF\xFF\xFF\0\0\0\0", 8), "has no schema");
  assert_refused(slice_of("", 0), "has no schema");
  assert_refused(slice_of("<html>", 6), "no Arrow message begins at byte 0");
}

static void a_schema_has_no_body(void **state) {
  (void)state;
  struct hand hand;
  flatbuf_put_offsets(&hand.message.flatbuf, hand_begin(&hand, 0), 0);
  flatbuf_store(&hand.message.flatbuf, hand.message.body_length, 8, 8);
  ipc_write_message_end(&hand.message);
  buf_append(&hand.out, "12345678", 8);
  assert_refused(buf_slice(&hand.out), "must not have a body");
  buf_free(&hand.out);
}

static void view_buffers_are_refused(void **state) {
  (void)state;
  struct hand hand;
  struct ArrowSchema schema;
  memset(&hand, 0, sizeof hand);
  test_schema("+s()", &schema);
  assert_int_equal(ipc_write_schema(&schema, &hand.out, NULL), DBSQL_OK);
  schema.release(&schema);
  ipc_write_message_begin(&hand.message, &hand.out, IPC_HEADER_BATCH);
  struct flatbuf_slot slots[] = {{.width = 8}, {.width = 4}, {.width = 4}, {0}, {.width = 4}};
  flatbuf_point(&hand.message.flatbuf, hand.message.header_slot, flatbuf_put_table(&hand.message.flatbuf, slots, 5));
  flatbuf_put_structs(&hand.message.flatbuf, slots[1].at, 0, 16);
  flatbuf_put_structs(&hand.message.flatbuf, slots[2].at, 0, 16);
  flatbuf_put_structs(&hand.message.flatbuf, slots[4].at, 1, 8);
  hand_refused(&hand, "view buffers");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_truncation_is_noticed),
      cmocka_unit_test(every_byte_may_be_anything),
      cmocka_unit_test(counts_and_buffers_are_checked),
      cmocka_unit_test(nested_values_are_checked),
      cmocka_unit_test(types_are_checked),
      cmocka_unit_test(members_of_unions_and_zones_are_checked),
      cmocka_unit_test(names_are_texts),
      cmocka_unit_test(work_does_not_explode),
      cmocka_unit_test(framing_is_checked),
      cmocka_unit_test(offsets_of_nothing_do_not_matter),
      cmocka_unit_test(compression_is_checked),
      cmocka_unit_test(a_schema_has_no_body),
      cmocka_unit_test(view_buffers_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
