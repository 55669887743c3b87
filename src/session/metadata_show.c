/*
 * Metadata by statements, where the server has no call for it, or refuses it: SHOW and DESCRIBE, and information_schema for keys. What is
 * asked for is only narrowed by patterns that all servers read alike; the rows are chosen by the same rule as those of calls.
 */
#include <stdio.h>

#include "arrow/column.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/metadata.h"
#include "session/metadata_match.h"

/* ---- a statement and its rows, as texts ---- */

enum { most_columns = 14 };

/* Columns are looked for by these names, one of which each has; ends with NULL. */
struct answer {
  dbsql_result *result;
  struct arrow_column root;
  struct ArrowArray batch;
  int64_t row;
  int places[most_columns];
  struct buf text[most_columns];
};

static void answer_close(struct answer *answer) {
  arrow_column_free(&answer->root);
  if (answer->batch.release) answer->batch.release(&answer->batch);
  for (size_t i = 0; i < most_columns; i++) buf_free(&answer->text[i]);
  result_free(answer->result);
  memset(answer, 0, sizeof *answer);
}

static bool has_name(const char *names, const char *name) {
  size_t length = strlen(name);
  for (const char *at = names; *at;) {
    size_t one = strcspn(at, "|");
    if (text_equal_nocase_n(at, one, name, length)) return true;
    at += one + (at[one] == '|');
  }
  return false;
}

/* `columns`: for each that is wanted its names, separated by '|'; the first one must be there. Ends with NULL. */
static dbsql_status answer_open(struct metadata_work *work, const char *sql, const char *const *columns, struct answer *answer,
                                dbsql_error **error) {
  memset(answer, 0, sizeof *answer);
  dbsql_status status = metadata_run(work->connection, sql, metadata_step(work), &answer->result, error);
  if (status != DBSQL_OK) return status;
  memcpy(work->query_id, answer->result->query_id, sizeof work->query_id);
  const struct result_schema *schema = answer->result->schema;
  for (size_t i = 0; i < most_columns; i++) answer->places[i] = -1;
  for (size_t i = 0; columns[i]; i++) {
    for (size_t c = 0; c < schema->column_count && answer->places[i] < 0; c++) {
      if (has_name(columns[i], schema->columns[c].name)) answer->places[i] = (int)c;
    }
  }
  if (answer->places[0] < 0) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the answer to \"%.100s\" has no column %s", sql, columns[0]);
  }
  if (status == DBSQL_OK) status = arrow_column_bind(&answer->root, ipc_schema_arrow(schema->arrow), error);
  if (status != DBSQL_OK) answer_close(answer);
  return status;
}

static dbsql_status answer_next(struct metadata_work *work, struct answer *answer, bool *has_row, dbsql_error **error) {
  answer->row++;
  *has_row = true;
  if (answer->batch.release && answer->row < answer->batch.length) return DBSQL_OK;
  if (answer->batch.release) answer->batch.release(&answer->batch);
  dbsql_status status = result_next(answer->result, metadata_step(work), &answer->batch, error);
  *has_row = status == DBSQL_OK && answer->batch.release;
  answer->row = 0;
  if (*has_row) arrow_column_attach(&answer->root, &answer->batch);
  return status;
}

/* The value of a wanted column as text; data NULL: it is NULL, or not there. */
static dbsql_status answer_text(struct answer *answer, size_t column, struct slice *text, dbsql_error **error) {
  *text = slice_of(NULL, 0);
  if (answer->places[column] < 0) return DBSQL_OK;
  const struct arrow_column *from = &answer->root.children[answer->places[column]];
  if (arrow_column_is_null(from, answer->row)) return DBSQL_OK;
  struct buf *out = &answer->text[column];
  buf_reset(out);
  dbsql_status status = arrow_column_text(from, answer->row, out, error);
  if (status == DBSQL_OK && !buf_text(out)) status = error_no_memory(error);
  if (status == DBSQL_OK) *text = buf_slice(out);
  return status;
}

/* ---- lists of names ---- */

struct names {
  char **items;
  size_t count;
};

static void names_free(struct names *names) {
  for (size_t i = 0; i < names->count; i++) mem_free(names->items[i]);
  mem_free(names->items);
  *names = (struct names){0};
}

