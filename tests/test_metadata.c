/* The metadata calls against the local warehouse: the same rows whatever way the server makes us go. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "session/metadata_spec.h"
#include "warehouse_process.h"

static struct warehouse_process *warehouse, *plain;

#define NEEDS_WAREHOUSE \
  (void)state;          \
  if (!warehouse) skip()

static const char *const statements[] = {
    "CREATE SCHEMA IF NOT EXISTS `m_1`",
    "CREATE SCHEMA IF NOT EXISTS `mx1`",
    "CREATE TABLE m_1.parent (a INT, b STRING, n DECIMAL(10,2) NOT NULL COMMENT 'a price', CONSTRAINT parent_key PRIMARY KEY (b, a))",
    "CREATE TABLE m_1.child (id BIGINT PRIMARY KEY, pb STRING, pa INT, FOREIGN KEY (pb, pa) REFERENCES m_1.parent (b, a))",
    "CREATE TABLE m_1.`odd ``na'me\\%_` (`c d` ARRAY<INT>, `\xc3\x9c` MAP<STRING, DATE>)",
    "CREATE TABLE m_1.t_1 (i INT)",
    "CREATE TABLE m_1.tx1 (i INT)",
    "CREATE TABLE mx1.t_1 (i INT)",
    "CREATE VIEW m_1.v AS SELECT a FROM m_1.parent",
};

static void run_only(dbsql_connection *connection, const char *sql) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s: %s", sql, dbsql_error_message(error));
  dbsql_result_free(result);
}

static struct warehouse_process *start(const char *const *arguments) {
  struct warehouse_process *process = warehouse_start(arguments);
  dbsql_connection *connection = warehouse_connect(warehouse_config(process));
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) run_only(connection, statements[i]);
  dbsql_connection_close(connection, NULL, NULL);
  return process;
}

static int start_warehouse(void **state) {
  static const char *const hive[] = {"--mode", "hive", NULL};
  (void)state;
  if (!warehouse_is_there()) return 0;
  warehouse = start(NULL);
  plain = start(hive);
  return 0;
}

static int stop_warehouse(void **state) {
  (void)state;
  if (!warehouse) return 0;
  assert_int_equal(warehouse_stop(warehouse), 0);
  assert_int_equal(warehouse_stop(plain), 0);
  return 0;
}

/* Some columns of all rows: cells separated by '|', rows by '\n', NULL as "~". Frees the result. */
static char *text_of(dbsql_result *result, const int *columns) {
  char *all = calloc(1, 1 << 20);
  bool has_row;
  dbsql_error *error = NULL;
  while (dbsql_row_next(result, NULL, &has_row, &error) == DBSQL_OK && has_row) {
    if (*all) strcat(all, "\n");
    for (size_t i = 0; columns[i] >= 0; i++) {
      const char *text;
      assert_int_equal(dbsql_get_text(result, (size_t)columns[i], &text, NULL, NULL), DBSQL_OK);
      assert_true(strlen(all) < (1 << 20) - 4096);
      if (i) strcat(all, "|");
      strcat(all, text ? text : "~");
    }
  }
  if (error) fail_msg("%s", dbsql_error_message(error));
  dbsql_result_free(result);
  return all;
}

static void assert_text(dbsql_status status, dbsql_result *result, dbsql_error *error, const int *columns, const char *wanted, int line) {
  if (status != DBSQL_OK) fail_msg("line %d: %s", line, dbsql_error_message(error));
  char *got = text_of(result, columns);
  if (strcmp(got, wanted) != 0) fail_msg("line %d gives\n%s\nwanted\n%s", line, got, wanted);
  free(got);
}

/* Evaluates the call with `result` and `error` in its arguments, and compares. */
#define ROWS(wanted, call, ...)                                    \
  do {                                                             \
    dbsql_result *result = NULL;                                   \
    dbsql_error *error = NULL;                                     \
    dbsql_status status = call;                                    \
    const int columns[] = {__VA_ARGS__, -1};                       \
    assert_text(status, result, error, columns, wanted, __LINE__); \
  } while (0)
