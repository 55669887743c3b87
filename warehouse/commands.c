#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lookup.h"
#include "memory.h"
#include "sql_internal.h"
#include "types.h"

bool command_empty_result(struct result *result, const struct result_shape *shape, struct failure *failure) {
  static const char *const columns[] = {"Result", "u", "", NULL};
  bool good = table_finish(table_new(columns), result, shape, failure);
  if (good) result->bare_arrow_schema = true;
  return good;
}

/* What a command works with. */
struct command {
  struct session *session;
  const struct sql_statement *statement;
  const struct result_shape *shape;
  struct result *result;
  struct failure *failure;
};

static bool finish(struct command *in, struct table *table) {
  return table_finish(table, in->result, in->shape, in->failure);
}

/* ---- Settings ---------------------------------------------------------------------------------------------------------------------------
 */

static bool is_zone_key(const char *key) {
  return text_equal_nocase(key, "timezone") || text_equal_nocase(key, "spark.sql.session.timeZone");
}

static bool set(struct command *in) {
  static const char *const pair[] = {"key", "u", "", "value", "u", "", NULL};
  static const char *const with_meaning[] = {"key", "u", "", "value", "u", "", "meaning", "u", "", "Since version", "u", "", NULL};
  struct session *session = in->session;
  const char *key = in->statement->arguments[0], *value = in->statement->arguments[1];
  if (key && value) {
    if (is_zone_key(key) && !session_set_zone(session, value, in->failure)) return false;
    int64_t seconds = 0;
    if (text_equal_nocase(key, "statement_timeout") && (!text_parse_int64(value, strlen(value), &seconds) || seconds < 0))
      return failure_set(in->failure, "INVALID_CONF_VALUE.DEFAULT", "22022",
                         "The value '%s' in the config \"STATEMENT_TIMEOUT\" is invalid: it must be a number of seconds.", value);
    session_set(session, key, value);
  }
  struct table *table = table_new(in->statement->flag ? with_meaning : pair);
  if (key) {
    const char *found = is_zone_key(key) ? session->zone : session_setting(session, key);
    table_text(table, key);
    table_text(table, found ? found : "<undefined>");
    table_row(table);
    return finish(in, table);
  }
  for (size_t i = 0; i < session->setting_count; i++) {
    table_text(table, session->settings[i].key);
    table_text(table, session->settings[i].value);
    if (in->statement->flag) {
      table_text(table, "set in this session");
      table_text(table, "");
    }
    table_row(table);
  }
  return finish(in, table);
}

static bool reset(struct command *in) {
  struct session *session = in->session;
  const char *key = in->statement->arguments[0];
  if (!key || is_zone_key(key)) {
    if (!session_set_zone(session, "Etc/UTC", in->failure)) return false;
  }
  if (key) session_unset(session, key);
  while (!key && session->setting_count) session_unset(session, session->settings[0].key);
  return command_empty_result(in->result, in->shape, in->failure);
}

/* ---- SHOW
 * --------------------------------------------------------------------------------------------------------------------------------- */

static bool show_catalogs(struct command *in) {
  static const char *const columns[] = {"catalog", "u", "", NULL};
  struct lookup *lookup = lookup_run(in->session, lookup_catalogs, in->failure);
  if (!lookup) return false;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    const char *name = catalog_from_engine(lookup_text(lookup, 0));
    if (!show_pattern_matches(in->statement->arguments[0], name)) continue;
    table_text(table, name);
    table_row(table);
  }
  lookup_free(lookup);
  return finish(in, table);
}

static bool catalog_not_found(struct command *in, const char *name) {
  return failure_set(in->failure, "NO_SUCH_CATALOG_EXCEPTION", "42704",
                     "Catalog '%s' was not found. Please verify the catalog name and then retry the query or command again.", name);
}

static bool schema_not_found(struct command *in, const char *catalog, const char *schema) {
  return failure_set(in->failure, "SCHEMA_NOT_FOUND", "42704",
                     "The schema `%s`.`%s` cannot be found. Verify the spelling and correctness of the schema and catalog.", catalog,
                     schema);
}

/* Whether a catalog, or a schema in it, is there. `schema` may be NULL. */
static bool require_schema(struct command *in, const char *catalog, const char *schema) {
  struct lookup *lookup = lookup_run(in->session, lookup_schemas, in->failure);
  bool has_catalog = false, has_schema = false;
  if (!lookup) return false;
  while (lookup_next(lookup)) {
    if (!text_equal_nocase(catalog_from_engine(lookup_text(lookup, 0)), catalog)) continue;
    has_catalog = true;
    has_schema = has_schema || (schema && text_equal_nocase(lookup_text(lookup, 1), schema));
  }
  lookup_free(lookup);
  if (!has_catalog) return catalog_not_found(in, catalog);
  return !schema || has_schema || schema_not_found(in, catalog, schema);
}

