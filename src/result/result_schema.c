#include "result/result_schema.h"

#include <stdio.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

static const char sql_name_key[] = "Spark:DataType:SqlName";

static int32_t load_i32(const char *at) {
  int32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

/* A value out of the metadata block of the C data interface, which the IPC reader has checked or we have made. */
static struct slice metadata_find(const char *metadata, const char *key) {
  if (!metadata) return slice_of(NULL, 0);
  int32_t count = load_i32(metadata);
  const char *at = metadata + 4;
  for (int32_t i = 0; i < count; i++) {
    struct slice found = slice_of(at + 4, (size_t)load_i32(at));
    at += 4 + found.size;
    struct slice value = slice_of(at + 4, (size_t)load_i32(at));
    at += 4 + value.size;
    if (slice_equal(found, slice_text(key))) return value;
  }
  return slice_of(NULL, 0);
}

/* ---- the SQL type that Thrift tells ---- */

static int32_t qualifier(const struct TPrimitiveTypeEntry *entry, const char *name) {
  if (!entry->typeQualifiers) return 0;
  for (uint32_t i = 0; i < entry->typeQualifiers->qualifiers.count; i++) {
    if (slice_equal(entry->typeQualifiers->qualifiers.items[i].key, slice_text(name))) {
      return entry->typeQualifiers->qualifiers.items[i].value.i32Value;
    }
  }
  return 0;
}

/* Appends the type at `index` of a description. Nested forms point to other entries (thrift.md 4.3), which hostile bytes may do in
 * circles: hence the depth. */
static void append_thrift_type(struct buf *out, const struct TTypeDesc *description, int32_t index, int depth) {
  if (!description || index < 0 || (uint32_t)index >= description->types.count || depth > 16 || out->size > 65536) {
    buf_append_text(out, "UNKNOWN");
    return;
  }
  const struct TTypeEntry *entry = &description->types.items[index];
  if (entry->primitiveEntry) {
    const struct TPrimitiveTypeEntry *primitive = entry->primitiveEntry;
    switch (primitive->type) {
      case TTypeId_BOOLEAN_TYPE: buf_append_text(out, "BOOLEAN"); return;
      case TTypeId_TINYINT_TYPE: buf_append_text(out, "TINYINT"); return;
      case TTypeId_SMALLINT_TYPE: buf_append_text(out, "SMALLINT"); return;
      case TTypeId_INT_TYPE: buf_append_text(out, "INT"); return;
      case TTypeId_BIGINT_TYPE: buf_append_text(out, "BIGINT"); return;
      case TTypeId_FLOAT_TYPE: buf_append_text(out, "FLOAT"); return;
      case TTypeId_DOUBLE_TYPE: buf_append_text(out, "DOUBLE"); return;
      case TTypeId_TIMESTAMP_TYPE:
      case TTypeId_TIMESTAMPLOCALTZ_TYPE: buf_append_text(out, "TIMESTAMP"); return;
      case TTypeId_BINARY_TYPE: buf_append_text(out, "BINARY"); return;
      case TTypeId_ARRAY_TYPE: buf_append_text(out, "ARRAY"); return;
      case TTypeId_MAP_TYPE: buf_append_text(out, "MAP"); return;
      case TTypeId_STRUCT_TYPE: buf_append_text(out, "STRUCT"); return;
      case TTypeId_DECIMAL_TYPE: {
        int32_t precision = qualifier(primitive, "precision");
        if (precision > 0) {
          buf_printf(out, "DECIMAL(%d,%d)", (int)precision, (int)qualifier(primitive, "scale"));
        } else {
          buf_append_text(out, "DECIMAL");
        }
        return;
      }
      case TTypeId_NULL_TYPE: buf_append_text(out, "VOID"); return;
      case TTypeId_DATE_TYPE: buf_append_text(out, "DATE"); return;
      case TTypeId_INTERVAL_YEAR_MONTH_TYPE: buf_append_text(out, "INTERVAL YEAR TO MONTH"); return;
      case TTypeId_INTERVAL_DAY_TIME_TYPE: buf_append_text(out, "INTERVAL DAY TO SECOND"); return;
      case TTypeId_VARCHAR_TYPE:
      case TTypeId_CHAR_TYPE: {
        int32_t length = qualifier(primitive, "characterMaximumLength");
        const char *name = primitive->type == TTypeId_CHAR_TYPE ? "CHAR" : "VARCHAR";
        if (length > 0) {
          buf_printf(out, "%s(%d)", name, (int)length);
        } else {
          buf_append_text(out, "STRING");
        }
        return;
      }
      default: buf_append_text(out, "STRING"); return; /* also UNION and USER_DEFINED, which travel as text */
    }
  }
  if (entry->arrayEntry) {
    buf_append_text(out, "ARRAY<");
    append_thrift_type(out, description, entry->arrayEntry->objectTypePtr, depth + 1);
    buf_append_byte(out, '>');
  } else if (entry->mapEntry) {
    buf_append_text(out, "MAP<");
    append_thrift_type(out, description, entry->mapEntry->keyTypePtr, depth + 1);
    buf_append_text(out, ", ");
    append_thrift_type(out, description, entry->mapEntry->valueTypePtr, depth + 1);
    buf_append_byte(out, '>');
  } else if (entry->structEntry) {
    buf_append_text(out, "STRUCT<");
    for (uint32_t i = 0; i < entry->structEntry->nameToTypePtr.count; i++) {
      if (i != 0) buf_append_text(out, ", ");
      buf_append_slice(out, entry->structEntry->nameToTypePtr.items[i].key);
      buf_append_text(out, ": ");
      append_thrift_type(out, description, entry->structEntry->nameToTypePtr.items[i].value, depth + 1);
    }
    buf_append_byte(out, '>');
  } else {
    buf_append_text(out, "STRING");
  }
}

/* ---- the SQL type that an Arrow type tells ---- */

static void append_arrow_type(struct buf *out, const struct ArrowSchema *schema, int depth) {
  const char *format = schema->format;
  int precision = 0, scale = 0;
  if (depth > 64) return;
  switch (format[0]) {
    case 'n': buf_append_text(out, "VOID"); return;
    case 'b': buf_append_text(out, "BOOLEAN"); return;
    case 'c': buf_append_text(out, "TINYINT"); return;
    case 'C':
    case 's': buf_append_text(out, "SMALLINT"); return;
    case 'S':
    case 'i': buf_append_text(out, "INT"); return;
    case 'I':
    case 'l': buf_append_text(out, "BIGINT"); return;
    case 'L': buf_append_text(out, "DECIMAL(20,0)"); return;
    case 'e':
    case 'f': buf_append_text(out, "FLOAT"); return;
    case 'g': buf_append_text(out, "DOUBLE"); return;
    case 'z':
    case 'Z':
    case 'w': buf_append_text(out, "BINARY"); return;
    case 'd':
      if (sscanf(format, "d:%d,%d", &precision, &scale) == 2) buf_printf(out, "DECIMAL(%d,%d)", precision, scale);
      return;
    case 't':
      if (format[1] == 'd') buf_append_text(out, "DATE");
      if (format[1] == 't') buf_append_text(out, "TIME");
      if (format[1] == 's') buf_append_text(out, format[4] ? "TIMESTAMP" : "TIMESTAMP_NTZ");
      if (format[1] == 'D') buf_append_text(out, "INTERVAL DAY TO SECOND");
      if (format[1] == 'i') buf_append_text(out, format[2] == 'M' ? "INTERVAL YEAR TO MONTH" : "INTERVAL DAY TO SECOND");
      return;
    case '+':
      if (format[1] == 's') {
        buf_append_text(out, "STRUCT<");
        for (int64_t i = 0; i < schema->n_children; i++) {
          if (i != 0) buf_append_text(out, ", ");
          buf_append_text(out, schema->children[i]->name ? schema->children[i]->name : "");
          buf_append_text(out, ": ");
          append_arrow_type(out, schema->children[i], depth + 1);
        }
        buf_append_byte(out, '>');
      } else if (format[1] == 'm' && schema->n_children == 1 && schema->children[0]->n_children == 2) {
        buf_append_text(out, "MAP<");
        append_arrow_type(out, schema->children[0]->children[0], depth + 1);
        buf_append_text(out, ", ");
        append_arrow_type(out, schema->children[0]->children[1], depth + 1);
        buf_append_byte(out, '>');
      } else if (schema->n_children == 1) {
        buf_append_text(out, "ARRAY<");
        append_arrow_type(out, schema->children[0], depth + 1);
        buf_append_byte(out, '>');
      }
      return;
    default: buf_append_text(out, "STRING"); return;
  }
}

/* ---- the Arrow schema of columnar results ---- */

/* What a column's carrier becomes (results.md 1.4): the type follows the carrier, so everything that travels as text stays text. */
static const char *carrier_format(const struct TColumnDesc *column) {
  const struct TTypeDesc *description = column->typeDesc;
  if (!description || description->types.count == 0 || !description->types.items[0].primitiveEntry) return "u";
  switch (description->types.items[0].primitiveEntry->type) {
    case TTypeId_BOOLEAN_TYPE: return "b";
    case TTypeId_TINYINT_TYPE: return "c";
    case TTypeId_SMALLINT_TYPE: return "s";
    case TTypeId_INT_TYPE: return "i";
    case TTypeId_BIGINT_TYPE: return "l";
    case TTypeId_FLOAT_TYPE: return "f";
    case TTypeId_DOUBLE_TYPE: return "g";
    case TTypeId_BINARY_TYPE: return "z";
    default: return "u";
  }
}

/* A name as the C data interface wants it: zero-terminated UTF-8. */
static dbsql_status column_name(struct result_schema *schema, struct slice name, size_t number, const char **out, dbsql_error **error) {
  if (!utf8_is_valid(name.data, name.size, NULL) || (name.size != 0 && memchr(name.data, 0, name.size))) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the name of column %zu is not text", number);
  }
  *out = arena_strndup(&schema->texts, (const char *)name.data, name.size);
  return *out ? DBSQL_OK : error_no_memory(error);
}

