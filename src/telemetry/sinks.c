/* The user's own sinks: a callback, files, the console, a collector. They know nothing of Databricks' switch, breaker or queue. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/environment.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "telemetry/otlp.h"
#include "telemetry/state.h"

static const char file_prefix[] = "apache.arrow.adbc.databricks";
static const char default_endpoint[] = "http://localhost:4318/v1/traces";
enum { batch_most = 512, header_most = 16 };
static const int64_t ns_per_ms = 1000000;

/* Shared by all connections with the same settings. */
struct sink {
  struct sink *next;
  int refs;
  enum traces_exporter kind;
  char *place; /* URL or folder */
  char *headers_text;
  enum otlp_protocol protocol;
  int64_t file_bytes;
  int files;
  /* The collector's */
  struct shared *owner; /* how to reach it: the settings of the first connection */
  struct http_settings http;
  struct http_client *client;
  struct http_header headers[header_most];
  size_t header_count;
  char *header_parts;
  struct breaker breaker;
  struct aggregator pending;
  bool busy;
  bool off; /* it refuses us */
  int64_t idle_ns;
  /* The file's */
  int fd; /* -1: none open */
  int64_t written;
};

/* ---- Making one ----------------------------------------------------------------------------------------------------------- */

static char *default_folder(void) {
  struct buf path = BUF_INIT;
  const char *state_home = environment_get("XDG_STATE_HOME"), *home = environment_get("HOME");
#if defined(__APPLE__)
  (void)state_home;
  if (home) buf_printf(&path, "%s/Library/Application Support/ADBC/Traces", home);
#else
  if (state_home) {
    buf_printf(&path, "%s/adbc/traces", state_home);
  } else if (home) {
    buf_printf(&path, "%s/.local/state/adbc/traces", home);
  }
#endif
  if (path.size == 0) buf_append_text(&path, "adbc-traces");
  return buf_take_text(&path);
}

static void percent_decode(char *text) {
  char *out = text;
  for (const char *in = text; *in; in++) {
    char digits[3] = {0};
    if (*in == '%' && in[1] && in[2]) memcpy(digits, in + 1, 2);
    char *end = digits;
    long value = digits[0] ? strtol(digits, &end, 16) : 0;
    if (digits[0] && end == digits + 2 && value > 0) {
      *out++ = (char)value;
      in += 2;
    } else {
      *out++ = *in;
    }
  }
  *out = 0;
}

/* name=value,name=value; values may be percent-encoded (OpenTelemetry's rule). */
static bool split_headers(struct sink *sink) {
  sink->header_parts = mem_strdup(sink->headers_text);
  if (!sink->header_parts) return false;
  char *rest = NULL;
  for (char *part = strtok_r(sink->header_parts, ",", &rest); part && sink->header_count < header_most - 2;
       part = strtok_r(NULL, ",", &rest)) {
    while (text_is_space(*part)) part++;
    char *equals = strchr(part, '=');
    if (!equals || equals == part) continue;
    *equals = 0;
    for (char *end = equals; end > part && text_is_space(end[-1]);) *--end = 0;
    char *value = equals + 1;
    while (text_is_space(*value)) value++;
    percent_decode(value);
    sink->headers[sink->header_count++] = (struct http_header){part, value};
  }
  return true;
}

static void sink_free(struct telemetry_state *state, struct sink *sink) {
  size_t count;
  while (sink->pending.first) {
    for (struct pending *node = aggregator_take(&sink->pending, 0, &count), *next; node; node = next) {
      next = node->next;
      node->event.owner->local_waiting--;
      node->event.owner->local_dropped++;
      pending_free(state, node);
    }
  }
  http_client_free(sink->client);
  shared_drop(sink->owner);
  if (sink->fd >= 0) close(sink->fd);
  mem_free(sink->place);
  mem_free_secret(sink->headers_text);
  mem_free(sink->header_parts);
  mem_free(sink);
}

