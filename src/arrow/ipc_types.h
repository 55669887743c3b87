/*
 * The types of a checked schema, as the IPC reader and writer see them: one flat list of fields in the order in which a record
 * batch holds them (results.md 3.4 and 3.5). Private to the IPC files.
 */
#ifndef DBSQL_ARROW_IPC_TYPES_H
#define DBSQL_ARROW_IPC_TYPES_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"

/* Limits on what a stranger may send (results.md 3.3). */
#define IPC_MAX_METADATA ((size_t)64 << 20) /* bytes of the metadata of one message */
#define IPC_MAX_DEPTH 64                    /* nesting of fields */
#define IPC_MAX_FIELDS 65535                /* fields of a schema, nested ones included */
#define IPC_MAX_TABLES 1000000              /* flatbuffer tables visited in one message */
#define IPC_MAX_LENGTH INT32_MAX            /* rows of a batch, entries of a nested array */
#define IPC_MAX_WIDTH (1 << 20)             /* bytes of a fixed-size binary */
#define IPC_MAX_UNION 127                   /* members of a union */
/* Names and metadata may share bytes of the message: what is copied out of it may be this often its size. */
#define IPC_MAX_TEXT_RATIO 16

/* The numbers of the Type union of Schema.fbs. */
enum ipc_type {
  IPC_NULL = 1,
  IPC_INT = 2,
  IPC_FLOATING_POINT = 3,
  IPC_BINARY = 4,
  IPC_UTF8 = 5,
  IPC_BOOL = 6,
  IPC_DECIMAL = 7,
  IPC_DATE = 8,
  IPC_TIME = 9,
  IPC_TIMESTAMP = 10,
  IPC_INTERVAL = 11,
  IPC_LIST = 12,
  IPC_STRUCT = 13,
  IPC_UNION = 14,
  IPC_FIXED_SIZE_BINARY = 15,
  IPC_FIXED_SIZE_LIST = 16,
  IPC_MAP = 17,
  IPC_DURATION = 18,
  IPC_LARGE_BINARY = 19,
  IPC_LARGE_UTF8 = 20,
  IPC_LARGE_LIST = 21,
  IPC_LAST_SUPPORTED = IPC_LARGE_LIST,
  IPC_LAST_KNOWN = 26
};

/* How the values lie in buffers. */
enum ipc_layout {
  IPC_LAYOUT_NONE,       /* Null */
  IPC_LAYOUT_BITS,       /* validity, bits */
  IPC_LAYOUT_FIXED,      /* validity, values of `width` bytes */
  IPC_LAYOUT_BYTES,      /* validity, offsets, bytes */
  IPC_LAYOUT_LIST,       /* validity, offsets; one child */
  IPC_LAYOUT_FIXED_LIST, /* validity; one child, `width` entries each */
  IPC_LAYOUT_STRUCT,     /* validity; children */
  IPC_LAYOUT_SPARSE,     /* types; children */
  IPC_LAYOUT_DENSE       /* types, offsets; children */
};

struct ipc_field {
  const struct ArrowSchema *schema;
  uint8_t type;
  uint8_t layout;
  uint8_t n_buffers; /* in the C data interface and in metadata V5 */
  uint8_t offset_width;
  uint8_t unit; /* of dates, times, intervals; the precision of floating point */
  bool is_signed;
  bool has_zone;
  int32_t width;
  int32_t precision;
  int32_t scale;
  uint32_t column;     /* counted from 0 */
  uint32_t n_children; /* the first is the next field of the list ... */
  uint32_t next;       /* ... and this is the next sibling */
};

struct ipc_schema {
  atomic_size_t refs;
  struct ArrowSchema arrow;
  struct ipc_field *fields; /* fields[0] is the root */
  uint32_t n_fields;        /* the root included */
  size_t n_buffers;         /* of all fields but the root, in metadata V5 */
  size_t n_unions;
};

/* Takes over `arrow` (moves it), checks it and makes a schema of it. On failure `arrow` has been released. */
dbsql_status ipc_schema_take(struct ArrowSchema *arrow, struct ipc_schema **schema, dbsql_error **error);
/* True if both describe the same buffers and types; names, metadata, nullability and the name of a time zone do not count. On
 * false `*different` is a field of `a` that differs, or NULL. */
bool ipc_schema_same_structure(const struct ipc_schema *a, const struct ipc_schema *b, const struct ipc_field **different);

/* "Int", "RunEndEncoded" ...; "unknown" for a number outside the union. */
const char *ipc_type_name(unsigned type);
/* Fills `child_of[id]` with the child of a union's type id, -1 where there is none. False if the format is wrong. */
bool ipc_union_members(const char *format, int64_t n_children, int8_t child_of[128]);

/* Makes an error that names the column, and the field inside it. Returns DBSQL_ERROR_DRIVER (or no memory). */
dbsql_status ipc_field_error(const struct ipc_schema *schema, const struct ipc_field *field, dbsql_error **error, const char *format, ...)
    DBSQL_PRINTF(4, 5);

/* One node of an ArrowSchema in one block: texts are copied; `children` slots are zeroed and filled by the caller. `metadata` is the
 * block of the C data interface or NULL. Released by its callback, children included. */
dbsql_status ipc_schema_node(struct ArrowSchema *node, struct slice format, struct slice name, struct slice metadata, int64_t flags,
                             int64_t n_children, dbsql_error **error);
/* Size of a metadata block of the C data interface; 0 for NULL. */
size_t ipc_metadata_size(const char *metadata);

#endif
