#include "faults.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"

/* What a fault can strike: Thrift calls (any, or of one method), and the endpoints that are named below. */
/* Links and what they lead to. */
enum { AT_STORAGE = 1 << 16, AT_LINKS = 1 << 17 };
enum { AT_THRIFT = 1, AT_FLAGS = 2, AT_TELEMETRY = 4, AT_OTLP = 8 };
/* OAuth's, one by one and together. */
enum { AT_CONFIG = 16, AT_METADATA = 32, AT_JWKS = 64, AT_AUTHORIZE = 128, AT_TOKEN = 256, AT_OIDC = 496, AT_ALL = 511 };

static const struct {
  const char *name;
  unsigned at;
} endpoints[] = {
    {"storage", AT_STORAGE},
    {"links", AT_LINKS},
    {"feature-flags", AT_FLAGS},
    {"telemetry-ext", AT_TELEMETRY},
    {"telemetry-unauth", AT_TELEMETRY},
    {"telemetry", AT_TELEMETRY},
    {"otlp-traces", AT_OTLP},
    {"otlp-metrics", AT_OTLP},
    {"otlp-logs", AT_OTLP},
    {"otlp", AT_OTLP},
    {"oidc-config", AT_CONFIG},
    {"oidc-metadata", AT_METADATA},
    {"oidc-jwks", AT_JWKS},
    {"oidc-authorize", AT_AUTHORIZE},
    {"oidc-token", AT_TOKEN},
    {"oidc", AT_OIDC},
};

