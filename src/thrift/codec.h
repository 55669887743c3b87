/*
 * Thrift structs as data: the C shapes of lists, maps and unknown fields, descriptors of structs, and one decoder, one encoder and one
 * printer that work for all of them. tcli.h has the structs themselves.
 */
#ifndef DBSQL_THRIFT_CODEC_H
#define DBSQL_THRIFT_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "thrift/binary.h"

/* A field that the tables do not know (or whose wire type is not the expected one), kept so that a message can be written back as it
 * was. In ascending order of id. */
struct thrift_unknown {
  struct thrift_unknown *next;
  struct slice bytes; /* the value on the wire, without type and id */
  int16_t id;
  uint8_t type; /* enum thrift_type */
};

struct thrift_strings {
  uint32_t count;
  struct slice *items;
};
struct thrift_string_lists {
  uint32_t count;
  struct thrift_strings *items;
};
struct thrift_i32s {
  uint32_t count;
  int32_t *items;
};
struct thrift_pair {
  struct slice key;
  struct slice value;
};
struct thrift_string_map {
  uint32_t count;
  struct thrift_pair *items;
};
struct thrift_i32_pair {
  struct slice key;
  int32_t value;
};
struct thrift_i32_map {
  uint32_t count;
  struct thrift_i32_pair *items;
};

/* The values of a column as they came: big-endian fixed-width elements, or strings each behind its i32 length. Validated when decoded:
 * there are `count` whole elements in `bytes`, and nothing after them. Whoever builds one writes its bytes with thrift_write_*(). */
struct thrift_raw_list {
  uint8_t element_type; /* enum thrift_type */
  uint32_t count;
  struct slice bytes;
};

