#include "telemetry.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "otlp.h"

#define JSON_TYPE "application/json; charset=utf-8"

void telemetry_init(struct telemetry *telemetry, size_t bytes_limit, FILE *print) {
  feature_flags_init(&telemetry->flags);
  telemetry_log_init(&telemetry->log, bytes_limit);
  pthread_mutex_init(&telemetry->print_lock, NULL);
  telemetry->print = print;
}

void telemetry_destroy(struct telemetry *telemetry) {
  feature_flags_destroy(&telemetry->flags);
  telemetry_log_destroy(&telemetry->log);
  pthread_mutex_destroy(&telemetry->print_lock);
}

bool telemetry_endpoint_of(const char *path, enum telemetry_endpoint *endpoint) {
  static const char *const paths[TELEMETRY_ENDPOINTS] = {[TELEMETRY_EXT] = "/telemetry-ext",
                                                         [TELEMETRY_UNAUTH] = "/telemetry-unauth",
                                                         [TELEMETRY_TRACES] = "/v1/traces",
                                                         [TELEMETRY_METRICS] = "/v1/metrics",
                                                         [TELEMETRY_LOGS] = "/v1/logs"};
  *endpoint = TELEMETRY_FLAGS;
  if (feature_flags_is_path(path)) return true;
  for (int i = TELEMETRY_EXT; i < TELEMETRY_ENDPOINTS; i++) {
    *endpoint = (enum telemetry_endpoint)i;
    if (strcmp(path, paths[i]) == 0) return true;
  }
  return false;
}

const char *telemetry_group(enum telemetry_endpoint endpoint) {
  switch (endpoint) {
    case TELEMETRY_FLAGS: return "feature-flags";
    case TELEMETRY_EXT:
    case TELEMETRY_UNAUTH: return "telemetry";
    default: return "otlp";
  }
}

/* ---- Outcomes ----------------------------------------------------------------------------------------------------------------------- */

static void begin(struct telemetry_outcome *outcome) {
  *outcome = (struct telemetry_outcome){.errors = json_array(), .warnings = json_array(), .events = json_array()};
}

static void end(struct telemetry_outcome *outcome) {
  json_decref(outcome->errors);
  json_decref(outcome->warnings);
  json_decref(outcome->events);
}

static const char *header(const struct telemetry_request *request, const char *name) {
  const char *value = json_string_value(json_object_get(request->headers, name));
  return value ? value : "";
}

/* "application/json; charset=..." is application/json. */
static bool is_type(const struct telemetry_request *request, const char *type) {
  const char *is = header(request, "content-type");
  size_t length = strcspn(is, "; \t");
  return text_equal_nocase_n(is, length, type, strlen(type));
}

/* The whole request. */
static void refuse(struct telemetry_answer *answer, struct telemetry_outcome *outcome, int status, const char *text) {
  answer->status = status;
  snprintf(answer->message, sizeof answer->message, "%s", text);
  telemetry_make_printable(answer->message);
  json_array_append_new(outcome->errors, json_string(answer->message));
}

static void print(struct telemetry *telemetry, const struct telemetry_request *request, const struct telemetry_outcome *outcome) {
  size_t i;
  json_t *value;
  if (!telemetry->print) return;
  pthread_mutex_lock(&telemetry->print_lock);
  json_array_foreach(outcome->events, i, value) telemetry_print_event(telemetry->print, value);
  json_array_foreach(outcome->errors, i, value) {
    telemetry_print_refusal(telemetry->print, request->endpoint, json_string_value(value));
  }
  fflush(telemetry->print);
  pthread_mutex_unlock(&telemetry->print_lock);
}

static json_t *new_event(const struct telemetry_request *request) {
  return json_pack("{s:s, s:I}", "endpoint", telemetry_endpoint_names[request->endpoint], "request", (json_int_t)request->id);
}

/* ---- What is answered, and what a fault makes of it --------------------------------------------------------------------------------- */

