/* The metadata calls (thrift.md 2.4), answered from the engine's catalog. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lookup.h"
#include "memory.h"
#include "page.h"
#include "thrift/tcli.h"
#include "types.h"

struct call {
  struct session *session;
  const struct operation_request *request;
  struct failure *failure;
};

static bool is_catalog(const struct call *call, size_t pattern, const char *engine_name) {
  return identifier_matches(call->request->patterns[pattern], catalog_from_engine(engine_name));
}

/* ---- Catalogs, schemas, tables ------------------------------------------------------------------------------------------------------ */

static struct table *get_catalogs(const struct call *call) {
  static const char *const columns[] = {"TABLE_CAT", "u", "Catalog name. NULL if not applicable.", NULL};
  struct lookup *lookup = lookup_run(call->session, lookup_catalogs, call->failure);
  if (!lookup) return NULL;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    table_text(table, catalog_from_engine(lookup_text(lookup, 0)));
    table_row(table);
  }
  lookup_free(lookup);
  return table;
}

static struct table *get_schemas(const struct call *call) {
  static const char *const columns[] = {"TABLE_SCHEM", "u", "Schema name.", "TABLE_CATALOG", "u", "Catalog name.", NULL};
  struct lookup *lookup = lookup_run(call->session, lookup_schemas, call->failure);
  if (!lookup) return NULL;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    if (!is_catalog(call, 0, lookup_text(lookup, 0)) || !pattern_matches(call->request->patterns[1], lookup_text(lookup, 1))) continue;
    table_text(table, lookup_text(lookup, 1));
    table_text(table, catalog_from_engine(lookup_text(lookup, 0)));
    table_row(table);
  }
  lookup_free(lookup);
  return table;
}

static bool is_wanted_type(const struct operation_request *request, const char *type) {
  if (request->table_type_count == 0) return true;
  for (size_t i = 0; i < request->table_type_count; i++) {
    if (text_equal_nocase(request->table_types[i], type)) return true;
  }
  return false;
}

static struct table *get_tables(const struct call *call) {
  static const char *const columns[] = {"TABLE_CAT",
                                        "u",
                                        "Catalog name. NULL if not applicable.",
                                        "TABLE_SCHEM",
                                        "u",
                                        "Schema name.",
                                        "TABLE_NAME",
                                        "u",
                                        "Table name.",
                                        "TABLE_TYPE",
                                        "u",
                                        "The table type, e.g. \"TABLE\", \"VIEW\", etc.",
                                        "REMARKS",
                                        "u",
                                        "Comments about the table.",
                                        "TYPE_CAT",
                                        "u",
                                        "The types catalog.",
                                        "TYPE_SCHEM",
                                        "u",
                                        "The types schema.",
                                        "TYPE_NAME",
                                        "u",
                                        "Type name.",
                                        "SELF_REFERENCING_COL_NAME",
                                        "u",
                                        "Name of the designated \"identifier\" column of a typed table.",
                                        "REF_GENERATION",
                                        "u",
                                        "Specifies how values in SELF_REFERENCING_COL_NAME are created.",
                                        NULL};
  char *const *patterns = call->request->patterns;
  struct lookup *lookup = lookup_run(call->session, lookup_tables, call->failure);
  if (!lookup) return NULL;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    bool temporary = strcmp(lookup_text(lookup, 0), "temp") == 0;
    const char *catalog = temporary ? "" : catalog_from_engine(lookup_text(lookup, 0));
    if (temporary ? patterns[0] && *patterns[0] && strcmp(patterns[0], "%") != 0
                  : !pattern_matches(patterns[0], catalog) || !pattern_matches(patterns[1], lookup_text(lookup, 1)))
      continue;
    if (!pattern_matches(patterns[2], lookup_text(lookup, 2)) || !is_wanted_type(call->request, lookup_text(lookup, 3))) continue;
    table_text(table, catalog);
    table_text(table, temporary ? "" : lookup_text(lookup, 1));
    table_text(table, lookup_text(lookup, 2));
    table_text(table, lookup_text(lookup, 3));
    table_text(table, lookup_text(lookup, 4) ? lookup_text(lookup, 4) : "");
    for (int i = 0; i < 5; i++) table_null(table);
    table_row(table);
  }
  lookup_free(lookup);
  return table;
}

