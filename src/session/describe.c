/* What a query would give, without running it (DESCRIBE QUERY), and where the session stands. */
#include <stdio.h>

#include "arrow/builder.h"
#include "arrow/column.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "result/type_text.h"
#include "session/metadata.h"

/* ---- the session's time zone ---- */

static const char *zone_of(const struct ArrowSchema *schema) {
  while (schema->n_children == 1) schema = schema->children[0];
  struct arrow_format format = arrow_format_parse(schema->format);
  return format.kind == ARROW_TIMESTAMP ? format.zone : NULL;
}

/* Timestamps carry it in their type; a statement that has one tells, and it is kept until the session may have changed it. */
static dbsql_status learn_zone(struct metadata_work *work, bool in_array, dbsql_error **error) {
  struct session_place *place = &work->connection->place;
  dbsql_result *result = NULL;
  if (place->zone) return DBSQL_OK;
  dbsql_status status =
      metadata_run(work->connection, in_array ? "SELECT array(CAST(NULL AS TIMESTAMP)) AS t" : "SELECT CAST(NULL AS TIMESTAMP) AS t",
                   metadata_step(work), &result, error);
  if (status == DBSQL_OK) {
    const char *zone = zone_of(ipc_schema_arrow(result->schema->arrow));
    place->zone = mem_strdup(zone ? zone : "");
    if (!place->zone) status = error_no_memory(error);
  }
  result_free(result);
  return status;
}

/* ---- the schema of a query ---- */

struct description {
  struct arena arena;
  struct sql_type **types;
  const char **names;
  size_t count;
  size_t capacity;
};

static dbsql_status add_column(struct description *to, struct slice name, struct slice text, dbsql_error **error) {
  if (to->count == to->capacity) {
    size_t capacity = to->capacity ? to->capacity * 2 : 16;
    struct sql_type **types = arena_alloc(&to->arena, capacity, sizeof *types);
    const char **names = arena_alloc(&to->arena, capacity, sizeof *names);
    if (!types || !names) return error_no_memory(error);
    if (to->count) memcpy(types, to->types, to->count * sizeof *types);
    if (to->count) memcpy(names, to->names, to->count * sizeof *names);
    to->types = types;
    to->names = names;
    to->capacity = capacity;
  }
  to->names[to->count] = arena_strndup(&to->arena, name.size ? (const char *)name.data : "", name.size);
  if (!to->names[to->count]) return error_no_memory(error);
  dbsql_status status = sql_type_read(text, &to->arena, &to->types[to->count], error);
  if (status != DBSQL_OK) error_prefix(error, "DESCRIBE QUERY, column %s", to->names[to->count]);
  if (status == DBSQL_OK) to->count++;
  return status;
}

/* The columns that are wanted come by these names, or at these places. */
static size_t find_column(const struct result_schema *schema, const char *name, size_t place) {
  for (size_t i = 0; i < schema->column_count; i++) {
    if (text_equal_nocase(schema->columns[i].name, name)) return i;
  }
  return place;
}

static dbsql_status read_description(struct metadata_work *work, dbsql_result *result, struct description *to, dbsql_error **error) {
  struct arrow_column root = {0};
  struct ArrowArray batch = {.release = NULL};
  size_t name = find_column(result->schema, "col_name", 0), type = find_column(result->schema, "data_type", 1);
  if (result->schema->column_count < 2) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server's answer to DESCRIBE QUERY has %zu columns",
                     result->schema->column_count);
  }
  dbsql_status status = arrow_column_bind(&root, ipc_schema_arrow(result->schema->arrow), error);
  if (status != DBSQL_OK) return status;
  if (root.children[name].kind != ARROW_UTF8 || root.children[type].kind != ARROW_UTF8) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server's answer to DESCRIBE QUERY is not made of texts");
  }
  while (status == DBSQL_OK) {
    status = result_next(result, metadata_step(work), &batch, error);
    if (status != DBSQL_OK || !batch.release) break;
    arrow_column_attach(&root, &batch);
    for (int64_t row = 0; status == DBSQL_OK && row < batch.length; row++) {
      struct slice text =
          arrow_column_is_null(&root.children[type], row) ? slice_of(NULL, 0) : arrow_column_bytes(&root.children[type], row);
      status = add_column(to, arrow_column_bytes(&root.children[name], row), text, error);
    }
    batch.release(&batch);
  }
  arrow_column_free(&root);
  return status;
}

static dbsql_status make_schema(struct metadata_work *work, const struct description *from, struct result_schema **schema,
                                dbsql_error **error) {
  dbsql_connection *connection = work->connection;
  const dbsql_config *config = connection->config;
  bool plain = connection->backend->protocol_version <= last_hive_protocol;
  bool columnar = plain || !config_bool(config, OPTION_arrow);
  struct sql_type_shape shape = {
      .columnar = columnar,
      .native_timestamp = config_bool(config, OPTION_native_timestamp),
      .native_decimal = config_bool(config, OPTION_native_decimal),
      .native_complex = config_bool(config, OPTION_native_complex),
      .native_interval = columnar ? plain : config_bool(config, OPTION_native_interval),
      .native_null = columnar ? plain : config_bool(config, OPTION_native_null),
  };
  bool needs_zone = false;
  for (size_t i = 0; i < from->count; i++) needs_zone = needs_zone || sql_type_needs_zone(from->types[i]);
  struct ArrowSchema arrow = {.release = NULL};
  dbsql_status status = needs_zone && !shape.columnar && (shape.native_timestamp || shape.native_complex)
                            ? learn_zone(work, !shape.native_timestamp, error)
                            : DBSQL_OK;
  shape.zone = connection->place.zone;
  if (status == DBSQL_OK) status = arrow_schema_make(&arrow, "+s", "", 0, (int64_t)from->count, error);
  for (size_t i = 0; status == DBSQL_OK && i < from->count; i++) {
    status = sql_type_to_arrow(from->types[i], from->names[i], &shape, arrow.children[i], error);
  }
  if (status == DBSQL_OK) status = result_schema_from_arrow(&arrow, schema, error);
  if (arrow.release) arrow.release(&arrow);
  return status;
}