#define TABLES(catalog, schema, table, wanted) \
  ROWS(wanted, dbsql_get_tables(connection, catalog, schema, table, NULL, 0, NULL, &result, &error), 1, 2)

/* Every way to the rows: the call; statements where it is refused, or is not there; a plain server. */
enum way { CALLS, REFUSED, UNKNOWN, PLAIN, WAYS };
static dbsql_connection *by_way(enum way way) {
  static const char *const calls[] = {"GetCatalogs",  "GetSchemas",  "GetTables",      "GetTableTypes",    "GetColumns",
                                      "GetFunctions", "GetTypeInfo", "GetPrimaryKeys", "GetCrossReference"};
  struct warehouse_process *process = way == PLAIN ? plain : warehouse;
  char fault[128];
  for (size_t i = 0; (way == REFUSED || way == UNKNOWN) && i < sizeof calls / sizeof *calls; i++) {
    snprintf(fault, sizeof fault, "{\"name\":\"%s\",\"count\":-1,\"method\":\"%s\"}", way == REFUSED ? "refused" : "unknown-method",
             calls[i]);
    warehouse_fault(warehouse, fault);
  }
  return warehouse_connect(warehouse_config(process));
}

static void leave(dbsql_connection *connection) {
  dbsql_connection_close(connection, NULL, NULL);
  warehouse_clear_faults(warehouse);
}