static dbsql_status names_add(struct names *names, struct slice name, dbsql_error **error) {
  char **items = mem_realloc_array(names->items, names->count + 1, sizeof *items);
  if (!items) return error_no_memory(error);
  names->items = items;
  items[names->count] = mem_strndup(name.size ? (const char *)name.data : "", name.size);
  if (!items[names->count]) return error_no_memory(error);
  names->count++;
  return DBSQL_OK;
}

static bool names_have(const struct names *names, struct slice name) {
  for (size_t i = 0; i < names->count; i++) {
    if (slice_equal(slice_text(names->items[i]), name)) return true;
  }
  return false;
}

/* The first column of an answer. What is not there, or must not be seen, has nothing in it. */
static dbsql_status list(struct metadata_work *work, const char *sql, const char *column, struct names *names, dbsql_error **error) {
  const char *const columns[] = {column, NULL};
  struct answer answer;
  struct slice text;
  bool has_row = true;
  dbsql_status status = answer_open(work, sql, columns, &answer, error);
  if (status != DBSQL_OK) return status;
  while (status == DBSQL_OK) {
    status = answer_next(work, &answer, &has_row, error);
    if (status != DBSQL_OK || !has_row) break;
    status = answer_text(&answer, 0, &text, error);
    if (status == DBSQL_OK && text.data) status = names_add(names, text, error);
  }
  answer_close(&answer);
  return status;
}

/* The catalogs that a request is about, as the server writes them; one that is "" where it has none. */
static dbsql_status catalogs_of(struct metadata_work *work, struct names *names, dbsql_error **error) {
  const char *wanted = work->request->catalog;
  struct names all = {0};
  dbsql_error *reason = NULL;
  if (wanted && !*wanted) return names_add(names, slice_text(""), error);
  dbsql_status status = list(work, "SHOW CATALOGS", "catalog", &all, &reason);
  bool known = status == DBSQL_OK;
  if (status == DBSQL_ERROR_EXECUTION) { /* Hive has no catalogs */
    error_clear(&reason);
    status = DBSQL_OK;
  }
  for (size_t i = 0; status == DBSQL_OK && known && i < all.count; i++) {
    if (metadata_matches_name(wanted, slice_text(all.items[i]))) status = names_add(names, slice_text(all.items[i]), &reason);
  }
  /* Spark lists those only that have been used. */
  if (status == DBSQL_OK && names->count == 0 && (wanted || !known)) status = names_add(names, slice_text(wanted ? wanted : ""), &reason);
  names_free(&all);
  error_move(&reason, error);
  return status;
}

/* Of a catalog ("": there is none) those that the pattern wants. */
static dbsql_status schemas_of(struct metadata_work *work, const char *catalog, struct names *names, dbsql_error **error) {
  struct buf sql = BUF_INIT;
  struct names all = {0};
  dbsql_error *reason = NULL;
  buf_append_text(&sql, "SHOW SCHEMAS");
  if (*catalog) {
    buf_append_text(&sql, " IN ");
    metadata_append_identifier(&sql, slice_text(catalog));
  }
  const char *text = buf_text(&sql);
  dbsql_status status = text ? list(work, text, "databaseName|namespace|database_name", &all, &reason) : error_no_memory(&reason);
  /* A catalog that is not there, or that one may not look into, shows nothing. */
  if (status == DBSQL_ERROR_EXECUTION && (metadata_is_missing(reason) || strcmp(dbsql_error_sqlstate(reason), "42501") == 0)) {
    error_clear(&reason);
    status = DBSQL_OK;
  }
  for (size_t i = 0; status == DBSQL_OK && i < all.count; i++) {
    if (metadata_matches_pattern(work->request->schema, slice_text(all.items[i])))
      status = names_add(names, slice_text(all.items[i]), &reason);
  }
  error_move(&reason, error);
  names_free(&all);
  buf_free(&sql);
  return status;
}

static void append_qualified(struct buf *sql, const char *catalog, const char *schema, const char *table) {
  if (*catalog) {
    metadata_append_identifier(sql, slice_text(catalog));
    buf_append_byte(sql, '.');
  }
  metadata_append_identifier(sql, slice_text(schema));
  if (!table) return;
  buf_append_byte(sql, '.');
  metadata_append_identifier(sql, slice_text(table));
}

/* ---- rows ---- */

static dbsql_status set_name(struct metadata_work *work, size_t column, const char *text, dbsql_error **error) {
  return *text ? metadata_set_text(&work->rows, column, slice_text(text), error) : DBSQL_OK;
}

