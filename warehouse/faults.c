#include "faults.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  enum fault_kind kind;
  int status;
} kinds[] = {
    {"http-400", FAULT_HTTP_STATUS, 400},
    {"http-401", FAULT_HTTP_STATUS, 401},
    {"401", FAULT_HTTP_STATUS, 401},
    {"http-403", FAULT_HTTP_STATUS, 403},
    {"403", FAULT_HTTP_STATUS, 403},
    {"http-404", FAULT_HTTP_STATUS, 404},
    {"404", FAULT_HTTP_STATUS, 404},
    {"http-408", FAULT_HTTP_STATUS, 408},
    {"http-429", FAULT_HTTP_STATUS, 429},
    {"http-500", FAULT_HTTP_STATUS, 500},
    {"http-502", FAULT_HTTP_STATUS, 502},
    {"http-503", FAULT_HTTP_STATUS, 503},
    {"http-504", FAULT_HTTP_STATUS, 504},
    {"html-body", FAULT_HTML_BODY, 200},
    {"garbage-body", FAULT_GARBAGE_BODY, 200},
    {"reset-before", FAULT_RESET_BEFORE, 0},
    {"reset-after", FAULT_RESET_AFTER, 0},
    {"stall", FAULT_STALL, 0},
    {"slow-body", FAULT_SLOW_BODY, 0},
    {"truncated-body", FAULT_TRUNCATED_BODY, 0},
    {"oversized-body", FAULT_OVERSIZED_BODY, 0},
    {"wrong-row-count", FAULT_WRONG_ROW_COUNT, 0},
    {"wrong-sequence-id", FAULT_WRONG_SEQUENCE_ID, 0},
    {"extra-fields", FAULT_EXTRA_FIELDS, 0},
    {"session-lost", FAULT_SESSION_LOST, 0},
    {"empty-page", FAULT_EMPTY_PAGE, 0},
};

void faults_init(struct faults *faults) {
  memset(faults, 0, sizeof *faults);
  pthread_mutex_init(&faults->lock, NULL);
}

void faults_destroy(struct faults *faults) {
  pthread_mutex_destroy(&faults->lock);
}

/* ---- Arming -----------------------------------------------------------------------------------------------------------------------------
 */

static bool read_text(const json_t *value, const char *key, char *out, size_t room, char *message, size_t size) {
  const char *text = json_string_value(value);
  if (!text || strlen(text) >= room || strpbrk(text, "\r\n")) {
    snprintf(message, size, "\"%s\" must be a text of at most %zu characters in one line", key, room - 1);
    return false;
  }
  memcpy(out, text, strlen(text) + 1);
  return true;
}

static bool read_number(const json_t *value, const char *key, int64_t low, int64_t *out, char *message, size_t size) {
  *out = json_is_integer(value) ? json_integer_value(value) : low - 1;
  if (*out < low || *out > INT64_C(1) << 40) {
    snprintf(message, size, "\"%s\" must be a whole number of at least %lld", key, (long long)low);
    return false;
  }
  return true;
}

static bool read_member(struct fault *fault, const char *key, const json_t *value, char *message, size_t size) {
  if (strcmp(key, "name") == 0) {
    if (!read_text(value, key, fault->name, sizeof fault->name, message, size)) return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
      if (strcmp(kinds[i].name, fault->name) != 0) continue;
      fault->kind = kinds[i].kind;
      fault->status = kinds[i].status;
      return true;
    }
    snprintf(message, size, "there is no fault named \"%s\"", fault->name);
    return false;
  }
  if (strcmp(key, "method") == 0) return read_text(value, key, fault->method, sizeof fault->method, message, size);
  if (strcmp(key, "message") == 0) return read_text(value, key, fault->message, sizeof fault->message, message, size);
  if (strcmp(key, "retry_after") == 0) {
    if (!json_is_integer(value)) return read_text(value, key, fault->retry_after, sizeof fault->retry_after, message, size);
    snprintf(fault->retry_after, sizeof fault->retry_after, "%lld", (long long)json_integer_value(value));
    return true;
  }
  if (strcmp(key, "count") == 0) return read_number(value, key, -1, &fault->count, message, size);
  if (strcmp(key, "skip") == 0) return read_number(value, key, 0, &fault->skip, message, size);
  if (strcmp(key, "delay_ms") == 0) return read_number(value, key, 0, &fault->delay_ms, message, size);
  if (strcmp(key, "bytes") == 0) return read_number(value, key, 1, &fault->bytes, message, size);
  snprintf(message, size, "there is no member \"%s\" (known: name, method, count, skip, retry_after, message, delay_ms, bytes)", key);
  return false;
}

