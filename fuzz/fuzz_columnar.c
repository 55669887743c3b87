/*
 * Results of the Thrift protocol: the input is an answer (to ExecuteStatement, FetchResults, a metadata call) that brings a result's
 * metadata and a page. The schema is made, all batches are read, and every value is written as text and as JSON.
 */
#include "arrow/column.h"
#include "base/error.h"
#include "result/result_reader.h"
#include "thrift/binary.h"

#include <stdlib.h>

enum { most_values = 100000, most_decoded_bytes = 16 << 20 };

static void check(bool condition) {
  if (!condition) abort();
}

/* The rows of all batches are one page; there is no second. */
static dbsql_status no_page(void *user, int64_t next_row, const struct call *call, struct page *page, dbsql_error **error) {
  (void)user;
  (void)next_row;
  (void)call;
  *page = (struct page){0};
  (void)error;
  return DBSQL_OK;
}

static int64_t write_values(const struct result_schema *schema, const struct ArrowArray *batch, int64_t budget) {
  const struct ArrowSchema *arrow = ipc_schema_arrow(schema->arrow);
  struct buf out = BUF_INIT;
  check(batch->n_children == arrow->n_children && batch->n_children == (int64_t)schema->column_count);
  for (int64_t c = 0; c < batch->n_children && budget > 0; c++) {
    struct arrow_column column = {0};
    check(batch->children[c]->length == batch->length);
    if (arrow_column_bind(&column, arrow->children[c], NULL) != DBSQL_OK) continue;
    arrow_column_attach(&column, batch->children[c]);
    for (int64_t row = 0; row < batch->length && budget-- > 0; row++) {
      buf_reset(&out);
      if (!arrow_column_is_null(&column, row)) arrow_column_text(&column, row, &out, NULL);
      arrow_column_json(&column, row, &out, NULL);
    }
    arrow_column_free(&column);
  }
  buf_free(&out);
  return budget;
}

static void read_page(const struct TGetResultSetMetadataResp *metadata, struct page *page) {
  struct result_schema *schema = NULL;
  dbsql_error *error = NULL;
  if (result_schema_new(metadata, &schema, &error) != DBSQL_OK) {
    check(error && !schema);
    error_clear(&error);
    page_free(page);
    return;
  }
  if (page_classify(page, &error) != DBSQL_OK) {
    check(error != NULL);
    error_clear(&error);
    page_free(page);
    result_schema_unref(schema);
    return;
  }
  page->has_more = false;
  bool by_column = page->kind == PAGE_COLUMNS || page->kind == PAGE_ROWS;
  int64_t declared = page->knows_start && page->start_row != 0 ? -1 : page->row_count;
  struct result_reader reader;
  struct call call;
  call_begin_internal(&call, 0);
  result_reader_init(&reader, (struct page_source){NULL, no_page, false}, schema, most_decoded_bytes, page);
  int64_t budget = most_values, rows = 0;
  for (;;) {
    struct ArrowArray batch;
    dbsql_status status = result_reader_next(&reader, &call, &batch, &error);
    check((status == DBSQL_OK) == (error == NULL));
    if (status == DBSQL_OK && !batch.release) {
      /* The end: nothing may be missing. */
      check(!by_column || declared < 0 || rows == declared);
      break;
    }
    if (status != DBSQL_OK) break;
    check(batch.length > 0);
    rows += batch.length;
    budget = write_values(schema, &batch, budget);
    batch.release(&batch);
  }
  error_clear(&error);
  result_reader_close(&reader);
  result_schema_unref(schema);
}

#define DIRECT(Call)                                                                                                         \
  case TCLI_##Call: {                                                                                                        \
    struct T##Call##Resp response = {0};                                                                                     \
    if (tcli_decode_reply(method, message.sequence_id, bytes, &page.arena, &response, NULL) != DBSQL_OK) break;              \
    if (response.directResults) metadata = response.directResults->resultSetMetadata;                                        \
    if (response.directResults && response.directResults->resultSet) page.rows = response.directResults->resultSet->results; \
    break;                                                                                                                   \
  }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct page page = {.body = chunk_new(size)};
  check(page.body != NULL);
  if (size != 0) memcpy(page.body->data, data, size);
  page.body->size = size;
  struct slice bytes = slice_of(page.body->data, size);
  struct thrift_reader reader = thrift_reader_of(bytes);
  struct thrift_message message;
  const struct TGetResultSetMetadataResp *metadata = NULL;
  if (thrift_read_message(&reader, &message, NULL) == DBSQL_OK) {
    enum tcli_method method = tcli_method_by_name(message.name);
    switch (method) {
      DIRECT(ExecuteStatement)
      DIRECT(GetTypeInfo)
      DIRECT(GetCatalogs)
      DIRECT(GetSchemas)
      DIRECT(GetTables)
      DIRECT(GetTableTypes)
      DIRECT(GetColumns)
      DIRECT(GetFunctions)
      DIRECT(GetPrimaryKeys)
      DIRECT(GetCrossReference)
      case TCLI_FetchResults: {
        struct TFetchResultsResp response = {0};
        if (tcli_decode_reply(method, message.sequence_id, bytes, &page.arena, &response, NULL) != DBSQL_OK) break;
        metadata = response.resultSetMetadata;
        page.rows = response.results;
        break;
      }
      default: break;
    }
  }
  if (metadata) {
    read_page(metadata, &page);
  } else {
    page_free(&page);
  }
  return 0;
}