static dbsql_status end_row(struct metadata_work *work, dbsql_error **error) {
  bool wanted = true;
  dbsql_status status = metadata_complete(work, &work->rows, &wanted, error);
  if (!wanted) metadata_rows_drop_last(&work->rows);
  return status;
}

static dbsql_status show_catalogs(struct metadata_work *work, dbsql_error **error) {
  struct names names = {0};
  dbsql_status status = list(work, "SHOW CATALOGS", "catalog", &names, error);
  for (size_t i = 0; status == DBSQL_OK && i < names.count; i++) {
    status = metadata_rows_add(&work->rows, error);
    if (status == DBSQL_OK) status = metadata_set_text(&work->rows, 0, slice_text(names.items[i]), error);
    if (status == DBSQL_OK) status = end_row(work, error);
  }
  names_free(&names);
  return status;
}

/* Something to be done for each schema that is wanted. */
typedef dbsql_status (*schema_visit)(struct metadata_work *work, const char *catalog, const char *schema, bool first, dbsql_error **error);

static dbsql_status for_schemas(struct metadata_work *work, schema_visit visit, dbsql_error **error) {
  struct names catalogs = {0};
  bool first = true;
  dbsql_status status = catalogs_of(work, &catalogs, error);
  for (size_t c = 0; status == DBSQL_OK && c < catalogs.count; c++) {
    struct names schemas = {0};
    status = schemas_of(work, catalogs.items[c], &schemas, error);
    for (size_t s = 0; status == DBSQL_OK && s < schemas.count; s++) {
      status = visit(work, catalogs.items[c], schemas.items[s], first, error);
      first = false;
    }
    names_free(&schemas);
  }
  names_free(&catalogs);
  return status;
}

static dbsql_status add_schema(struct metadata_work *work, const char *catalog, const char *schema, bool first, dbsql_error **error) {
  (void)first;
  dbsql_status status = metadata_rows_add(&work->rows, error);
  if (status == DBSQL_OK) status = metadata_set_text(&work->rows, SCHEMAS_SCHEMA, slice_text(schema), error);
  if (status == DBSQL_OK) status = set_name(work, SCHEMAS_CATALOG, catalog, error);
  return status == DBSQL_OK ? end_row(work, error) : status;
}

static dbsql_status views_of(struct metadata_work *work, const char *qualified, struct names *views, dbsql_error **error) {
  struct buf sql = BUF_INIT;
  dbsql_error *reason = NULL;
  buf_append_text(&sql, "SHOW VIEWS IN ");
  buf_append_text(&sql, qualified);
  const char *text = buf_text(&sql);
  dbsql_status status = text ? list(work, text, "viewName", views, &reason) : error_no_memory(&reason);
  buf_free(&sql);
  if (status == DBSQL_ERROR_EXECUTION) { /* catalogs of others may have no views at all */
    error_clear(&reason);
    return DBSQL_OK;
  }
  error_move(&reason, error);
  return status;
}

/* The tables and views of a schema whose names are wanted; temporary views are in every answer, and belong to no schema. */
static dbsql_status tables_of(struct metadata_work *work, const char *catalog, const char *schema, struct names *tables,
                              struct names *temporary, struct names *views, dbsql_error **error) {
  static const char *const columns[] = {"tableName|tab_name", "isTemporary", NULL};
  struct buf sql = BUF_INIT, qualified = BUF_INIT;
  struct answer answer;
  struct slice name, is_temporary;
  bool has_row = true;
  append_qualified(&qualified, catalog, schema, NULL);
  buf_append_text(&sql, "SHOW TABLES IN ");
  buf_append_slice(&sql, buf_slice(&qualified));
  if (work->request->name) {
    buf_append_text(&sql, " LIKE '");
    metadata_append_glob(&sql, work->request->name);
    buf_append_byte(&sql, '\'');
  }
  const char *text = buf_text(&sql), *where = buf_text(&qualified);
  dbsql_status status = text && where ? answer_open(work, text, columns, &answer, error) : error_no_memory(error);
  bool opened = status == DBSQL_OK;
  while (status == DBSQL_OK) {
    status = answer_next(work, &answer, &has_row, error);
    if (status != DBSQL_OK || !has_row) break;
    status = answer_text(&answer, 0, &name, error);
    if (status == DBSQL_OK) status = answer_text(&answer, 1, &is_temporary, error);
    if (status != DBSQL_OK || !metadata_matches_pattern(work->request->name, name)) continue;
    status = names_add(slice_equal(is_temporary, slice_text("true")) ? temporary : tables, name, error);
  }
  if (opened) answer_close(&answer);
  if (status == DBSQL_OK && tables->count != 0 && views) status = views_of(work, where, views, error);
  buf_free(&sql);
  buf_free(&qualified);
  return status;
}