static const struct {
  const char *name;
  enum fault_kind kind;
  int status;
  unsigned at;
} kinds[] = {
    {"link-expired", FAULT_LINK_EXPIRED, 403, AT_STORAGE},
    {"link-expired-after-bytes", FAULT_LINK_EXPIRED_AFTER, 0, AT_STORAGE},
    {"link-403", FAULT_FILE_STATUS, 403, AT_STORAGE},
    {"link-404", FAULT_FILE_STATUS, 404, AT_STORAGE},
    {"storage-408", FAULT_FILE_STATUS, 408, AT_STORAGE},
    {"storage-429", FAULT_FILE_STATUS, 429, AT_STORAGE},
    {"storage-500", FAULT_FILE_STATUS, 500, AT_STORAGE},
    {"storage-502", FAULT_FILE_STATUS, 502, AT_STORAGE},
    {"storage-503", FAULT_FILE_STATUS, 503, AT_STORAGE},
    {"storage-504", FAULT_FILE_STATUS, 504, AT_STORAGE},
    {"storage-5xx", FAULT_FILE_STORM, 0, AT_STORAGE},
    {"storage-reset", FAULT_FILE_RESET, 0, AT_STORAGE},
    {"storage-truncated", FAULT_FILE_TRUNCATED, 0, AT_STORAGE},
    {"storage-stall", FAULT_FILE_STALL, 0, AT_STORAGE},
    {"storage-slow", FAULT_FILE_SLOW, 0, AT_STORAGE},
    {"storage-short-file", FAULT_SHORT_FILE, 0, AT_STORAGE},
    {"storage-corrupt-frame", FAULT_CORRUPT_FRAME, 0, AT_STORAGE},
    {"storage-corrupt-batch", FAULT_CORRUPT_BATCH, 0, AT_STORAGE},
    {"storage-short-rows", FAULT_SHORT_ROWS, 0, AT_STORAGE},
    {"padding-rows", FAULT_PADDING_ROWS, 0, AT_STORAGE},
    {"stale-names", FAULT_STALE_NAMES, 0, AT_STORAGE},
    {"stale-metadata", FAULT_STALE_METADATA, 0, AT_STORAGE},
    {"wrong-schema", FAULT_WRONG_SCHEMA, 0, AT_STORAGE},
    {"storage-wrong-row-count", FAULT_LINK_ROW_COUNT, 0, AT_LINKS},
    {"storage-wrong-bytes", FAULT_LINK_BYTES, 0, AT_LINKS},
    {"duplicate-chunk", FAULT_DUPLICATE_CHUNK, 0, AT_LINKS},
    {"missing-chunk", FAULT_MISSING_CHUNK, 0, AT_LINKS},
    {"has-more-rows-lies", FAULT_MORE_ROWS_LIE, 0, AT_THRIFT},
    {"no-arrow-schema", FAULT_NO_ARROW_SCHEMA, 0, AT_THRIFT},
    {"http-400", FAULT_HTTP_STATUS, 400, AT_ALL},
    {"http-401", FAULT_HTTP_STATUS, 401, AT_ALL},
    {"401", FAULT_HTTP_STATUS, 401, AT_ALL},
    {"http-403", FAULT_HTTP_STATUS, 403, AT_ALL},
    {"403", FAULT_HTTP_STATUS, 403, AT_ALL},
    {"http-404", FAULT_HTTP_STATUS, 404, AT_ALL},
    {"404", FAULT_HTTP_STATUS, 404, AT_ALL},
    {"http-408", FAULT_HTTP_STATUS, 408, AT_ALL},
    {"http-413", FAULT_HTTP_STATUS, 413, AT_ALL},
    {"http-429", FAULT_HTTP_STATUS, 429, AT_ALL},
    {"http-500", FAULT_HTTP_STATUS, 500, AT_ALL},
    {"http-502", FAULT_HTTP_STATUS, 502, AT_ALL},
    {"http-503", FAULT_HTTP_STATUS, 503, AT_ALL},
    {"http-504", FAULT_HTTP_STATUS, 504, AT_ALL},
    {"html-body", FAULT_HTML_BODY, 200, AT_ALL},
    {"garbage-body", FAULT_GARBAGE_BODY, 200, AT_ALL},
    {"reset-before", FAULT_RESET_BEFORE, 0, AT_ALL},
    {"reset-after", FAULT_RESET_AFTER, 0, AT_ALL},
    {"stall", FAULT_STALL, 0, AT_ALL},
    {"slow-body", FAULT_SLOW_BODY, 0, AT_ALL},
    {"truncated-body", FAULT_TRUNCATED_BODY, 0, AT_ALL},
    {"oversized-body", FAULT_OVERSIZED_BODY, 0, AT_ALL},
    {"wrong-row-count", FAULT_WRONG_ROW_COUNT, 0, AT_THRIFT},
    {"wrong-sequence-id", FAULT_WRONG_SEQUENCE_ID, 0, AT_THRIFT},
    {"extra-fields", FAULT_EXTRA_FIELDS, 0, AT_THRIFT},
    {"session-lost", FAULT_SESSION_LOST, 0, AT_THRIFT},
    {"session-gone", FAULT_SESSION_GONE, 0, AT_THRIFT},
    {"statement-fails", FAULT_STATEMENT_FAILS, 0, AT_THRIFT},
    {"empty-page", FAULT_EMPTY_PAGE, 0, AT_THRIFT},
    {"unknown-method", FAULT_UNKNOWN_METHOD, 0, AT_THRIFT},
    {"refused", FAULT_REFUSED, 0, AT_THRIFT},
    {"redirect", FAULT_REDIRECT, 302, AT_ALL},
    {"reset-body", FAULT_RESET_BODY, 0, AT_ALL},
    {"delay", FAULT_DELAY, 0, AT_ALL},
    {"empty-body", FAULT_EMPTY_BODY, 0, AT_FLAGS | AT_TELEMETRY | AT_OTLP},
    {"malformed-json", FAULT_MALFORMED_JSON, 0, AT_FLAGS | AT_TELEMETRY},
    {"extra-keys", FAULT_EXTRA_KEYS, 0, AT_FLAGS | AT_TELEMETRY},
    {"wrong-types", FAULT_WRONG_TYPES, 0, AT_FLAGS | AT_TELEMETRY},
    {"partial-success", FAULT_PARTIAL_SUCCESS, 0, AT_TELEMETRY | AT_OTLP},
    {"lying-count", FAULT_LYING_COUNT, 0, AT_TELEMETRY},
    {"oidc-error", FAULT_OIDC_ERROR, 400, AT_TOKEN},
    {"oidc-error-code", FAULT_OIDC_ERROR_CODE, 400, AT_TOKEN},
    {"oidc-echo", FAULT_OIDC_ECHO, 400, AT_TOKEN},
    {"oidc-empty-token", FAULT_OIDC_EMPTY_TOKEN, 200, AT_TOKEN},
    {"oidc-no-token", FAULT_OIDC_NO_TOKEN, 200, AT_TOKEN},
    {"oidc-expires-in", FAULT_OIDC_EXPIRES_IN, 200, AT_TOKEN},
    {"oidc-token-type", FAULT_OIDC_TOKEN_TYPE, 200, AT_TOKEN},
    {"oidc-foreign-token", FAULT_OIDC_FOREIGN_TOKEN, 200, AT_TOKEN},
    {"oidc-same-refresh", FAULT_OIDC_SAME_REFRESH, 200, AT_TOKEN},
    {"oidc-wrong-state", FAULT_OIDC_WRONG_STATE, 303, AT_AUTHORIZE},
    {"oidc-denied", FAULT_OIDC_DENIED, 303, AT_AUTHORIZE},
    {"oidc-no-callback", FAULT_OIDC_NO_CALLBACK, 200, AT_AUTHORIZE},
    {"oidc-endpoint", FAULT_OIDC_ENDPOINT, 200, AT_CONFIG},
    {"oidc-issuer", FAULT_OIDC_ISSUER, 200, AT_METADATA},
    {"oidc-token-url", FAULT_OIDC_TOKEN_URL, 200, AT_METADATA},
    {"oidc-missing", FAULT_OIDC_MISSING, 200, AT_METADATA},
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
  if (strcmp(key, "match") == 0) return read_text(value, key, fault->match, sizeof fault->match, message, size);
  if (strcmp(key, "message") == 0) return read_text(value, key, fault->message, sizeof fault->message, message, size);
  if (strcmp(key, "retry_after") == 0) {
    if (!json_is_integer(value)) return read_text(value, key, fault->retry_after, sizeof fault->retry_after, message, size);
    snprintf(fault->retry_after, sizeof fault->retry_after, "%lld", (long long)json_integer_value(value));
    return true;
  }
  if (strcmp(key, "count") == 0) return read_number(value, key, -1, &fault->count, message, size);
  if (strcmp(key, "skip") == 0) return read_number(value, key, 0, &fault->skip, message, size);
  if (strcmp(key, "delay_ms") == 0) return read_number(value, key, 0, &fault->delay_ms, message, size);
  if (strcmp(key, "file") == 0) return read_number(value, key, 0, &fault->file, message, size);
  if (strcmp(key, "bytes") == 0) return read_number(value, key, 1, &fault->bytes, message, size);
  if (strcmp(key, "accepted") == 0) return read_number(value, key, 0, &fault->accepted, message, size);
  if (strcmp(key, "location") == 0) return read_text(value, key, fault->location, sizeof fault->location, message, size);
  if (strcmp(key, "status") == 0) return read_number(value, key, 300, &fault->redirect, message, size);
  snprintf(message, size,
           "there is no member \"%s\" (known: name, method, match, count, skip, retry_after, message, delay_ms, bytes, location,"
           " file,"
           " status, accepted)",
           key);
  return false;
}

