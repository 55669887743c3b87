/* What is to be told about types: the rows of type info, and the numbers of a column that follow from the name of its type. */
#include "base/error.h"
#include "result/type_text.h"
#include "session/metadata.h"

enum { none = INT32_MIN };

/* java.sql.Types, as the servers and JDBC have them. */
struct facts {
  dbsql_type type;
  int32_t code, size, digits, radix, octets, datetime_sub;
};

static const struct facts all_facts[] = {
    {DBSQL_TYPE_VOID, 0, 1, none, none, none, none},
    {DBSQL_TYPE_BOOLEAN, 16, 1, none, none, none, none},
    {DBSQL_TYPE_TINYINT, -6, 3, 0, 10, none, none},
    {DBSQL_TYPE_SMALLINT, 5, 5, 0, 10, none, none},
    {DBSQL_TYPE_INT, 4, 10, 0, 10, none, none},
    {DBSQL_TYPE_BIGINT, -5, 19, 0, 10, none, none},
    {DBSQL_TYPE_FLOAT, 6, 7, none, 10, none, none},
    {DBSQL_TYPE_DOUBLE, 8, 15, none, 10, none, none},
    {DBSQL_TYPE_DECIMAL, 3, 38, 0, 10, none, none},
    {DBSQL_TYPE_STRING, 12, INT32_MAX, none, none, INT32_MAX, none},
    {DBSQL_TYPE_BINARY, -2, INT32_MAX, none, none, INT32_MAX, none},
    {DBSQL_TYPE_DATE, 91, 10, none, none, none, 1},
    {DBSQL_TYPE_TIME, 92, 15, 6, none, none, 2},
    {DBSQL_TYPE_TIMESTAMP, 93, 26, 6, none, none, 3},
    {DBSQL_TYPE_TIMESTAMP_NTZ, 93, 26, 6, none, none, 3},
    {DBSQL_TYPE_ARRAY, 2003, none, none, none, none, none},
    {DBSQL_TYPE_MAP, 2000, none, none, none, none, none},
    {DBSQL_TYPE_STRUCT, 2002, none, none, none, none, none},
};

static struct facts facts_of(const struct sql_type *type) {
  struct facts facts = {type->type, 1111 /* OTHER */, none, none, none, none, none};
  for (size_t i = 0; i < sizeof all_facts / sizeof *all_facts; i++) {
    if (all_facts[i].type == type->type) facts = all_facts[i];
  }
  if (type->type == DBSQL_TYPE_DECIMAL) {
    facts.size = type->precision;
    facts.digits = type->scale;
  }
  if (type->type == DBSQL_TYPE_STRING && type->keyword[0] == 'C') facts.code = 1;                                      /* CHAR */
  if (type->type == DBSQL_TYPE_STRING && type->keyword[0] == 'I') facts.code = 1111, facts.size = facts.octets = none; /* INTERVAL */
  if (type->length > 0) {
    facts.size = type->length;
    facts.octets = type->length > INT32_MAX / 4 ? INT32_MAX : type->length * 4;
  }
  return facts;
}

static void set_number(struct metadata_rows *rows, size_t column, int32_t number) {
  if (number == none) {
    metadata_row(rows, rows->count - 1)[column].is_set = false;
  } else {
    metadata_set_number(rows, column, number);
  }
}

dbsql_status metadata_add_type_facts(struct metadata_rows *rows, dbsql_error **error) {
  struct arena arena = ARENA_INIT;
  struct sql_type *type = NULL;
  dbsql_error *unreadable = NULL;
  struct buf text = BUF_INIT;
  struct metadata_cell *row = metadata_row(rows, rows->count - 1);
  dbsql_status status = row[COLUMNS_TYPE_NAME].is_set ? sql_type_read(metadata_text(&row[COLUMNS_TYPE_NAME]), &arena, &type, &unreadable)
                                                      : DBSQL_ERROR_DRIVER;
  if (status == DBSQL_OK && type->type != DBSQL_TYPE_UNKNOWN) {
    struct facts facts = facts_of(type);
    set_number(rows, COLUMNS_DATA_TYPE, facts.code);
    set_number(rows, COLUMNS_SIZE, facts.size);
    set_number(rows, COLUMNS_DIGITS, facts.digits);
    set_number(rows, COLUMNS_RADIX, facts.radix);
    set_number(rows, COLUMNS_OCTETS, facts.octets);
    set_number(rows, COLUMNS_SQL_DATA_TYPE, facts.datetime_sub == none ? facts.code : 9);
    set_number(rows, COLUMNS_DATETIME_SUB, facts.datetime_sub);
    if (!type->abbreviated) {
      sql_type_append(&text, type);
      status = buf_failed(&text) ? error_no_memory(error) : metadata_set_text(rows, COLUMNS_TYPE_NAME, buf_slice(&text), error);
    }
  } else if (status == DBSQL_ERROR_NO_MEMORY) {
    error_move(&unreadable, error);
  } else {
    status = DBSQL_OK; /* the server's own words and numbers are all there is */
  }
  error_clear(&unreadable);
  buf_free(&text);
  arena_free(&arena);
  return status;
}

