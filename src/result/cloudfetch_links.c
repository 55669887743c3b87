/* Links: checking them, keeping them in the order of rows, renewing them (results.md 2.1, 2.4, 2.7; auth.md 6, T8 and T35). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "result/cloudfetch_internal.h"

/* A server may send pages without rows while it computes; one that does nothing else is broken. */
enum {
  max_empty_pages = 1000,
  first_empty_wait_ms = 5,
  longest_empty_wait_ms = 500,
  empty_pause_ms = 100,
  seconds_below = 100 /* billions */
};

bool page_has_links(const struct page *page) {
  return page->rows && page->rows->has_resultLinks && page->rows->resultLinks.count != 0;
}

void slot_name(const struct slot *slot, char out[slot_name_size]) {
  snprintf(out, slot_name_size, "rows %lld to %lld", (long long)slot->start, (long long)(slot->start + slot->rows - 1));
}

/* ---- Slots --------------------------------------------------------------------------------------------------------------- */

void slot_unload(struct cloudfetch *cf, struct slot *slot) {
  transfer_free(slot->transfer);
  slot->transfer = NULL;
  chunk_unref(slot->body);
  slot->body = NULL;
  budget_release(cf->budget, slot->reserved);
  slot->reserved = 0;
}

static void drop_link(struct slot *slot) {
  if (slot->url) mem_wipe(slot->url, strlen(slot->url));
  mem_free(slot->url);
  /* One may be a key with which storage decrypts. */
  if (slot->headers) mem_wipe(slot->headers, slot->header_bytes);
  mem_free(slot->headers);
  slot->url = NULL;
  slot->headers = NULL;
  slot->header_count = slot->header_bytes = 0;
}

void slot_clear(struct cloudfetch *cf, struct slot *slot) {
  slot_unload(cf, slot);
  drop_link(slot);
  dbsql_error_free(slot->error);
  *slot = (struct slot){0};
}

void slots_drop_first(struct cloudfetch *cf) {
  slot_clear(cf, slot_at(cf, 0));
  cf->first++;
  cf->count--;
  if (cf->count == 0) cf->first = 0;
}

/* Forgets the slots from the i-th on, and everything behind them: row `row` is to come next. */
static void rewind_to(struct cloudfetch *cf, size_t i, int64_t row) {
  while (cf->count > i) {
    cf->count--;
    slot_clear(cf, slot_at(cf, cf->count));
  }
  if (cf->has_behind) page_free(&cf->behind);
  cf->has_behind = false;
  cf->next_link_row = row;
  cf->no_more_links = false;
  cf->is_broken = false;
}

/* A new slot behind the others, all zeros; NULL if out of memory. */
static struct slot *new_slot(struct cloudfetch *cf) {
  if (cf->first > 0 && cf->first + cf->count == cf->capacity) {
    memmove(cf->slots, cf->slots + cf->first, cf->count * sizeof *cf->slots);
    cf->first = 0;
  }
  if (cf->count == cf->capacity) {
    size_t capacity = cf->capacity ? cf->capacity * 2 : 16;
    struct slot *slots = mem_realloc_array(cf->slots, capacity, sizeof *slots);
    if (!slots) return NULL;
    cf->slots = slots;
    cf->capacity = capacity;
  }
  struct slot *slot = slot_at(cf, cf->count++);
  *slot = (struct slot){0};
  return slot;
}

void slot_fail(struct slot *slot, dbsql_error *failure) {
  dbsql_error_free(slot->error);
  slot->error = failure;
  slot->state = SLOT_FAILED;
}

/* ---- Checking one link --------------------------------------------------------------------------------------------------- */

static bool has_prefix_nocase(struct slice text, const char *prefix) {
  size_t length = strlen(prefix);
  return text.size >= length && text_equal_nocase_n((const char *)text.data, length, prefix, length);
}