static dbsql_status make_columnar_arrow(struct result_schema *schema, const struct TTableSchema *table, dbsql_error **error) {
  struct ArrowSchema arrow;
  struct buf type = BUF_INIT;
  dbsql_status status = arrow_schema_make(&arrow, "+s", "", 0, table ? table->columns.count : 0, error);
  if (status != DBSQL_OK) return status;
  for (uint32_t i = 0; table && status == DBSQL_OK && i < table->columns.count; i++) {
    const struct TColumnDesc *column = &table->columns.items[i];
    const char *name;
    status = column_name(schema, column->columnName, i, &name, error);
    if (status == DBSQL_OK) status = arrow_schema_make(arrow.children[i], carrier_format(column), name, ARROW_FLAG_NULLABLE, 0, error);
    if (status != DBSQL_OK) break;
    buf_reset(&type);
    append_thrift_type(&type, column->typeDesc, 0, 0);
    const char *text = buf_text(&type);
    const char *pairs[] = {sql_name_key, text, NULL};
    status = text ? arrow_schema_set_metadata(arrow.children[i], pairs, error) : error_no_memory(error);
  }
  if (status == DBSQL_OK) status = ipc_schema_from_arrow(&arrow, &schema->arrow, error);
  arrow.release(&arrow);
  buf_free(&type);
  return status;
}