static void the_same_rows_in_every_way(void **state) {
  NEEDS_WAREHOUSE;
  for (enum way way = CALLS; way < WAYS; way++) {
    dbsql_connection *connection = by_way(way);
    ROWS("main", dbsql_get_catalogs(connection, NULL, &result, &error), 0);
    ROWS("m_1|main\nmx1|main", dbsql_get_schemas(connection, "main", "m_1", NULL, &result, &error), 0, 1);
    ROWS("m_1|main", dbsql_get_schemas(connection, "MAIN", "M\\_1", NULL, &result, &error), 0, 1);
    ROWS("", dbsql_get_schemas(connection, "main", "", NULL, &result, &error), 0);
    ROWS("", dbsql_get_schemas(connection, "ma%", NULL, NULL, &result, &error), 0); /* a catalog is no pattern */
    ROWS("", dbsql_get_schemas(connection, "no such", NULL, NULL, &result, &error), 0);
    TABLES("main", "m\\_1", "t_1", "m_1|t_1\nm_1|tx1");
    TABLES("main", "m_1", "t\\_1", "m_1|t_1\nmx1|t_1");
    TABLES("main", "m\\_1", "T\\_1", "m_1|t_1");
    TABLES("main", "m\\_1", "odd%", "m_1|odd `na'me\\%_");
    TABLES("main", "m\\_1", "odd `na'me\\\\\\%\\_", "m_1|odd `na'me\\%_");
    TABLES("main", "m\\_1", "odd `na'me_%\\_", "m_1|odd `na'me\\%_");
    TABLES("main", "m\\_1", "odd `na'me", "");
    TABLES("main", "m\\_1", "", "");
    TABLES("main", "m\\_1", "'; DROP TABLE m_1.t_1; --", "");
    TABLES("mai_", NULL, NULL, "");
    static const char *const views[] = {"view"}, *const both[] = {"VIEW", "TABLE"}, *const others[] = {"SYSTEM TABLE"};
    ROWS("main|m_1|v|VIEW", dbsql_get_tables(connection, "main", "m\\_1", NULL, views, 1, NULL, &result, &error), 0, 1, 2, 3);
    ROWS("TABLE|child\nTABLE|odd `na'me\\%_\nTABLE|parent\nTABLE|t_1\nTABLE|tx1\nVIEW|v",
         dbsql_get_tables(connection, "main", "m\\_1", NULL, both, 2, NULL, &result, &error), 3, 2);
    ROWS("", dbsql_get_tables(connection, "main", "m\\_1", NULL, others, 1, NULL, &result, &error), 0);
    ROWS("parent|a|4|INT|10|0|1\nparent|b|12|STRING|2147483647|~|2\nparent|n|3|DECIMAL(10,2)|10|2|3",
         dbsql_get_columns(connection, "main", "m\\_1", "parent", NULL, NULL, &result, &error), 2, 3, 4, 5, 6, 8, 16);
    ROWS("n|3|a price", dbsql_get_columns(connection, "main", "m\\_1", "parent", "n", NULL, &result, &error), 3, 16, 11);
    ROWS("c d|ARRAY<INT>|2003|1\n\xc3\x9c|MAP<STRING, DATE>|2000|2",
         dbsql_get_columns(connection, "main", "m\\_1", "odd%", NULL, NULL, &result, &error), 3, 5, 4, 16);
    ROWS("\xc3\x9c", dbsql_get_columns(connection, "main", "m\\_1", "odd%", "\xc3\xbc", NULL, &result, &error), 3); /* case of a letter */
    ROWS("", dbsql_get_columns(connection, "main", "m\\_1", "no_such", NULL, NULL, &result, &error), 3);
    dbsql_result *other = NULL;
    assert_int_equal(dbsql_get_functions(connection, NULL, NULL, "ABS", NULL, &other, NULL), DBSQL_OK);
    char *text = text_of(other, (const int[]){2, -1});
    assert_string_equal(text, "abs");
    free(text);
    assert_int_equal(dbsql_get_table_types(connection, NULL, &other, NULL), DBSQL_OK);
    text = text_of(other, (const int[]){0, -1});
    assert_non_null(strstr(text, "TABLE"));
    assert_non_null(strstr(text, "VIEW"));
    free(text);
    assert_int_equal(dbsql_get_type_info(connection, NULL, &other, NULL), DBSQL_OK);
    text = text_of(other, (const int[]){0, 1, -1});
    assert_non_null(strstr(text, "BIGINT|-5\n"));
    free(text);
    ROWS("main|m_1|parent|b|1\nmain|m_1|parent|a|2", dbsql_get_primary_keys(connection, "main", "m_1", "PARENT", NULL, &result, &error), 0,
         1, 2, 3, 4);
    ROWS("", dbsql_get_primary_keys(connection, "main", "m_1", "pa%", NULL, &result, &error), 0);
    static const char keys[] = "parent|b|child|pb|1|3|3|7\nparent|a|child|pa|2|3|3|7";
    ROWS(keys, dbsql_get_cross_reference(connection, NULL, NULL, NULL, "main", "m_1", "child", NULL, &result, &error), 2, 3, 6, 7, 8, 9, 10,
         13);
    ROWS(keys, dbsql_get_cross_reference(connection, "main", "m_1", "parent", NULL, NULL, NULL, NULL, &result, &error), 2, 3, 6, 7, 8, 9,
         10, 13);
    ROWS(keys, dbsql_get_cross_reference(connection, "main", "m_1", "parent", "main", "m_1", "child", NULL, &result, &error), 2, 3, 6, 7, 8,
         9, 10, 13);
    ROWS("", dbsql_get_cross_reference(connection, "main", "m_1", "child", NULL, NULL, NULL, NULL, &result, &error), 2);
    leave(connection);
  }
}

static void a_column_tells_whether_it_may_be_null(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = by_way(CALLS);
  ROWS("0|NO|\n1|YES|\n1|YES|", dbsql_get_columns(connection, "main", "m\\_1", "child", NULL, NULL, &result, &error), 10, 17, 23);
  leave(connection);
  connection = by_way(REFUSED); /* DESCRIBE does not tell */
  ROWS("2||\n2||\n2||", dbsql_get_columns(connection, "main", "m\\_1", "parent", NULL, NULL, &result, &error), 10, 17, 23);
  leave(connection);
}