/* Headers are the server's choice, so only those that stores know are sent. */
static dbsql_status check_header(const struct thrift_pair *pair, dbsql_error **error) {
  static const char *const allowed[] = {"x-ms-", "x-amz-", "x-goog-"};
  bool known = has_prefix_nocase(pair->key, "content-type") && pair->key.size == 12;
  for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) known = known || has_prefix_nocase(pair->key, allowed[i]);
  for (size_t i = 0; i < pair->key.size; i++) {
    char c = (char)pair->key.data[i];
    if (!text_is_alpha(c) && !text_is_digit(c) && c != '-' && c != '_' && c != '.') {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the link to the file has a malformed header name");
    }
  }
  if (!known) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                     "the link to the file wants the header %.*s to be sent, which is none that cloud storage knows", (int)pair->key.size,
                     (const char *)pair->key.data);
  }
  for (size_t i = 0; i < pair->value.size; i++) {
    if (pair->value.data[i] < 0x20 || pair->value.data[i] == 0x7F) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the link to the file has a control character in the value of the header %.*s",
                       (int)pair->key.size, (const char *)pair->key.data);
    }
  }
  return DBSQL_OK;
}

static dbsql_status copy_headers(struct slot *slot, const struct thrift_string_map *map, dbsql_error **error) {
  if (map->count == 0) return DBSQL_OK;
  size_t text = 0;
  for (uint32_t i = 0; i < map->count; i++) {
    dbsql_status status = check_header(&map->items[i], error);
    if (status != DBSQL_OK) return status;
    text += map->items[i].key.size + map->items[i].value.size + 2; /* they lie in one answer: no overflow */
  }
  size_t size = map->count * sizeof *slot->headers + text;
  slot->headers = mem_alloc(size);
  if (!slot->headers) return error_no_memory(error);
  slot->header_bytes = size;
  char *at = (char *)(slot->headers + map->count);
  for (uint32_t i = 0; i < map->count; i++) {
    const struct slice parts[2] = {map->items[i].key, map->items[i].value};
    const char *copies[2];
    for (int p = 0; p < 2; p++) {
      copies[p] = at;
      if (parts[p].size) memcpy(at, parts[p].data, parts[p].size);
      at += parts[p].size;
      *at++ = 0;
    }
    slot->headers[i] = (struct http_header){copies[0], copies[1]};
  }
  slot->header_count = map->count;
  return DBSQL_OK;
}

/* Puts a link into a slot, in place of the one that is there. */
static dbsql_status take_link(struct cloudfetch *cf, struct slot *slot, const struct TSparkArrowResultLink *link, dbsql_error **error) {
  drop_link(slot);
  slot->bytes = link->bytesNum;
  /* Milliseconds; a number that would lie in 1973 is one of seconds (results.md 2.1). */
  int64_t expiry = link->expiryTime;
  if (expiry > 0 && expiry < INT64_C(1000000000) * seconds_below) expiry *= 1000;
  slot->expiry_ms = expiry > 0 ? expiry : 0;
  if (slot->expiry_ms != 0 && slot->expiry_ms <= clock_unix_us() / 1000) cf->clock_differs = true;
  if (link->fileLink.size == 0 || memchr(link->fileLink.data, 0, link->fileLink.size)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the link to the file is empty or has a zero byte");
  }
  slot->url = mem_strndup((const char *)link->fileLink.data, link->fileLink.size);
  if (!slot->url) return error_no_memory(error);
  struct http_target target;
  dbsql_status status = http_target_parse(slot->url, &target, error);
  if (status != DBSQL_OK) return status;
  slot->tls = target.tls;
  if (!target.tls && !http_host_is_loopback(target.host)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the link to the file leads to %s without https", target.shown);
  }
  return copy_headers(slot, &link->httpHeaders, error);
}

/* take_link(), with whatever is wrong as the slot's own error. Fails only for lack of memory. */
static dbsql_status take_or_fail(struct cloudfetch *cf, struct slot *slot, const struct TSparkArrowResultLink *link, dbsql_error **error) {
  dbsql_error *wrong = NULL;
  dbsql_status status = take_link(cf, slot, link, &wrong);
  if (status == DBSQL_ERROR_NO_MEMORY) {
    dbsql_error_free(wrong);
    return error_no_memory(error);
  }
  if (status == DBSQL_OK) return DBSQL_OK;
  char name[slot_name_size];
  slot_name(slot, name);
  error_prefix(&wrong, "%s", name);
  slot_fail(slot, wrong);
  return DBSQL_OK;
}

/* ---- Adding pages -------------------------------------------------------------------------------------------------------- */