/* ---- columns as SQL sees them ---- */

static dbsql_status describe_column(struct result_schema *schema, size_t number, const struct ArrowSchema *arrow,
                                    const struct TColumnDesc *thrift, struct buf *scratch, dbsql_error **error) {
  dbsql_column *column = &schema->columns[number];
  /* results.md 5.3: the name that Spark gave the type knows most, the Arrow type least. */
  struct slice type = metadata_find(arrow->metadata, sql_name_key);
  if (type.size == 0) {
    buf_reset(scratch);
    if (thrift && thrift->typeDesc) {
      append_thrift_type(scratch, thrift->typeDesc, 0, 0);
    } else {
      append_arrow_type(scratch, arrow, 0);
    }
    if (buf_failed(scratch)) return error_no_memory(error);
    type = buf_slice(scratch);
  }
  struct slice comment = thrift ? thrift->comment : slice_of(NULL, 0);
  column->name = arena_strndup(&schema->texts, arrow->name, strlen(arrow->name));
  column->type_text = arena_strndup(&schema->texts, (const char *)type.data, type.size);
  column->comment = arena_strndup(&schema->texts, (const char *)comment.data, comment.size);
  if (!column->name || !column->type_text || !column->comment) return error_no_memory(error);
  column->type = sql_type_parse(column->type_text, type.size, &column->precision, &column->scale);
  column->nullable = (arrow->flags & ARROW_FLAG_NULLABLE) != 0;
  return DBSQL_OK;
}