static dbsql_status add_table(struct metadata_work *work, const char *catalog, const char *schema, const char *name, const char *type,
                              dbsql_error **error) {
  dbsql_status status = metadata_rows_add(&work->rows, error);
  if (status == DBSQL_OK) status = set_name(work, TABLES_CATALOG, catalog, error);
  if (status == DBSQL_OK) status = set_name(work, TABLES_SCHEMA, schema, error);
  if (status == DBSQL_OK) status = metadata_set_text(&work->rows, TABLES_NAME, slice_text(name), error);
  if (status == DBSQL_OK) status = metadata_set_text(&work->rows, TABLES_TYPE, slice_text(type), error);
  return status == DBSQL_OK ? end_row(work, error) : status;
}

static dbsql_status add_tables(struct metadata_work *work, const char *catalog, const char *schema, bool first, dbsql_error **error) {
  struct names tables = {0}, temporary = {0}, views = {0};
  dbsql_status status = tables_of(work, catalog, schema, &tables, &temporary, &views, error);
  for (size_t i = 0; status == DBSQL_OK && i < tables.count; i++) {
    bool view = names_have(&views, slice_text(tables.items[i]));
    status = add_table(work, catalog, schema, tables.items[i], view ? "VIEW" : "TABLE", error);
  }
  for (size_t i = 0; status == DBSQL_OK && first && i < temporary.count; i++) {
    status = add_table(work, "", "", temporary.items[i], "VIEW", error);
  }
  names_free(&tables);
  names_free(&temporary);
  names_free(&views);
  return status;
}

static dbsql_status add_columns_of(struct metadata_work *work, const char *catalog, const char *schema, const char *table,
                                   dbsql_error **error) {
  static const char *const columns[] = {"col_name", "data_type", "comment", NULL};
  struct buf sql = BUF_INIT;
  struct answer answer;
  struct slice name, type, comment;
  bool has_row = true;
  dbsql_error *reason = NULL;
  buf_append_text(&sql, "DESCRIBE TABLE ");
  append_qualified(&sql, catalog, schema, table);
  const char *text = buf_text(&sql);
  dbsql_status status = text ? answer_open(work, text, columns, &answer, &reason) : error_no_memory(&reason);
  bool opened = status == DBSQL_OK;
  for (int64_t ordinal = 1; status == DBSQL_OK; ordinal++) {
    status = answer_next(work, &answer, &has_row, &reason);
    if (status == DBSQL_OK && has_row) status = answer_text(&answer, 0, &name, &reason);
    if (status == DBSQL_OK && has_row) status = answer_text(&answer, 1, &type, &reason);
    if (status == DBSQL_OK && has_row) status = answer_text(&answer, 2, &comment, &reason);
    if (status != DBSQL_OK || !has_row || type.size == 0) break; /* a heading ("# Partition Information") has no type */
    status = metadata_rows_add(&work->rows, &reason);
    if (status == DBSQL_OK) status = set_name(work, COLUMNS_CATALOG, catalog, &reason);
    if (status == DBSQL_OK) status = set_name(work, COLUMNS_SCHEMA, schema, &reason);
    if (status == DBSQL_OK) status = metadata_set_text(&work->rows, COLUMNS_TABLE, slice_text(table), &reason);
    if (status == DBSQL_OK) status = metadata_set_text(&work->rows, COLUMNS_NAME, name, &reason);
    if (status == DBSQL_OK) status = metadata_set_text(&work->rows, COLUMNS_TYPE_NAME, type, &reason);
    if (status == DBSQL_OK && comment.data) status = metadata_set_text(&work->rows, COLUMNS_REMARKS, comment, &reason);
    if (status != DBSQL_OK) break;
    metadata_set_number(&work->rows, COLUMNS_ORDINAL, ordinal);
    status = end_row(work, &reason);
  }
  if (opened) answer_close(&answer);
  buf_free(&sql);
  if (status == DBSQL_ERROR_EXECUTION && (metadata_is_missing(reason) || strcmp(dbsql_error_sqlstate(reason), "42501") == 0)) {
    error_clear(&reason); /* dropped meanwhile, or not for us to see */
    return DBSQL_OK;
  }
  error_move(&reason, error);
  return status;
}