/* An error in the place of the rows that were to come next. */
static dbsql_status add_failure(struct cloudfetch *cf, dbsql_error *failure, dbsql_error **error) {
  struct slot *slot = new_slot(cf);
  if (!slot || dbsql_error_kind(failure) == DBSQL_ERROR_NO_MEMORY) {
    dbsql_error_free(failure);
    return error_no_memory(error);
  }
  slot->start = cf->next_link_row;
  slot_fail(slot, failure);
  cf->is_broken = true;
  return DBSQL_OK;
}

/* `*page_row` is where the page's next file must begin, -1 before its first. A page may begin with rows that are known already, but
 * within it files that overlap are as wrong as files with a gap between them. */
static dbsql_status add_link(struct cloudfetch *cf, const struct TSparkArrowResultLink *link, int64_t *page_row, dbsql_error **error) {
  dbsql_error *failure = NULL;
  cf->counts.files_known++;
  if (link->rowCount < 0 || link->startRowOffset < 0 || link->rowCount > INT64_MAX - link->startRowOffset) {
    error_set(&failure, DBSQL_ERROR_DRIVER, "HY000", "the link to a file declares %lld rows from row %lld on", (long long)link->rowCount,
              (long long)link->startRowOffset);
    return add_failure(cf, failure, error);
  }
  if (link->startRowOffset > cf->next_link_row) {
    error_set(&failure, DBSQL_ERROR_DRIVER, "HY000", "rows are missing: row %lld was to come next, but the next file begins at row %lld",
              (long long)cf->next_link_row, (long long)link->startRowOffset);
    return add_failure(cf, failure, error);
  }
  if (*page_row >= 0 && link->startRowOffset != *page_row) {
    error_set(&failure, DBSQL_ERROR_DRIVER, "HY000",
              "the links to files contradict each other: row %lld was to come next, but the next file begins at row %lld",
              (long long)*page_row, (long long)link->startRowOffset);
    return add_failure(cf, failure, error);
  }
  int64_t end = link->startRowOffset + link->rowCount;
  *page_row = end;
  /* Declared empty, or all of it is known already: its rows are nowhere in the result. */
  if (end <= cf->next_link_row) return DBSQL_OK;
  struct slot *slot = new_slot(cf);
  if (!slot) return error_no_memory(error);
  slot->start = link->startRowOffset;
  slot->rows = link->rowCount;
  slot->skip = cf->next_link_row - link->startRowOffset;
  cf->next_link_row = end;
  return take_or_fail(cf, slot, link, error);
}

dbsql_status links_add(struct cloudfetch *cf, const struct TRowSet *rows, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  int64_t page_row = -1;
  for (uint32_t i = 0; i < rows->resultLinks.count && status == DBSQL_OK && !cf->is_broken; i++) {
    status = add_link(cf, &rows->resultLinks.items[i], &page_row, error);
  }
  return status;
}

dbsql_status links_fetch(struct cloudfetch *cf, bool ahead, const struct call *call, dbsql_error **error) {
  int64_t wait_ms = first_empty_wait_ms;
  for (int empty = 0; empty < max_empty_pages; empty++) {
    struct page page = {0};
    dbsql_status status = cf->source.fetch(cf->source.user, cf->next_link_row, call, &page, error);
    if (status != DBSQL_OK) return status;
    bool more = page.has_more;
    if (page_has_links(&page)) {
      int64_t before = cf->next_link_row;
      size_t count = cf->count;
      status = links_add(cf, page.rows, error);
      page_free(&page);
      if (!more) cf->no_more_links = true;
      if (status != DBSQL_OK || cf->next_link_row > before || cf->count > count || !more) return status;
    } else if (page.kind != PAGE_EMPTY) {
      cf->behind = page;
      cf->has_behind = true;
      return DBSQL_OK;
    } else {
      page_free(&page);
      if (!more) {
        cf->no_more_links = true;
        return DBSQL_OK;
      }
    }
    if (ahead) {
      cf->prefetch_at_ns = clock_now_ns() + INT64_C(1000000) * empty_pause_ms;
      return DBSQL_OK;
    }
    status = call_sleep(call, wait_ms, "waiting for rows of the result", error);
    if (status != DBSQL_OK) return status;
    wait_ms = wait_ms * 2 < longest_empty_wait_ms ? wait_ms * 2 : longest_empty_wait_ms;
  }
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server sent %d pages without a new row and says that more rows follow",
                   max_empty_pages);
}

/* ---- Renewing ------------------------------------------------------------------------------------------------------------ */