static bool show_schemas(struct command *in) {
  static const char *const columns[] = {"databaseName", "u", "", NULL};
  const char *catalog = in->statement->arguments[0] ? in->statement->arguments[0] : in->session->catalog;
  if (!require_schema(in, catalog, NULL)) return false;
  struct lookup *lookup = lookup_run(in->session, lookup_schemas, in->failure);
  if (!lookup) return false;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    if (!text_equal_nocase(catalog_from_engine(lookup_text(lookup, 0)), catalog)) continue;
    const char *name = lookup_text(lookup, 1);
    if (!show_pattern_matches(in->statement->arguments[1], name)) continue;
    table_text(table, name);
    table_row(table);
  }
  lookup_free(lookup);
  return finish(in, table);
}

static bool show_tables(struct command *in) {
  static const char *const tables[] = {"database", "u", "", "tableName", "u", "", "isTemporary", "b", "", NULL};
  static const char *const views[] = {"namespace", "u", "", "viewName", "u", "", "isTemporary", "b", "", "isMaterialized", "b", "", NULL};
  char *const *arguments = in->statement->arguments;
  const char *catalog = arguments[0] ? arguments[0] : in->session->catalog;
  const char *schema = arguments[1] ? arguments[1] : in->session->schema;
  if (!require_schema(in, catalog, schema)) return false;
  struct lookup *lookup = lookup_run(in->session, lookup_tables, in->failure);
  if (!lookup) return false;
  struct table *table = table_new(in->statement->flag ? views : tables);
  while (lookup_next(lookup)) {
    bool temporary = strcmp(lookup_text(lookup, 0), "temp") == 0;
    bool here =
        text_equal_nocase(catalog_from_engine(lookup_text(lookup, 0)), catalog) && text_equal_nocase(lookup_text(lookup, 1), schema);
    if (!here && !temporary) continue;
    if (in->statement->flag && strcmp(lookup_text(lookup, 3), "VIEW") != 0) continue;
    if (!show_pattern_matches(arguments[2], lookup_text(lookup, 2))) continue;
    table_text(table, temporary ? "" : lookup_text(lookup, 1));
    table_text(table, lookup_text(lookup, 2));
    table_int(table, temporary);
    if (in->statement->flag) table_int(table, false);
    table_row(table);
  }
  lookup_free(lookup);
  return finish(in, table);
}

static bool show_functions(struct command *in) {
  static const char *const columns[] = {"function", "u", "", NULL};
  struct lookup *lookup = lookup_run(
      in->session, "SELECT DISTINCT function_name FROM duckdb_functions() WHERE regexp_matches(function_name, '^[a-z]') ORDER BY 1",
      in->failure);
  if (!lookup) return false;
  struct table *table = table_new(columns);
  while (lookup_next(lookup)) {
    if (!show_pattern_matches(in->statement->arguments[0], lookup_text(lookup, 0))) continue;
    table_text(table, lookup_text(lookup, 0));
    table_row(table);
  }
  lookup_free(lookup);
  return finish(in, table);
}

/* ---- Tables
 * --------------------------------------------------------------------------------------------------------------------------------- */

/* Whether the current row of a lookup (catalog, schema, table) is the table that the statement names. */
static bool is_named_table(struct command *in, struct lookup *lookup) {
  char *const *name = in->statement->arguments;
  const char *catalog = name[0] ? name[0] : in->session->catalog, *schema = name[1] ? name[1] : in->session->schema;
  if (!text_equal_nocase(lookup_text(lookup, 2), name[2])) return false;
  if (!name[1] && strcmp(lookup_text(lookup, 0), "temp") == 0) return true;
  return text_equal_nocase(catalog_from_engine(lookup_text(lookup, 0)), catalog) && text_equal_nocase(lookup_text(lookup, 1), schema);
}

static bool table_not_found(struct command *in) {
  char *const *name = in->statement->arguments;
  return failure_set(
      in->failure, "TABLE_OR_VIEW_NOT_FOUND", "42P01",
      "The table or view `%s`.`%s`.`%s` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did "
      "not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and "
      "catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS.",
      name[0] ? name[0] : in->session->catalog, name[1] ? name[1] : in->session->schema, name[2]);
}

static void append_type_of(struct table *table, const char *engine_type) {
  struct buf type = BUF_INIT;
  type_append_simple(&type, engine_type);
  wh_check(&type);
  table_slice(table, buf_slice(&type));
  buf_free(&type);
}