static dbsql_status add_columns(struct metadata_work *work, const char *catalog, const char *schema, bool first, dbsql_error **error) {
  struct names tables = {0}, temporary = {0};
  (void)first;
  dbsql_status status = tables_of(work, catalog, schema, &tables, &temporary, NULL, error);
  for (size_t i = 0; status == DBSQL_OK && i < tables.count; i++) {
    status = add_columns_of(work, catalog, schema, tables.items[i], error);
  }
  names_free(&tables);
  names_free(&temporary);
  return status;
}

/* `catalog.schema.name`, of which the first two may be missing. */
static dbsql_status add_function(struct metadata_work *work, const char *text, dbsql_error **error) {
  const char *parts[3] = {text, NULL, NULL};
  size_t lengths[3] = {strlen(text), 0, 0}, count = 1;
  for (const char *dot; count < 3 && (dot = strchr(parts[count - 1], '.')) && dot[1] && dot != parts[count - 1]; count++) {
    lengths[count - 1] = (size_t)(dot - parts[count - 1]);
    parts[count] = dot + 1;
    lengths[count] = strlen(dot + 1);
  }
  dbsql_status status = metadata_rows_add(&work->rows, error);
  if (status == DBSQL_OK && count == 3) status = metadata_set_text(&work->rows, FUNCTIONS_CATALOG, slice_of(parts[0], lengths[0]), error);
  if (status == DBSQL_OK && count > 1)
    status = metadata_set_text(&work->rows, FUNCTIONS_SCHEMA, slice_of(parts[count - 2], lengths[count - 2]), error);
  if (status == DBSQL_OK) status = metadata_set_text(&work->rows, FUNCTIONS_NAME, slice_of(parts[count - 1], lengths[count - 1]), error);
  return status == DBSQL_OK ? end_row(work, error) : status;
}

static dbsql_status show_functions(struct metadata_work *work, dbsql_error **error) {
  struct names names = {0};
  dbsql_status status = list(work, "SHOW FUNCTIONS", "function", &names, error);
  for (size_t i = 0; status == DBSQL_OK && i < names.count; i++) status = add_function(work, names.items[i], error);
  names_free(&names);
  return status;
}

static dbsql_status show_table_types(struct metadata_work *work, dbsql_error **error) {
  static const char *const types[] = {"TABLE", "VIEW", "METRIC_VIEW", "SYSTEM TABLE"};
  size_t count = work->connection->backend->protocol_version > last_hive_protocol ? 4 : 2;
  dbsql_status status = DBSQL_OK;
  for (size_t i = 0; status == DBSQL_OK && i < count; i++) {
    status = metadata_rows_add(&work->rows, error);
    if (status == DBSQL_OK) status = metadata_set_text(&work->rows, 0, slice_text(types[i]), error);
  }
  return status;
}

/* ---- keys ---- */

static const char key_columns[] =
    "SELECT k.table_catalog AS TABLE_CAT, k.table_schema AS TABLE_SCHEM, k.table_name AS TABLE_NAME, k.column_name AS COLUMN_NAME, "
    "k.ordinal_position AS KEY_SEQ, k.constraint_name AS PK_NAME FROM ";
static const char key_join[] =
    " t ON t.constraint_catalog = k.constraint_catalog AND t.constraint_schema = k.constraint_schema AND t.constraint_name = "
    "k.constraint_name AND t.table_name = k.table_name WHERE t.constraint_type = 'PRIMARY KEY'";
static const char cross_columns[] =
    "SELECT p.table_catalog AS PKTABLE_CAT, p.table_schema AS PKTABLE_SCHEM, p.table_name AS PKTABLE_NAME, p.column_name AS PKCOLUMN_NAME, "
    "f.table_catalog AS FKTABLE_CAT, f.table_schema AS FKTABLE_SCHEM, f.table_name AS FKTABLE_NAME, f.column_name AS FKCOLUMN_NAME, "
    "f.ordinal_position AS KEY_SEQ, 3 AS UPDATE_RULE, 3 AS DELETE_RULE, f.constraint_name AS FK_NAME, p.constraint_name AS PK_NAME, "
    "7 AS DEFERRABILITY FROM ";
