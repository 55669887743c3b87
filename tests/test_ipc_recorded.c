/*
 * What real warehouses sent, through the public reader: every inline batch of the Thrift replies, every attachment of the Statement
 * Execution API, and every storage file decodes to the rows that were declared for it. The folder is $DBSQL_RECORDED.
 */
#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "ipc_walk.h"
#include "thrift/tcli.h"

struct link {
  char path[512];
  int64_t rows;
  struct slice schema; /* of the Thrift result; empty for SEA */
};
struct operation {
  struct slice id;
  struct slice schema;
};

static const char *folder;
static struct arena arena = ARENA_INIT;
static struct link *links;
static size_t link_count;
static struct operation *operations;
static size_t operation_count;
/* Every row of manifest.tsv. */
static struct exchange {
  char stem[256];
  char path[512];
} * exchanges;
static size_t exchange_count;

static void *grow(void *items, size_t count, size_t size) {
  void *grown = realloc(items, (count + 1) * size);
  assert_non_null(grown);
  return grown;
}

/* The bytes of STEM + ending, in the arena; empty if there is no such file. */
static struct slice load(const char *stem, const char *ending) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s%s", folder, stem, ending);
  FILE *file = fopen(path, "rb");
  if (!file) return slice_of(NULL, 0);
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  uint8_t *data = arena_alloc(&arena, size + 1, 1);
  assert_non_null(data);
  assert_int_equal(fread(data, 1, size, file), size);
  fclose(file);
  return slice_of(data, size);
}

static int group_setup(void **state) {
  (void)state;
  char path[1024], line[4096];
  folder = getenv("DBSQL_RECORDED");
  snprintf(path, sizeof path, "%s/manifest.tsv", folder ? folder : "");
  FILE *file = folder ? fopen(path, "r") : NULL;
  if (!file) return 0;
  while (fgets(line, sizeof line, file)) {
    char stem[256], where[512];
    if (sscanf(line, "%255[^\t]\t%*[^\t]\t%511[^\t?]", stem, where) != 2 || strcmp(stem, "exchange") == 0) continue;
    exchanges = grow(exchanges, exchange_count, sizeof *exchanges);
    snprintf(exchanges[exchange_count].stem, sizeof exchanges->stem, "%s", stem);
    snprintf(exchanges[exchange_count++].path, sizeof exchanges->path, "%s", where);
  }
  fclose(file);
  return 0;
}

static int group_teardown(void **state) {
  (void)state;
  arena_free(&arena);
  free(links);
  free(operations);
  free(exchanges);
  return 0;
}

static void need_recordings(const char *what) {
  if (exchange_count != 0) return;
  print_message("skipped: %s: no recorded traffic (DBSQL_RECORDED)\n", what);
  skip();
}

static bool begins_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Reads all, looks at every value, and returns the rows; fails the test on any error. */
static int64_t read_rows(const char *what, struct slice bytes, struct slice schema_message) {
  dbsql_error *error = NULL;
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  int64_t rows = 0;
  if (dbsql_ipc_read(bytes.data, bytes.size, schema_message.size ? schema_message.data : NULL, schema_message.size, &stream, &error) !=
      DBSQL_OK)
    fail_msg("%s: %s", what, dbsql_error_message(error));
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  for (;;) {
    if (stream.get_next(&stream, &batch) != 0) fail_msg("%s: %s", what, stream.get_last_error(&stream));
    if (!batch.release) break;
    assert_int_equal(batch.n_children, schema.n_children);
    walk_rows(&schema, &batch, 0, batch.length);
    rows += batch.length;
    batch.release(&batch);
  }
  schema.release(&schema);
  stream.release(&stream);
  return rows;
}

/* The path of a link, without host and query. */
static void add_link(const char *url, size_t length, int64_t rows, struct slice schema) {
  const char *end = url + length, *query = memchr(url, '?', length), *path = NULL;
  if (query) end = query;
  for (const char *at = url; at + 3 < end && !path; at++)
    if (memcmp(at, "://", 3) == 0) path = memchr(at + 3, '/', (size_t)(end - at - 3));
  assert_non_null(path);
  links = grow(links, link_count, sizeof *links);
  snprintf(links[link_count].path, sizeof links->path, "%.*s", (int)(end - path), path);
  links[link_count].rows = rows;
  links[link_count++].schema = schema;
}

static const uint8_t *decode_base64(const char *text, size_t length, size_t *size) {
  uint8_t *out = arena_alloc(&arena, length, 1);
  uint32_t bits = 0;
  int count = 0;
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  assert_non_null(out);
  *size = 0;
  for (size_t i = 0; i < length && text[i] != '='; i++) {
    const char *found = strchr(alphabet, text[i]);
    assert_true(found && *found);
    bits = bits << 6 | (uint32_t)(found - alphabet);
    if ((count += 6) >= 8) out[(*size)++] = (uint8_t)(bits >> (count -= 8));
  }
  return out;
}

