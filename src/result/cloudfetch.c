#include "result/cloudfetch_internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum {
  ns_per_ms = 1000000,
  look_ms = 250,               /* how often a waiting consumer looks at slow downloads */
  fewest_rates = 3,            /* downloads that must have ended well before another can be called slow */
  slow_bytes_per_s = 100 << 10 /* below it a download is worth a warning (results.md 2.8) */
};

dbsql_status cloudfetch_new(const struct cloudfetch_settings *settings, struct transfer_profile *profile, const struct page_source *source,
                            struct result_schema *schema, struct budget *budget, struct cloudfetch **out, dbsql_error **error) {
  *out = NULL;
  struct cloudfetch *cf = mem_alloc_zero(1, sizeof *cf);
  if (!cf) return error_no_memory(error);
  dbsql_status status = transfer_wake_new(&cf->wake, error);
  if (status != DBSQL_OK) {
    mem_free(cf);
    return status;
  }
  cf->settings = *settings;
  cf->profile = profile;
  cf->source = *source;
  cf->schema = result_schema_ref(schema);
  cf->budget = budget_ref(budget);
  cf->random = (uint64_t)clock_unix_us() ^ (uint64_t)(uintptr_t)cf * UINT64_C(0x9E3779B97F4A7C15);
  if (cf->random == 0) cf->random = 1;
  *out = cf;
  return DBSQL_OK;
}

void cloudfetch_free(struct cloudfetch *cf) {
  if (!cf) return;
  file_close(cf);
  while (cf->count > 0) slots_drop_first(cf);
  mem_free(cf->slots);
  if (cf->has_behind) page_free(&cf->behind);
  transfer_wake_free(cf->wake);
  budget_unref(cf->budget);
  result_schema_unref(cf->schema);
  mem_free(cf);
}

const struct cloudfetch_counts *cloudfetch_counts(const struct cloudfetch *cf) {
  return &cf->counts;
}

bool cloudfetch_take_page(struct cloudfetch *cf, struct page *page) {
  if (!cf->has_behind) return false;
  *page = cf->behind;
  cf->behind = (struct page){0};
  cf->has_behind = false;
  return true;
}

/* ---- How a download ended ------------------------------------------------------------------------------------------------ */

/* Adds to a message. */
static void error_append(dbsql_error *error, const char *text) {
  if (!error || error->is_static) return;
  size_t length = strlen(error->message), more = strlen(text);
  char *message = mem_realloc(error->message, length + more + 1);
  if (!message) return;
  memcpy(message + length, text, more + 1);
  error->message = message;
}

static dbsql_error *copy_error(const dbsql_error *from) {
  dbsql_error *copy = NULL;
  if (from->is_static) {
    error_no_memory(&copy);
    return copy;
  }
  error_set(&copy, from->kind, from->sqlstate, "%s", from->message);
  if (copy && !copy->is_static) copy->http_status = from->http_status;
  error_set_host(&copy, from->host);
  error_set_category(&copy, (enum error_category)from->category);
  error_set_request_id(&copy, from->request_id);
  return copy;
}

/* The slot's download has failed for good. */
static void give_up(struct cloudfetch *cf, struct slot *slot, const struct transfer_end *end, const char *why) {
  dbsql_error *failure = copy_error(end->error);
  char text[200];
  if (slot->failures > 1 || *why) {
    snprintf(text, sizeof text, "; gave up after %d attempt%s%s", slot->failures, slot->failures == 1 ? "" : "s", why);
    error_append(failure, text);
  }
  /* The most frequent failure in the field: a firewall between us and storage (results.md 2.2). */
  if (end->outcome == TRANSFER_NETWORK && !end->reached && !cf->any_file_came) {
    error_append(failure, "; results come from that host because CloudFetch is on: the option cloudfetch=false turns it off");
  }
  if (failure && !failure->is_static) {
    failure->attempts = slot->failures;
    failure->retry_after_ms = end->retry_after_ms;
  }
  slot_unload(cf, slot);
  slot_fail(slot, failure);
}