static const char cross_join[] =
    " f ON f.constraint_catalog = r.constraint_catalog AND f.constraint_schema = r.constraint_schema AND f.constraint_name = "
    "r.constraint_name JOIN ";
static const char cross_join_parent[] =
    " p ON p.constraint_catalog = r.unique_constraint_catalog AND p.constraint_schema = r.unique_constraint_schema AND p.constraint_name = "
    "r.unique_constraint_name AND p.ordinal_position = f.position_in_unique_constraint WHERE true";

static void append_view(struct buf *sql, const char *catalog, const char *view) {
  metadata_append_identifier(sql, slice_text(catalog));
  buf_append_text(sql, ".information_schema.");
  buf_append_text(sql, view);
}

static void append_condition(struct buf *sql, const char *column, const char *value) {
  if (!value) return;
  buf_printf(sql, " AND lower(%s) = lower(", column);
  metadata_append_literal(sql, value);
  buf_append_text(sql, ")");
}

static dbsql_status show_keys(struct metadata_work *work, dbsql_error **error) {
  const struct backend_metadata *request = work->request;
  bool cross = request->kind == METADATA_CROSS_REFERENCE;
  const char *catalog = cross && request->foreign_catalog ? request->foreign_catalog : request->catalog;
  /* Plain servers, and what stands outside of Unity Catalog, have no keys (thrift.md 8, odbc.md 4.3). */
  if (work->connection->backend->protocol_version <= last_hive_protocol || !catalog || !*catalog ||
      text_equal_nocase(catalog, "hive_metastore") || text_equal_nocase(catalog, "spark")) {
    log_write(&work->connection->config->log, DBSQL_LOG_WARN, "session", "the server knows no keys here", "call", work->rows.spec->call,
              (char *)NULL);
    return DBSQL_OK;
  }
  struct buf sql = BUF_INIT;
  dbsql_result *result = NULL;
  if (cross) {
    buf_append_text(&sql, cross_columns);
    append_view(&sql, catalog, "referential_constraints");
    buf_append_text(&sql, " r JOIN ");
    append_view(&sql, catalog, "key_column_usage");
    buf_append_text(&sql, cross_join);
    append_view(&sql, request->catalog ? request->catalog : catalog, "key_column_usage");
    buf_append_text(&sql, cross_join_parent);
    append_condition(&sql, "p.table_schema", request->schema);
    append_condition(&sql, "p.table_name", request->name);
    append_condition(&sql, "f.table_schema", request->foreign_schema);
    append_condition(&sql, "f.table_name", request->foreign_name);
  } else {
    buf_append_text(&sql, key_columns);
    append_view(&sql, catalog, "key_column_usage");
    buf_append_text(&sql, " k JOIN ");
    append_view(&sql, catalog, "table_constraints");
    buf_append_text(&sql, key_join);
    append_condition(&sql, "k.table_schema", request->schema);
    append_condition(&sql, "k.table_name", request->name);
  }
  const char *text = buf_text(&sql);
  dbsql_status status = text ? metadata_run(work->connection, text, metadata_step(work), &result, error) : error_no_memory(error);
  if (status == DBSQL_OK) {
    memcpy(work->query_id, result->query_id, sizeof work->query_id);
    status = metadata_rows_read(&work->rows, result, metadata_step(work), metadata_complete, work, error);
  }
  result_free(result);
  buf_free(&sql);
  return status;
}

dbsql_status metadata_show(struct metadata_work *work, dbsql_error **error) {
  switch (work->request->kind) {
    case METADATA_CATALOGS: return show_catalogs(work, error);
    case METADATA_SCHEMAS: return for_schemas(work, add_schema, error);
    case METADATA_TABLES: return for_schemas(work, add_tables, error);
    case METADATA_COLUMNS: return for_schemas(work, add_columns, error);
    case METADATA_FUNCTIONS: return show_functions(work, error);
    case METADATA_TABLE_TYPES: return show_table_types(work, error);
    case METADATA_TYPE_INFO: return metadata_add_types(&work->rows, error);
    default: return show_keys(work, error);
  }
}
