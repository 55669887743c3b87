#include "telemetry_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "memory.h"

const char *const telemetry_endpoint_names[TELEMETRY_ENDPOINTS] = {"feature-flags", "telemetry-ext", "telemetry-unauth",
                                                                   "otlp-traces",   "otlp-metrics",  "otlp-logs"};

enum { SEEN_LIMIT = 1 << 22 };

void telemetry_log_init(struct telemetry_log *log, size_t bytes_limit) {
  memset(log, 0, sizeof *log);
  pthread_mutex_init(&log->lock, NULL);
  log->bytes_limit = bytes_limit;
  log->next_id = 1;
}

static void free_record(struct telemetry_record *record) {
  for (size_t i = 0; i < record->event_count; i++) free(record->events[i]);
  free(record->events);
  free(record->headers);
  free(record->target);
  free(record->fault);
  free(record->errors);
  free(record->warnings);
  buf_free(&record->body);
}

static struct telemetry_record *record_at(const struct telemetry_log *log, size_t i) {
  return &log->records[(log->first + i) % log->room];
}

static void drop_first(struct telemetry_log *log) {
  struct telemetry_record *record = record_at(log, 0);
  log->bytes -= record->bytes;
  free_record(record);
  log->first = (log->first + 1) % log->room;
  log->count--;
}

static void drop_all(struct telemetry_log *log) {
  while (log->count > 0) drop_first(log);
}

void telemetry_log_destroy(struct telemetry_log *log) {
  drop_all(log);
  free(log->records);
  free(log->seen);
  pthread_mutex_destroy(&log->lock);
}

void telemetry_log_clear(struct telemetry_log *log) {
  pthread_mutex_lock(&log->lock);
  drop_all(log);
  free(log->seen);
  log->seen = NULL;
  log->seen_room = log->seen_count = 0;
  log->forgotten_requests = log->forgotten_events = log->warnings = log->duplicates = 0;
  memset(log->counts, 0, sizeof log->counts);
  memset(log->by_reason, 0, sizeof log->by_reason);
  pthread_mutex_unlock(&log->lock);
}

/* ---- Recording ---------------------------------------------------------------------------------------------------------------------- */

static char *dump(const json_t *json) {
  char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
  char *copy = wh_copy(text ? text : "null");
  free(text);
  return copy;
}

static void grow(struct telemetry_log *log) {
  size_t room = log->room ? log->room * 2 : 64;
  struct telemetry_record *records = wh_new(room, sizeof *records);
  for (size_t i = 0; i < log->count; i++) records[i] = *record_at(log, i);
  free(log->records);
  log->records = records;
  log->room = room;
  log->first = 0;
}

/* The newest stays, whatever its size. */
static void keep_bounded(struct telemetry_log *log) {
  while (log->bytes > log->bytes_limit && log->count > 1) {
    log->forgotten_requests++;
    log->forgotten_events += (int64_t)record_at(log, 0)->event_count;
    drop_first(log);
  }
}

int64_t telemetry_log_begin(struct telemetry_log *log, enum telemetry_endpoint endpoint, const char *method, const char *path,
                            const json_t *headers, struct slice body, const char *fault) {
  struct telemetry_record record = {.endpoint = endpoint, .time_us = clock_unix_us(), .at_ns = clock_now_ns()};
  record.headers = dump(headers);
  record.target = wh_print("%s %s", method, path);
  record.fault = wh_copy(fault);
  buf_append_slice(&record.body, body);
  wh_check(&record.body);
  record.bytes = sizeof record + strlen(record.headers) + strlen(record.target) + record.body.capacity;

  pthread_mutex_lock(&log->lock);
  record.id = log->next_id++;
  if (log->count == log->room) grow(log);
  log->count++;
  *record_at(log, log->count - 1) = record;
  log->bytes += record.bytes;
  log->counts[endpoint].requests++;
  log->counts[endpoint].bytes += (int64_t)body.size;
  if (fault) log->counts[endpoint].faults++;
  keep_bounded(log);
  pthread_mutex_unlock(&log->lock);
  return record.id;
}

/* FNV-1a; never 0. */
static uint64_t hash_of(const char *text) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (; *text; text++) hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
  return hash ? hash : 1;
}

static bool put_seen(uint64_t *table, size_t room, uint64_t hash) {
  size_t at = (size_t)hash & (room - 1);
  for (; table[at]; at = (at + 1) & (room - 1)) {
    if (table[at] == hash) return false;
  }
  table[at] = hash;
  return true;
}

