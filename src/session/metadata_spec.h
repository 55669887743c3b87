/* The columns of the metadata calls, which are the same whatever the server sends (docs/metadata.md, thrift.md 2.4). */
#ifndef DBSQL_SESSION_METADATA_SPEC_H
#define DBSQL_SESSION_METADATA_SPEC_H

#include "backend/backend.h"

struct metadata_column {
  const char *name;
  const char *alias; /* another name that servers use; NULL: none */
  char format;       /* of Arrow: 'u' text, 'i' INT, 's' SMALLINT, 'b' BOOLEAN */
  bool required;     /* is never NULL */
};

struct metadata_spec {
  enum metadata_kind kind;
  const char *call; /* of Thrift, for messages */
  size_t column_count;
  const struct metadata_column *columns;
  int8_t order[8]; /* the columns that rows are ordered by; ends with -1 */
};

/* The places of columns that the code names. */
enum { SCHEMAS_SCHEMA, SCHEMAS_CATALOG };
enum { TABLES_CATALOG, TABLES_SCHEMA, TABLES_NAME, TABLES_TYPE, TABLES_REMARKS };
enum {
  COLUMNS_CATALOG,
  COLUMNS_SCHEMA,
  COLUMNS_TABLE,
  COLUMNS_NAME,
  COLUMNS_DATA_TYPE,
  COLUMNS_TYPE_NAME,
  COLUMNS_SIZE,
  COLUMNS_BUFFER_LENGTH,
  COLUMNS_DIGITS,
  COLUMNS_RADIX,
  COLUMNS_NULLABLE,
  COLUMNS_REMARKS,
  COLUMNS_DEFAULT,
  COLUMNS_SQL_DATA_TYPE,
  COLUMNS_DATETIME_SUB,
  COLUMNS_OCTETS,
  COLUMNS_ORDINAL,
  COLUMNS_IS_NULLABLE,
  COLUMNS_IS_AUTOINCREMENT = 22,
  COLUMNS_IS_GENERATED
};
enum { FUNCTIONS_CATALOG, FUNCTIONS_SCHEMA, FUNCTIONS_NAME, FUNCTIONS_REMARKS, FUNCTIONS_TYPE, FUNCTIONS_SPECIFIC };
enum { KEYS_CATALOG, KEYS_SCHEMA, KEYS_TABLE, KEYS_COLUMN, KEYS_SEQUENCE, KEYS_NAME };
enum {
  CROSS_PARENT_CATALOG,
  CROSS_PARENT_SCHEMA,
  CROSS_PARENT_TABLE,
  CROSS_PARENT_COLUMN,
  CROSS_CATALOG,
  CROSS_SCHEMA,
  CROSS_TABLE,
  CROSS_COLUMN,
  CROSS_SEQUENCE,
  CROSS_UPDATE_RULE,
  CROSS_DELETE_RULE,
  CROSS_NAME,
  CROSS_PARENT_NAME,
  CROSS_DEFERRABILITY
};
enum { metadata_max_columns = 24 };

const struct metadata_spec *metadata_spec_of(enum metadata_kind kind);
/* "STRING", "INT", "SMALLINT" or "BOOLEAN". */
const char *metadata_type_name(char format);

#endif