struct sink *sink_acquire(struct telemetry_state *state, const struct telemetry_target *target, const struct telemetry_config *config,
                          dbsql_error **error) {
  enum traces_exporter kind = (enum traces_exporter)telemetry_config_int(config, SETTING_exporter);
  enum otlp_protocol protocol = (enum otlp_protocol)telemetry_config_int(config, SETTING_otlp_protocol);
  if (kind == TRACES_NONE || (kind == TRACES_OTLP && protocol == OTLP_GRPC)) return NULL;
  struct sink *made = mem_alloc_zero(1, sizeof *made);
  if (!made) {
    error_no_memory(error);
    return NULL;
  }
  const char *endpoint = telemetry_config_text(config, SETTING_otlp_endpoint), *folder = telemetry_config_text(config, SETTING_folder);
  made->fd = -1;
  made->refs = 1;
  made->kind = kind;
  made->protocol = protocol;
  made->file_bytes = telemetry_config_int(config, SETTING_file_kb) * 1024;
  made->files = (int)telemetry_config_int(config, SETTING_files);
  if (kind == TRACES_OTLP) {
    made->place = mem_strdup(*endpoint ? endpoint : default_endpoint);
  } else {
    made->place = *folder ? mem_strdup(folder) : default_folder();
  }
  made->headers_text = mem_strdup(telemetry_config_text(config, SETTING_otlp_headers));
  struct aggregator_settings batches = {.batch_size = batch_most, .interval_ms = telemetry_config_int(config, SETTING_flush_interval_ms)};
  if (batches.interval_ms > 5000) batches.interval_ms = 5000;
  aggregator_init(&made->pending, &batches, telemetry_random(state));
  breaker_init(&made->breaker, &state->breaker, telemetry_random(state));
  bool good = made->place && made->headers_text && split_headers(made);
  if (good && kind == TRACES_OTLP) {
    /* A collector is another host: none of the connection's credentials, and not its client certificate. */
    made->owner = target->owner;
    shared_keep(made->owner);
    made->http = target->http;
    made->http.tls_client_cert = made->http.tls_client_key = NULL;
    made->http.tls_client_key_password = NULL;
    made->http.connect_timeout_ms = telemetry_limits.connect_ms;
    made->http.request_timeout_ms = telemetry_limits.request_ms;
    made->http.max_response_bytes = telemetry_limits.answer_bytes;
    made->http.retry_max = 0;
    made->http.log = NULL;
  }
  if (!good) {
    error_no_memory(error);
    sink_free(state, made);
    return NULL;
  }
  for (struct sink *sink = state->sinks; sink; sink = sink->next) {
    if (sink->kind == kind && strcmp(sink->place, made->place) == 0 && strcmp(sink->headers_text, made->headers_text) == 0 &&
        sink->protocol == protocol && sink->file_bytes == made->file_bytes && sink->files == made->files) {
      sink_free(state, made);
      sink->refs++;
      return sink;
    }
  }
  made->next = state->sinks;
  state->sinks = made;
  return made;
}

void sink_release(struct telemetry_state *state, struct sink *sink) {
  (void)state;
  if (sink && --sink->refs == 0) sink->idle_ns = clock_now_ns();
}

void sink_sweep(struct telemetry_state *state, bool all) {
  for (struct sink **link = &state->sinks; *link;) {
    struct sink *sink = *link;
    if (!all && (sink->refs > 0 || sink->busy || sink->pending.count > 0)) {
      link = &sink->next;
      continue;
    }
    *link = sink->next;
    sink_free(state, sink);
  }
}

/* Those of a collector that has been given up are not counted: nothing happens to them for now. */
size_t sink_pending(const struct telemetry_state *state) {
  size_t count = 0;
  int64_t now = clock_now_ns();
  for (const struct sink *sink = state->sinks; sink; sink = sink->next) {
    if (sink->busy) count++;
    if (!sink->off && breaker_next_ns(&sink->breaker, now) <= now) count += sink->pending.count;
  }
  return count;
}

/* ---- Queueing ------------------------------------------------------------------------------------------------------------- */

static struct pending *copy_of(struct telemetry_state *state, const struct telemetry_event *event) {
  struct pending *node = state->pending_count < pending_everywhere_most ? mem_alloc(sizeof *node) : NULL;
  if (!node) return NULL;
  node->next = NULL;
  node->event = *event;
  node->attempts = 0;
  event->owner->waiting++;
  event->owner->local_waiting++;
  state->pending_count++;
  return node;
}

