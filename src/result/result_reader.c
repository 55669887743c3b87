#include "result/result_reader.h"

#include <stdio.h>

#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "result/cloudfetch.h"
#include "result/columnar.h"

/* A server may send pages without rows while it computes; one that does nothing else is broken. */
enum { max_empty_pages = 1000, first_empty_wait_ms = 5, longest_empty_wait_ms = 500, max_repeated_pages = 10 };

void result_reader_init(struct result_reader *reader, struct page_source source, struct result_schema *schema, size_t max_decoded_bytes,
                        struct page *first) {
  *reader = (struct result_reader){0};
  reader->source = source;
  reader->schema = result_schema_ref(schema);
  reader->max_decoded_bytes = max_decoded_bytes;
  if (first && first->body) {
    reader->page = *first;
    reader->page_is_first = true;
    *first = (struct page){0};
  }
}

/* What is odd and does no harm. */
static void warn_of_rows(const struct result_reader *reader, const char *what, int64_t rows) {
  char count[32], next[32];
  if (!log_wants(reader->log, DBSQL_LOG_WARN)) return;
  snprintf(count, sizeof count, "%lld", (long long)rows);
  snprintf(next, sizeof next, "%lld", (long long)reader->next_row);
  log_write(reader->log, DBSQL_LOG_WARN, "result", what, "rows", count, "next_row", next, (char *)NULL);
}

static void close_page(struct result_reader *reader) {
  if (reader->messages_are_open) ipc_reader_close(&reader->messages);
  reader->messages_are_open = false;
  page_free(&reader->page);
  reader->page_is_open = false;
}

void result_reader_close(struct result_reader *reader) {
  close_page(reader);
  cloudfetch_free(reader->cloudfetch);
  reader->cloudfetch = NULL;
  if (reader->budget) budget_retire(reader->budget);
  budget_unref(reader->budget);
  reader->budget = NULL;
  result_schema_unref(reader->schema);
  reader->schema = NULL;
  reader->source_is_done = true;
}

static dbsql_status need_budget(struct result_reader *reader, dbsql_error **error) {
  if (!reader->budget) reader->budget = budget_new(reader->max_memory);
  return reader->budget ? DBSQL_OK : error_no_memory(error);
}

/* Begins with the page in reader->page: where does it stand in the result? */
static dbsql_status enter_page(struct result_reader *reader, dbsql_error **error) {
  reader->page_is_open = true;
  reader->batch_at = 0;
  int64_t start = reader->page.knows_start && !reader->page.plain ? reader->page.start_row : reader->next_row;
  if (reader->page.kind == PAGE_EMPTY) start = reader->next_row;
  if (start < 0 || start > reader->next_row) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                     "rows are missing: row %lld was to come next, but the server's page begins at row %lld", (long long)reader->next_row,
                     (long long)start);
  }
  reader->position = start;
  reader->page_first = reader->next_row;
  /* Batches may point into it for as long as the caller likes. */
  dbsql_status status = need_budget(reader, error);
  if (status == DBSQL_OK && reader->page.body && !reader->page.body->on_free) budget_adopt(reader->budget, reader->page.body);
  return status;
}

/* Begins with the links in reader->page. */
static dbsql_status enter_files(struct result_reader *reader, dbsql_error **error) {
  struct transfer_profile *profile;
  dbsql_status status = DBSQL_OK;
  if (!reader->files.settings) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server answered with download links although none were asked for");
  }
  if (!reader->cloudfetch) {
    status = need_budget(reader, error);
    if (status == DBSQL_OK) status = reader->files.profile(reader->files.user, &profile, error);
    if (status == DBSQL_OK) {
      status = cloudfetch_new(reader->files.settings, profile, &reader->source, reader->schema, reader->budget, &reader->cloudfetch, error);
    }
    if (status != DBSQL_OK) return status;
  }
  reader->in_files = true;
  return cloudfetch_add_page(reader->cloudfetch, &reader->page, reader->next_row, error);
}

dbsql_status result_reader_start(struct result_reader *reader, dbsql_error **error) {
  if (!reader->page_is_first || reader->page.kind != PAGE_LINKS) return DBSQL_OK;
  reader->page_is_first = false;
  return enter_files(reader, error);
}

/* The open page is through. A server that goes on sending rows that it was not asked for does not obey offsets: what it leaves out would
 * never be seen. */
static dbsql_status leave_page(struct result_reader *reader, dbsql_error **error) {
  bool repeated = reader->page_first == reader->next_row && reader->page.row_count > 0;
  close_page(reader);
  reader->repeated_pages = repeated ? reader->repeated_pages + 1 : 0;
  if (!repeated || (!reader->source_is_done && reader->repeated_pages < max_repeated_pages)) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                   "rows are missing: row %lld was to come next, but the server only repeats rows before it", (long long)reader->next_row);
}