static void note_seen(struct telemetry_log *log, const json_t *event) {
  const char *id = json_string_value(json_object_get(json_object_get(event, "event"), "frontend_log_event_id"));
  if (!id || log->seen_count >= SEEN_LIMIT) return;
  if (log->seen_count * 2 >= log->seen_room) {
    size_t room = log->seen_room ? log->seen_room * 2 : 1024;
    uint64_t *table = wh_new(room, sizeof *table);
    for (size_t i = 0; i < log->seen_room; i++) {
      if (log->seen[i]) put_seen(table, room, log->seen[i]);
    }
    free(log->seen);
    log->seen = table;
    log->seen_room = room;
  }
  if (put_seen(log->seen, log->seen_room, hash_of(id))) {
    log->seen_count++;
  } else {
    log->duplicates++;
  }
}

void telemetry_log_end(struct telemetry_log *log, enum telemetry_endpoint endpoint, int64_t id, const struct telemetry_outcome *outcome,
                       bool refused) {
  size_t count = json_array_size(outcome->events);
  char **events = wh_new(count, sizeof *events);
  char *errors = dump(outcome->errors), *warnings = dump(outcome->warnings);
  size_t bytes = strlen(errors) + strlen(warnings) + count * sizeof *events;
  for (size_t i = 0; i < count; i++) {
    events[i] = dump(json_array_get(outcome->events, i));
    bytes += strlen(events[i]) + 1;
  }
  pthread_mutex_lock(&log->lock);
  struct telemetry_counts *counts = &log->counts[endpoint];
  counts->accepted += outcome->accepted;
  counts->rejected += outcome->rejected;
  if (refused) counts->refused++;
  for (int i = 0; i < TELEMETRY_REASONS; i++) log->by_reason[i] += outcome->by_reason[i];
  log->warnings += (int64_t)json_array_size(outcome->warnings);
  for (size_t i = 0; i < count; i++) note_seen(log, json_array_get(outcome->events, i));
  int64_t first_id = log->next_id - (int64_t)log->count;
  if (id >= first_id && id < log->next_id) {
    struct telemetry_record *record = record_at(log, (size_t)(id - first_id));
    record->done = true;
    record->status = outcome->status;
    record->accepted = outcome->accepted;
    record->rejected = outcome->rejected;
    record->errors = errors;
    record->warnings = warnings;
    record->events = events;
    record->event_count = count;
    record->bytes += bytes;
    log->bytes += bytes;
    errors = warnings = NULL;
    events = NULL;
    keep_bounded(log);
  } else {
    log->forgotten_events += (int64_t)count;
  }
  pthread_mutex_unlock(&log->lock);
  free(errors);
  free(warnings);
  for (size_t i = 0; events && i < count; i++) free(events[i]);
  free(events);
}

/* ---- Telling ------------------------------------------------------------------------------------------------------------------------ */

