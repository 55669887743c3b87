/* One file: decompressed, decoded, counted against its link (results.md 1.7, 2.3, 2.6, 2.7, 3.10). */
#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "result/cloudfetch_internal.h"

enum { most_redownloads = 1 };

void file_close(struct cloudfetch *cf) {
  if (cf->file_is_open) ipc_reader_close(&cf->file);
  cf->file_is_open = false;
}

static dbsql_status describe(struct slot *slot, dbsql_status status, dbsql_error **error) {
  char name[slot_name_size];
  struct http_target target;
  slot_name(slot, name);
  error_prefix(error, "the file with %s", name);
  if (http_target_parse(slot->url, &target, NULL) == DBSQL_OK) error_set_host(error, target.host);
  return status;
}

/* A file whose bytes make no sense is downloaded once more: a proxy may have cut it cleanly. What has been delivered of it stays. */
static dbsql_status damaged(struct cloudfetch *cf, dbsql_status status, dbsql_error **error) {
  struct slot *slot = slot_at(cf, 0);
  if (status == DBSQL_ERROR_NO_MEMORY || slot->redownloads >= most_redownloads) return describe(slot, status, error);
  log_write(cf->settings.log, DBSQL_LOG_WARN, "cloudfetch", "a file is damaged and is downloaded once more", "error",
            error && *error ? dbsql_error_message(*error) : NULL, (char *)NULL);
  error_clear(error);
  slot->redownloads++;
  slot->skip = cf->file_rows > slot->skip ? cf->file_rows : slot->skip;
  slot->state = SLOT_PENDING;
  slot->retry_at_ns = 0;
  slot_unload(cf, slot);
  cf->counts.redownloads++;
  return DBSQL_OK;
}

static dbsql_status decompress(struct cloudfetch *cf, struct slot *slot, dbsql_error **error) {
  struct slice packed = slice_of(slot->body->data, slot->body->size);
  /* The link may declare either size (results.md 2.1); one that is close to what came is no use as a hint for the other. */
  size_t hint = slot->bytes > 0 && (uint64_t)slot->bytes <= cf->settings.max_file_bytes ? (size_t)slot->bytes : 0;
  if (hint <= packed.size + packed.size / 16) hint = 0;
  size_t capacity = lz4_frames_capacity(packed.size, hint, cf->settings.max_file_bytes);
  struct chunk *plain = budget_chunk_new(cf->budget, capacity, &slot->reserved);
  if (!plain) return error_no_memory(error);
  capacity = plain->capacity;
  enum checksum_rule rule = cf->settings.checksums;
  bool verify = rule == CHECKSUMS_ON || (rule == CHECKSUMS_AUTO && !slot->tls);
  dbsql_status status = lz4_frames_decode_into(packed, cf->settings.max_file_bytes, verify, plain, error);
  budget_chunk_recount(plain, capacity);
  if (status != DBSQL_OK) {
    chunk_unref(plain);
    return status;
  }
  chunk_unref(slot->body);
  slot->body = plain;
  return DBSQL_OK;
}

dbsql_status file_open(struct cloudfetch *cf, dbsql_error **error) {
  struct slot *slot = slot_at(cf, 0);
  dbsql_error *failure = NULL;
  cf->file_rows = 0;
  /* The bytes decide, not the flag: an LZ4 frame and an IPC message cannot be confused (results.md 1.7). */
  if (lz4_frames_look_like(slice_of(slot->body->data, slot->body->size))) {
    dbsql_status status = decompress(cf, slot, &failure);
    if (status != DBSQL_OK) {
      status = damaged(cf, status, &failure);
      if (status != DBSQL_OK && error) {
        dbsql_error_free(*error);
        *error = failure;
      } else {
        dbsql_error_free(failure);
      }
      return status;
    }
  }
  budget_release(cf->budget, slot->reserved);
  slot->reserved = 0;
  cf->counts.bytes_decoded += (int64_t)slot->body->size;
  ipc_reader_init(&cf->file, slot->body, slice_of(slot->body->data, slot->body->size), cf->schema->arrow);
  cf->file_is_open = true;
  chunk_unref(slot->body);
  slot->body = NULL;
  return DBSQL_OK;
}

dbsql_status file_next(struct cloudfetch *cf, struct ArrowArray *out, dbsql_error **error) {
  struct slot *slot = slot_at(cf, 0);
  for (;;) {
    dbsql_error *failure = NULL;
    dbsql_status status = ipc_reader_next(&cf->file, out, &failure);
    if (status == DBSQL_OK && !out->release) {
      status = error_set(&failure, DBSQL_ERROR_DRIVER, "HY000", "rows are missing: %lld are declared for it, but it holds %lld",
                         (long long)slot->rows, (long long)cf->file_rows);
    }
    if (status != DBSQL_OK) {
      file_close(cf);
      status = damaged(cf, status, &failure);
      if (status != DBSQL_OK && error) {
        dbsql_error_free(*error);
        *error = failure;
      } else {
        dbsql_error_free(failure);
      }
      return status;
    }
    int64_t first = slot->skip > cf->file_rows ? slot->skip - cf->file_rows : 0;
    int64_t length = out->length;
    /* What a file holds behind its declared rows is padding (results.md 2.1). */
    if (length > slot->rows - cf->file_rows) length = slot->rows - cf->file_rows;
    cf->file_rows += length;
    bool through = cf->file_rows == slot->rows;
    if (first >= length) {
      out->release(out);
      out->release = NULL;
    } else if (first > 0 || length < out->length) {
      arrow_batch_slice(out, first, length - first);
    }
    if (out->release) cf->next_row += out->length;
    if (through) {
      /* At once, so that the memory is the consumer's alone. */
      file_close(cf);
      slots_drop_first(cf);
      cf->counts.files_delivered++;
      return DBSQL_OK;
    }
    if (out->release) return DBSQL_OK;
  }
}