static const char *const describe_columns[] = {"col_name", "u", "name of the column",    "data_type", "u", "data type of the column",
                                               "comment",  "u", "comment of the column", NULL};

static void add_detail(struct table *table, const char *name, const char *value) {
  table_text(table, name);
  table_text(table, value);
  table_text(table, "");
  table_row(table);
}

static bool describe_details(struct command *in, struct table *table) {
  struct lookup *lookup = lookup_run(in->session, lookup_tables, in->failure);
  if (!lookup) return false;
  while (lookup_next(lookup)) {
    if (!is_named_table(in, lookup)) continue;
    bool view = strcmp(lookup_text(lookup, 3), "VIEW") == 0;
    add_detail(table, "", "");
    add_detail(table, "# Detailed Table Information", "");
    add_detail(table, "Catalog", catalog_from_engine(lookup_text(lookup, 0)));
    add_detail(table, "Database", lookup_text(lookup, 1));
    add_detail(table, "Table", lookup_text(lookup, 2));
    add_detail(table, "Type", view ? "VIEW" : "MANAGED");
    if (lookup_text(lookup, 4)) add_detail(table, "Comment", lookup_text(lookup, 4));
    if (view) add_detail(table, "View Text", lookup_text(lookup, 5));
    break;
  }
  lookup_free(lookup);
  return true;
}

static bool describe_table(struct command *in) {
  struct lookup *lookup = lookup_run(in->session, lookup_columns, in->failure);
  if (!lookup) return false;
  struct table *table = table_new(describe_columns);
  bool found = false;
  while (lookup_next(lookup)) {
    if (!is_named_table(in, lookup)) continue;
    found = true;
    table_text(table, lookup_text(lookup, 3));
    append_type_of(table, lookup_text(lookup, 4));
    table_text(table, lookup_text(lookup, 7));
    table_row(table);
  }
  lookup_free(lookup);
  bool good = found || table_not_found(in);
  if (good && in->statement->flag) good = describe_details(in, table);
  if (good) return finish(in, table);
  table_free(table);
  return false;
}

static bool describe_query(struct command *in) {
  char *sql = wh_print("DESCRIBE %s", in->statement->text);
  struct lookup *lookup = lookup_run(in->session, sql, in->failure);
  free(sql);
  if (!lookup) return false;
  struct table *table = table_new(describe_columns);
  while (lookup_next(lookup)) {
    table_text(table, lookup_text(lookup, 0));
    append_type_of(table, lookup_text(lookup, 1));
    table_null(table);
    table_row(table);
  }
  lookup_free(lookup);
  return finish(in, table);
}

static bool describe_schema(struct command *in, bool of_catalog) {
  static const char *const schema_columns[] = {"database_description_item", "u", "", "database_description_value", "u", "", NULL};
  static const char *const catalog_columns[] = {"info_name", "u", "", "info_value", "u", "", NULL};
  char *const *name = in->statement->arguments;
  const char *catalog = name[0] ? name[0] : in->session->catalog;
  if (!require_schema(in, catalog, of_catalog ? NULL : name[1])) return false;
  struct table *table = table_new(of_catalog ? catalog_columns : schema_columns);
  table_text(table, "Catalog Name");
  table_text(table, catalog);
  table_row(table);
  if (!of_catalog) {
    table_text(table, "Namespace Name");
    table_text(table, name[1]);
    table_row(table);
  }
  return finish(in, table);
}

static bool show_columns(struct command *in) {
  static const char *const columns[] = {"col_name", "u", "", NULL};
  struct lookup *lookup = lookup_run(in->session, lookup_columns, in->failure);
  if (!lookup) return false;
  struct table *table = table_new(columns);
  int64_t found = 0;
  while (lookup_next(lookup)) {
    if (!is_named_table(in, lookup)) continue;
    found++;
    table_text(table, lookup_text(lookup, 3));
    table_row(table);
  }
  lookup_free(lookup);
  if (found) return finish(in, table);
  table_free(table);
  return table_not_found(in);
}

static bool show_create(struct command *in) {
  static const char *const columns[] = {"createtab_stmt", "u", "", NULL};
  struct lookup *lookup = lookup_run(in->session, lookup_tables, in->failure);
  if (!lookup) return false;
  struct table *table = table_new(columns);
  bool found = false;
  while (!found && lookup_next(lookup)) {
    if (!is_named_table(in, lookup)) continue;
    found = true;
    table_text(table, lookup_text(lookup, 5));
    table_row(table);
  }
  lookup_free(lookup);
  if (found) return finish(in, table);
  table_free(table);
  return table_not_found(in);
}