static void local_end(struct telemetry_state *state, struct pending *node, bool delivered) {
  struct telemetry *owner = node->event.owner;
  owner->local_waiting--;
  *(delivered ? &owner->local_delivered : &owner->local_dropped) += 1;
  pending_free(state, node);
}

void local_add(struct telemetry_state *state, const struct telemetry_event *event) {
  struct telemetry *owner = event->owner;
  bool here = owner->callback || (owner->sink && owner->sink->kind != TRACES_OTLP);
  if (here) {
    owner->local_received++;
    struct pending *node = state->local_count < local_most ? copy_of(state, event) : NULL;
    if (!node) {
      owner->local_dropped++;
    } else {
      if (state->local_last) {
        state->local_last->next = node;
      } else {
        state->local_first = node;
      }
      state->local_last = node;
      state->local_count++;
    }
  }
  if (owner->sink && owner->sink->kind == TRACES_OTLP) {
    owner->local_received++;
    struct pending *node = owner->sink->off ? NULL : copy_of(state, event);
    if (!node) {
      owner->local_dropped++;
      return;
    }
    struct pending *gone = aggregator_add(&owner->sink->pending, node, local_most, clock_now_ns());
    if (gone) local_end(state, gone, false);
  }
}

void local_drop_all(struct telemetry_state *state) {
  while (state->local_first) {
    struct pending *node = state->local_first;
    state->local_first = node->next;
    local_end(state, node, false);
  }
  state->local_last = NULL;
  state->local_count = 0;
  for (struct sink *sink = state->sinks; sink; sink = sink->next) {
    size_t count;
    while (sink->pending.first) {
      for (struct pending *node = aggregator_take(&sink->pending, 0, &count), *next; node; node = next) {
        next = node->next;
        local_end(state, node, false);
      }
    }
  }
}

/* ---- Callbacks and files -------------------------------------------------------------------------------------------------- */

static const char *enum_text(const struct tag_names *names, uint8_t value) {
  return value > 0 && value < names->count ? names->texts[value] : "";
}

static void call_back(dbsql_telemetry_function function, void *user, const struct telemetry_event *event) {
  const struct tag_event *tags = &event->tags;
  static const uint8_t no_id[16];
  char query_id[40] = "";
  if (memcmp(tags->statement_id, no_id, sizeof no_id) != 0) guid_format(tags->statement_id, sizeof no_id, query_id);
  const char *session_id = event->owner->tags.session_id;
  dbsql_telemetry_event told = {
      .struct_size = sizeof told,
      .time_unix_us = tags->timestamp_ms * 1000,
      .latency_us = event->latency_ns / 1000,
      .operation = enum_text(&tag_names_operation_type, tags->operation_type),
      .statement_type = enum_text(&tag_names_statement_type, tags->statement_type),
      .result_format = enum_text(&tag_names_execution_result, tags->execution_result),
      .error_category = enum_text(&tag_names_category, tags->category),
      .sqlstate = tags->sqlstate,
      .session_id = session_id ? session_id : "",
      .query_id = query_id,
      .vendor_code = tags->vendor_code,
      .http_status = tags->http_status,
      .rows = tags->rows,
      .bytes = tags->bytes_downloaded,
      .ready_ms = tags->ready_ms,
      .consumption_ms = tags->consumption_ms,
      .polls = tags->poll_count,
      .poll_ms = tags->poll_ms,
      .chunks = tags->chunks_iterated,
      .slowest_chunk_ms = tags->chunk_slowest_ms,
      .retries = tags->retry_count,
      .compressed = tags->is_compressed == FLAG_TRUE,
      .internal = tags->is_internal == FLAG_TRUE,
  };
  function(user, &told);
}

static void span_of(struct telemetry_state *state, const struct pending *node, struct otlp_span *span) {
  const struct telemetry_event *event = &node->event;
  *span = (struct otlp_span){.record = {event->kind, &event->tags, &event->owner->tags, &state->process},
                             .start_unix_ns = exporter_unix_ns(state, event->started_ns),
                             .has_parent = event->has_parent,
                             .trace_flags = event->has_parent ? event->trace_flags : 1};
  span->end_unix_ns = span->start_unix_ns + event->latency_ns;
  memcpy(span->span_id, event->tags.event_id, sizeof span->span_id);
  memcpy(span->trace_id, event->has_parent ? event->trace_id : event->tags.event_id, sizeof span->trace_id);
  memcpy(span->parent_span, event->parent_span, sizeof span->parent_span);
}