static void attachments_have_their_rows(void **state) {
  (void)state;
  size_t attachments = 0;
  int64_t rows = 0;
  need_recordings("attachments");
  for (size_t i = 0; i < exchange_count; i++) {
    if (!begins_with(exchanges[i].stem, "sqlexecapi/")) continue;
    struct slice body = load(exchanges[i].stem, ".resp");
    json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
    if (!root) continue;
    json_t *result = json_object_get(root, "result");
    json_t *more = json_object_get(result ? result : root, "external_links"), *link;
    size_t index;
    json_array_foreach(more, index, link) {
      json_t *url = json_object_get(link, "external_link");
      add_link(json_string_value(url), json_string_length(url), json_integer_value(json_object_get(link, "row_count")), slice_of(NULL, 0));
    }
    json_t *attachment = json_object_get(result, "attachment");
    if (attachment) {
      size_t size;
      const uint8_t *bytes = decode_base64(json_string_value(attachment), json_string_length(attachment), &size);
      int64_t declared = json_integer_value(json_object_get(json_object_get(root, "manifest"), "total_row_count"));
      int64_t got = read_rows(exchanges[i].stem, slice_of(bytes, size), slice_of(NULL, 0));
      assert_int_equal(got, declared);
      assert_int_equal(got, json_integer_value(json_object_get(result, "row_count")));
      attachments++;
      rows += got;
    }
    json_decref(root);
  }
  print_message("attachments: %zu, rows: %lld\n", attachments, (long long)rows);
}

/* The head of a binary Thrift message: its method and sequence id. */
static enum tcli_method method_of(struct slice message, int32_t *sequence_id) {
  if (message.size < 12 || message.data[0] != 0x80) return TCLI_UNKNOWN_METHOD;
  size_t length = thrift_load32(message.data + 4);
  if (length > message.size - 12) return TCLI_UNKNOWN_METHOD;
  *sequence_id = (int32_t)thrift_load32(message.data + 8 + length);
  return tcli_method_by_name(slice_of(message.data + 8, length));
}

static bool has_direct_results(enum tcli_method method) {
  switch (method) {
    case TCLI_ExecuteStatement:
    case TCLI_GetTypeInfo:
    case TCLI_GetCatalogs:
    case TCLI_GetSchemas:
    case TCLI_GetTables:
    case TCLI_GetTableTypes:
    case TCLI_GetColumns:
    case TCLI_GetFunctions:
    case TCLI_GetPrimaryKeys:
    case TCLI_GetCrossReference: return true;
    default: return false;
  }
}

static struct slice handle_id(const struct TOperationHandle *handle) {
  return handle && handle->operationId ? handle->operationId->guid : slice_of(NULL, 0);
}

static struct slice schema_of(struct slice id) {
  for (size_t i = 0; i < operation_count; i++)
    if (slice_equal(operations[i].id, id)) return operations[i].schema;
  return slice_of(NULL, 0);
}

/* What one reply says: the operation's id, its metadata and a page of its results; each may be absent. */
struct said {
  struct slice id;
  const struct TGetResultSetMetadataResp *metadata;
  const struct TRowSet *results;
};

static struct said decode_reply(const char *stem) {
  struct said said = {{NULL, 0}, NULL, NULL};
  struct slice body = load(stem, ".resp"), request = load(stem, ".req");
  int32_t sequence_id = 0;
  enum tcli_method method = method_of(body, &sequence_id);
  if (!has_direct_results(method) && method != TCLI_FetchResults && method != TCLI_GetResultSetMetadata) return said;
  union {
    struct TExecuteStatementResp operation; /* the answers with direct results are all alike */
    struct TFetchResultsResp fetch;
    struct TGetResultSetMetadataResp metadata;
  } *response = arena_alloc(&arena, 1, sizeof *response);
  dbsql_error *error = NULL;
  struct tcli_call call;
  assert_non_null(response);
  if (tcli_decode_reply(method, sequence_id, body, &arena, response, &error) != DBSQL_OK)
    fail_msg("%s: %s", stem, dbsql_error_message(error));
  if (has_direct_results(method)) {
    const struct TSparkDirectResults *direct = response->operation.directResults;
    said.id = handle_id(response->operation.operationHandle);
    if (!direct) return said;
    said.metadata = direct->resultSetMetadata;
    if (direct->resultSet) said.results = direct->resultSet->results;
    if (direct->resultSet && direct->resultSet->resultSetMetadata) said.metadata = direct->resultSet->resultSetMetadata;
    return said;
  }
  if (tcli_decode_call(request, &arena, &call, &error) != DBSQL_OK) fail_msg("%s: %s", stem, dbsql_error_message(error));
  if (method == TCLI_FetchResults) {
    said.id = handle_id(((struct TFetchResultsReq *)call.request)->operationHandle);
    said.metadata = response->fetch.resultSetMetadata;
    said.results = response->fetch.results;
  } else {
    said.id = handle_id(((struct TGetResultSetMetadataReq *)call.request)->operationHandle);
    said.metadata = &response->metadata;
  }
  return said;
}