static struct table *get_table_types(const struct call *call) {
  static const char *const columns[] = {"TABLE_TYPE", "u", "Table type name.", NULL};
  (void)call;
  struct table *table = table_new(columns);
  table_text(table, "TABLE");
  table_row(table);
  table_text(table, "VIEW");
  table_row(table);
  return table;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------------------------------
 */

static void add_number(struct table *table, bool has, int64_t value) {
  if (has) {
    table_int(table, value);
  } else {
    table_null(table);
  }
}

static void add_column(struct table *table, struct lookup *lookup) {
  struct buf type = BUF_INIT;
  type_append_of_engine(&type, lookup_text(lookup, 4));
  wh_check(&type);
  struct type_facts facts = type_facts_of(buf_text(&type));
  bool nullable = strcmp(lookup_text(lookup, 5), "YES") == 0;
  table_text(table, catalog_from_engine(lookup_text(lookup, 0)));
  table_text(table, lookup_text(lookup, 1));
  table_text(table, lookup_text(lookup, 2));
  table_text(table, lookup_text(lookup, 3));
  table_int(table, facts.jdbc_type);
  table_slice(table, buf_slice(&type));
  add_number(table, facts.has_size, facts.size);
  table_null(table); /* BUFFER_LENGTH */
  add_number(table, facts.has_digits, facts.digits);
  add_number(table, facts.has_radix, facts.radix);
  table_int(table, nullable);
  table_text(table, lookup_text(lookup, 7) ? lookup_text(lookup, 7) : "");
  table_text(table, lookup_text(lookup, 6)); /* COLUMN_DEF */
  table_null(table);
  table_null(table);
  add_number(table, facts.has_octets, facts.octets);
  table_int(table, lookup_int(lookup, 8)); /* counted from 1 by the engine */
  table_text(table, nullable ? "YES" : "NO");
  for (int i = 0; i < 4; i++) table_null(table);
  table_text(table, "NO");
  table_row(table);
  buf_free(&type);
}

static struct table *get_columns(const struct call *call) {
  static const char *const columns[] = {
      "TABLE_CAT",
      "u",
      "Catalog name. NULL if not applicable",
      "TABLE_SCHEM",
      "u",
      "Schema name",
      "TABLE_NAME",
      "u",
      "Table name",
      "COLUMN_NAME",
      "u",
      "Column name",
      "DATA_TYPE",
      "i",
      "SQL type from java.sql.Types",
      "TYPE_NAME",
      "u",
      "Data source dependent type name, for a UDT the type name is fully qualified",
      "COLUMN_SIZE",
      "i",
      "Column size. For char or date types this is the maximum number of characters, for numeric or decimal types this is precision.",
      "BUFFER_LENGTH",
      "c",
      "Unused",
      "DECIMAL_DIGITS",
      "i",
      "The number of fractional digits",
      "NUM_PREC_RADIX",
      "i",
      "Radix (typically either 10 or 2)",
      "NULLABLE",
      "i",
      "Is NULL allowed",
      "REMARKS",
      "u",
      "Comment describing column (may be null)",
      "COLUMN_DEF",
      "u",
      "Default value (may be null)",
      "SQL_DATA_TYPE",
      "i",
      "Unused",
      "SQL_DATETIME_SUB",
      "i",
      "Unused",
      "CHAR_OCTET_LENGTH",
      "i",
      "For char types the maximum number of bytes in the column",
      "ORDINAL_POSITION",
      "i",
      "Index of column in table (starting at 1)",
      "IS_NULLABLE",
      "u",
      "\"NO\" means column definitely does not allow NULL values; \"YES\" means the column might allow NULL values. An empty string means "
      "nobody knows.",
      "SCOPE_CATALOG",
      "u",
      "Catalog of table that is the scope of a reference attribute (null if DATA_TYPE isn't REF)",
      "SCOPE_SCHEMA",
      "u",
      "Schema of table that is the scope of a reference attribute (null if the DATA_TYPE isn't REF)",
      "SCOPE_TABLE",
      "u",
      "Table name that this the scope of a reference attribure (null if the DATA_TYPE isn't REF)",
      "SOURCE_DATA_TYPE",
      "s",
      "Source type of a distinct type or user-generated Ref type, SQL type from java.sql.Types (null if DATA_TYPE isn't DISTINCT or "
      "user-generated REF)",
      "IS_AUTO_INCREMENT",
      "u",
      "Indicates whether this column is auto incremented.",
      NULL};
  char *const *patterns = call->request->patterns;
  struct lookup *lookup = lookup_run(call->session, lookup_columns, call->failure);
  if (!lookup) return NULL;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    if (is_catalog(call, 0, lookup_text(lookup, 0)) && pattern_matches(patterns[1], lookup_text(lookup, 1)) &&
        pattern_matches(patterns[2], lookup_text(lookup, 2)) && pattern_matches(patterns[3], lookup_text(lookup, 3)))
      add_column(table, lookup);
  }
  lookup_free(lookup);
  return table;
}