static void keys_of_the_session_s_own_place(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = by_way(CALLS);
  const char *catalog, *schema;
  assert_int_equal(dbsql_connection_current(connection, false, NULL, &catalog, &schema, NULL), DBSQL_OK);
  assert_string_equal(catalog, "main");
  assert_string_equal(schema, "default");
  ROWS("", dbsql_get_primary_keys(connection, NULL, NULL, "parent", NULL, &result, &error), 3);
  run_only(connection, "USE SCHEMA m_1");
  ROWS("b\na", dbsql_get_primary_keys(connection, NULL, NULL, "parent", NULL, &result, &error), 3);
  assert_int_equal(dbsql_connection_current(connection, false, NULL, &catalog, &schema, NULL), DBSQL_OK);
  assert_string_equal(schema, "m_1");
  dbsql_result *none = NULL;
  dbsql_error *why = NULL;
  assert_int_equal(dbsql_get_primary_keys(connection, "main", "m_1", NULL, NULL, &none, &why), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(why), "HY009");
  dbsql_error_free(why);
  leave(connection);
  connection = by_way(PLAIN);
  assert_int_equal(dbsql_connection_current(connection, false, NULL, &catalog, &schema, NULL), DBSQL_OK);
  assert_null(catalog);
  assert_int_equal(dbsql_connection_current(connection, true, NULL, &catalog, &schema, NULL), DBSQL_OK);
  assert_string_equal(catalog, "main");
  assert_string_equal(schema, "default");
  leave(connection);
}

/* No statement of our own runs in a user's transaction: the refused call's error is told, and the transaction lives. */
static void nothing_hidden_in_a_transaction(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = by_way(REFUSED);
  dbsql_result *none = NULL;
  dbsql_error *why = NULL;
  const char *catalog, *schema;
  assert_int_equal(dbsql_begin(connection, NULL, NULL, NULL), DBSQL_OK);
  run_only(connection, "SELECT 1");
  assert_int_equal(dbsql_get_columns(connection, "main", "m\\_1", "parent", NULL, NULL, &none, &why), DBSQL_ERROR_EXECUTION);
  assert_string_equal(dbsql_error_sqlstate(why), "0A000");
  assert_non_null(strstr(dbsql_error_message(why), "GetColumns is not supported"));
  dbsql_error_free(why);
  assert_int_equal(dbsql_connection_current(connection, true, NULL, &catalog, &schema, NULL), DBSQL_OK); /* known: nothing is asked */
  run_only(connection, "SELECT 1");
  assert_int_equal(dbsql_rollback(connection, NULL, NULL), DBSQL_OK);
  ROWS("i", dbsql_get_columns(connection, "main", "m\\_1", "t\\_1", NULL, NULL, &result, &error), 3);
  leave(connection);
}

/* ---- columns ---- */

static void assert_columns(dbsql_result *result, enum metadata_kind kind) {
  const struct metadata_spec *spec = metadata_spec_of(kind);
  struct ArrowSchema schema;
  assert_int_equal(dbsql_result_column_count(result), spec->column_count);
  assert_int_equal(dbsql_result_schema(result, &schema, NULL), DBSQL_OK);
  for (size_t i = 0; i < spec->column_count; i++) {
    dbsql_column column;
    assert_true(dbsql_result_column(result, i, &column));
    assert_string_equal(column.name, spec->columns[i].name);
    assert_string_equal(column.type_text, metadata_type_name(spec->columns[i].format));
    assert_int_equal(column.nullable, !spec->columns[i].required);
    assert_int_equal(schema.children[i]->format[0], spec->columns[i].format);
  }
  schema.release(&schema);
  dbsql_result_free(result);
}

