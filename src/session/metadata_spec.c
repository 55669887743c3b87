#include "session/metadata_spec.h"

/* Names and types of JDBC's DatabaseMetaData, which the servers follow too. */
static const struct metadata_column catalogs[] = {{"TABLE_CAT", NULL, 'u', true}};
static const struct metadata_column schemas[] = {{"TABLE_SCHEM", NULL, 'u', true}, {"TABLE_CATALOG", "TABLE_CAT", 'u', false}};
static const struct metadata_column tables[] = {
    {"TABLE_CAT", NULL, 'u', false},      {"TABLE_SCHEM", NULL, 'u', false}, {"TABLE_NAME", NULL, 'u', true},
    {"TABLE_TYPE", NULL, 'u', true},      {"REMARKS", NULL, 'u', false},     {"TYPE_CAT", NULL, 'u', false},
    {"TYPE_SCHEM", NULL, 'u', false},     {"TYPE_NAME", NULL, 'u', false},   {"SELF_REFERENCING_COL_NAME", NULL, 'u', false},
    {"REF_GENERATION", NULL, 'u', false},
};
static const struct metadata_column table_types[] = {{"TABLE_TYPE", NULL, 'u', true}};
static const struct metadata_column columns[] = {
    {"TABLE_CAT", NULL, 'u', false},
    {"TABLE_SCHEM", NULL, 'u', false},
    {"TABLE_NAME", NULL, 'u', true},
    {"COLUMN_NAME", NULL, 'u', true},
    {"DATA_TYPE", NULL, 'i', true},
    {"TYPE_NAME", NULL, 'u', true},
    {"COLUMN_SIZE", NULL, 'i', false},
    {"BUFFER_LENGTH", NULL, 'i', false},
    {"DECIMAL_DIGITS", NULL, 'i', false},
    {"NUM_PREC_RADIX", NULL, 'i', false},
    {"NULLABLE", NULL, 'i', true},
    {"REMARKS", NULL, 'u', false},
    {"COLUMN_DEF", NULL, 'u', false},
    {"SQL_DATA_TYPE", NULL, 'i', false},
    {"SQL_DATETIME_SUB", NULL, 'i', false},
    {"CHAR_OCTET_LENGTH", NULL, 'i', false},
    {"ORDINAL_POSITION", NULL, 'i', true},
    {"IS_NULLABLE", NULL, 'u', true},
    {"SCOPE_CATALOG", "SCOPE_CATLOG", 'u', false},
    {"SCOPE_SCHEMA", NULL, 'u', false},
    {"SCOPE_TABLE", NULL, 'u', false},
    {"SOURCE_DATA_TYPE", NULL, 's', false},
    {"IS_AUTOINCREMENT", "IS_AUTO_INCREMENT", 'u', true},
    {"IS_GENERATEDCOLUMN", NULL, 'u', true},
};
static const struct metadata_column functions[] = {
    {"FUNCTION_CAT", NULL, 'u', false}, {"FUNCTION_SCHEM", NULL, 'u', false}, {"FUNCTION_NAME", NULL, 'u', true},
    {"REMARKS", NULL, 'u', false},      {"FUNCTION_TYPE", NULL, 's', true},   {"SPECIFIC_NAME", NULL, 'u', true},
};
static const struct metadata_column type_info[] = {
    {"TYPE_NAME", NULL, 'u', true},
    {"DATA_TYPE", NULL, 'i', true},
    {"PRECISION", "COLUMN_SIZE", 'i', false},
    {"LITERAL_PREFIX", NULL, 'u', false},
    {"LITERAL_SUFFIX", NULL, 'u', false},
    {"CREATE_PARAMS", NULL, 'u', false},
    {"NULLABLE", NULL, 's', true},
    {"CASE_SENSITIVE", NULL, 'b', true},
    {"SEARCHABLE", NULL, 's', true},
    {"UNSIGNED_ATTRIBUTE", NULL, 'b', false},
    {"FIXED_PREC_SCALE", "MONEY", 'b', true},
    {"AUTO_INCREMENT", "AUTO_UNIQUE_VALUE", 'b', false},
    {"LOCAL_TYPE_NAME", NULL, 'u', false},
    {"MINIMUM_SCALE", NULL, 's', false},
    {"MAXIMUM_SCALE", NULL, 's', false},
    {"SQL_DATA_TYPE", NULL, 'i', false},
    {"SQL_DATETIME_SUB", NULL, 'i', false},
    {"NUM_PREC_RADIX", NULL, 'i', false},
};
static const struct metadata_column primary_keys[] = {
    {"TABLE_CAT", NULL, 'u', false},  {"TABLE_SCHEM", NULL, 'u', false}, {"TABLE_NAME", NULL, 'u', true},
    {"COLUMN_NAME", NULL, 'u', true}, {"KEY_SEQ", "KEQ_SEQ", 's', true}, {"PK_NAME", NULL, 'u', false},
};
static const struct metadata_column cross_reference[] = {
    {"PKTABLE_CAT", NULL, 'u', false},  {"PKTABLE_SCHEM", NULL, 'u', false}, {"PKTABLE_NAME", NULL, 'u', true},
    {"PKCOLUMN_NAME", NULL, 'u', true}, {"FKTABLE_CAT", NULL, 'u', false},   {"FKTABLE_SCHEM", NULL, 'u', false},
    {"FKTABLE_NAME", NULL, 'u', true},  {"FKCOLUMN_NAME", NULL, 'u', true},  {"KEY_SEQ", "KEQ_SEQ", 's', true},
    {"UPDATE_RULE", NULL, 's', false},  {"DELETE_RULE", NULL, 's', false},   {"FK_NAME", NULL, 'u', false},
    {"PK_NAME", NULL, 'u', false},      {"DEFERRABILITY", NULL, 's', false},
};