/* ---- Types and functions ------------------------------------------------------------------------------------------------------------- */

static struct table *get_type_info(const struct call *call) {
  static const char *const columns[] = {"TYPE_NAME",
                                        "u",
                                        "Type name",
                                        "DATA_TYPE",
                                        "i",
                                        "SQL data type from java.sql.Types",
                                        "PRECISION",
                                        "i",
                                        "Maximum precision",
                                        "LITERAL_PREFIX",
                                        "u",
                                        "Prefix used to quote a literal (may be null)",
                                        "LITERAL_SUFFIX",
                                        "u",
                                        "Suffix used to quote a literal (may be null)",
                                        "CREATE_PARAMS",
                                        "u",
                                        "Parameters used in creating the type (may be null)",
                                        "NULLABLE",
                                        "s",
                                        "Can you use NULL for this type",
                                        "CASE_SENSITIVE",
                                        "b",
                                        "Is it case sensitive",
                                        "SEARCHABLE",
                                        "s",
                                        "Can you use \"WHERE\" based on this type",
                                        "UNSIGNED_ATTRIBUTE",
                                        "b",
                                        "Is it unsigned",
                                        "FIXED_PREC_SCALE",
                                        "b",
                                        "Can it be a money value",
                                        "AUTO_INCREMENT",
                                        "b",
                                        "Can it be used for an auto-increment value",
                                        "LOCAL_TYPE_NAME",
                                        "u",
                                        "Localized version of type name (may be null)",
                                        "MINIMUM_SCALE",
                                        "s",
                                        "Minimum scale supported",
                                        "MAXIMUM_SCALE",
                                        "s",
                                        "Maximum scale supported",
                                        "SQL_DATA_TYPE",
                                        "i",
                                        "Unused",
                                        "SQL_DATETIME_SUB",
                                        "i",
                                        "Unused",
                                        "NUM_PREC_RADIX",
                                        "i",
                                        "Usually 2 or 10",
                                        NULL};
  static const struct {
    const char *name, *quote;
    int jdbc, precision, radix, scale;
  } types[] = {{"VOID", NULL, 0, 0, 0, 0},       {"BOOLEAN", NULL, 16, 0, 0, 0},      {"TINYINT", NULL, -6, 3, 10, 0},
               {"SMALLINT", NULL, 5, 5, 10, 0},  {"INT", NULL, 4, 10, 10, 0},         {"BIGINT", NULL, -5, 19, 10, 0},
               {"FLOAT", NULL, 6, 7, 10, 7},     {"DOUBLE", NULL, 8, 15, 10, 15},     {"STRING", "'", 12, 0, 0, 0},
               {"VARCHAR", "'", 12, 0, 0, 0},    {"CHAR", "'", 1, 0, 0, 0},           {"DATE", "'", 91, 0, 0, 0},
               {"TIMESTAMP", "'", 93, 0, 0, 0},  {"TIMESTAMP_NTZ", "'", 93, 0, 0, 0}, {"BINARY", NULL, -2, 0, 0, 0},
               {"DECIMAL", NULL, 3, 38, 10, 38}, {"ARRAY", NULL, 2003, 0, 0, 0},      {"MAP", NULL, 2000, 0, 0, 0},
               {"STRUCT", NULL, 2002, 0, 0, 0},  {"INTERVAL", NULL, 12, 0, 0, 0}};
  (void)call;
  struct table *table = table_new(columns);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    bool number = types[i].radix != 0;
    table_text(table, types[i].name);
    table_int(table, types[i].jdbc);
    add_number(table, number, types[i].precision);
    table_text(table, types[i].quote);
    table_text(table, types[i].quote);
    table_text(table, strcmp(types[i].name, "DECIMAL") == 0 ? "precision,scale" : NULL);
    table_int(table, 1);
    table_int(table, types[i].quote != NULL && types[i].jdbc <= 12);
    table_int(table, types[i].jdbc >= 2000 ? 0 : 3);
    table_int(table, !number);
    table_int(table, false);
    table_int(table, false);
    table_null(table);
    table_int(table, 0);
    table_int(table, types[i].scale);
    table_null(table);
    table_null(table);
    add_number(table, number, types[i].radix);
    table_row(table);
  }
  return table;
}