/* ---- Catalogs
 * ------------------------------------------------------------------------------------------------------------------------------- */

static bool has_catalog(struct command *in, const char *name, bool *has) {
  struct lookup *lookup = lookup_run(in->session, lookup_catalogs, in->failure);
  *has = false;
  if (!lookup) return false;
  while (lookup_next(lookup)) *has = *has || text_equal_nocase(catalog_from_engine(lookup_text(lookup, 0)), name);
  lookup_free(lookup);
  return true;
}

static bool create_catalog(struct command *in) {
  const char *name = in->statement->arguments[0];
  bool has;
  if (!has_catalog(in, name, &has)) return false;
  if (has && !in->statement->flag)
    return failure_set(in->failure, "CATALOG_ALREADY_EXISTS", "42P07", "Cannot create catalog `%s` because it already exists.", name);
  if (!has) {
    if (in->session->warehouse->persistent)
      return failure_set(in->failure, "UNSUPPORTED_FEATURE", "0A000",
                         "This warehouse keeps its data in one database file, which is the catalog `" WAREHOUSE_CATALOG
                         "`: others would be lost at its end.");
    struct buf sql = BUF_INIT;
    buf_append_text(&sql, "ATTACH ':memory:' AS ");
    sql_append_quoted_name(&sql, name);
    wh_check(&sql);
    bool good = session_execute(in->session, buf_text(&sql), in->failure);
    buf_reset(&sql);
    buf_append_text(&sql, "CREATE SCHEMA IF NOT EXISTS ");
    sql_append_quoted_name(&sql, name);
    buf_append_text(&sql, ".\"" WAREHOUSE_SCHEMA "\"");
    wh_check(&sql);
    good = good && session_execute(in->session, buf_text(&sql), in->failure);
    buf_free(&sql);
    if (!good) return false;
  }
  return command_empty_result(in->result, in->shape, in->failure);
}

static bool drop_catalog(struct command *in) {
  const char *name = in->statement->arguments[0];
  bool has;
  if (!has_catalog(in, name, &has)) return false;
  if (!has) return in->statement->flag ? command_empty_result(in->result, in->shape, in->failure) : catalog_not_found(in, name);
  if (text_equal_nocase(name, WAREHOUSE_CATALOG) || text_equal_nocase(name, in->session->catalog))
    return failure_set(in->failure, "UNSUPPORTED_FEATURE", "0A000",
                       "The catalog `%s` cannot be dropped: it is the current or the default one.", name);
  struct buf sql = BUF_INIT;
  buf_append_text(&sql, "DETACH ");
  sql_append_quoted_name(&sql, name);
  wh_check(&sql);
  bool good = session_execute(in->session, buf_text(&sql), in->failure);
  buf_free(&sql);
  return good && command_empty_result(in->result, in->shape, in->failure);
}

/* -------------------------------------------------------------------------------------------------------------------------------------------
 */

bool command_run(struct session *session, const struct sql_statement *statement, const struct result_shape *shape, struct result *result,
                 struct failure *failure) {
  struct command in = {session, statement, shape, result, failure};
  char *const *arguments = statement->arguments;
  switch (statement->kind) {
    case SQL_SET: return set(&in);
    case SQL_RESET: return reset(&in);
    case SQL_SET_ZONE:
      if (!session_set_zone(session, arguments[0] ? arguments[0] : "Etc/UTC", failure)) return false;
      session_set(session, "timezone", session->zone);
      return command_empty_result(result, shape, failure);
    case SQL_USE: return session_use(session, arguments[0], arguments[1], failure) && command_empty_result(result, shape, failure);
    case SQL_SHOW_CATALOGS: return show_catalogs(&in);
    case SQL_SHOW_SCHEMAS: return show_schemas(&in);
    case SQL_SHOW_TABLES: return show_tables(&in);
    case SQL_SHOW_COLUMNS: return show_columns(&in);
    case SQL_SHOW_FUNCTIONS: return show_functions(&in);
    case SQL_SHOW_CREATE: return show_create(&in);
    case SQL_DESCRIBE_TABLE: return describe_table(&in);
    case SQL_DESCRIBE_QUERY: return describe_query(&in);
    case SQL_DESCRIBE_SCHEMA: return describe_schema(&in, false);
    case SQL_DESCRIBE_CATALOG: return describe_schema(&in, true);
    case SQL_CREATE_CATALOG: return create_catalog(&in);
    case SQL_DROP_CATALOG: return drop_catalog(&in);
    default: return failure_set(failure, "INTERNAL_ERROR", "XX000", "The statement is of a kind that nobody runs.");
  }
}
