#include "arrow/builder.h"

#include <inttypes.h>

#include "arrow/ipc_bits.h"
#include "base/error.h"
#include "base/mem.h"

/* ---- Schemas ---- */

/* What a schema owns. The texts lie behind it in the same block. */
struct schema_owner {
  struct ArrowSchema *store;
  struct ArrowSchema **pointers;
  char *metadata;
};

static void schema_release(struct ArrowSchema *schema) {
  struct schema_owner *owner = schema->private_data;
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
  }
  mem_free(owner->store);
  mem_free(owner->pointers);
  mem_free(owner->metadata);
  mem_free(owner);
  schema->release = NULL;
}

dbsql_status arrow_schema_make(struct ArrowSchema *schema, const char *format, const char *name, int64_t flags, int64_t n_children,
                               dbsql_error **error) {
  *schema = (struct ArrowSchema){0};
  if (!format || n_children < 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "an Arrow schema needs a format and at least 0 children (%" PRId64 ")",
                     n_children);
  }
  size_t format_size = strlen(format) + 1, name_size = name ? strlen(name) + 1 : 0, count = (size_t)n_children;
  struct schema_owner *owner = mem_alloc(sizeof *owner + format_size + name_size);
  if (!owner) return error_no_memory(error);
  *owner = (struct schema_owner){0};
  if (count != 0) {
    owner->store = mem_alloc_zero(count, sizeof *owner->store);
    owner->pointers = mem_alloc_zero(count, sizeof *owner->pointers);
    if (!owner->store || !owner->pointers) {
      mem_free(owner->store);
      mem_free(owner->pointers);
      mem_free(owner);
      return error_no_memory(error);
    }
    for (size_t i = 0; i < count; i++) owner->pointers[i] = &owner->store[i];
  }
  char *texts = (char *)(owner + 1);
  memcpy(texts, format, format_size);
  if (name) memcpy(texts + format_size, name, name_size);
  schema->format = texts;
  schema->name = name ? texts + format_size : NULL;
  schema->flags = flags;
  schema->n_children = n_children;
  schema->children = owner->pointers;
  schema->private_data = owner;
  schema->release = schema_release;
  return DBSQL_OK;
}

/* A length and its bytes, as metadata blocks of the C data interface hold them. */
static void append_counted(struct buf *out, const char *text) {
  size_t length = strlen(text);
  if (length > INT32_MAX) {
    out->failed = true;
    return;
  }
  int32_t size = (int32_t)length;
  buf_append(out, &size, sizeof size);
  buf_append(out, text, length);
}

dbsql_status arrow_schema_set_metadata(struct ArrowSchema *schema, const char *const *pairs, dbsql_error **error) {
  if (schema->release != schema_release) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "metadata can only be set on a schema that arrow_schema_make() made");
  }
  struct schema_owner *owner = schema->private_data;
  struct buf block = BUF_INIT;
  int32_t count = 0;
  while (pairs && pairs[2 * count]) count++;
  if (count != 0) {
    buf_append(&block, &count, sizeof count);
    for (int32_t i = 0; i < count; i++) {
      append_counted(&block, pairs[2 * i]);
      append_counted(&block, pairs[2 * i + 1] ? pairs[2 * i + 1] : "");
    }
    if (buf_failed(&block)) {
      buf_free(&block);
      return error_no_memory(error);
    }
  }
  mem_free(owner->metadata);
  owner->metadata = (char *)block.data;
  schema->metadata = owner->metadata;
  return DBSQL_OK;
}

/* ---- Appending ---- */

/* Buffers of empty arrays point here: some consumers do not take NULL (results.md 4.2). Serves as the single zero offset, too. */
static const _Alignas(64) uint8_t nothing[64];

static const char out_of_range[] = "its offsets have 32 bits, and more than 2 GiB were appended";
static const char wrong_kind[] = "a value was appended that the type does not take";
static const char children_unlike[] = "its children do not have the number of values that its entries need";

static void fail(struct arrow_builder *builder, const char *why) {
  if (builder->failed) return;
  builder->failed = true;
  builder->why = why;
}