/* Takes over the JSON. */
static void put_json(json_t *json, const struct fault *fault, struct telemetry_answer *answer) {
  const char *key;
  json_t *value;
  void *next;
  answer->status = 200;
  answer->content_type = JSON_TYPE;
  if (fault->kind == FAULT_EXTRA_KEYS) {
    json_object_set_new(json, "serverHint", json_pack("{s:[i,n]}", "retry", 1));
    json_object_set_new(json, "numBatched", json_integer(1));
  } else if (fault->kind == FAULT_WRONG_TYPES) {
    json_object_foreach_safe(json, next, key, value) {
      json_object_set_new(json, key, json_is_integer(value) ? json_string("many") : json_pack("{s:b}", "wrong", 1));
    }
  }
  char *text = json_dumps(json, JSON_COMPACT);
  json_decref(json);
  if (text && fault->kind != FAULT_EMPTY_BODY) {
    size_t length = strlen(text);
    buf_append(&answer->body, text, fault->kind == FAULT_MALFORMED_JSON ? length / 2 : length);
  }
  wh_check(&answer->body);
  free(text);
}

/* ---- Feature flags (telemetry.md 3.1) ----------------------------------------------------------------------------------------------- */

static bool is_org(const char *text) {
  size_t length = strspn(text, "0123456789");
  return length > 0 && length < 32 && !text[length];
}

static void answer_flags(struct telemetry *telemetry, const struct telemetry_request *request, const struct fault *fault,
                         struct telemetry_answer *answer, struct telemetry_outcome *outcome) {
  char client[32], message[200] = "";
  const char *org = header(request, "x-databricks-org-id");
  if (strcmp(request->method, "GET") != 0) {
    refuse(answer, outcome, 405, "Feature flags are read with GET.");
  } else if (request->access_status) {
    refuse(answer, outcome, request->access_status, request->access_why);
  } else if (!feature_flags_read_path(request->path, client, message, sizeof message)) {
    refuse(answer, outcome, 404, message);
  } else if (!header(request, "user-agent")[0]) {
    refuse(answer, outcome, 400, "The User-Agent header is missing.");
  } else if (json_object_get(request->headers, "x-databricks-org-id") && !is_org(org)) {
    refuse(answer, outcome, 400, "The x-databricks-org-id header must be of digits.");
  } else if (request->body.size > 0) {
    refuse(answer, outcome, 400, "A request for feature flags has no body.");
  } else {
    put_json(feature_flags_answer(&telemetry->flags, client, org), fault, answer);
  }
}

/* ---- Telemetry (7) ------------------------------------------------------------------------------------------------------------------ */

static void take_entries(const struct telemetry_request *request, const json_t *envelope, const struct fault *fault,
                         struct telemetry_outcome *outcome) {
  struct telemetry_finding finding;
  size_t i;
  json_t *text;
  json_array_foreach(json_object_get(envelope, "protoLogs"), i, text) {
    if (fault->kind == FAULT_PARTIAL_SUCCESS && outcome->accepted >= fault->accepted) {
      json_array_append_new(outcome->errors, json_sprintf("protoLogs[%d]: not taken, by the fault partial-success", (int)i));
      outcome->rejected++;
      continue;
    }
    json_t *warnings = json_array(), *warning;
    json_t *entry = telemetry_check_entry(text, request->endpoint == TELEMETRY_EXT, warnings, &finding);
    if (entry) {
      json_t *event = new_event(request);
      json_object_set_new(event, "event", entry);
      if (json_array_size(warnings) > 0) json_object_set(event, "warnings", warnings);
      json_array_append_new(outcome->events, event);
      outcome->accepted++;
      size_t w;
      json_array_foreach(warnings, w, warning) {
        json_array_append_new(outcome->warnings, json_sprintf("protoLogs[%d]: %s", (int)i, json_string_value(warning)));
      }
    } else {
      json_array_append_new(outcome->errors, json_sprintf("protoLogs[%d]: %s", (int)i, finding.text));
      outcome->rejected++;
      outcome->by_reason[finding.reason]++;
    }
    json_decref(warnings);
  }
}