/* ---- type info ---- */

dbsql_status metadata_add_types(struct metadata_rows *rows, dbsql_error **error) {
  static const struct {
    const char *name, *prefix, *suffix, *parameters;
    int32_t code, precision, least_scale, most_scale, radix, datetime_sub;
    bool cares_for_case, is_signed;
    int32_t searchable; /* 0 never, 2 but with LIKE, 3 always */
  } types[] = {
      {"TINYINT", NULL, NULL, NULL, -6, 3, 0, 0, 10, none, false, true, 2},
      {"BIGINT", NULL, NULL, NULL, -5, 19, 0, 0, 10, none, false, true, 2},
      {"BINARY", "X'", "'", NULL, -2, INT32_MAX, none, none, none, none, false, false, 0},
      {"VOID", NULL, NULL, NULL, 0, 1, none, none, none, none, false, false, 0},
      {"CHAR", "'", "'", "length", 1, 255, none, none, none, none, true, false, 3},
      {"DECIMAL", NULL, NULL, "precision,scale", 3, 38, 0, 38, 10, none, false, true, 2},
      {"INT", NULL, NULL, NULL, 4, 10, 0, 0, 10, none, false, true, 2},
      {"SMALLINT", NULL, NULL, NULL, 5, 5, 0, 0, 10, none, false, true, 2},
      {"FLOAT", NULL, NULL, NULL, 6, 7, none, none, 10, none, false, true, 2},
      {"DOUBLE", NULL, NULL, NULL, 8, 15, none, none, 10, none, false, true, 2},
      {"STRING", "'", "'", NULL, 12, INT32_MAX, none, none, none, none, true, false, 3},
      {"VARCHAR", "'", "'", "max length", 12, 65535, none, none, none, none, true, false, 3},
      {"BOOLEAN", NULL, NULL, NULL, 16, 1, none, none, none, none, false, false, 2},
      {"DATE", "DATE'", "'", NULL, 91, 10, none, none, none, 1, false, false, 2},
      {"TIMESTAMP", "TIMESTAMP'", "'", NULL, 93, 26, 6, 6, none, 3, false, false, 2},
      {"TIMESTAMP_NTZ", "TIMESTAMP_NTZ'", "'", NULL, 93, 26, 6, 6, none, 3, false, false, 2},
      {"INTERVAL", "INTERVAL'", "'", "unit", 1111, none, 0, 6, none, none, false, false, 2},
      {"VARIANT", NULL, NULL, NULL, 1111, none, none, none, none, none, false, false, 0},
      {"MAP", NULL, NULL, NULL, 2000, none, none, none, none, none, false, false, 0},
      {"STRUCT", NULL, NULL, NULL, 2002, none, none, none, none, none, false, false, 0},
      {"ARRAY", NULL, NULL, NULL, 2003, none, none, none, none, none, false, false, 0},
  };
  enum {
    NAME,
    CODE,
    PRECISION,
    PREFIX,
    SUFFIX,
    PARAMETERS,
    NULLABLE,
    CASE,
    SEARCHABLE,
    UNSIGNED,
    FIXED,
    AUTO,
    LOCAL_NAME,
    LEAST,
    MOST,
    SQL_TYPE,
    SUB,
    RADIX
  };
  dbsql_status status = DBSQL_OK;
  for (size_t i = 0; status == DBSQL_OK && i < sizeof types / sizeof *types; i++) {
    status = metadata_rows_add(rows, error);
    if (status == DBSQL_OK) status = metadata_set_text(rows, NAME, slice_text(types[i].name), error);
    if (status == DBSQL_OK && types[i].prefix) status = metadata_set_text(rows, PREFIX, slice_text(types[i].prefix), error);
    if (status == DBSQL_OK && types[i].suffix) status = metadata_set_text(rows, SUFFIX, slice_text(types[i].suffix), error);
    if (status == DBSQL_OK && types[i].parameters) status = metadata_set_text(rows, PARAMETERS, slice_text(types[i].parameters), error);
    if (status == DBSQL_OK) status = metadata_set_text(rows, LOCAL_NAME, slice_text(types[i].name), error);
    if (status != DBSQL_OK) break;
    set_number(rows, CODE, types[i].code);
    set_number(rows, PRECISION, types[i].precision);
    set_number(rows, NULLABLE, 1);
    set_number(rows, CASE, types[i].cares_for_case);
    set_number(rows, SEARCHABLE, types[i].searchable);
    set_number(rows, UNSIGNED, !types[i].is_signed);
    set_number(rows, FIXED, false);
    set_number(rows, AUTO, false);
    set_number(rows, LEAST, types[i].least_scale);
    set_number(rows, MOST, types[i].most_scale);
    set_number(rows, SQL_TYPE, types[i].datetime_sub == none ? types[i].code : 9);
    set_number(rows, SUB, types[i].datetime_sub);
    set_number(rows, RADIX, types[i].radix);
  }
  return status;
}