/* Only these can be described; everything else would have to be run. */
static dbsql_status check_query(struct slice sql, dbsql_error **error) {
  static const char *const words[] = {"SELECT", "WITH", "VALUES", "FROM", "TABLE", "MAP", "REDUCE"};
  bool bracket;
  struct slice word = place_first_word(sql, &bracket);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (text_equal_nocase_n((const char *)word.data, word.size, words[i], strlen(words[i]))) return DBSQL_OK;
  }
  if (word.size == 0) return error_set(error, DBSQL_ERROR_DRIVER, "07005", "there is no query to describe: the text is empty");
  return error_set(error, DBSQL_ERROR_DRIVER, "07005", "only queries can be described without running them: the statement begins with %.*s",
                   (int)(word.size < 40 ? word.size : 40), (const char *)word.data);
}

dbsql_status statement_describe(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **result,
                                dbsql_error **error) {
  struct metadata_work work = {.connection = statement->connection};
  struct description description = {.arena = ARENA_INIT};
  struct result_schema *schema = NULL;
  struct ArrowArray nothing = {.release = NULL};
  dbsql_result *answer = NULL;
  struct buf text = BUF_INIT;
  dbsql_status status = call_validate(user_call, error);
  if (status == DBSQL_OK) status = check_query(sql, error);
  if (status != DBSQL_OK) return status;
  call_begin(&work.whole, user_call, work.connection->call_timeout_ms);
  while (sql.size && (text_is_space((char)sql.data[sql.size - 1]) || sql.data[sql.size - 1] == ';')) sql.size--;
  buf_append_text(&text, "DESCRIBE QUERY ");
  buf_append_slice(&text, sql);
  status =
      buf_failed(&text) ? error_no_memory(error) : statement_execute(statement, buf_slice(&text), metadata_step(&work), &answer, error);
  if (status == DBSQL_OK) status = read_description(&work, answer, &description, error);
  if (status == DBSQL_OK) status = make_schema(&work, &description, &schema, error);
  if (status == DBSQL_OK) status = result_of_batch(work.connection, answer->query_id, schema, &nothing, result, error);
  result_schema_unref(schema);
  result_free(answer);
  arena_free(&description.arena);
  buf_free(&text);
  return status;
}

/* ---- where the session stands ---- */

static dbsql_status ask_place(struct metadata_work *work, dbsql_error **error) {
  struct session_place *place = &work->connection->place;
  char **slots[] = {&place->catalog, &place->schema};
  struct arrow_column root = {0};
  struct ArrowArray batch = {.release = NULL};
  dbsql_result *result = NULL;
  dbsql_status status =
      metadata_run(work->connection, "SELECT current_catalog() AS c, current_schema() AS s", metadata_step(work), &result, error);
  if (status == DBSQL_OK) status = arrow_column_bind(&root, ipc_schema_arrow(result->schema->arrow), error);
  if (status == DBSQL_OK) status = result_next(result, metadata_step(work), &batch, error);
  if (status == DBSQL_OK && batch.release && root.child_count == 2) {
    arrow_column_attach(&root, &batch);
    for (size_t i = 0; status == DBSQL_OK && i < 2; i++) {
      struct slice text = arrow_column_bytes(&root.children[i], 0);
      if (arrow_column_is_null(&root.children[i], 0) || text.size == 0) continue;
      mem_free(*slots[i]);
      *slots[i] = mem_strndup((const char *)text.data, text.size);
      if (!*slots[i]) status = error_no_memory(error);
    }
  }
  if (batch.release) batch.release(&batch);
  arrow_column_free(&root);
  result_free(result);
  return status;
}

dbsql_status connection_current(dbsql_connection *connection, bool ask, const dbsql_call *user_call, const char **catalog,
                                const char **schema, dbsql_error **error) {
  struct session_place *place = &connection->place;
  dbsql_status status = call_validate(user_call, error);
  if (status == DBSQL_OK && ask && (!place->catalog || !place->schema)) {
    struct metadata_work work = {.connection = connection};
    call_begin(&work.whole, user_call, connection->call_timeout_ms);
    if (!metadata_may_run(connection)) {
      status = error_set(error, DBSQL_ERROR_DRIVER, "25000",
                         "where the session stands is not known, and asking would run a statement inside of your transaction");
    } else {
      status = ask_place(&work, error);
    }
  }
  *catalog = place->catalog;
  *schema = place->schema;
  return status;
}