static void inline_batches_have_their_rows(void **state) {
  (void)state;
  size_t batches = 0, replies = 0, schemas = 0;
  int64_t rows = 0;
  need_recordings("inline batches");
  struct said *said = calloc(exchange_count, sizeof *said);
  assert_non_null(said);
  for (size_t i = 0; i < exchange_count; i++) {
    if (!begins_with(exchanges[i].stem, "thriftserverapi/") && !begins_with(exchanges[i].stem, "sqlgatewayapi/")) continue;
    said[i] = decode_reply(exchanges[i].stem);
    if (!said[i].metadata || !said[i].metadata->has_arrowSchema) continue;
    operations = grow(operations, operation_count, sizeof *operations);
    operations[operation_count++] = (struct operation){said[i].id, said[i].metadata->arrowSchema};
    read_rows(exchanges[i].stem, slice_of(NULL, 0), said[i].metadata->arrowSchema); /* every schema is one that we can read */
    schemas++;
  }
  for (size_t i = 0; i < exchange_count; i++) {
    if (!said[i].results) continue;
    struct slice schema = schema_of(said[i].id);
    for (uint32_t k = 0; k < said[i].results->resultLinks.count; k++) {
      const struct TSparkArrowResultLink *link = &said[i].results->resultLinks.items[k];
      add_link((const char *)link->fileLink.data, link->fileLink.size, link->rowCount, schema);
    }
    replies += said[i].results->arrowBatches.count != 0;
    for (uint32_t k = 0; k < said[i].results->arrowBatches.count; k++) {
      const struct TSparkArrowBatch *batch = &said[i].results->arrowBatches.items[k];
      if (schema.size == 0) fail_msg("%s: an inline batch without a schema", exchanges[i].stem);
      int64_t got = read_rows(exchanges[i].stem, batch->batch, schema);
      if (got != batch->rowCount) fail_msg("%s: %lld rows, not %lld", exchanges[i].stem, (long long)got, (long long)batch->rowCount);
      batches++;
      rows += got;
    }
  }
  free(said);
  print_message("inline batches: %zu in %zu Thrift replies, rows: %lld; schemas: %zu\n", batches, replies, (long long)rows, schemas);
  assert_true(batches > 0);
}

/* Runs last: it needs the links that the others found. */
static void storage_files_have_their_rows(void **state) {
  (void)state;
  size_t files = 0, matched = 0, with_schema = 0, other = 0, empty = 0;
  int64_t rows = 0;
  need_recordings("storage files");
  for (size_t i = 0; i < exchange_count; i++) {
    if (!begins_with(exchanges[i].stem, "cloudfetch")) continue;
    struct slice body = load(exchanges[i].stem, ".resp");
    static const uint8_t lz4_magic[4] = {0x04, 0x22, 0x4D, 0x18}, message_head[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    if (body.size == 0) {
      empty++;
      continue;
    }
    if (body.size < 4 || (memcmp(body.data, lz4_magic, 4) != 0 && memcmp(body.data, message_head, 4) != 0)) {
      other++; /* a volume file */
      continue;
    }
    int64_t got = read_rows(exchanges[i].stem, body, slice_of(NULL, 0));
    files++;
    rows += got;
    bool found = false;
    for (size_t k = 0; k < link_count; k++) {
      if (strcmp(links[k].path, exchanges[i].path) != 0) continue;
      if (links[k].rows != got) fail_msg("%s: %lld rows, its link says %lld", exchanges[i].stem, (long long)got, (long long)links[k].rows);
      /* The file's own schema agrees with the one of the result. */
      if (links[k].schema.size) assert_int_equal(read_rows(exchanges[i].stem, body, links[k].schema), got);
      with_schema += links[k].schema.size != 0 && !found;
      found = true;
    }
    matched += found;
  }
  print_message(
      "storage files: %zu, rows: %lld; %zu with a link that declares their rows, %zu of them with a Thrift schema; not Arrow: %zu, "
      "empty: %zu\n",
      files, (long long)rows, matched, with_schema, other, empty);
  assert_true(files > 0 && matched > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(attachments_have_their_rows),
      cmocka_unit_test(inline_batches_have_their_rows),
      cmocka_unit_test(storage_files_have_their_rows),
  };
  return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