#define SPEC(kind, call, columns, ...) [kind] = {kind, call, sizeof(columns) / sizeof *(columns), columns, {__VA_ARGS__, -1}}
static const struct metadata_spec specs[] = {
    SPEC(METADATA_CATALOGS, "GetCatalogs", catalogs, 0),
    SPEC(METADATA_SCHEMAS, "GetSchemas", schemas, SCHEMAS_CATALOG, SCHEMAS_SCHEMA),
    SPEC(METADATA_TABLES, "GetTables", tables, TABLES_TYPE, TABLES_CATALOG, TABLES_SCHEMA, TABLES_NAME),
    SPEC(METADATA_TABLE_TYPES, "GetTableTypes", table_types, 0),
    SPEC(METADATA_COLUMNS, "GetColumns", columns, COLUMNS_CATALOG, COLUMNS_SCHEMA, COLUMNS_TABLE, COLUMNS_ORDINAL),
    SPEC(METADATA_FUNCTIONS, "GetFunctions", functions, FUNCTIONS_CATALOG, FUNCTIONS_SCHEMA, FUNCTIONS_NAME, FUNCTIONS_SPECIFIC),
    SPEC(METADATA_TYPE_INFO, "GetTypeInfo", type_info, 1),
    SPEC(METADATA_PRIMARY_KEYS, "GetPrimaryKeys", primary_keys, KEYS_CATALOG, KEYS_SCHEMA, KEYS_TABLE, KEYS_SEQUENCE),
    SPEC(METADATA_CROSS_REFERENCE, "GetCrossReference", cross_reference, CROSS_CATALOG, CROSS_SCHEMA, CROSS_TABLE, CROSS_NAME,
         CROSS_SEQUENCE),
};

const struct metadata_spec *metadata_spec_of(enum metadata_kind kind) {
  return &specs[kind];
}

const char *metadata_type_name(char format) {
  return format == 'u' ? "STRING" : format == 'i' ? "INT" : format == 's' ? "SMALLINT" : "BOOLEAN";
}