/* That the fault can happen where it is to, and has what it needs. */
static bool check_place(struct fault *fault, char *message, size_t size) {
  unsigned at = AT_THRIFT, possible = 0;
  for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
    if (strcmp(endpoints[i].name, fault->method) == 0) at = endpoints[i].at;
  }
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (kinds[i].kind == fault->kind) possible = kinds[i].at;
  }
  if (fault->method[0] == '\0' && (possible & (AT_OIDC | AT_STORAGE | AT_LINKS)) &&
      possible != AT_ALL) { /* those of one endpoint need not name it */
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
      if (endpoints[i].at == possible) snprintf(fault->method, sizeof fault->method, "%s", endpoints[i].name);
    }
    at = possible;
  }
  if (!(possible & at)) {
    snprintf(message, size, "the fault \"%s\" cannot strike \"%s\"", fault->name, fault->method[0] ? fault->method : "any Thrift call");
    return false;
  }
  if ((fault->kind == FAULT_REDIRECT) != (fault->location[0] != '\0')) {
    snprintf(message, size, "\"location\" belongs to the fault \"redirect\", which needs it");
    return false;
  }
  if (fault->match[0] && (at != AT_THRIFT || (fault->method[0] && strcmp(fault->method, "ExecuteStatement") != 0))) {
    snprintf(message, size, "\"match\" is what a statement begins with: \"method\" must be ExecuteStatement");
    return false;
  }
  if ((fault->kind == FAULT_STATEMENT_FAILS) != (fault->kind == FAULT_STATEMENT_FAILS && fault->message[0])) {
    snprintf(message, size, "the fault \"statement-fails\" needs a \"message\": the error class, and if wanted the SQLSTATE");
    return false;
  }
  if (fault->redirect && (fault->kind != FAULT_REDIRECT || fault->redirect > 308)) {
    snprintf(message, size, "\"status\" is that of a redirect: 300 to 308");
    return false;
  }
  if (fault->redirect) fault->status = (int)fault->redirect;
  return true;
}

