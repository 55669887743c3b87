/* Parameters, query tags and settings of a statement: what is bound comes back as it was, through the wire and the local warehouse. */
#include "test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "base/mem.h"
#include "warehouse_process.h"

static struct warehouse_process *warehouse;
static dbsql_connection *connection;

static int start_warehouse(void **state) {
  (void)state;
  if (!warehouse_is_there()) return 0;
  warehouse = warehouse_start(NULL);
  connection = warehouse_connect(warehouse_config(warehouse));
  return 0;
}

static int stop_warehouse(void **state) {
  (void)state;
  if (!warehouse) return 0;
  dbsql_connection_close(connection, NULL, NULL);
  assert_int_equal(warehouse_stop(warehouse), 0);
  return 0;
}

#define NEEDS_WAREHOUSE \
  (void)state;          \
  if (!warehouse) skip()

static void good(dbsql_status status, dbsql_error *error, const char *what) {
  if (status != DBSQL_OK) fail_msg("%s: %s (%s)", what, dbsql_error_message(error), dbsql_error_sqlstate(error));
}
static dbsql_error *failure;
#define GOOD(call)                     \
  do {                                 \
    dbsql_status good_status = (call); \
    good(good_status, failure, #call); \
  } while (0)

static dbsql_statement *new_statement(void) {
  dbsql_statement *statement;
  GOOD(dbsql_statement_new(connection, &statement, &failure));
  return statement;
}

static dbsql_result *execute(dbsql_statement *statement, const char *sql) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  dbsql_status status = dbsql_statement_execute(statement, sql, SIZE_MAX, NULL, &result, &error);
  good(status, error, sql);
  return result;
}

static void run(const char *sql) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  dbsql_status status = dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error);
  good(status, error, sql);
  dbsql_result_free(result);
}

static void first_row(dbsql_result *result) {
  bool has_row;
  GOOD(dbsql_row_next(result, NULL, &has_row, &failure));
  assert_true(has_row);
}

/* The first value of a query, as text. */
static void assert_first(const char *sql, const char *wanted) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  const char *text;
  dbsql_status status = dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error);
  good(status, error, sql);
  first_row(result);
  GOOD(dbsql_get_text(result, 0, &text, NULL, &failure));
  assert_string_equal(text ? text : "NULL", wanted);
  dbsql_result_free(result);
}