static void make_folders(const char *folder) {
  char *path = mem_strdup(folder);
  if (!path) return;
  for (char *at = path + 1; *at; at++) {
    if (*at != '/') continue;
    *at = 0;
    mkdir(path, 0700);
    *at = '/';
  }
  mkdir(path, 0700);
  mem_free(path);
}

static bool is_ours(const char *name) {
  size_t length = strlen(name), prefix = sizeof file_prefix - 1;
  return length > prefix + 6 && strncmp(name, file_prefix, prefix) == 0 && name[prefix] == '-' && strcmp(name + length - 6, ".jsonl") == 0;
}

/* Names sort by time: the smallest goes while there are too many. */
static void remove_old(const struct sink *sink) {
  for (;;) {
    DIR *folder = opendir(sink->place);
    if (!folder) return;
    char oldest[256] = "";
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
      if (!is_ours(entry->d_name) || strlen(entry->d_name) >= sizeof oldest) continue;
      count++;
      if (!oldest[0] || strcmp(entry->d_name, oldest) < 0) strcpy(oldest, entry->d_name);
    }
    closedir(folder);
    if (count < sink->files) return;
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", sink->place, oldest);
    const char *text = buf_text(&path);
    bool gone = text && unlink(text) == 0;
    buf_free(&path);
    if (!gone) return;
  }
}

static void open_file(struct sink *sink) {
  int64_t us = clock_unix_us();
  time_t seconds = (time_t)(us / 1000000);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  make_folders(sink->place);
  remove_old(sink);
  for (int attempt = 0; attempt < 100 && sink->fd < 0; attempt++) {
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s-%04d-%02d-%02d-%02d-%02d-%02d-%06d-%02d.jsonl", sink->place, file_prefix, utc.tm_year + 1900, utc.tm_mon + 1,
               utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(us % 1000000), attempt);
    const char *text = buf_text(&path);
    if (text) sink->fd = open(text, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    int reason = errno;
    buf_free(&path);
    if (sink->fd < 0 && (!text || reason != EEXIST)) return;
  }
  sink->written = 0;
}

static bool write_all(int fd, const uint8_t *data, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= (size_t)written;
  }
  return true;
}

static bool write_line(struct telemetry_state *state, struct sink *sink, const struct pending *node) {
  struct buf line = BUF_INIT;
  struct otlp_span span;
  span_of(state, node, &span);
  otlp_json(&line, &span, 1);
  buf_append_byte(&line, '\n');
  bool good = !buf_failed(&line);
  if (good && sink->kind == TRACES_CONSOLE) {
    good = write_all(STDERR_FILENO, line.data, line.size);
  } else if (good) {
    if (sink->fd >= 0 && sink->written > 0 && sink->written + (int64_t)line.size > sink->file_bytes) {
      close(sink->fd);
      sink->fd = -1;
    }
    if (sink->fd < 0) open_file(sink);
    good = sink->fd >= 0 && write_all(sink->fd, line.data, line.size);
    if (good) sink->written += (int64_t)line.size;
  }
  buf_free(&line);
  return good;
}

void local_deliver(struct telemetry_state *state) {
  while (state->local_first && !state->stopping) {
    struct pending *node = state->local_first;
    state->local_first = node->next;
    if (!state->local_first) state->local_last = NULL;
    state->local_count--;
    struct telemetry *owner = node->event.owner;
    dbsql_telemetry_function callback = owner->callback;
    void *user = owner->callback_user;
    struct sink *sink = owner->sink && owner->sink->kind != TRACES_OTLP ? owner->sink : NULL;
    system_describe(state);
    state->delivering = true;
    if (sink) sink->busy = true;
    pthread_mutex_unlock(&state->lock);
    if (callback) call_back(callback, user, &node->event);
    bool good = sink ? write_line(state, sink, node) : callback != NULL;
    pthread_mutex_lock(&state->lock);
    if (sink) sink->busy = false;
    state->delivering = false;
    local_end(state, node, good);
    pthread_cond_broadcast(&state->changed);
  }
}