static void answer_entries(const struct telemetry_request *request, const struct fault *fault, struct telemetry_answer *answer,
                           struct telemetry_outcome *outcome) {
  struct telemetry_finding finding;
  const char *org = header(request, "x-databricks-org-id");
  if (strcmp(request->method, "POST") != 0) {
    refuse(answer, outcome, 405, "Telemetry is sent with POST.");
    return;
  }
  if (request->endpoint == TELEMETRY_EXT && request->access_status) {
    refuse(answer, outcome, request->access_status, request->access_why);
    return;
  }
  if (request->endpoint == TELEMETRY_UNAUTH && request->has_authorization) {
    outcome->by_reason[TELEMETRY_FORBIDDEN]++;
    refuse(answer, outcome, 400, "Authorization: this header must not be sent to the unauthenticated endpoint");
    return;
  }
  if (request->body_error) {
    refuse(answer, outcome, request->body_status, request->body_error);
    return;
  }
  if (!is_type(request, "application/json")) {
    refuse(answer, outcome, 415, "Content-Type: must be application/json");
    return;
  }
  if (!header(request, "user-agent")[0]) {
    outcome->by_reason[TELEMETRY_MISSING]++;
    refuse(answer, outcome, 400, "User-Agent: missing");
    return;
  }
  if (json_object_get(request->headers, "x-databricks-org-id") && !is_org(org)) {
    outcome->by_reason[TELEMETRY_WRONG_VALUE]++;
    refuse(answer, outcome, 400, "x-databricks-org-id: must be of digits");
    return;
  }
  json_t *envelope = telemetry_check_envelope(request->body, &finding);
  if (!envelope) {
    outcome->by_reason[finding.reason]++;
    refuse(answer, outcome, finding.reason == TELEMETRY_OVERSIZED ? 413 : 400, finding.text);
    return;
  }
  take_entries(request, envelope, fault, outcome);
  json_decref(envelope);
  int64_t said = fault->kind == FAULT_LYING_COUNT ? fault->accepted : outcome->accepted;
  put_json(json_pack("{s:O, s:i, s:I, s:i}", "errors", outcome->errors, "numSuccess", 0, "numProtoSuccess", (json_int_t)said,
                     "numRealtimeSuccess", 0),
           fault, answer);
}

/* ---- OTLP (11.3) -------------------------------------------------------------------------------------------------------------------- */

static void answer_otlp(const struct telemetry_request *request, const struct fault *fault, struct telemetry_answer *answer,
                        struct telemetry_outcome *outcome) {
  enum otlp_signal signal = request->endpoint == TELEMETRY_TRACES    ? OTLP_TRACES
                            : request->endpoint == TELEMETRY_METRICS ? OTLP_METRICS
                                                                     : OTLP_LOGS;
  bool protobuf = is_type(request, "application/x-protobuf");
  char message[480] = "";
  json_t *json = NULL;
  answer->content_type = protobuf ? "application/x-protobuf" : "application/json";
  if (strcmp(request->method, "POST") != 0) {
    refuse(answer, outcome, 405, "OTLP is sent with POST.");
  } else if (!protobuf && !is_type(request, "application/json")) {
    refuse(answer, outcome, 415, "Content-Type: must be application/x-protobuf or application/json");
  } else if (request->body_error) {
    refuse(answer, outcome, request->body_status, request->body_error);
  } else if (request->body.size > otlp_request_limit) {
    outcome->by_reason[TELEMETRY_OVERSIZED]++;
    refuse(answer, outcome, 413, "the request is larger than 64 MiB");
  } else {
    json = otlp_read(signal, protobuf, request->body, outcome->warnings, message, sizeof message);
    if (!json) {
      outcome->by_reason[TELEMETRY_WRONG_VALUE]++;
      refuse(answer, outcome, 400, message);
    }
  }
  if (!json) {
    otlp_status(protobuf, 3, answer->message, &answer->body); /* INVALID_ARGUMENT */
    return;
  }
  json_t *items = otlp_items(signal, json), *item;
  size_t i;
  json_array_foreach(items, i, item) {
    if (fault->kind == FAULT_PARTIAL_SUCCESS && outcome->accepted >= fault->accepted) {
      outcome->rejected++;
      continue;
    }
    json_t *event = new_event(request);
    json_object_set(event, "event", item);
    json_array_append_new(outcome->events, event);
    outcome->accepted++;
  }
  json_decref(items);
  json_decref(json);
  answer->status = 200;
  if (fault->kind != FAULT_EMPTY_BODY)
    otlp_answer(signal, protobuf, outcome->rejected, "not taken, by the fault partial-success", &answer->body);
}

/* ---- Requests ----------------------------------------------------------------------------------------------------------------------- */

void telemetry_receive(struct telemetry *telemetry, struct telemetry_request *request, const struct fault *fault) {
  request->id = telemetry_log_begin(&telemetry->log, request->endpoint, request->method, request->path, request->headers, request->body,
                                    fault->kind == FAULT_NONE ? NULL : fault->name);
}

