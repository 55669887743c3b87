#include "result/page.h"

#include "base/error.h"
#include "result/columnar.h"

static dbsql_status count_batches(struct page *page, dbsql_error **error) {
  for (uint32_t i = 0; i < page->rows->arrowBatches.count; i++) {
    const struct TSparkArrowBatch *batch = &page->rows->arrowBatches.items[i];
    if (batch->rowCount < 0 || batch->rowCount > INT64_MAX - page->row_count) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server declares %lld rows for Arrow batch %u", (long long)batch->rowCount,
                       i);
    }
    page->row_count += batch->rowCount;
  }
  return DBSQL_OK;
}

dbsql_status page_classify(struct page *page, dbsql_error **error) {
  const struct TRowSet *rows = page->rows;
  page->kind = PAGE_EMPTY;
  page->row_count = 0;
  if (!rows) return DBSQL_OK;
  page->knows_start = rows->has_startRowOffset;
  page->start_row = rows->startRowOffset;
  if (rows->has_resultLinks && rows->resultLinks.count != 0) {
    page->kind = PAGE_LINKS; /* their rows are counted where they are looked at, each by itself */
    return DBSQL_OK;
  }
  if (rows->has_arrowBatches && rows->arrowBatches.count != 0) {
    page->kind = PAGE_ARROW;
    return count_batches(page, error);
  }
  if (rows->has_columns && rows->columns.count != 0) {
    page->kind = PAGE_COLUMNS;
    return columnar_row_count(rows, &page->row_count, error);
  }
  if (rows->has_rows && rows->rows.count != 0) {
    page->kind = PAGE_ROWS;
    page->row_count = rows->rows.count;
    return DBSQL_OK;
  }
  if (rows->has_binaryColumns && rows->binaryColumns.size != 0) {
    return error_set(
        error, DBSQL_ERROR_DRIVER, "HYC00",
        "the server sends rows serialised by a SerDe (binaryColumns); switch hive.server2.thrift.resultset.serialize.in.tasks off");
  }
  return DBSQL_OK;
}

void page_free(struct page *page) {
  arena_free(&page->arena);
  chunk_unref(page->body);
  *page = (struct page){0};
}