static void every_result_has_the_documented_columns(void **state) {
  NEEDS_WAREHOUSE;
  for (enum way way = CALLS; way < WAYS; way++) {
    dbsql_connection *connection = by_way(way);
    dbsql_result *result = NULL;
#define COLUMNS(kind, call)         \
  assert_int_equal(call, DBSQL_OK); \
  assert_columns(result, kind)
    COLUMNS(METADATA_CATALOGS, dbsql_get_catalogs(connection, NULL, &result, NULL));
    COLUMNS(METADATA_SCHEMAS, dbsql_get_schemas(connection, NULL, "m%", NULL, &result, NULL));
    COLUMNS(METADATA_TABLES, dbsql_get_tables(connection, NULL, "m%", NULL, NULL, 0, NULL, &result, NULL));
    COLUMNS(METADATA_TABLES, dbsql_get_tables(connection, "", NULL, "nothing", NULL, 0, NULL, &result, NULL));
    COLUMNS(METADATA_TABLE_TYPES, dbsql_get_table_types(connection, NULL, &result, NULL));
    COLUMNS(METADATA_COLUMNS, dbsql_get_columns(connection, NULL, "m%", NULL, NULL, NULL, &result, NULL));
    COLUMNS(METADATA_FUNCTIONS, dbsql_get_functions(connection, NULL, NULL, NULL, NULL, &result, NULL));
    COLUMNS(METADATA_TYPE_INFO, dbsql_get_type_info(connection, NULL, &result, NULL));
    COLUMNS(METADATA_PRIMARY_KEYS, dbsql_get_primary_keys(connection, "main", "m_1", "parent", NULL, &result, NULL));
    COLUMNS(METADATA_CROSS_REFERENCE,
            dbsql_get_cross_reference(connection, "main", "m_1", "parent", NULL, NULL, NULL, NULL, &result, NULL));
    leave(connection);
  }
}

/* docs/metadata.md: under a heading with the name of the call a table of the columns. */
static void the_documentation_has_the_same_columns(void **state) {
  (void)state;
  FILE *file = fopen(METADATA_DOCS, "r");
  assert_non_null(file);
  char line[1024];
  size_t found = 0, column = 0;
  const struct metadata_spec *spec = NULL;
  while (fgets(line, sizeof line, file)) {
    if (line[0] == '#') {
      if (spec) assert_int_equal(column, spec->column_count);
      spec = NULL;
      for (int kind = METADATA_CATALOGS; kind <= METADATA_CROSS_REFERENCE; kind++) {
        const char *call = metadata_spec_of((enum metadata_kind)kind)->call, *at = strstr(line, call);
        if (at && at[strlen(call)] == ')') spec = metadata_spec_of((enum metadata_kind)kind);
      }
      found += spec != NULL;
      column = 0;
    } else if (spec && strncmp(line, "| `", 3) == 0) {
      assert_true(column < spec->column_count);
      const struct metadata_column *wanted = &spec->columns[column++];
      char expected[128];
      snprintf(expected, sizeof expected, "| `%s` | %s | %s |", wanted->name, metadata_type_name(wanted->format),
               wanted->required ? "no" : "yes");
      if (strncmp(line, expected, strlen(expected)) != 0) fail_msg("%s is documented as %s", expected, line);
    }
  }
  if (spec) assert_int_equal(column, spec->column_count);
  fclose(file);
  assert_int_equal(found, METADATA_CROSS_REFERENCE + 1);
}

/* ---- the schema of a query ---- */

static bool same_schema(const struct ArrowSchema *a, const struct ArrowSchema *b) {
  if (strcmp(a->format, b->format) != 0 || strcmp(a->name ? a->name : "", b->name ? b->name : "") != 0 || a->flags != b->flags ||
      a->n_children != b->n_children) {
    print_message("%s \"%s\" %d and %s \"%s\" %d\n", a->name, a->format, (int)a->flags, b->name, b->format, (int)b->flags);
    return false;
  }
  for (int64_t i = 0; i < a->n_children; i++) {
    if (!same_schema(a->children[i], b->children[i])) return false;
  }
  return true;
}