bool faults_arm(struct faults *faults, const json_t *json, char *message, size_t size) {
  struct fault fault = {.count = 1, .delay_ms = -1, .file = -1};
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
  if (!check_place(&fault, message, size)) return false;
  if (fault.delay_ms < 0) fault.delay_ms = fault.kind == FAULT_STALL || fault.kind == FAULT_FILE_STALL ? 600000 : 50;
  if (fault.bytes == 0 && strcmp(fault.method, "storage") == 0) fault.bytes = -1; /* half of the file */
  if (fault.bytes == 0) fault.bytes = fault.kind == FAULT_OVERSIZED_BODY ? INT64_C(1) << 30 : 16;
  pthread_mutex_lock(&faults->lock);
  bool full = faults->count == faults_limit;
  if (!full) faults->list[faults->count++] = fault;
  pthread_mutex_unlock(&faults->lock);
  if (full) snprintf(message, size, "%d faults are armed already", faults_limit);
  return !full;
}

bool faults_read_file(struct faults *faults, const char *path, char **message) {
  json_error_t error;
  char why[256];
  size_t i;
  json_t *fault, *list = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  if (!list) {
    *message = wh_print("cannot read the faults in %s: line %d: %s", path, error.line, error.text);
  } else if (!json_is_array(list)) {
    *message = wh_print("cannot read the faults in %s: it is no JSON array", path);
  } else {
    json_array_foreach(list, i, fault) {
      if (faults_arm(faults, fault, why, sizeof why)) continue;
      *message = wh_print("the fault number %zu in %s: %s", i + 1, path, why);
      break;
    }
  }
  json_decref(list);
  return !*message;
}

void faults_clear(struct faults *faults) {
  pthread_mutex_lock(&faults->lock);
  faults->count = 0;
  pthread_mutex_unlock(&faults->lock);
}

/* ---- Striking ---------------------------------------------------------------------------------------------------------------------------
 */

struct place {
  bool any; /* those that name nothing strike too */
  const char *name, *group;
  int64_t file;
  bool (*begins_with)(struct slice message, const char *start); /* NULL: it is no statement */
  struct slice message;
};

static struct fault take(struct faults *faults, const struct place *place) {
  struct fault taken = {.kind = FAULT_NONE};
  pthread_mutex_lock(&faults->lock);
  for (int i = 0; i < faults->count && taken.kind == FAULT_NONE; i++) {
    struct fault *fault = &faults->list[i];
    if (fault->method[0] ? strcmp(fault->method, place->name) != 0 && strcmp(fault->method, place->group) != 0 : !place->any) continue;
    if (fault->file >= 0 && fault->file != place->file) continue;
    if (fault->match[0] && !(place->begins_with && place->begins_with(place->message, fault->match))) continue;
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

struct fault faults_take_call(struct faults *faults, const char *method, bool (*begins_with)(struct slice message, const char *start),
                              struct slice message) {
  return take(faults, &(struct place){true, method, method, -1, begins_with, message});
}

struct fault faults_take(struct faults *faults, const char *method) {
  return faults_take_call(faults, method, NULL, slice_of(NULL, 0));
}

struct fault faults_take_endpoint(struct faults *faults, const char *endpoint, const char *group) {
  return take(faults, &(struct place){.name = endpoint, .group = group, .file = -1});
}

struct fault faults_take_file(struct faults *faults, const char *endpoint, int64_t file) {
  return take(faults, &(struct place){.name = endpoint, .group = endpoint, .file = file});
}

json_t *faults_list(struct faults *faults) {
  json_t *list = json_array();
  pthread_mutex_lock(&faults->lock);
  for (int i = 0; i < faults->count; i++) {
    const struct fault *fault = &faults->list[i];
    json_t *item = json_object();
    json_object_set_new(item, "name", json_string(fault->name));
    if (fault->method[0]) json_object_set_new(item, "method", json_string(fault->method));
    if (fault->match[0]) json_object_set_new(item, "match", json_string(fault->match));
    if (fault->file >= 0) json_object_set_new(item, "file", json_integer(fault->file));
    json_object_set_new(item, "count", json_integer(fault->count));
    json_object_set_new(item, "skip", json_integer(fault->skip));
    json_object_set_new(item, "struck", json_integer(fault->struck));
    json_array_append_new(list, item);
  }
  pthread_mutex_unlock(&faults->lock);
  return list;
}