void telemetry_answer(struct telemetry *telemetry, const struct telemetry_request *request, const struct fault *fault,
                      struct telemetry_answer *answer) {
  struct telemetry_outcome outcome;
  begin(&outcome);
  *answer = (struct telemetry_answer){.content_type = JSON_TYPE};
  switch (request->endpoint) {
    case TELEMETRY_FLAGS: answer_flags(telemetry, request, fault, answer, &outcome); break;
    case TELEMETRY_EXT:
    case TELEMETRY_UNAUTH: answer_entries(request, fault, answer, &outcome); break;
    default: answer_otlp(request, fault, answer, &outcome);
  }
  outcome.status = answer->status;
  telemetry_log_end(&telemetry->log, request->endpoint, request->id, &outcome, answer->status != 200);
  print(telemetry, request, &outcome);
  end(&outcome);
}

void telemetry_skip(struct telemetry *telemetry, const struct telemetry_request *request, const struct fault *fault) {
  struct telemetry_outcome outcome;
  begin(&outcome);
  outcome.status = fault->status;
  telemetry_log_end(&telemetry->log, request->endpoint, request->id, &outcome, false);
  end(&outcome);
}

/* ---- Control ------------------------------------------------------------------------------------------------------------------------ */

static void dump_into(json_t *json, struct buf *out) {
  char *text = json_dumps(json, JSON_COMPACT);
  if (text) buf_append_text(out, text);
  wh_check(out);
  free(text);
  json_decref(json);
}

static int complain(struct buf *out, int status, const char *message) {
  dump_into(json_pack("{s:s}", "message", message), out);
  return status;
}

static int control_flags(struct telemetry *telemetry, const char *method, struct slice body, struct buf *out) {
  char message[256] = "";
  if (strcmp(method, "POST") == 0) {
    json_error_t error;
    json_t *json = json_loadb(body.size ? (const char *)body.data : "", body.size, JSON_REJECT_DUPLICATES, &error);
    bool good = json && feature_flags_set(&telemetry->flags, json, message, sizeof message);
    if (!json) snprintf(message, sizeof message, "the body is no JSON: %s", error.text);
    json_decref(json);
    if (!good) return complain(out, 400, message);
  } else if (strcmp(method, "DELETE") == 0) {
    feature_flags_clear(&telemetry->flags);
  } else if (strcmp(method, "GET") != 0) {
    return complain(out, 405, "there is GET, POST and DELETE /control/flags");
  }
  dump_into(feature_flags_list(&telemetry->flags), out);
  return 200;
}

static int control_search(struct telemetry *telemetry, struct slice body, struct buf *out) {
  json_error_t error;
  json_t *json = json_loadb(body.size ? (const char *)body.data : "", body.size, JSON_REJECT_DUPLICATES, &error);
  json_t *texts = json_object_get(json, "texts"), *text;
  size_t i;
  bool good = json_is_array(texts) && json_object_size(json) == 1;
  json_array_foreach(texts, i, text) good = good && json_string_length(text) > 0;
  if (good) dump_into(telemetry_log_search(&telemetry->log, texts), out);
  json_decref(json);
  return good ? 200 : complain(out, 400, "the body must be {\"texts\": [text, ...]}, and none of them empty");
}

int telemetry_control(struct telemetry *telemetry, const char *method, const char *path, struct slice body, struct buf *out) {
  if (strcmp(path, "/control/flags") == 0) return control_flags(telemetry, method, body, out);
  if (strcmp(path, "/control/telemetry") == 0 && strcmp(method, "GET") == 0) {
    telemetry_log_events(&telemetry->log, out);
  } else if (strcmp(path, "/control/telemetry") == 0 && strcmp(method, "DELETE") == 0) {
    telemetry_log_clear(&telemetry->log);
    buf_append_text(out, "[]");
  } else if (strcmp(path, "/control/telemetry/requests") == 0 && strcmp(method, "GET") == 0) {
    telemetry_log_requests(&telemetry->log, out);
  } else if (strcmp(path, "/control/telemetry/search") == 0 && strcmp(method, "POST") == 0) {
    return control_search(telemetry, body, out);
  } else if (strncmp(path, "/control/telemetry", 18) == 0) {
    return complain(out, 404,
                    "there is GET and DELETE /control/telemetry, GET /control/telemetry/requests and POST /control/telemetry/search");
  } else {
    return 0;
  }
  wh_check(out);
  return 200;
}