/* ---- A collector ---------------------------------------------------------------------------------------------------------- */

static void send_spans(struct telemetry_state *state, struct sink *sink, uint32_t generation, int64_t now_ns) {
  size_t count;
  struct pending *list = aggregator_take(&sink->pending, now_ns, &count);
  struct buf body = BUF_INIT;
  struct http_response response = {0};
  dbsql_error *error = NULL;
  bool json = sink->protocol == OTLP_JSON;
  system_describe(state);
  sink->busy = true;
  pthread_mutex_unlock(&state->lock);

  struct otlp_span *spans = mem_alloc_zero(count, sizeof *spans);
  dbsql_status status = DBSQL_ERROR_NO_MEMORY;
  enum post_verdict verdict = POST_NEITHER;
  if (spans) {
    size_t i = 0;
    for (const struct pending *node = list; node; node = node->next) span_of(state, node, &spans[i++]);
    (json ? otlp_json : otlp_protobuf)(&body, spans, count);
    struct http_header headers[header_most];
    memcpy(headers, sink->headers, sizeof headers);
    headers[sink->header_count] = (struct http_header){"Content-Type", json ? "application/json" : "application/x-protobuf"};
    struct post post = {.client = &sink->client,
                        .http = &sink->http,
                        .url = sink->place,
                        .what = "Traces",
                        .headers = headers,
                        .header_count = sink->header_count + 1,
                        .body = buf_slice(&body)};
    if (!buf_failed(&body)) status = exporter_send(state, &post, &response, &error);
    if (status != DBSQL_OK) verdict = exporter_judge(status, error);
  }

  pthread_mutex_lock(&state->lock);
  sink->busy = false;
  enum breaker_outcome outcome = BREAKER_NEITHER;
  size_t delivered = 0;
  bool again = false;
  if (status == DBSQL_OK) {
    struct otlp_answer said;
    otlp_parse_answer(slice_of(response.body->data, response.body->size), json, &said);
    delivered = said.rejected < (int64_t)count ? count - (size_t)said.rejected : 0;
    outcome = BREAKER_SUCCESS;
  } else {
    int http = dbsql_error_http_status(error);
    /* OTLP: 429, 502, 503, 504 and connections that gave no answer; nothing else is sent again. */
    again = verdict == POST_FAILURE && (http == 0 || http == 429 || http == 502 || http == 503 || http == 504);
    if (verdict == POST_FAILURE || verdict == POST_UNCERTAIN) outcome = BREAKER_FAILURE;
    if (verdict == POST_REFUSED) sink->off = true;
  }
  struct pending *kept = NULL, **end = &kept;
  for (struct pending *node = list, *next; node; node = next) {
    next = node->next;
    node->next = NULL;
    if (again && node->attempts == 0) {
      node->attempts = 1;
      *end = node;
      end = &node->next;
      continue;
    }
    local_end(state, node, delivered > 0);
    if (delivered > 0) delivered--;
  }
  aggregator_put_back(&sink->pending, kept);
  breaker_report(&sink->breaker, clock_now_ns(), generation, outcome, error ? dbsql_error_retry_after_ms(error) : 0);
  pthread_cond_broadcast(&state->changed);
  mem_free(spans);
  http_response_free(&response);
  buf_free(&body);
  error_clear(&error);
}

bool sink_step(struct telemetry_state *state, int64_t now_ns, int64_t *next_ns) {
  for (struct sink *sink = state->sinks; sink; sink = sink->next) {
    if (sink->kind != TRACES_OTLP || sink->busy || sink->off || state->stopping) continue;
    int64_t due = aggregator_due_ns(&sink->pending, state->flushing);
    if (due == INT64_MAX) continue;
    int64_t allowed = breaker_next_ns(&sink->breaker, now_ns);
    if (due < allowed) due = allowed;
    uint32_t generation;
    if (due <= now_ns && breaker_admit(&sink->breaker, now_ns, &generation)) {
      send_spans(state, sink, generation, now_ns);
      return true;
    }
    if (due <= now_ns) due = now_ns + 1000 * ns_per_ms;
    if (due < *next_ns) *next_ns = due;
  }
  return false;
}