static bool is_large(enum arrow_kind kind) {
  return kind == ARROW_LARGE_UTF8 || kind == ARROW_LARGE_BINARY || kind == ARROW_LARGE_LIST;
}

static bool is_bytes(enum arrow_kind kind) {
  return kind == ARROW_UTF8 || kind == ARROW_BINARY || kind == ARROW_LARGE_UTF8 || kind == ARROW_LARGE_BINARY;
}

static bool is_list(enum arrow_kind kind) {
  return kind == ARROW_LIST || kind == ARROW_LARGE_LIST || kind == ARROW_MAP;
}

/* Appends one bit to a bitmap that holds `length` of them. */
static bool append_bit(struct buf *bits, int64_t length, bool value) {
  unsigned in_byte = (unsigned)(length & 7);
  if (in_byte == 0) buf_append_byte(bits, 0);
  if (buf_failed(bits)) return false;
  if (value) bits->data[length >> 3] = (uint8_t)(bits->data[length >> 3] | 1u << in_byte);
  return true;
}

/* The bitmap begins with the first null: everything before it is valid. */
static bool begin_validity(struct arrow_builder *builder) {
  if (builder->validity.size != 0 || builder->length == 0) return true;
  size_t size = (size_t)(builder->length + 7) / 8;
  uint8_t *bits = buf_extend(&builder->validity, size);
  if (!bits) return false;
  memset(bits, 0xFF, size);
  if (builder->length & 7) bits[size - 1] = (uint8_t)((1u << (builder->length & 7)) - 1);
  return true;
}

/* Counts one more value, after its data have been appended. */
static void count_value(struct arrow_builder *builder, bool valid) {
  bool ok = true;
  if (!valid) ok = begin_validity(builder);
  if (ok && (!valid || builder->null_count != 0)) ok = append_bit(&builder->validity, builder->length, valid);
  if (!ok) {
    fail(builder, NULL);
    return;
  }
  builder->length++;
  if (!valid) builder->null_count++;
}

/* Appends where the value that ends at `end` ends. */
static bool append_offset(struct arrow_builder *builder, int64_t end) {
  struct buf *offsets = &builder->offsets;
  if (is_large(builder->kind)) {
    if (offsets->size == 0) buf_append(offsets, nothing, sizeof end);
    buf_append(offsets, &end, sizeof end);
  } else {
    if (end > INT32_MAX) {
      fail(builder, out_of_range);
      return false;
    }
    int32_t narrow = (int32_t)end;
    if (offsets->size == 0) buf_append(offsets, nothing, sizeof narrow);
    buf_append(offsets, &narrow, sizeof narrow);
  }
  if (buf_failed(offsets)) fail(builder, NULL);
  return !builder->failed;
}

static int64_t last_offset(const struct arrow_builder *builder) {
  size_t size = builder->offsets.size;
  if (size == 0) return 0;
  if (is_large(builder->kind)) {
    int64_t last;
    memcpy(&last, builder->offsets.data + size - sizeof last, sizeof last);
    return last;
  }
  int32_t last;
  memcpy(&last, builder->offsets.data + size - sizeof last, sizeof last);
  return last;
}

void arrow_builder_append_null(struct arrow_builder *builder) {
  if (builder->failed) return;
  if (builder->kind == ARROW_NULL) {
    builder->length++;
    builder->null_count++;
    return;
  }
  if (builder->kind == ARROW_BOOL) {
    if (!append_bit(&builder->data, builder->length, false)) fail(builder, NULL);
  } else if (is_bytes(builder->kind) || is_list(builder->kind)) {
    append_offset(builder, last_offset(builder));
  } else if (builder->kind == ARROW_STRUCT) {
    for (int64_t i = 0; i < builder->child_count; i++) arrow_builder_append_null(&builder->children[i]);
  } else if (builder->kind == ARROW_FIXED_LIST) {
    for (int32_t i = 0; i < builder->width && !builder->children[0].failed; i++) arrow_builder_append_null(&builder->children[0]);
  } else {
    uint8_t *value = buf_extend(&builder->data, (size_t)builder->width);
    if (value) {
      memset(value, 0, (size_t)builder->width);
    } else {
      fail(builder, NULL);
    }
  }
  if (!builder->failed) count_value(builder, false);
}