static void assert_described(dbsql_connection *connection, const char *sql) {
  dbsql_statement *statement;
  dbsql_result *described = NULL, *executed = NULL;
  dbsql_error *error = NULL;
  struct ArrowSchema one, other;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  if (dbsql_statement_describe(statement, sql, SIZE_MAX, NULL, &described, &error) != DBSQL_OK ||
      dbsql_statement_execute(statement, sql, SIZE_MAX, NULL, &executed, &error) != DBSQL_OK)
    fail_msg("%s: %s", sql, dbsql_error_message(error));
  assert_int_equal(dbsql_result_schema(described, &one, NULL), DBSQL_OK);
  assert_int_equal(dbsql_result_schema(executed, &other, NULL), DBSQL_OK);
  if (!same_schema(&one, &other))
    fail_msg("%s: column 0 is \"%s\", described as \"%s\"", sql, other.children[0]->format, one.children[0]->format);
  for (size_t i = 0; i < dbsql_result_column_count(executed); i++) {
    dbsql_column a, b;
    assert_true(dbsql_result_column(described, i, &a) && dbsql_result_column(executed, i, &b));
    if (strcmp(a.type_text, b.type_text) != 0) fail_msg("%s: column %zu is %s, described as %s", sql, i, b.type_text, a.type_text);
    assert_int_equal(a.type, b.type);
    assert_int_equal(a.precision, b.precision);
    assert_int_equal(a.scale, b.scale);
  }
  bool has_row = true;
  assert_int_equal(dbsql_row_next(described, NULL, &has_row, NULL), DBSQL_OK);
  assert_false(has_row);
  one.release(&one);
  other.release(&other);
  dbsql_result_free(described);
  dbsql_result_free(executed);
  dbsql_statement_free(statement);
}

static const char *const queries[] = {
    "SELECT 1 AS a, CAST(2 AS BIGINT) AS b, CAST(3 AS SMALLINT) AS c, CAST(4 AS TINYINT) AS d, true AS e, 'x' AS f",
    "SELECT CAST(1 AS FLOAT), CAST(1 AS DOUBLE), CAST(1 AS DECIMAL(10,2)), CAST(1 AS DECIMAL(38,38)) WHERE false",
    "SELECT CAST('ab' AS BINARY) AS b, DATE '2020-01-01' AS d, current_timestamp() AS t, CAST('2020-01-01' AS TIMESTAMP_NTZ) AS n",
    "SELECT INTERVAL '1' DAY AS i, INTERVAL '1 02:03:04' DAY TO SECOND AS j",
    "SELECT array(1, 2) AS a, array(array('x')) AS b, map('k', 1.5) AS c, named_struct('Ab', 1, 'c', current_timestamp()) AS d",
    "SELECT array(named_struct('x', map('a', array(DATE '2020-01-01')))) AS deep",
    "SELECT id FROM range(10)",
    "WITH t AS (SELECT 1 AS x) SELECT x, x AS x FROM t;  ",
    "VALUES (1, 'a'), (2, 'b')",
    "/* a comment */ SELECT * FROM m_1.parent -- and one more",
    "(SELECT 1 AS a)",
    "SELECT 1 AS `a b`, 2 AS `\xc3\xbc``x`",
};

static void described_as_executed(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const options[][2] = {{"lz4", "true"},
                                           {"arrow", "false"},
                                           {"native_timestamp", "false"},
                                           {"native_decimal", "false"},
                                           {"native_complex", "false"},
                                           {"timezone", "Asia/Kolkata"}};
  for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
    dbsql_config *config = warehouse_config(warehouse);
    assert_int_equal(dbsql_config_set(config, options[o][0], options[o][1], NULL), DBSQL_OK);
    dbsql_connection *connection = warehouse_connect(config);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) assert_described(connection, queries[i]);
    run_only(connection, "SET TIME ZONE 'America/New_York'"); /* what was known of it is not any longer */
    assert_described(connection, "SELECT current_timestamp() AS t");
    dbsql_connection_close(connection, NULL, NULL);
  }
  dbsql_connection *connection = by_way(PLAIN);
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) assert_described(connection, queries[i]);
  leave(connection);
}