/* ---- Random values ------------------------------------------------------------------------------------------------------- */

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint64_t random_bits(void) { /* xorshift64*: the same values in every run */
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * UINT64_C(2685821657736338717);
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static double double_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

enum { kinds = 12, rounds = 120 };

/* One row with a value of each kind, some of them extremes; bound by position in even rounds, by name in odd ones. */
static void scalars_come_back_bit_for_bit(void **state) {
  NEEDS_WAREHOUSE;
  static const int64_t integers[] = {0, 1, -1, INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, INT64_C(9007199254740993)};
  static const uint64_t doubles[] = {0,
                                     UINT64_C(0x8000000000000000), /* -0 */
                                     1,                            /* the smallest */
                                     UINT64_C(0x000FFFFFFFFFFFFF), /* the largest denormal */
                                     UINT64_C(0x0010000000000000),
                                     UINT64_C(0x7FEFFFFFFFFFFFFF),
                                     UINT64_C(0x7FF0000000000000),
                                     UINT64_C(0xFFF0000000000000),
                                     UINT64_C(0x7FF8000000000000),
                                     UINT64_C(0x3FB999999999999A),
                                     UINT64_C(0x4341C37937E08000),
                                     /* 1e16 */ UINT64_C(0x430C6BF526340000) /* 1e15 */};
  static const uint32_t floats[] = {0, 0x80000000u, 1, 0x007FFFFFu, 0x00800000u, 0x7F7FFFFFu, 0x7F800000u, 0xFF800000u, 0x3DCCCCCDu};
  dbsql_statement *statement = new_statement();
  for (int round = 0; round < rounds; round++) {
    uint64_t pick = random_bits();
    bool flag = pick & 1;
    int64_t integer = round < 8 ? integers[round] : (int64_t)(random_bits() >> (random_bits() % 64));
    int32_t small = (int32_t)integer;
    uint64_t large = round % 2 ? random_bits() | UINT64_C(1) << 63 : random_bits() >> 1;
    double real = double_of(round < 12 ? doubles[round] : random_bits());
    float single = float_of(round < 9 ? floats[round] : (uint32_t)random_bits());
    if (isnan(real)) real = NAN;
    if (isnan(single)) single = (float)NAN;
    dbsql_decimal decimal = {0, random_bits() >> 1 >> (random_bits() % 63), (int32_t)(random_bits() % 19)};
    if (round == 0) decimal = (dbsql_decimal){INT64_C(0x4B3B4CA85A86C47A), UINT64_C(0x098A223FFFFFFFFF), 38}; /* all 38 digits are 9 */
    if (round == 1) decimal = (dbsql_decimal){~INT64_C(0x4B3B4CA85A86C47A), ~UINT64_C(0x098A223FFFFFFFFF) + 1, 0};
    if (round == 2) decimal = (dbsql_decimal){0, 0, 38};
    if (round == 3) decimal = (dbsql_decimal){0, 5, 3};
    int32_t day = round == 0 ? -719162 : round == 1 ? 2932896 : (int32_t)(random_bits() % 3652059) - 719162;
    int64_t instant = (int64_t)(random_bits() % UINT64_C(315537897600000000)) - INT64_C(62135596800000000);
    if (round == 0) instant = INT64_C(-62135596800000000);
    if (round == 1) instant = INT64_C(253402300799999999);
    int64_t micros = (int64_t)(random_bits() % UINT64_C(86400000000000000)) - INT64_C(43200000000000000);
    int32_t months = (int32_t)(random_bits() % 240000) - 120000;
    bool named = round % 2;
    static const char *const names[kinds] = {"flag", "small", "integer", "large", "r", "s", "d", "day", "t", "ntz", "m", "i"};
#define AT(i) named ? 0 : (i) + 1, named ? names[i] : NULL
    GOOD(dbsql_bind_bool(statement, AT(0), flag, &failure));
    GOOD(dbsql_bind_int32(statement, AT(1), small, &failure));
    GOOD(dbsql_bind_int64(statement, AT(2), integer, &failure));
    GOOD(dbsql_bind_uint64(statement, AT(3), large, &failure));
    GOOD(dbsql_bind_double(statement, AT(4), real, &failure));
    GOOD(dbsql_bind_float(statement, AT(5), single, &failure));
    GOOD(dbsql_bind_decimal(statement, AT(6), &decimal, &failure));
    GOOD(dbsql_bind_date(statement, AT(7), day, &failure));
    GOOD(dbsql_bind_timestamp(statement, AT(8), instant, &failure));
    GOOD(dbsql_bind_timestamp_ntz(statement, AT(9), instant, &failure));
    GOOD(dbsql_bind_interval_months(statement, AT(10), months, &failure));
    GOOD(dbsql_bind_interval_micros(statement, AT(11), micros, &failure));
    dbsql_result *result = execute(statement, named ? "SELECT :flag, :small, :integer, :large, :r, :s, :d, :day, :t, :ntz, :m, :i"
                                                    : "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?");
    first_row(result);
    bool flag_back;
    int64_t number;
    double real_back;
    dbsql_decimal decimal_back;
    dbsql_column column;
    const char *text;
    GOOD(dbsql_get_bool(result, 0, &flag_back, &failure));
    assert_int_equal(flag_back, flag);
    GOOD(dbsql_get_int64(result, 1, &number, &failure));
    assert_int_equal(number, small);
    dbsql_result_column(result, 1, &column);
    assert_int_equal(column.type, DBSQL_TYPE_INT);
    GOOD(dbsql_get_int64(result, 2, &number, &failure));
    assert_int_equal(number, integer);
    dbsql_result_column(result, 2, &column);
    assert_int_equal(column.type, DBSQL_TYPE_BIGINT);
    char plain[32];
    snprintf(plain, sizeof plain, "%" PRIu64, large);
    GOOD(dbsql_get_text(result, 3, &text, NULL, &failure));
    assert_string_equal(text, plain);
    GOOD(dbsql_get_double(result, 4, &real_back, &failure));
    if (isnan(real) ? !isnan(real_back) : bits_of(real) != bits_of(real_back)) fail_msg("%a came back as %a", real, real_back);
    GOOD(dbsql_get_double(result, 5, &real_back, &failure));
    if (isnan(single) ? !isnan(real_back) : bits_of((double)single) != bits_of(real_back))
      fail_msg("%a came back as %a", (double)single, real_back);
    GOOD(dbsql_get_decimal(result, 6, &decimal_back, &failure));
    assert_int_equal(decimal_back.high, decimal.high);
    assert_true(decimal_back.low == decimal.low);
    assert_int_equal(decimal_back.scale, decimal.scale);
    GOOD(dbsql_get_int64(result, 7, &number, &failure));
    assert_int_equal(number, day);
    GOOD(dbsql_get_int64(result, 8, &number, &failure));
    assert_int_equal(number, instant);
    dbsql_result_column(result, 8, &column);
    assert_int_equal(column.type, DBSQL_TYPE_TIMESTAMP);
    GOOD(dbsql_get_int64(result, 9, &number, &failure));
    assert_int_equal(number, instant);
    dbsql_result_column(result, 9, &column);
    assert_int_equal(column.type, DBSQL_TYPE_TIMESTAMP_NTZ);
    GOOD(dbsql_get_int64(result, 10, &number, &failure));
    assert_int_equal(number, months);
    GOOD(dbsql_get_int64(result, 11, &number, &failure));
    assert_int_equal(number, micros);
    dbsql_result_free(result);
    if (round + 1 < rounds) dbsql_statement_clear_parameters(statement);
  }
  dbsql_statement_free(statement);
}

static void texts_and_bytes_come_back(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_statement *statement = new_statement();
  for (int round = 0; round < 40; round++) {
    size_t size = round == 0 ? 0 : round == 1 ? 3000000 : random_bits() % 300, length = 0;
    char *text = malloc(size + 8);
    uint8_t *bytes = malloc(size + 1);
    while (length < size) {
      static const char *const pieces[] = {"a",  "'",  "\\", "?", ":x",   "\xc3\xa4", "\xe4\xb8\x96", "\xf0\x9f\x8d\x8f",
                                           "\n", "\"", "%s", " ", "\x7f", "\x01"};
      const char *piece = pieces[random_bits() % (sizeof pieces / sizeof pieces[0])];
      memcpy(text + length, piece, strlen(piece));
      length += strlen(piece);
    }
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)random_bits();
    GOOD(dbsql_bind_text(statement, 1, NULL, text, length, &failure));
    GOOD(dbsql_bind_bytes(statement, 2, NULL, bytes, size, &failure));
    dbsql_result *result = execute(statement, "SELECT ?, unhex(?)");
    first_row(result);
    const void *back;
    size_t back_length;
    GOOD(dbsql_get_bytes(result, 0, &back, &back_length, &failure));
    assert_int_equal(back_length, length);
    if (length) assert_memory_equal(back, text, length);
    GOOD(dbsql_get_bytes(result, 1, &back, &back_length, &failure));
    assert_int_equal(back_length, size);
    if (size) assert_memory_equal(back, bytes, size);
    dbsql_result_free(result);
    free(text);
    free(bytes);
  }
  dbsql_statement_free(statement);
}