void arrow_builder_append_fixed(struct arrow_builder *builder, const void *value) {
  if (builder->failed) return;
  if (builder->width == 0 || builder->child_count != 0) {
    fail(builder, wrong_kind);
    return;
  }
  buf_append(&builder->data, value, (size_t)builder->width);
  if (buf_failed(&builder->data)) {
    fail(builder, NULL);
    return;
  }
  count_value(builder, true);
}

void arrow_builder_append_bool(struct arrow_builder *builder, bool value) {
  if (builder->failed) return;
  if (builder->kind != ARROW_BOOL) {
    fail(builder, wrong_kind);
  } else if (!append_bit(&builder->data, builder->length, value)) {
    fail(builder, NULL);
  } else {
    count_value(builder, true);
  }
}

void arrow_builder_append_bytes(struct arrow_builder *builder, struct slice value) {
  if (builder->failed) return;
  if (builder->kind == ARROW_FIXED_BINARY && value.size == (size_t)builder->width) {
    buf_append_slice(&builder->data, value);
  } else if (is_bytes(builder->kind)) {
    /* Before the bytes are copied: what does not fit costs no memory. */
    if (value.size > (size_t)INT64_MAX - builder->data.size || !append_offset(builder, (int64_t)(builder->data.size + value.size))) {
      fail(builder, out_of_range);
      return;
    }
    buf_append_slice(&builder->data, value);
  } else {
    fail(builder, wrong_kind);
    return;
  }
  if (buf_failed(&builder->data)) {
    fail(builder, NULL);
    return;
  }
  count_value(builder, true);
}

void arrow_builder_append_entry(struct arrow_builder *builder) {
  if (builder->failed) return;
  if (is_list(builder->kind)) {
    append_offset(builder, builder->children[0].length);
  } else if (builder->kind != ARROW_STRUCT && builder->kind != ARROW_FIXED_LIST) {
    fail(builder, wrong_kind);
  }
  if (!builder->failed) count_value(builder, true);
}

/* ---- Whole columns ---- */

static const char not_empty[] = "a whole column was put into one that has values already";

static bool begin_filling(struct arrow_builder *builder) {
  if (builder->length != 0) fail(builder, not_empty);
  return !builder->failed;
}

void *arrow_builder_fill_fixed(struct arrow_builder *builder, int64_t count) {
  if (!begin_filling(builder)) return NULL;
  bool is_bool = builder->kind == ARROW_BOOL;
  if (!is_bool && (builder->width == 0 || builder->child_count != 0)) {
    fail(builder, wrong_kind);
    return NULL;
  }
  size_t size = is_bool ? ((size_t)count + 7) / 8 : (size_t)count * (size_t)builder->width;
  uint8_t *values = buf_extend(&builder->data, size);
  if (buf_failed(&builder->data)) fail(builder, NULL);
  if (builder->failed || count == 0) return NULL;
  if (is_bool) memset(values, 0, size);
  builder->length = count;
  return values;
}

bool arrow_builder_fill_bytes(struct arrow_builder *builder, int64_t count, size_t size, int32_t **offsets, uint8_t **data) {
  if (!begin_filling(builder)) return false;
  if (builder->kind != ARROW_UTF8 && builder->kind != ARROW_BINARY) {
    fail(builder, wrong_kind);
  } else if (size > INT32_MAX) {
    fail(builder, out_of_range);
  } else {
    *offsets = (int32_t *)(void *)buf_extend(&builder->offsets, ((size_t)count + 1) * sizeof **offsets);
    *data = buf_extend(&builder->data, size);
    if (buf_failed(&builder->offsets) || buf_failed(&builder->data)) fail(builder, NULL);
  }
  if (builder->failed) return false;
  (*offsets)[0] = 0;
  builder->length = count;
  return true;
}