/* i < count. */
static inline bool raw_list_bool_at(const struct thrift_raw_list *list, uint32_t i) {
  return list->bytes.data[i] != 0;
}
static inline int8_t raw_list_byte_at(const struct thrift_raw_list *list, uint32_t i) {
  return (int8_t)list->bytes.data[i];
}
static inline int16_t raw_list_i16_at(const struct thrift_raw_list *list, uint32_t i) {
  return (int16_t)thrift_load16(list->bytes.data + (size_t)i * 2);
}
static inline int32_t raw_list_i32_at(const struct thrift_raw_list *list, uint32_t i) {
  return (int32_t)thrift_load32(list->bytes.data + (size_t)i * 4);
}
static inline int64_t raw_list_i64_at(const struct thrift_raw_list *list, uint32_t i) {
  return (int64_t)thrift_load64(list->bytes.data + (size_t)i * 8);
}
static inline double raw_list_double_at(const struct thrift_raw_list *list, uint32_t i) {
  uint64_t bits = thrift_load64(list->bytes.data + (size_t)i * 8);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Strings and binaries, in order:
 *   struct raw_list_cursor cursor = raw_list_strings(&list);
 *   while (raw_list_next_string(&cursor, &value)) ... */
struct raw_list_cursor {
  struct slice left;
};
static inline struct raw_list_cursor raw_list_strings(const struct thrift_raw_list *list) {
  return (struct raw_list_cursor){list->bytes};
}
static inline bool raw_list_next_string(struct raw_list_cursor *cursor, struct slice *value) {
  if (cursor->left.size < 4) return false;
  size_t length = thrift_load32(cursor->left.data);
  if (length > cursor->left.size - 4) return false;
  *value = slice_of(cursor->left.data + 4, length);
  cursor->left = slice_of(cursor->left.data + 4 + length, cursor->left.size - 4 - length);
  return true;
}

/* ---- Descriptors --------------------------------------------------------------------------------------------------------- */

enum thrift_kind {
  THRIFT_KIND_BOOL,
  THRIFT_KIND_BYTE,
  THRIFT_KIND_I16,
  THRIFT_KIND_I32,
  THRIFT_KIND_I64,
  THRIFT_KIND_DOUBLE,
  THRIFT_KIND_STRING,
  THRIFT_KIND_BINARY,
  THRIFT_KIND_STRUCT,       /* a pointer */
  THRIFT_KIND_STRUCT_ITEM,  /* in place: an item of a list or map */
  THRIFT_KIND_STRUCTS,      /* list<struct> */
  THRIFT_KIND_STRINGS,      /* list<string> */
  THRIFT_KIND_STRING_LISTS, /* list<list<string>> */
  THRIFT_KIND_I32S,         /* list<i32> */
  THRIFT_KIND_STRING_MAP,   /* map<string, string> */
  THRIFT_KIND_I32_MAP,      /* map<string, i32> */
  THRIFT_KIND_STRUCT_MAP,   /* map<string, struct> */
  THRIFT_KIND_RAW_LIST
};

enum thrift_flags {
  THRIFT_REQUIRED = 1,
  THRIFT_HIDDEN = 2, /* never printed */
  THRIFT_GUID = 4,   /* printed as a guid */
  THRIFT_LINK = 8    /* printed without its query, which is a credential */
};

struct thrift_enum_value {
  int32_t number;
  const char *name;
};
struct thrift_enum {
  const char *name;
  size_t count;
  const struct thrift_enum_value *values;
};
/* NULL if the number has no name. */
const char *thrift_enum_name(const struct thrift_enum *names, int32_t number);

struct thrift_struct;
struct thrift_field {
  int16_t id;
  uint8_t kind;
  uint8_t flags;
  uint8_t element_type; /* of a raw list */
  uint32_t has_offset;
  uint32_t offset;
  uint32_t pair_size;    /* of a map's item */
  uint32_t value_offset; /* within a map's item; its key is at 0 */
  const char *name;
  const struct thrift_struct *type;
  const struct thrift_enum *names;
};
/* How a kind looks on the wire, and what a list or map consists of (the kind of a map's values; its keys are strings). */
struct thrift_kind_info {
  uint8_t wire_type;
  bool is_container;
  uint8_t item_kind;
};
extern const struct thrift_kind_info thrift_kinds[THRIFT_KIND_RAW_LIST + 1];
/* What all lists and maps of known kinds look like in C. */
struct thrift_items {
  uint32_t count;
  void *items;
};
/* How far apart the items are. `kind` is that of the list or map. */
size_t thrift_item_size(uint8_t kind, const struct thrift_field *field);

/* Every C struct begins with `struct thrift_unknown *unknown`. */
struct thrift_struct {
  const char *name;
  uint32_t size;
  bool is_union;
  uint16_t field_count;
  const struct thrift_field *fields; /* ascending ids */
};

/* ---- Decoding, encoding, printing ---------------------------------------------------------------------------------------- */

enum {
  thrift_max_depth = 64,
  thrift_max_unknown_fields = 64, /* in one struct */
  /* Decoded structs are larger than their bytes: a NULL in a row-based set takes 5 bytes on the wire and about 150 in memory. What one
   * message may take is bounded by this multiple of its size and this constant. */
  thrift_memory_factor = 32,
  thrift_memory_constant = 64 * 1024
};

/* Decodes one bare struct, which must fill `bytes`, into `out` (type->size bytes). Nested parts come from the arena; texts and binaries
 * point into `bytes`, which must outlive them. On failure `out` and what the arena got are of no use. */
dbsql_status thrift_decode(const struct thrift_struct *type, struct slice bytes, struct arena *arena, void *out, dbsql_error **error);
/* The same within a message: reads one struct and leaves the reader behind it. The bound on memory goes by what the reader has left. */
dbsql_status thrift_read_struct(struct thrift_reader *reader, const struct thrift_struct *type, struct arena *arena, void *out,
                                dbsql_error **error);
/* Appends the struct: fields whose has_ is set, and unknown ones, in ascending order of id. A has_ without its pointer counts as not
 * set. Marks the buffer as failed if a text, list or map is longer than Thrift can say (2^31 - 1), or nested deeper than the limit. */
void thrift_encode(const struct thrift_struct *type, const void *value, struct buf *out);
/* Appends one line for a debug log. Secrets are left out, texts redacted (redact_append) and cut, binaries and columns shown by size. */
void thrift_print(const struct thrift_struct *type, const void *value, struct buf *out);

#endif