static void nulls_and_typed_values(void **state) {
  NEEDS_WAREHOUSE;
  static const struct {
    const char *type, *value, *column, *text;
  } cases[] = {{"TINYINT", "-128", "TINYINT", "-128"},
               {"SMALLINT", NULL, "SMALLINT", NULL},
               {"DECIMAL(10,2)", "1.5", "DECIMAL(10,2)", "1.50"},
               {"DECIMAL", "-00123.450", "DECIMAL(6,3)", "-123.450"},
               {"DECIMAL", "0.05", "DECIMAL(2,2)", "0.05"},
               {"DECIMAL", "0", "DECIMAL(1,0)", "0"},
               {"STRING", NULL, "STRING", NULL},
               {"BIGINT", NULL, "BIGINT", NULL},
               {"DATE", "2024-02-29", "DATE", "2024-02-29"},
               {"INTERVAL MONTH", "14", "INTERVAL YEAR TO MONTH", "1-2"},
               {"INTERVAL DAY", "-3", "INTERVAL DAY TO SECOND", "-3 00:00:00.000000000"}};
  dbsql_statement *statement = new_statement();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    GOOD(dbsql_bind_typed(statement, 0, ":x", cases[i].type, cases[i].value, SIZE_MAX, &failure));
    dbsql_result *result = execute(statement, "SELECT :x");
    dbsql_column column;
    const char *text;
    first_row(result);
    dbsql_result_column(result, 0, &column);
    assert_string_equal(column.type_text, cases[i].column);
    GOOD(dbsql_get_text(result, 0, &text, NULL, &failure));
    if (cases[i].text) {
      assert_string_equal(text, cases[i].text);
    } else {
      assert_null(text);
    }
    dbsql_result_free(result);
  }
  dbsql_statement_clear_parameters(statement);
  GOOD(dbsql_bind_null(statement, 1, NULL, NULL, &failure));
  dbsql_result *result = execute(statement, "SELECT ? IS NULL");
  bool null;
  first_row(result);
  GOOD(dbsql_get_bool(result, 0, &null, &failure));
  assert_true(null);
  dbsql_result_free(result);
  /* What the server cannot make of a text, it says. */
  dbsql_error *error = NULL;
  GOOD(dbsql_bind_typed(statement, 1, NULL, "INT", "twelve", SIZE_MAX, &failure));
  assert_int_equal(dbsql_statement_execute(statement, "SELECT ?", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_EXECUTION);
  assert_string_equal(dbsql_error_class(error), "CAST_INVALID_INPUT");
  dbsql_error_free(error);
  error = NULL;
  dbsql_statement_clear_parameters(statement);
  assert_int_equal(dbsql_statement_execute(statement, "SELECT ?", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_EXECUTION);
  assert_string_equal(dbsql_error_class(error), "UNBOUND_SQL_PARAMETER");
  assert_string_equal(dbsql_error_sqlstate(error), "42P02");
  dbsql_error_free(error);
  dbsql_statement_free(statement);
}

/* ---- Arrow --------------------------------------------------------------------------------------------------------------- */

/* A batch of that many rows: id (BIGINT, or NULL in each seventh), name (STRING). */
static void make_batch(int64_t rows, struct ArrowArray *array, struct ArrowSchema *schema) {
  struct arrow_builder builder;
  GOOD(arrow_schema_make(schema, "+s", "", 0, 2, &failure));
  GOOD(arrow_schema_make(schema->children[0], "l", "id", ARROW_FLAG_NULLABLE, 0, &failure));
  GOOD(arrow_schema_make(schema->children[1], "u", "name", ARROW_FLAG_NULLABLE, 0, &failure));
  GOOD(arrow_builder_init(&builder, schema, &failure));
  for (int64_t i = 0; i < rows; i++) {
    char name[32];
    snprintf(name, sizeof name, "row %" PRId64 " ?", i);
    if (i % 7 == 6) {
      arrow_builder_append_null(&builder.children[0]);
    } else {
      arrow_builder_append_fixed(&builder.children[0], &i);
    }
    arrow_builder_append_bytes(&builder.children[1], slice_text(name));
    arrow_builder_append_entry(&builder);
  }
  GOOD(arrow_builder_finish(&builder, array, &failure));
  arrow_builder_free(&builder);
}

static int64_t statements_so_far(void) {
  char *stats = warehouse_get(warehouse, "/control/stats");
  const char *at = strstr(stats, "\"statements\":");
  int64_t count = at ? atoll(at + strlen("\"statements\":")) : -1;
  free(stats);
  return count;
}

static void rows_of_a_batch_are_inserted_in_few_statements(void **state) {
  NEEDS_WAREHOUSE;
  static const int64_t sizes[] = {0, 1, 2, 126, 127, 128, 254, 255, 1000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    for (int named = 0; named < 2; named++) {
      struct ArrowArray array;
      struct ArrowSchema schema;
      int64_t rows = sizes[i];
      char wanted[64];
      run("CREATE OR REPLACE TABLE many (id BIGINT, name STRING)");
      dbsql_statement *statement = new_statement();
      make_batch(rows, &array, &schema);
      GOOD(dbsql_statement_bind(statement, &array, &schema, &failure));
      assert_null(array.release);
      assert_null(schema.release);
      int64_t before = statements_so_far();
      dbsql_result *result =
          execute(statement, named ? "INSERT INTO many (name, id) VALUES (:name, :id);" : "INSERT INTO many VALUES (?, ?) -- done");
      assert_int_equal(statements_so_far() - before, (rows + 126) / 127); /* 2 parameters each, 255 at most */
      assert_int_equal(dbsql_result_affected_rows(result), rows);
      assert_int_equal(dbsql_statement_sets_done(statement), rows);
      if (rows > 0) { /* the server's row of counts, with the sums */
        int64_t count;
        assert_int_equal(dbsql_result_column_count(result), 2);
        first_row(result);
        GOOD(dbsql_get_int64(result, 1, &count, &failure));
        assert_int_equal(count, rows);
        bool has_row;
        GOOD(dbsql_row_next(result, NULL, &has_row, &failure));
        assert_false(has_row);
        assert_int_equal(dbsql_result_rows_read(result), 1);
      }
      dbsql_result_free(result);
      dbsql_statement_free(statement);
      snprintf(wanted, sizeof wanted, "%" PRId64 "|%" PRId64, rows, rows - rows / 7);
      assert_first("SELECT concat(count(*), '|', count(id)) FROM many", wanted);
      assert_first("SELECT count(*) FROM many WHERE id IS NOT NULL AND name <> concat('row ', id, ' ?')", "0");
    }
  }
}

static void other_statements_run_once_for_each_row(void **state) {
  NEEDS_WAREHOUSE;
  struct ArrowArray array;
  struct ArrowSchema schema;
  dbsql_error *error = NULL;
  dbsql_result *result = NULL;
  run("CREATE OR REPLACE TABLE changed (id BIGINT, name STRING)");
  run("INSERT INTO changed SELECT id, 'x' FROM range(10)");
  dbsql_statement *statement = new_statement();
  make_batch(5, &array, &schema);
  GOOD(dbsql_statement_bind(statement, &array, &schema, &failure));
  result = execute(statement, "UPDATE changed SET name = :name WHERE id < :id");
  assert_int_equal(dbsql_result_affected_rows(result), 0 + 1 + 2 + 3 + 4);
  assert_int_equal(dbsql_statement_sets_done(statement), 5);
  dbsql_result_free(result);
  /* The batch is still bound; a query of several sets is refused, one that hides its rows once it is known. */
  int64_t before = statements_so_far();
  assert_int_equal(dbsql_statement_execute(statement, "SELECT ?, ?", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(error), "HYC00");
  dbsql_error_free(error);
  error = NULL;
  assert_int_equal(statements_so_far(), before);
  assert_int_equal(dbsql_statement_execute(statement, "WITH a AS (SELECT 1) SELECT ?, ? FROM a", SIZE_MAX, NULL, &result, &error),
                   DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "parameter set 1 (it was executed"));
  dbsql_error_free(error);
  error = NULL;
  /* A row in the middle that the server refuses: what was done before is told. */
  run("CREATE OR REPLACE TABLE strict (id BIGINT NOT NULL, name STRING)");
  dbsql_status status =
      dbsql_statement_execute(statement, "INSERT INTO strict SELECT CAST(? AS BIGINT), raise_error(?)", SIZE_MAX, NULL, &result, &error);
  assert_int_equal(status, DBSQL_ERROR_EXECUTION);
  assert_non_null(strstr(dbsql_error_message(error), "parameter set 1 (nothing of it was done; none was done before)"));
  dbsql_error_free(error);
  error = NULL;
  make_batch(400, &array, &schema);
  GOOD(dbsql_statement_bind(statement, &array, &schema, &failure));
  run("CREATE OR REPLACE TABLE strict (id BIGINT CHECK (id < 200), name STRING)");
  status = dbsql_statement_execute(statement, "INSERT INTO strict VALUES (?, ?)", SIZE_MAX, NULL, &result, &error);
  assert_int_equal(status, DBSQL_ERROR_EXECUTION);
  if (!strstr(dbsql_error_message(error),
              "parameter sets 128 to 254, one statement (nothing of it was done; done before: 127, rows changed: 127)"))
    fail_msg("%s", dbsql_error_message(error));
  assert_int_equal(dbsql_statement_sets_done(statement), 127);
  dbsql_error_free(error);
  assert_first("SELECT count(*) FROM strict", "127");
  dbsql_statement_free(statement);
}

/* What a SELECT returns can be bound again: all types that there are. */
static void every_arrow_type_can_be_bound(void **state) {
  NEEDS_WAREHOUSE;
  static const char query[] =
      "SELECT true AS a, CAST(-1 AS TINYINT) AS b, CAST(2 AS SMALLINT) AS c, 3 AS d, CAST(4 AS BIGINT) AS e, CAST(0.1 AS FLOAT) AS f, "
      "CAST(1e300 AS DOUBLE) AS g, CAST('-12345678901234567890.12' AS DECIMAL(38,2)) AS h, 'text' AS i, DATE '2024-02-29' AS j, "
      "TIMESTAMP '2024-02-29 12:34:56.789' AS k, CAST('2024-02-29 12:34:56' AS TIMESTAMP_NTZ) AS l, INTERVAL '1-2' YEAR TO MONTH AS m, "
      "INTERVAL '1 02:03:04.5' DAY TO SECOND AS n, array(1, NULL, 3) AS o, map('k', 1.5D) AS p, CAST(NULL AS STRING) AS q, "
      "array(array('x'), array()) AS r, NULL AS s";
  dbsql_result *first = NULL, *second = NULL;
  struct ArrowArrayStream stream;
  dbsql_statement *statement = new_statement();
  GOOD(dbsql_execute(connection, query, SIZE_MAX, NULL, &first, &failure));
  GOOD(dbsql_result_stream(first, NULL, &stream, &failure));
  GOOD(dbsql_statement_bind_stream(statement, &stream, &failure));
  assert_null(stream.release);
  second = execute(statement, "SELECT :a, :b, :c, :d, :e, :f, :g, :h, :i, :j, :k, :l, :m, :n, :o, :p, :q, :r, :s");
  GOOD(dbsql_execute(connection, query, SIZE_MAX, NULL, &first, &failure));
  first_row(first);
  first_row(second);
  for (size_t i = 0; i < dbsql_result_column_count(first); i++) {
    const char *wanted, *got;
    GOOD(dbsql_get_text(first, i, &wanted, NULL, &failure));
    GOOD(dbsql_get_text(second, i, &got, NULL, &failure));
    assert_string_equal(got ? got : "NULL", wanted ? wanted : "NULL");
  }
  dbsql_result_free(first);
  dbsql_result_free(second);
  /* The stream is used up: the marker has nothing any more. */
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_statement_execute(statement, "SELECT :a", SIZE_MAX, NULL, &second, &error), DBSQL_ERROR_EXECUTION);
  dbsql_error_free(error);
  dbsql_statement_free(statement);
}