void arrow_builder_fill_entries(struct arrow_builder *builder, int64_t count) {
  if (!begin_filling(builder)) return;
  if (builder->kind == ARROW_STRUCT) {
    builder->length = count;
  } else {
    fail(builder, wrong_kind);
  }
}

void arrow_builder_mark_nulls(struct arrow_builder *builder, struct slice nulls) {
  if (builder->failed || builder->length == 0) return;
  size_t size = (size_t)(builder->length + 7) / 8;
  if (nulls.size > size) nulls.size = size;
  while (nulls.size != 0 && nulls.data[nulls.size - 1] == 0) nulls.size--;
  if (nulls.size == 0) return;
  uint8_t *valid = builder->validity.size == 0 ? buf_extend(&builder->validity, size) : NULL;
  if (!valid) {
    fail(builder, builder->validity.size == 0 ? NULL : not_empty);
    return;
  }
  for (size_t i = 0; i < nulls.size; i++) valid[i] = (uint8_t)~nulls.data[i];
  memset(valid + nulls.size, 0xFF, size - nulls.size);
  if (builder->length & 7) valid[size - 1] = (uint8_t)(valid[size - 1] & ((1u << (builder->length & 7)) - 1));
  builder->null_count = builder->length - ipc_bits_count(valid, 0, builder->length);
  if (builder->null_count == 0) buf_reset(&builder->validity);
}

/* ---- Making and freeing ---- */

void arrow_builder_free(struct arrow_builder *builder) {
  for (int64_t i = 0; i < builder->child_count; i++) arrow_builder_free(&builder->children[i]);
  mem_free(builder->children);
  buf_free(&builder->validity);
  buf_free(&builder->offsets);
  buf_free(&builder->data);
  *builder = (struct arrow_builder){0};
}

static const char *name_of(const struct ArrowSchema *schema) {
  return schema->name ? schema->name : "";
}

static bool children_fit(const struct ArrowSchema *schema, enum arrow_kind kind) {
  switch (kind) {
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST: return schema->n_children == 1;
    case ARROW_MAP:
      return schema->n_children == 1 && strcmp(schema->children[0]->format, "+s") == 0 && schema->children[0]->n_children == 2;
    case ARROW_STRUCT: return schema->n_children >= 0;
    default: return schema->n_children == 0;
  }
}

static dbsql_status init_at_depth(struct arrow_builder *builder, const struct ArrowSchema *schema, int depth, dbsql_error **error) {
  *builder = (struct arrow_builder){0};
  struct arrow_format format = arrow_format_parse(schema->format);
  if (format.kind == ARROW_UNSUPPORTED) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "column \"%s\": the Arrow format \"%s\" cannot be built", name_of(schema),
                     schema->format ? schema->format : "");
  }
  if (!children_fit(schema, format.kind)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "column \"%s\": %" PRId64 " children do not fit the Arrow format \"%s\"",
                     name_of(schema), schema->n_children, schema->format);
  }
  if (depth > arrow_max_depth) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "column \"%s\": types are nested more than %d deep", name_of(schema),
                     arrow_max_depth);
  }
  builder->schema = schema;
  builder->kind = format.kind;
  builder->width = format.width;
  if (schema->n_children == 0) return DBSQL_OK;
  builder->children = mem_alloc_zero((size_t)schema->n_children, sizeof *builder->children);
  if (!builder->children) return error_no_memory(error);
  builder->child_count = schema->n_children;
  for (int64_t i = 0; i < builder->child_count; i++) {
    dbsql_status status = init_at_depth(&builder->children[i], schema->children[i], depth + 1, error);
    if (status != DBSQL_OK) return status;
  }
  return DBSQL_OK;
}

dbsql_status arrow_builder_init(struct arrow_builder *builder, const struct ArrowSchema *schema, dbsql_error **error) {
  dbsql_status status = init_at_depth(builder, schema, 0, error);
  if (status != DBSQL_OK) arrow_builder_free(builder);
  return status;
}

/* ---- Finishing ---- */

/* What an array owns. A child has its own, so that it can be moved out of its parent (results.md 4.2). */
struct array_owner {
  const void *buffers[3]; /* what the array shows */
  void *blocks[3];
  struct ArrowArray *store;
  struct ArrowArray **pointers;
};