static void only_queries_are_described(void **state) {
  NEEDS_WAREHOUSE;
  static const struct {
    const char *sql, *sqlstate;
  } wrong[] = {{"INSERT INTO m_1.t_1 VALUES (1)", "07005"},
               {"", "07005"},
               {"  -- nothing\n;", "07005"},
               {"CREATE TABLE m_1.no (i INT)", "07005"},
               {"SELECT no_such", "42703"},
               {"SELECT * FROM no_such", "42P01"}};
  dbsql_connection *connection = by_way(CALLS);
  dbsql_statement *statement;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    assert_int_not_equal(dbsql_statement_describe(statement, wrong[i].sql, SIZE_MAX, NULL, &result, &error), DBSQL_OK);
    assert_null(result);
    if (strcmp(dbsql_error_sqlstate(error), wrong[i].sqlstate) != 0) fail_msg("%s: %s", wrong[i].sql, dbsql_error_message(error));
    dbsql_error_free(error);
  }
  dbsql_statement_free(statement);
  leave(connection);
}

static void names_are_escaped_and_quoted(void **state) {
  (void)state;
  char *text = NULL;
  assert_int_equal(dbsql_escape_pattern("a_b%c\\d", &text, NULL), DBSQL_OK);
  assert_string_equal(text, "a\\_b\\%c\\\\d");
  dbsql_free(text);
  assert_int_equal(dbsql_escape_pattern("", &text, NULL), DBSQL_OK);
  assert_string_equal(text, "");
  dbsql_free(text);
  assert_int_equal(dbsql_quote_identifier("a`b", &text, NULL), DBSQL_OK);
  assert_string_equal(text, "`a``b`");
  dbsql_free(text);
  assert_int_equal(dbsql_quote_identifier(NULL, &text, NULL), DBSQL_ERROR_DRIVER);
}

/* ---- without memory ---- */

static dbsql_status whole_path(dbsql_connection *connection, dbsql_statement *statement, int which, dbsql_error **error) {
  dbsql_result *result = NULL;
  dbsql_status status = which == 0   ? dbsql_get_columns(connection, "main", "m\\_1", "parent", NULL, NULL, &result, error)
                        : which == 1 ? dbsql_get_cross_reference(connection, NULL, NULL, NULL, "main", "m_1", "child", NULL, &result, error)
                                     : dbsql_statement_describe(statement, queries[4], SIZE_MAX, NULL, &result, error);
  bool has_row = true;
  while (status == DBSQL_OK && has_row) status = dbsql_row_next(result, NULL, &has_row, error);
  dbsql_result_free(result);
  return status;
}

static void without_memory(void **state) {
  NEEDS_WAREHOUSE;
  for (int way = CALLS; way <= REFUSED; way++) {
    dbsql_connection *connection = by_way((enum way)way);
    dbsql_statement *statement;
    assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
    for (int which = 0; which < (way == CALLS ? 3 : 2); which++) {
      assert_int_equal(whole_path(connection, statement, which, NULL), DBSQL_OK); /* what is made once, is there */
      for (uint64_t n = 1;; n += n < 300 ? 1 : 7) {
        int64_t before = mem_test_live_blocks();
        dbsql_error *error = NULL;
        mem_test_fail_at(n);
        dbsql_status status = whole_path(connection, statement, which, &error);
        bool struck = mem_test_failed();
        mem_test_fail_at(0);
        if (status != DBSQL_OK && status != DBSQL_ERROR_NO_MEMORY) fail_msg("allocation %d: %s", (int)n, dbsql_error_message(error));
        dbsql_error_free(error);
        (void)before;
        if (!struck) break;
      }
    }
    dbsql_statement_free(statement);
    leave(connection);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_rows_in_every_way),
      cmocka_unit_test(a_column_tells_whether_it_may_be_null),
      cmocka_unit_test(keys_of_the_session_s_own_place),
      cmocka_unit_test(nothing_hidden_in_a_transaction),
      cmocka_unit_test(every_result_has_the_documented_columns),
      cmocka_unit_test(the_documentation_has_the_same_columns),
      cmocka_unit_test(described_as_executed),
      cmocka_unit_test(only_queries_are_described),
      cmocka_unit_test(names_are_escaped_and_quoted),
      cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, start_warehouse, stop_warehouse);
}