/* Begins anew after a wait, if that is still allowed. */
static void try_again(struct cloudfetch *cf, struct slot *slot, const struct transfer_end *end) {
  const struct retry_policy *policy = &cf->settings.retry;
  if (slot->failures > policy->max) {
    give_up(cf, slot, end, "");
    return;
  }
  int64_t now = clock_now_ns();
  int64_t wait_ms = end->retry_after_ms >= 0 ? end->retry_after_ms : retry_wait_ms(policy, slot->failures, &cf->random);
  if (policy->total_ms > 0 && slot->spent_ns / ns_per_ms + wait_ms >= policy->total_ms) {
    give_up(cf, slot, end, ": another would exceed the time for all of them (retry_total_ms)");
    return;
  }
  log_write(cf->settings.log, DBSQL_LOG_WARN, "cloudfetch", "a download failed and is tried again", "error",
            dbsql_error_message(end->error), (char *)NULL);
  cf->counts.retries++;
  slot_unload(cf, slot);
  slot->state = SLOT_PENDING;
  slot->spent_ns += wait_ms * ns_per_ms;
  slot->retry_at_ns = now + wait_ms * ns_per_ms;
}

static void status_refused(struct cloudfetch *cf, struct slot *slot, const struct transfer_end *end) {
  bool gone = false;
  switch (end->http_status) {
    case 401:
    case 403: break; /* expired, as a rule */
    case 400:
    case 404:
    case 410: gone = true; break; /* some stores say it so; or the file is gone, and another one may be there */
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: try_again(cf, slot, end); return;
    default: give_up(cf, slot, end, ""); return;
  }
  if (slot->renewals >= most_renewals || (gone && slot->was_gone)) {
    give_up(cf, slot, end, slot->renewals > 0 ? ", with new links from the server too" : "");
    return;
  }
  slot->was_gone = slot->was_gone || gone;
  slot_unload(cf, slot);
  slot->state = SLOT_PENDING;
  slot->retry_at_ns = 0;
  slot->must_renew = true;
}

static void arrived(struct cloudfetch *cf, struct slot *slot, const struct transfer_end *end) {
  int64_t elapsed = slot->spent_ns, left = 0;
  slot->body = transfer_take_body(slot->transfer, &left);
  slot->reserved += left;
  slot->state = SLOT_LOADED;
  double size = (double)slot->body->size;
  cf->rates[cf->rate_count++ % rates_kept] = size / (double)(end->elapsed_ns > 0 ? end->elapsed_ns : 1);
  cf->counts.bytes_received += (int64_t)slot->body->size;
  if (!cf->any_file_came) cf->counts.first_file_ns = elapsed;
  if (elapsed > cf->counts.slowest_file_ns) cf->counts.slowest_file_ns = elapsed;
  cf->counts.all_files_ns += elapsed;
  cf->any_file_came = true;
  if (end->elapsed_ns > INT64_C(1000) * ns_per_ms && size * 1e9 < (double)slow_bytes_per_s * (double)end->elapsed_ns) {
    char name[slot_name_size], bytes[24], ms[24];
    slot_name(slot, name);
    snprintf(bytes, sizeof bytes, "%zu", slot->body->size);
    snprintf(ms, sizeof ms, "%lld", (long long)(end->elapsed_ns / ns_per_ms));
    log_write(cf->settings.log, DBSQL_LOG_WARN, "cloudfetch", "a download was slow", "file", name, "bytes", bytes, "ms", ms, (char *)NULL);
  }
}

/* Looks at what has ended. */
static void collect(struct cloudfetch *cf) {
  for (size_t i = 0; i < cf->count; i++) {
    struct slot *slot = slot_at(cf, i);
    if (slot->state != SLOT_RUNNING) continue;
    const struct transfer_end *end = transfer_ended(slot->transfer);
    if (!end) continue;
    slot->spent_ns += end->elapsed_ns;
    if (end->outcome == TRANSFER_DONE) {
      arrived(cf, slot, end);
      transfer_free(slot->transfer);
      slot->transfer = NULL;
      continue;
    }
    slot->failures++;
    if (end->outcome == TRANSFER_STATUS) {
      status_refused(cf, slot, end);
    } else if (end->outcome == TRANSFER_NETWORK && end->may_retry) {
      try_again(cf, slot, end);
    } else {
      give_up(cf, slot, end, "");
    }
  }
}

/* ---- Slow downloads ------------------------------------------------------------------------------------------------------ */