static void array_release(struct ArrowArray *array) {
  struct array_owner *owner = array->private_data;
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  }
  for (int i = 0; i < 3; i++) mem_free(owner->blocks[i]);
  mem_free(owner->store);
  mem_free(owner->pointers);
  mem_free(owner);
  array->release = NULL;
}

/* Says what went wrong in the builder or below it. */
static dbsql_status check(const struct arrow_builder *builder, dbsql_error **error) {
  for (int64_t i = 0; i < builder->child_count; i++) {
    dbsql_status status = check(&builder->children[i], error);
    if (status != DBSQL_OK) return status;
  }
  if (builder->failed && !builder->why) return error_no_memory(error);
  const char *why = builder->why;
  for (int64_t i = 0; i < builder->child_count && !why; i++) {
    int64_t has = builder->children[i].length, needs = builder->length;
    bool fits = has == needs;
    if (is_list(builder->kind)) fits = has == last_offset(builder);
    if (builder->kind == ARROW_FIXED_LIST)
      fits = builder->width == 0 ? has == 0 : has % builder->width == 0 && has / builder->width == needs;
    if (!fits) {
      why = children_unlike;
    }
  }
  if (!why) return DBSQL_OK;
  const char *format = builder->schema && builder->schema->format ? builder->schema->format : "";
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "column \"%s\" (Arrow format \"%s\") cannot be built: %s",
                   builder->schema ? name_of(builder->schema) : "", format, why);
}

/* Allocates all that finishing needs, so that moving the content cannot fail half-way. */
static bool make_arrays(const struct arrow_builder *builder, struct ArrowArray *array) {
  struct array_owner *owner = mem_alloc_zero(1, sizeof *owner);
  if (!owner) return false;
  array->private_data = owner;
  array->release = array_release;
  array->buffers = owner->buffers;
  size_t count = (size_t)builder->child_count;
  if (count == 0) return true;
  owner->store = mem_alloc_zero(count, sizeof *owner->store);
  owner->pointers = mem_alloc_zero(count, sizeof *owner->pointers);
  if (!owner->store || !owner->pointers) return false;
  array->children = owner->pointers;
  for (size_t i = 0; i < count; i++) {
    owner->pointers[i] = &owner->store[i];
    array->n_children++;
    if (!make_arrays(&builder->children[i], owner->pointers[i])) return false;
  }
  return true;
}

static void move_buffer(struct array_owner *owner, int64_t index, struct buf *from, bool optional) {
  owner->blocks[index] = from->data;
  owner->buffers[index] = from->size != 0 ? from->data : optional ? NULL : (const void *)nothing;
  *from = (struct buf)BUF_INIT;
}

static void move_content(struct arrow_builder *builder, struct ArrowArray *array) {
  struct array_owner *owner = array->private_data;
  array->length = builder->length;
  array->null_count = builder->null_count;
  if (builder->kind != ARROW_NULL) {
    move_buffer(owner, array->n_buffers++, &builder->validity, true);
    if (is_bytes(builder->kind) || is_list(builder->kind)) move_buffer(owner, array->n_buffers++, &builder->offsets, false);
    if (!is_list(builder->kind) && builder->kind != ARROW_STRUCT && builder->kind != ARROW_FIXED_LIST) {
      move_buffer(owner, array->n_buffers++, &builder->data, false);
    }
  }
  for (int64_t i = 0; i < builder->child_count; i++) move_content(&builder->children[i], array->children[i]);
  builder->length = 0;
  builder->null_count = 0;
}

dbsql_status arrow_builder_finish(struct arrow_builder *builder, struct ArrowArray *array, dbsql_error **error) {
  *array = (struct ArrowArray){0};
  dbsql_status status = check(builder, error);
  if (status != DBSQL_OK) return status;
  if (!make_arrays(builder, array)) {
    if (array->release) array->release(array);
    return error_no_memory(error);
  }
  move_content(builder, array);
  return DBSQL_OK;
}