static void format_time(int64_t us, char out[40]) {
  time_t seconds = (time_t)(us / 1000000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  size_t length = strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(out + length, 40 - length, ".%06dZ", (int)(us % 1000000));
}

void telemetry_log_events(struct telemetry_log *log, struct buf *out) {
  bool any = false;
  buf_append_text(out, "[");
  pthread_mutex_lock(&log->lock);
  for (size_t i = 0; i < log->count; i++) {
    const struct telemetry_record *record = record_at(log, i);
    for (size_t e = 0; e < record->event_count; e++) {
      buf_append_text(out, any ? ",\n" : "");
      buf_append_text(out, record->events[e]);
      any = true;
    }
  }
  pthread_mutex_unlock(&log->lock);
  buf_append_text(out, "]");
  wh_check(out);
}

void telemetry_log_requests(struct telemetry_log *log, struct buf *out) {
  buf_append_text(out, "[");
  pthread_mutex_lock(&log->lock);
  for (size_t i = 0; i < log->count; i++) {
    const struct telemetry_record *record = record_at(log, i);
    char when[40];
    format_time(record->time_us, when);
    json_t *target = json_string(record->target), *fault = record->fault ? json_string(record->fault) : json_null();
    char *target_text = json_dumps(target, JSON_ENCODE_ANY), *fault_text = json_dumps(fault, JSON_ENCODE_ANY);
    buf_printf(out, "%s{\"id\":%lld,\"endpoint\":\"%s\",\"time\":\"%s\",\"monotonic_ns\":%lld,\"request\":%s,\"bytes\":%zu,\"fault\":%s,",
               i ? ",\n" : "", (long long)record->id, telemetry_endpoint_names[record->endpoint], when, (long long)record->at_ns,
               target_text ? target_text : "\"\"", record->body.size, fault_text ? fault_text : "null");
    buf_append_text(out, "\"headers\":");
    buf_append_text(out, record->headers);
    if (record->done) {
      buf_printf(out, ",\"status\":%d,\"accepted\":%lld,\"rejected\":%lld,\"errors\":", record->status, (long long)record->accepted,
                 (long long)record->rejected);
      buf_append_text(out, record->errors);
      buf_append_text(out, ",\"warnings\":");
      buf_append_text(out, record->warnings);
    }
    buf_append_text(out, "}");
    free(target_text);
    free(fault_text);
    json_decref(target);
    json_decref(fault);
  }
  pthread_mutex_unlock(&log->lock);
  buf_append_text(out, "]");
  wh_check(out);
}

json_t *telemetry_log_stats(struct telemetry_log *log) {
  json_t *out = json_object(), *reasons = json_object();
  pthread_mutex_lock(&log->lock);
  for (int i = 0; i < TELEMETRY_ENDPOINTS; i++) {
    const struct telemetry_counts *counts = &log->counts[i];
    json_object_set_new(out, telemetry_endpoint_names[i],
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)counts->requests, "bytes",
                                  (json_int_t)counts->bytes, "faults", (json_int_t)counts->faults, "refused", (json_int_t)counts->refused,
                                  "accepted", (json_int_t)counts->accepted, "rejected", (json_int_t)counts->rejected));
  }
  for (int i = 0; i < TELEMETRY_REASONS; i++) json_object_set_new(reasons, telemetry_reasons[i], json_integer(log->by_reason[i]));
  json_object_set_new(out, "rejected_by", reasons);
  json_object_set_new(out, "warnings", json_integer(log->warnings));
  json_object_set_new(out, "duplicates", json_integer(log->duplicates));
  json_object_set_new(out, "forgotten_requests", json_integer(log->forgotten_requests));
  json_object_set_new(out, "forgotten_events", json_integer(log->forgotten_events));
  pthread_mutex_unlock(&log->lock);
  return out;
}

static bool holds(const void *bytes, size_t size, const char *text) {
  size_t length = strlen(text);
  const uint8_t *at = bytes;
  while (size >= length) {
    const uint8_t *found = memchr(at, text[0], size - length + 1);
    if (!found) return false;
    if (memcmp(found, text, length) == 0) return true;
    size -= (size_t)(found - at) + 1;
    at = found + 1;
  }
  return false;
}

/* A text, and how it looks in JSON and in JSON within JSON, with and without escaping what is not ASCII. */
enum { FORMS = 5 };

static void forms_of(const char *text, char *forms[FORMS]) {
  forms[0] = wh_copy(text);
  for (int i = 1; i < FORMS; i++) {
    json_t *json = json_string(i % 2 ? text : forms[i - 1]);
    char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY | (i > 2 ? JSON_ENSURE_ASCII : 0)) : NULL;
    forms[i] = quoted ? wh_copy_n(quoted + 1, strlen(quoted) - 2) : wh_copy(text);
    free(quoted);
    json_decref(json);
  }
}

/* As it came, and as it was read. */
static bool record_holds(const struct telemetry_record *record, char *const forms[FORMS]) {
  for (int i = 0; i < FORMS; i++) {
    if (holds(record->body.data, record->body.size, forms[i]) || holds(record->headers, strlen(record->headers), forms[i]) ||
        holds(record->target, strlen(record->target), forms[i]))
      return true;
  }
  for (size_t i = 0; i < record->event_count; i++) {
    if (holds(record->events[i], strlen(record->events[i]), forms[1])) return true;
  }
  return false;
}

json_t *telemetry_log_search(struct telemetry_log *log, const json_t *texts) {
  json_t *found = json_object(), *value;
  size_t i;
  pthread_mutex_lock(&log->lock);
  json_array_foreach(texts, i, value) {
    const char *text = json_string_value(value);
    int64_t count = 0;
    if (!text || !*text) continue;
    char *forms[FORMS];
    forms_of(text, forms);
    for (size_t r = 0; r < log->count; r++) count += record_holds(record_at(log, r), forms);
    for (int f = 0; f < FORMS; f++) free(forms[f]);
    json_object_set_new(found, text, json_integer(count));
  }
  bool complete = log->forgotten_requests == 0;
  pthread_mutex_unlock(&log->lock);
  return json_pack("{s:b, s:o}", "complete", complete, "found", found);
}