/* Gets the next page that has rows, or begins with files. Leaves page_is_open and in_files false at the end of the result. */
static dbsql_status next_page(struct result_reader *reader, const struct call *call, dbsql_error **error) {
  int64_t wait_ms = first_empty_wait_ms;
  for (int empty = 0; empty < max_empty_pages; empty++) {
    dbsql_status status = DBSQL_OK;
    if (!reader->page_is_first) {
      if (reader->source_is_done) return DBSQL_OK;
      status = reader->source.fetch(reader->source.user, reader->next_row, call, &reader->page, error);
      if (status != DBSQL_OK) {
        if (reader->next_row > 0) error_prefix(error, "after %lld rows", (long long)reader->next_row);
        return status;
      }
    }
    reader->page_is_first = false;
    bool more = reader->page.plain ? reader->page.row_count > 0 : reader->page.has_more;
    reader->source_is_done = !more;
    if (reader->page.kind == PAGE_LINKS) return enter_files(reader, error);
    if (reader->page.kind != PAGE_EMPTY) return enter_page(reader, error);
    page_free(&reader->page);
    if (!more) return DBSQL_OK;
    status = call_sleep(call, wait_ms, "waiting for rows of the result", error);
    if (status != DBSQL_OK) return status;
    wait_ms = wait_ms * 2 < longest_empty_wait_ms ? wait_ms * 2 : longest_empty_wait_ms;
  }
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server sent %d pages without a row and says that more rows follow",
                   max_empty_pages);
}

/* Opens the page's next Arrow batch: decompressed if it needs to be, and nothing decoded yet. */
static dbsql_status open_batch(struct result_reader *reader, dbsql_error **error) {
  uint32_t number = reader->batch_at;
  const struct TSparkArrowBatch *batch = &reader->page.rows->arrowBatches.items[number];
  reader->batch_at++;
  reader->batch_left = batch->has_rowCount && batch->rowCount > 0 ? batch->rowCount : -1;
  reader->batch_rows = 0;
  if (batch->batch.size == 0) {
    if (reader->batch_left <= 0) return DBSQL_OK;
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "Arrow batch %u of the page is empty, but %lld rows are declared for it", number,
                     (long long)reader->batch_left);
  }
  /* The bytes decide, not the flag: an LZ4 frame and an IPC message cannot be confused (results.md 1.7). */
  if (lz4_frames_look_like(batch->batch)) {
    dbsql_status status = need_budget(reader, error);
    if (status != DBSQL_OK) return status;
    size_t capacity = lz4_frames_capacity(batch->batch.size, 0, reader->max_decoded_bytes);
    struct chunk *plain = budget_chunk_new(reader->budget, capacity, NULL);
    if (!plain) return error_no_memory(error);
    capacity = plain->capacity;
    status = lz4_frames_decode_into(batch->batch, reader->max_decoded_bytes, true, plain, error);
    budget_chunk_recount(plain, capacity);
    if (status != DBSQL_OK) {
      chunk_unref(plain);
      error_prefix(error, "Arrow batch %u of the page", number);
      return status;
    }
    ipc_reader_init(&reader->messages, plain, slice_of(plain->data, plain->size), reader->schema->arrow);
    chunk_unref(plain);
  } else {
    ipc_reader_init(&reader->messages, reader->page.body, batch->batch, reader->schema->arrow);
  }
  reader->messages_are_open = true;
  return DBSQL_OK;
}

/* The next message of the open batch, trimmed to what the server declares. out->release NULL: the batch is through. */
static dbsql_status next_message(struct result_reader *reader, struct ArrowArray *out, dbsql_error **error) {
  dbsql_status status = ipc_reader_next(&reader->messages, out, error);
  if (status == DBSQL_ERROR_DRIVER) error_set_category(error, CATEGORY_ARROW_SCHEMA);
  if (status != DBSQL_OK) {
    error_prefix(error, "Arrow batch %u of the page", reader->batch_at - 1);
    return status;
  }
  if (!out->release) {
    ipc_reader_close(&reader->messages);
    reader->messages_are_open = false;
    if (reader->batch_left > 0) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                       "rows are missing: the server declares %lld rows for Arrow batch %u of the page, but it holds %lld",
                       (long long)(reader->batch_rows + reader->batch_left), reader->batch_at - 1, (long long)reader->batch_rows);
    }
    return DBSQL_OK;
  }
  if (reader->batch_left >= 0) {
    if (out->length > reader->batch_left) { /* padding: results.md 1.5, 10 */
      warn_of_rows(reader, "an Arrow batch has more rows than are declared for it, which are dropped", out->length - reader->batch_left);
      arrow_batch_slice(out, 0, reader->batch_left);
    }
    reader->batch_left -= out->length;
  }
  reader->batch_rows += out->length;
  return DBSQL_OK;
}