/* ---- Tags and settings --------------------------------------------------------------------------------------------------- */

static void tags_and_settings_arrive(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_config *config = warehouse_config(warehouse);
  GOOD(dbsql_config_set(config, "session.ansi_mode", "true", &failure));
  GOOD(dbsql_config_set_tag(config, "team", "db", &failure));
  GOOD(dbsql_config_set_tag(config, "app", NULL, &failure));
  dbsql_connection *tagged = warehouse_connect(config);
  dbsql_statement *statement;
  dbsql_result *result;
  GOOD(dbsql_statement_new(tagged, &statement, &failure));
  GOOD(dbsql_statement_set(statement, "query_tags", "z:last,empty:", &failure));
  GOOD(dbsql_statement_set_tag(statement, "url", "http://host:8080", &failure));
  GOOD(dbsql_statement_set_tag(statement, "a\\b", "c,d\\", &failure));
  GOOD(dbsql_statement_set_tag(statement, "none", NULL, &failure));
  GOOD(dbsql_statement_set(statement, "conf.timezone", "Asia/Tokyo", &failure));
  GOOD(dbsql_statement_set(statement, "conf.spark.x", "1", &failure));
  GOOD(dbsql_statement_set(statement, "conf.spark.x", "", &failure));
  result = execute(statement, "SELECT string(TIMESTAMP '2024-01-01 00:00:00 UTC') AS tagged");
  const char *text;
  first_row(result);
  GOOD(dbsql_get_text(result, 0, &text, NULL, &failure));
  assert_non_null(strstr(text, "09:00:00")); /* the statement's own zone */
  dbsql_result_free(result);
  char *history = warehouse_get(warehouse, "/control/history");
  char *entry = strstr(history, "AS tagged");
  assert_non_null(entry);
  entry[strcspn(entry, "}")] = 0; /* up to the end of the settings */
  static const char *const wanted[] = {"\"session_tags\":\"app,team:db\"",
                                       "\"query_tags\":\"a\\\\\\\\b:c\\\\,d\\\\\\\\,empty:,none,url:http\\\\://host\\\\:8080,z:last\"",
                                       "\"settings\":{\"timezone\":\"Asia/Tokyo\""};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    if (!strstr(entry, wanted[i])) fail_msg("%s is not in %s", wanted[i], entry);
  }
  /* Nothing of the session's is among the statement's. */
  assert_null(strstr(strstr(entry, "\"settings\""), "ansi_mode"));
  free(history);
  dbsql_statement_free(statement);
  dbsql_connection_close(tagged, NULL, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scalars_come_back_bit_for_bit),
      cmocka_unit_test(texts_and_bytes_come_back),
      cmocka_unit_test(nulls_and_typed_values),
      cmocka_unit_test(rows_of_a_batch_are_inserted_in_few_statements),
      cmocka_unit_test(other_statements_run_once_for_each_row),
      cmocka_unit_test(every_arrow_type_can_be_bound),
      cmocka_unit_test(tags_and_settings_arrive),
  };
  return cmocka_run_group_tests_name("e2e_parameters", tests, start_warehouse, stop_warehouse);
}