static int compare_rates(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Cuts downloads that lag far behind what the others' speed promises, once each, to begin anew (results.md 2.8). */
static void cut_stragglers(struct cloudfetch *cf) {
  if (cf->settings.straggler_ms <= 0 || cf->rate_count < fewest_rates) return;
  double rates[rates_kept];
  size_t count = cf->rate_count < rates_kept ? cf->rate_count : rates_kept;
  memcpy(rates, cf->rates, count * sizeof *rates);
  qsort(rates, count, sizeof *rates, compare_rates);
  double median = rates[count / 2];
  if (median <= 0) return;
  for (size_t i = 0; i < cf->count && cf->counts.restarts < most_restarts; i++) {
    struct slot *slot = slot_at(cf, i);
    if (slot->state != SLOT_RUNNING || slot->restarted || transfer_ended(slot->transfer)) continue;
    int64_t received, declared, elapsed;
    transfer_progress(slot->transfer, &received, &declared, &elapsed);
    double size = (double)(declared > 0 ? declared : slot->bytes > 0 ? slot->bytes : cf->settings.usual_file);
    if ((double)elapsed <= 1.5 * size / median + (double)cf->settings.straggler_ms * ns_per_ms) continue;
    char name[slot_name_size];
    slot_name(slot, name);
    log_write(cf->settings.log, DBSQL_LOG_WARN, "cloudfetch", "a download is far slower than the others and begins anew", "file", name,
              (char *)NULL);
    slot_unload(cf, slot);
    slot->state = SLOT_PENDING;
    slot->retry_at_ns = 0;
    slot->restarted = true;
    cf->counts.restarts++;
  }
}

/* ---- Starting ------------------------------------------------------------------------------------------------------------ */

static int64_t expected_bytes(const struct cloudfetch *cf, const struct slot *slot) {
  int64_t most = cf->settings.max_file_bytes < (size_t)INT64_MAX ? (int64_t)cf->settings.max_file_bytes : INT64_MAX;
  int64_t bytes = slot->bytes > 0 ? slot->bytes : cf->settings.usual_file;
  return bytes < most ? bytes : most;
}

static dbsql_status begin(struct cloudfetch *cf, struct slot *slot, int64_t reserved, dbsql_error **error) {
  char name[slot_name_size];
  slot_name(slot, name);
  struct transfer_request request = {.url = slot->url,
                                     .headers = slot->headers,
                                     .header_count = slot->header_count,
                                     .what = name,
                                     .size_hint = (size_t)reserved / 4,
                                     .max_size = cf->settings.max_file_bytes,
                                     .stall_ms = cf->settings.stall_ms,
                                     .total_ms = cf->settings.total_ms,
                                     .budget = cf->budget,
                                     .reserved = reserved,
                                     .wake = cf->wake};
  dbsql_status status = transfer_start(cf->profile, &request, &slot->transfer, error);
  if (status == DBSQL_OK) slot->state = SLOT_RUNNING;
  return status;
}

/* Starts what may start, in the order of rows. `*renew` is the slot that needs a new link first, SIZE_MAX if none does. */
static dbsql_status start_downloads(struct cloudfetch *cf, size_t *renew, dbsql_error **error) {
  int running = 0;
  int64_t now = clock_now_ns();
  *renew = SIZE_MAX;
  cf->retry_at_ns = INT64_MAX;
  for (size_t i = 0; i < cf->count; i++) running += slot_at(cf, i)->state == SLOT_RUNNING;
  for (size_t i = 0; i < cf->count && (running < cf->settings.threads || i == 0); i++) {
    struct slot *slot = slot_at(cf, i);
    if (slot->state == SLOT_FAILED) return DBSQL_OK; /* nothing behind it will be wanted */
    if (slot->state != SLOT_PENDING) continue;
    if (slot->retry_at_ns > now) {
      if (slot->retry_at_ns < cf->retry_at_ns) cf->retry_at_ns = slot->retry_at_ns;
      continue;
    }
    /* The file that the consumer needs next may always come, so that a limit below one file slows down and nothing else. */
    int64_t size = expected_bytes(cf, slot);
    if (!budget_reserve(cf->budget, size, i == 0)) return DBSQL_OK;
    /* Not before there is room: a link that has to wait for that would only die again. */
    if (link_is_dying(cf, slot)) {
      budget_release(cf->budget, size);
      *renew = i;
      return DBSQL_OK;
    }
    dbsql_status status = begin(cf, slot, size, error);
    if (status != DBSQL_OK) return status;
    running++;
  }
  return DBSQL_OK;
}

dbsql_status cloudfetch_add_page(struct cloudfetch *cf, struct page *page, int64_t next_row, dbsql_error **error) {
  if (cf->count == 0) cf->next_link_row = cf->next_row = next_row;
  bool more = page->has_more;
  size_t renew;
  dbsql_status status = links_add(cf, page->rows, error);
  page_free(page);
  cf->no_more_links = !more;
  if (status == DBSQL_OK) return start_downloads(cf, &renew, error);
  cf->has_failed = true; /* some of its links are lost */
  return status;
}

/* ---- Delivering ---------------------------------------------------------------------------------------------------------- */

/* Gets new links for slot i. A failure is that slot's, unless it is the call that has ended. */
static dbsql_status renew_link(struct cloudfetch *cf, size_t i, const struct call *call, dbsql_error **error) {
  struct slot *slot = slot_at(cf, i);
  dbsql_error *failure = NULL;
  if (slot->renewals >= most_renewals) {
    error_set(&failure, DBSQL_ERROR_REQUEST, "08S01", "the link to the file that begins at row %lld has expired %d times",
              (long long)slot->start, slot->renewals + 1);
    slot_fail(slot, failure);
    return DBSQL_OK;
  }
  dbsql_status status = links_renew(cf, i, call, &failure);
  if (status == DBSQL_OK) return DBSQL_OK;
  bool call_ended = call_check(call, "getting new links", NULL) != DBSQL_OK;
  if (status == DBSQL_ERROR_NO_MEMORY || call_ended) {
    if (call_ended && i < cf->count) slot_at(cf, i)->renewals--;
    if (error) *error = failure;
    if (!error) dbsql_error_free(failure);
    return status;
  }
  slot_fail(slot_at(cf, i), failure);
  return DBSQL_OK;
}

/* Asks for further links while there is something to do with the ones that are known; not getting any harms nothing yet. */
static dbsql_status prefetch_links(struct cloudfetch *cf, const struct call *call, dbsql_error **error) {
  dbsql_error *failure = NULL;
  dbsql_status status = links_fetch(cf, true, call, &failure);
  if (status == DBSQL_OK) return DBSQL_OK;
  /* Also if it is the call that has ended: the next one is to deliver what is there, however slow the server is. */
  cf->prefetch_failed = true;
  if (status != DBSQL_ERROR_NO_MEMORY && call_check(call, "getting links", NULL) == DBSQL_OK) {
    error_clear(&failure);
    return DBSQL_OK;
  }
  if (error) *error = failure;
  if (!error) dbsql_error_free(failure);
  return status;
}

static bool wants_links(struct cloudfetch *cf) {
  if (cf->no_more_links || cf->is_broken || cf->has_behind || cf->prefetch_failed || cf->count >= links_ahead) return false;
  if (cf->prefetch_at_ns > clock_now_ns()) return false;
  if (slot_at(cf, 0)->state != SLOT_LOADED) return true;
  size_t waiting = 0;
  for (size_t i = 0; i < cf->count; i++) waiting += slot_at(cf, i)->state == SLOT_PENDING;
  return waiting == 0;
}

/* Waits until a download has ended, something is due, or the call is over. */
static dbsql_status wait_for_file(struct cloudfetch *cf, const struct call *call, dbsql_error **error) {
  struct slot *head = slot_at(cf, 0);
  struct http_target target;
  char what[400], name[slot_name_size];
  slot_name(head, name);
  if (http_target_parse(head->url, &target, NULL) != DBSQL_OK) target.shown[0] = 0;
  snprintf(what, sizeof what, "%s %s from %s", head->state == SLOT_RUNNING ? "downloading" : "waiting to download", name, target.shown);
  dbsql_status status = call_check(call, what, error);
  if (status != DBSQL_OK) {
    if (target.shown[0]) error_set_host(error, target.host);
    return status;
  }
  int64_t now = clock_now_ns(), wait_ms = call_remaining_ms(call);
  bool watch = cf->settings.straggler_ms > 0 && cf->rate_count >= fewest_rates;
  int64_t most = watch ? look_ms : 60000;
  if (watch && cf->settings.straggler_ms < most) most = cf->settings.straggler_ms;
  if (wait_ms > most) wait_ms = most;
  if (cf->retry_at_ns != INT64_MAX) {
    int64_t due_ms = cf->retry_at_ns <= now ? 0 : (cf->retry_at_ns - now + ns_per_ms - 1) / ns_per_ms;
    if (due_ms < wait_ms) wait_ms = due_ms;
  }
  struct pollfd fds[2] = {{transfer_wake_fd(cf->wake), POLLIN, 0}, {call_cancel_fd(call), POLLIN, 0}};
  if (poll(fds, fds[1].fd >= 0 ? 2 : 1, (int)wait_ms) > 0 && fds[0].revents) transfer_wake_reset(cf->wake);
  cf->counts.waited_ns += clock_now_ns() - now;
  return DBSQL_OK;
}

/* One step towards the next batch; `*at_end` when no file is left. */
static dbsql_status advance(struct cloudfetch *cf, const struct call *call, bool *at_end, dbsql_error **error) {
  if (cf->count == 0) {
    if (cf->has_behind || cf->no_more_links) {
      *at_end = true;
      return DBSQL_OK;
    }
    dbsql_status status = links_fetch(cf, false, call, error);
    cf->prefetch_failed = false;
    return status;
  }
  collect(cf);
  if (slot_at(cf, 0)->state == SLOT_FAILED) {
    dbsql_error *failure = slot_at(cf, 0)->error;
    slot_at(cf, 0)->error = NULL;
    dbsql_status status = failure ? dbsql_error_kind(failure) : error_no_memory(error);
    if (error && failure) *error = failure;
    if (!error) dbsql_error_free(failure);
    return status;
  }
  cut_stragglers(cf);
  size_t renew;
  dbsql_status status = start_downloads(cf, &renew, error);
  if (status != DBSQL_OK) return status;
  bool ready = slot_at(cf, 0)->state == SLOT_LOADED;
  if (renew != SIZE_MAX) {
    bool idle = true;
    for (size_t i = 0; i < cf->count && idle; i++) idle = slot_at(cf, i)->state != SLOT_RUNNING;
    if (!ready || idle) return renew_link(cf, renew, call, error);
  }
  if (wants_links(cf)) return prefetch_links(cf, call, error);
  if (ready) return file_open(cf, error);
  return wait_for_file(cf, call, error);
}

/* What an error is worth to the caller depends on how far it got. */
static dbsql_status fail(struct cloudfetch *cf, dbsql_status status, dbsql_error **error) {
  if (status != DBSQL_ERROR_NO_MEMORY) error_prefix(error, "after %lld rows", (long long)cf->next_row);
  return status;
}

dbsql_status cloudfetch_next(struct cloudfetch *cf, const struct call *call, struct ArrowArray *out, dbsql_error **error) {
  out->release = NULL;
  dbsql_status status = DBSQL_OK;
  if (!transfer_profile_is_ours(cf->profile)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY010", "the result belongs to the process that made it, not to one forked from it");
  }
  if (cf->file_is_open) {
    /* The downloads behind it go on, whatever the consumer does with this one. */
    size_t renew;
    collect(cf);
    status = start_downloads(cf, &renew, error);
  }
  bool at_end = false;
  while (status == DBSQL_OK && !at_end) {
    bool reading = cf->file_is_open;
    status = reading ? file_next(cf, out, error) : advance(cf, call, &at_end, error);
    if (status == DBSQL_OK && out->release) return DBSQL_OK;
    /* Only the end of the call leaves everything as it was. */
    if (status != DBSQL_OK) {
      bool call_ended = !reading && (status == DBSQL_ERROR_TIMEOUT || status == DBSQL_ERROR_CANCELLED) &&
                        (cf->count == 0 || slot_at(cf, 0)->state != SLOT_FAILED) && call_check(call, "fetching", NULL) != DBSQL_OK;
      if (!call_ended) cf->has_failed = true;
    }
  }
  return status == DBSQL_OK ? status : fail(cf, status, error);
}

bool cloudfetch_has_failed(const struct cloudfetch *cf) {
  return cf->has_failed;
}