/* The next batch of the open page; out->release NULL: the page is through. */
static dbsql_status next_of_page(struct result_reader *reader, struct ArrowArray *out, dbsql_error **error) {
  out->release = NULL;
  if (reader->page.kind == PAGE_ARROW) {
    for (;;) {
      if (reader->messages_are_open) {
        dbsql_status status = next_message(reader, out, error);
        if (status != DBSQL_OK || out->release) return status;
      }
      if (reader->batch_at == reader->page.rows->arrowBatches.count) return DBSQL_OK;
      dbsql_status status = open_batch(reader, error);
      if (status != DBSQL_OK) return status;
    }
  }
  if (reader->batch_at++ != 0) return DBSQL_OK;
  const struct ArrowSchema *schema = ipc_schema_arrow(reader->schema->arrow);
  return reader->page.kind == PAGE_COLUMNS ? columnar_to_arrow(reader->page.rows, schema, out, error)
                                           : row_set_to_arrow(reader->page.rows, schema, out, error);
}

/* The next batch out of files; out->release NULL: there are no more of them, for now or for good. */
static dbsql_status next_of_files(struct result_reader *reader, const struct call *call, struct ArrowArray *out, dbsql_error **error) {
  dbsql_status status = cloudfetch_next(reader->cloudfetch, call, out, error);
  /* A time limit or a cancel is the caller's, not the file's. */
  if (status == DBSQL_ERROR_REQUEST || status == DBSQL_ERROR_DRIVER) error_set_category(error, CATEGORY_CHUNK_DOWNLOAD);
  if (status != DBSQL_OK) return status;
  if (out->release) {
    reader->next_row += out->length;
    return DBSQL_OK;
  }
  reader->in_files = false;
  /* The server may go on in another way (results.md 1.3). */
  reader->page_is_first = cloudfetch_take_page(reader->cloudfetch, &reader->page);
  reader->source_is_done = true; /* unless that page says otherwise */
  return DBSQL_OK;
}

static dbsql_status read_next(struct result_reader *reader, const struct call *call, struct ArrowArray *out, dbsql_error **error) {
  for (;;) {
    if (reader->in_files) {
      dbsql_status status = next_of_files(reader, call, out, error);
      if (status != DBSQL_OK || out->release) return status;
      continue;
    }
    if (!reader->page_is_open) {
      dbsql_status status = next_page(reader, call, error);
      if (status != DBSQL_OK || (!reader->page_is_open && !reader->in_files)) return status;
      continue;
    }
    dbsql_status status = next_of_page(reader, out, error);
    if (status != DBSQL_OK) return status;
    if (!out->release) {
      status = leave_page(reader, error);
      if (status != DBSQL_OK) return status;
      continue;
    }
    /* Rows that were there before are dropped (an answer that begins before what was asked for). */
    int64_t known = reader->next_row - reader->position;
    if (known > 0) warn_of_rows(reader, "the server repeats rows, which are dropped", known < out->length ? known : out->length);
    reader->position += out->length;
    if (known >= out->length) {
      out->release(out);
      continue;
    }
    if (known > 0) arrow_batch_slice(out, known, out->length - known);
    reader->next_row += out->length;
    return DBSQL_OK;
  }
}

dbsql_status result_reader_next(struct result_reader *reader, const struct call *call, struct ArrowArray *out, dbsql_error **error) {
  out->release = NULL;
  if (reader->failed != DBSQL_OK) {
    return error_set(error, reader->failed, "HY010", "the result has failed before, after %lld rows", (long long)reader->next_row);
  }
  dbsql_status status = read_next(reader, call, out, error);
  if (status != DBSQL_OK) {
    if (out->release) out->release(out);
    out->release = NULL;
    /* A call that ran out of time, or was cancelled while it waited for a page, lost nothing: reading can go on. */
    bool waited_only =
        !reader->page_is_open && reader->source.repeats && (status == DBSQL_ERROR_TIMEOUT || status == DBSQL_ERROR_CANCELLED);
    if (reader->in_files) waited_only = !cloudfetch_has_failed(reader->cloudfetch);
    if (!waited_only) reader->failed = status;
  } else if (!out->release && reader->budget) {
    budget_retire(reader->budget); /* at the end: nothing further needs memory */
  }
  return status;
}