bool link_is_dying(const struct cloudfetch *cf, const struct slot *slot) {
  if (slot->must_renew) return true;
  if (slot->ignores_clock || cf->clock_differs || slot->expiry_ms == 0) return false;
  return clock_unix_us() / 1000 + expiry_margin_ms >= slot->expiry_ms;
}

/* The links from the at-th on are the truth from slot i on: what differs goes, what is behind it is appended. */
static dbsql_status replace_links(struct cloudfetch *cf, size_t i, const struct TRowSet *rows, uint32_t at, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  int64_t page_row = -1;
  for (; at < rows->resultLinks.count && status == DBSQL_OK && !cf->is_broken; at++) {
    const struct TSparkArrowResultLink *link = &rows->resultLinks.items[at];
    if (link->rowCount == 0) continue;
    if (i < cf->count) {
      struct slot *slot = slot_at(cf, i);
      if (slot->state != SLOT_FAILED && link->startRowOffset == slot->start && link->rowCount == slot->rows) {
        i++;
        page_row = slot->start + slot->rows;
        if (slot->state != SLOT_PENDING) continue; /* it is being used, or is there */
        slot->must_renew = slot->ignores_clock = false;
        status = take_or_fail(cf, slot, link, error);
        slot->ignores_clock = link_is_dying(cf, slot); /* the server's best is good enough */
        continue;
      }
      /* The file was split in another way, or what was wrong may be right now. */
      rewind_to(cf, i, slot->start + slot->skip);
    }
    size_t count = cf->count;
    status = add_link(cf, link, &page_row, error);
    i = cf->count;
    if (status == DBSQL_OK && i > count) slot_at(cf, i - 1)->ignores_clock = link_is_dying(cf, slot_at(cf, i - 1));
  }
  return status;
}

/* What renewing must not reset, or it would never come to an end. */
struct history {
  int renewals, failures, redownloads;
  bool was_gone, restarted;
};

static dbsql_status use_new_links(struct cloudfetch *cf, size_t i, const struct page *page, dbsql_error **error) {
  const struct TRowSet *rows = page->rows;
  /* What was wrong behind the last link may be right now. */
  if (cf->is_broken) rewind_to(cf, cf->count - 1, cf->next_link_row);
  struct slot *slot = slot_at(cf, i);
  int64_t row = slot->start, end = cf->next_link_row;
  struct history before = {slot->renewals, slot->failures, slot->redownloads, slot->was_gone, slot->restarted};
  uint32_t at = 0;
  while (at < rows->resultLinks.count && (rows->resultLinks.items[at].startRowOffset != row || rows->resultLinks.items[at].rowCount == 0))
    at++;
  if (at == rows->resultLinks.count) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                     "the link to the file that begins at row %lld has expired, and none of the %u new links begins there", (long long)row,
                     rows->resultLinks.count);
  }
  bool had_more = !cf->no_more_links;
  cf->no_more_links = false;
  dbsql_status status = replace_links(cf, i, rows, at, error);
  if (i < cf->count) {
    slot = slot_at(cf, i);
    slot->renewals = before.renewals;
    slot->failures = before.failures;
    slot->redownloads = before.redownloads;
    slot->was_gone = before.was_gone;
    slot->restarted = before.restarted;
  }
  /* Only an answer that reaches another end says whether more follows there. */
  cf->no_more_links = cf->next_link_row == end ? !had_more : !page->has_more;
  return status;
}

dbsql_status links_renew(struct cloudfetch *cf, size_t i, const struct call *call, dbsql_error **error) {
  struct slot *slot = slot_at(cf, i);
  int64_t row = slot->start;
  struct page page = {0};
  cf->counts.renewals++;
  slot->renewals++;
  dbsql_status status = cf->source.fetch(cf->source.user, row, call, &page, error);
  if (status != DBSQL_OK) {
    error_prefix(error, "the link to the file that begins at row %lld has expired and cannot be renewed", (long long)row);
    return status;
  }
  if (page_has_links(&page)) {
    status = use_new_links(cf, i, &page, error);
  } else if (page.kind != PAGE_EMPTY) {
    /* The rest does not come as files any more. */
    rewind_to(cf, i, row + slot->skip);
    cf->behind = page;
    cf->has_behind = true;
    return DBSQL_OK;
  } else {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000",
                       "the link to the file that begins at row %lld has expired, and the server sends no new one", (long long)row);
  }
  page_free(&page);
  return status;
}