static struct table *get_functions(const struct call *call) {
  static const char *const columns[] = {"FUNCTION_CAT",
                                        "u",
                                        "Function catalog (may be null)",
                                        "FUNCTION_SCHEM",
                                        "u",
                                        "Function schema (may be null)",
                                        "FUNCTION_NAME",
                                        "u",
                                        "Function name. This is the name used to invoke the function",
                                        "REMARKS",
                                        "u",
                                        "Explanatory comment on the function",
                                        "FUNCTION_TYPE",
                                        "i",
                                        "Kind of function.",
                                        "SPECIFIC_NAME",
                                        "u",
                                        "The name which uniquely identifies this function within its schema",
                                        NULL};
  static const char query[] =
      "SELECT database_name, schema_name, function_name, max(description), CASE WHEN bool_or(function_type IN ('table', 'table_macro')) "
      "THEN '2' "
      "ELSE '1' END, bool_or(internal) OR database_name = 'memory' FROM duckdb_functions() WHERE function_type <> 'pragma' AND "
      "regexp_matches(function_name, '^[A-Za-z_]') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
  char *const *patterns = call->request->patterns;
  struct lookup *lookup = lookup_run(call->session, query, call->failure);
  if (!lookup) return NULL;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    bool builtin = strcmp(lookup_text(lookup, 5), "true") == 0; /* in every catalog, and in no schema */
    if (!pattern_matches(patterns[2], lookup_text(lookup, 2))) continue;
    if (!builtin && (!is_catalog(call, 0, lookup_text(lookup, 0)) || !pattern_matches(patterns[1], lookup_text(lookup, 1)))) continue;
    table_text(table, builtin ? NULL : catalog_from_engine(lookup_text(lookup, 0)));
    table_text(table, builtin ? NULL : lookup_text(lookup, 1));
    table_text(table, lookup_text(lookup, 2));
    table_text(table, lookup_text(lookup, 3) ? lookup_text(lookup, 3) : "");
    table_int(table, lookup_int(lookup, 4));
    table_text(table, lookup_text(lookup, 2));
    table_row(table);
  }
  lookup_free(lookup);
  return table;
}

/* ---- Keys ------------------------------------------------------------------------------------------------------------------------------
 */

static struct table *get_primary_keys(const struct call *call) {
  static const char *const columns[] = {"TABLE_CAT",   "u", "Table catalog (may be null)",
                                        "TABLE_SCHEM", "u", "Table schema (may be null)",
                                        "TABLE_NAME",  "u", "Table name",
                                        "COLUMN_NAME", "u", "Column name",
                                        "KEY_SEQ",     "i", "Sequence number within the primary key",
                                        "PK_NAME",     "u", "Primary key name (may be null)",
                                        NULL};
  static const char query[] =
      "SELECT database_name, schema_name, table_name, unnest(constraint_column_names), unnest(range(1, len(constraint_column_names) + 1)), "
      "constraint_name FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' ORDER BY 1, 2, 3, 5";
  char *const *patterns = call->request->patterns;
  struct lookup *lookup = lookup_run(call->session, query, call->failure);
  if (!lookup) return NULL;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    if (!is_catalog(call, 0, lookup_text(lookup, 0)) || !identifier_matches(patterns[1], lookup_text(lookup, 1)) ||
        !identifier_matches(patterns[2], lookup_text(lookup, 2)))
      continue;
    table_text(table, catalog_from_engine(lookup_text(lookup, 0)));
    for (int64_t i = 1; i < 4; i++) table_text(table, lookup_text(lookup, i));
    table_int(table, lookup_int(lookup, 4));
    table_text(table, lookup_text(lookup, 5));
    table_row(table);
  }
  lookup_free(lookup);
  return table;
}