static dbsql_status describe_columns(struct result_schema *schema, const struct TTableSchema *table, dbsql_error **error) {
  const struct ArrowSchema *arrow = ipc_schema_arrow(schema->arrow);
  schema->column_count = (size_t)arrow->n_children;
  if (table && table->columns.count != schema->column_count) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server describes %u columns in Thrift and %zu in Arrow", table->columns.count,
                     schema->column_count);
  }
  schema->columns = arena_alloc(&schema->texts, schema->column_count + 1, sizeof *schema->columns);
  if (!schema->columns) return error_no_memory(error);
  struct buf scratch = BUF_INIT;
  dbsql_status status = DBSQL_OK;
  for (size_t i = 0; status == DBSQL_OK && i < schema->column_count; i++) {
    status = describe_column(schema, i, arrow->children[i], table ? &table->columns.items[i] : NULL, &scratch, error);
  }
  buf_free(&scratch);
  return status;
}

static struct result_schema *new_schema(void) {
  struct result_schema *schema = mem_alloc_zero(1, sizeof *schema);
  if (schema) atomic_init(&schema->refs, 1);
  return schema;
}

dbsql_status result_schema_new(const struct TGetResultSetMetadataResp *metadata, struct result_schema **out, dbsql_error **error) {
  struct result_schema *schema = new_schema();
  if (!schema) return error_no_memory(error);
  const struct TTableSchema *table = metadata->schema;
  dbsql_status status = DBSQL_OK;
  if (metadata->arrowSchema.size != 0) status = ipc_schema_read(metadata->arrowSchema, &schema->arrow, error);
  if (status != DBSQL_OK) error_set_category(error, CATEGORY_ARROW_SCHEMA);
  /* Statements without rows (CREATE TABLE ...) are described by one Thrift column and an Arrow schema without any [recorded]. */
  if (status == DBSQL_OK && schema->arrow && ipc_schema_arrow(schema->arrow)->n_children == 0 && table && table->columns.count != 0) {
    ipc_schema_unref(schema->arrow);
    schema->arrow = NULL;
  }
  if (status == DBSQL_OK && !schema->arrow) status = make_columnar_arrow(schema, table, error);
  if (status == DBSQL_OK) status = describe_columns(schema, table, error);
  if (status != DBSQL_OK) {
    error_prefix(error, "the result's metadata");
    result_schema_unref(schema);
    return status;
  }
  *out = schema;
  return DBSQL_OK;
}

dbsql_status result_schema_from_arrow(const struct ArrowSchema *arrow, struct result_schema **out, dbsql_error **error) {
  struct result_schema *schema = new_schema();
  if (!schema) return error_no_memory(error);
  dbsql_status status = ipc_schema_from_arrow(arrow, &schema->arrow, error);
  if (status == DBSQL_OK) status = describe_columns(schema, NULL, error);
  if (status != DBSQL_OK) {
    result_schema_unref(schema);
    return status;
  }
  *out = schema;
  return DBSQL_OK;
}

dbsql_status result_schema_empty(struct result_schema **schema, dbsql_error **error) {
  struct TGetResultSetMetadataResp nothing = {0};
  return result_schema_new(&nothing, schema, error);
}

struct result_schema *result_schema_ref(struct result_schema *schema) {
  atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
  return schema;
}

void result_schema_unref(struct result_schema *schema) {
  if (!schema || atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) != 1) return;
  ipc_schema_unref(schema->arrow);
  arena_free(&schema->texts);
  mem_free(schema);
}