bool faults_arm(struct faults *faults, const json_t *json, char *message, size_t size) {
  struct fault fault = {.count = 1, .delay_ms = -1};
  const char *key;
  json_t *value;
  if (!json_is_object(json)) {
    snprintf(message, size, "a fault is a JSON object");
    return false;
  }
  json_object_foreach((json_t *)(uintptr_t)json, key, value) {
    if (!read_member(&fault, key, value, message, size)) return false;
  }
  if (fault.kind == FAULT_NONE) {
    snprintf(message, size, "\"name\" is missing");
    return false;
  }
  if (fault.delay_ms < 0) fault.delay_ms = fault.kind == FAULT_STALL ? 600000 : 50;
  if (fault.bytes == 0) fault.bytes = fault.kind == FAULT_OVERSIZED_BODY ? INT64_C(1) << 30 : 16;
  pthread_mutex_lock(&faults->lock);
  bool full = faults->count == faults_limit;
  if (!full) faults->list[faults->count++] = fault;
  pthread_mutex_unlock(&faults->lock);
  if (full) snprintf(message, size, "%d faults are armed already", faults_limit);
  return !full;
}

void faults_clear(struct faults *faults) {
  pthread_mutex_lock(&faults->lock);
  faults->count = 0;
  pthread_mutex_unlock(&faults->lock);
}

/* ---- Striking ---------------------------------------------------------------------------------------------------------------------------
 */

struct fault faults_take(struct faults *faults, const char *method) {
  struct fault taken = {.kind = FAULT_NONE};
  pthread_mutex_lock(&faults->lock);
  for (int i = 0; i < faults->count && taken.kind == FAULT_NONE; i++) {
    struct fault *fault = &faults->list[i];
    if (fault->method[0] && strcmp(fault->method, method) != 0) continue;
    if (fault->skip > 0) {
      fault->skip--;
      continue;
    }
    if (fault->count == 0) continue;
    if (fault->count > 0) fault->count--;
    fault->struck++;
    faults->struck++;
    taken = *fault;
  }
  for (int i = 0; i < faults->count;) { /* those that are spent go */
    if (faults->list[i].count == 0) {
      memmove(&faults->list[i], &faults->list[i + 1], (size_t)(faults->count - i - 1) * sizeof *faults->list);
      faults->count--;
    } else {
      i++;
    }
  }
  pthread_mutex_unlock(&faults->lock);
  return taken;
}

json_t *faults_list(struct faults *faults) {
  json_t *list = json_array();
  pthread_mutex_lock(&faults->lock);
  for (int i = 0; i < faults->count; i++) {
    const struct fault *fault = &faults->list[i];
    json_t *item = json_object();
    json_object_set_new(item, "name", json_string(fault->name));
    if (fault->method[0]) json_object_set_new(item, "method", json_string(fault->method));
    json_object_set_new(item, "count", json_integer(fault->count));
    json_object_set_new(item, "skip", json_integer(fault->skip));
    json_object_set_new(item, "struck", json_integer(fault->struck));
    json_array_append_new(list, item);
  }
  pthread_mutex_unlock(&faults->lock);
  return list;
}