static struct table *get_cross_reference(const struct call *call) {
  static const char *const columns[] = {
      "PKTABLE_CAT",   "u", "", "PKTABLE_SCHEM", "u", "", "PKTABLE_NAME",  "u", "", "PKCOLUMN_NAME", "u", "", "FKTABLE_CAT", "u", "",
      "FKTABLE_SCHEM", "u", "", "FKTABLE_NAME",  "u", "", "FKCOLUMN_NAME", "u", "", "KEY_SEQ",       "i", "", "UPDATE_RULE", "i", "",
      "DELETE_RULE",   "i", "", "FK_NAME",       "u", "", "PK_NAME",       "u", "", "DEFERRABILITY", "i", "", NULL};
  static const char query[] =
      "SELECT f.database_name, f.schema_name, f.referenced_table, unnest(f.referenced_column_names), f.table_name, "
      "unnest(f.constraint_column_names), unnest(range(1, len(f.constraint_column_names) + 1)), f.constraint_name, (SELECT "
      "max(p.constraint_name) FROM "
      "duckdb_constraints() p WHERE p.constraint_type = 'PRIMARY KEY' AND p.database_name = f.database_name AND p.schema_name = "
      "f.schema_name "
      "AND p.table_name = f.referenced_table) FROM duckdb_constraints() f WHERE f.constraint_type = 'FOREIGN KEY' ORDER BY 1, 2, 3, 5, 7";
  char *const *patterns = call->request->patterns;
  struct lookup *lookup = lookup_run(call->session, query, call->failure);
  if (!lookup) return NULL;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    const char *catalog = catalog_from_engine(lookup_text(lookup, 0)), *schema = lookup_text(lookup, 1);
    if (!is_catalog(call, 0, lookup_text(lookup, 0)) || !is_catalog(call, 3, lookup_text(lookup, 0)) ||
        !identifier_matches(patterns[1], schema) || !identifier_matches(patterns[4], schema) ||
        !identifier_matches(patterns[2], lookup_text(lookup, 2)) || !identifier_matches(patterns[5], lookup_text(lookup, 4)))
      continue;
    table_text(table, catalog);
    table_text(table, schema);
    table_text(table, lookup_text(lookup, 2));
    table_text(table, lookup_text(lookup, 3));
    table_text(table, catalog);
    table_text(table, schema);
    table_text(table, lookup_text(lookup, 4));
    table_text(table, lookup_text(lookup, 5));
    table_int(table, lookup_int(lookup, 6));
    table_int(table, 3); /* no action */
    table_int(table, 3);
    table_text(table, lookup_text(lookup, 7));
    table_text(table, lookup_text(lookup, 8));
    table_int(table, 7); /* not deferrable */
    table_row(table);
  }
  lookup_free(lookup);
  return table;
}

/* ------------------------------------------------------------------------------------------------------------------------------------------
 */

bool metadata_operation(struct operation *operation, struct failure *failure) {
  struct call call = {operation->session, &operation->request, failure};
  struct table *table = NULL;
  switch (operation->request.call) {
    case TCLI_GetTypeInfo: table = get_type_info(&call); break;
    case TCLI_GetCatalogs: table = get_catalogs(&call); break;
    case TCLI_GetSchemas: table = get_schemas(&call); break;
    case TCLI_GetTables: table = get_tables(&call); break;
    case TCLI_GetTableTypes: table = get_table_types(&call); break;
    case TCLI_GetColumns: table = get_columns(&call); break;
    case TCLI_GetFunctions: table = get_functions(&call); break;
    case TCLI_GetPrimaryKeys: table = get_primary_keys(&call); break;
    default: table = get_cross_reference(&call);
  }
  if (!table) return false;
  operation->has_result = table_finish(table, &operation->result, &operation->request.shape, failure);
  return operation->has_result && page_prepare(&operation->result, failure);
}
