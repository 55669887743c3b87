#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/client.h"
#include "http/network.h"
#include "http/sigpipe.h"

enum { poll_at_most_ms = 1000 };

/* ---- The head of a request ---------------------------------------------------------------------------------------------- */

/* Lines for libcurl, which only reads them: in one buffer of ours, so that the one with the credentials can be wiped. */
struct head {
  struct buf text;
  struct curl_slist *lines;
  size_t count;
};

static bool is_name_char(char c) {
  return text_is_alpha(c) || text_is_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static bool has_control(const char *value, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F) return true;
  }
  return false;
}

static bool has_header(const struct http_request *request, const char *name) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (text_equal_nocase(request->headers[i].name, name)) return true;
  }
  return false;
}

/* What we or libcurl set from what is really sent: a caller's value could only lie. */
static bool is_reserved(const char *name) {
  static const char *const reserved[] = {"Host",   "Content-Length",      "Transfer-Encoding", "Connection",
                                         "Expect", "Proxy-Authorization", "Accept-Encoding",   "User-Agent"};
  for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
    if (text_equal_nocase(name, reserved[i])) return true;
  }
  return false;
}

/* Checks all that must not reach the wire (auth.md 6, T8). */
static dbsql_status check_request(const struct http_request *request, dbsql_error **error) {
  const char *what = request->what;
  for (const char *c = request->method; *c; c++) {
    if (!is_name_char(*c)) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the method of the request is malformed", what);
  }
  if (!*request->method) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the request has no method", what);
  for (size_t i = 0; i < request->header_count; i++) {
    const struct http_header *header = &request->headers[i];
    bool bad = !header->name[0];
    for (const char *c = header->name; *c; c++) bad = bad || !is_name_char(*c);
    if (bad) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the name of header %d is malformed", what, (int)i + 1);
    if (is_reserved(header->name) || (request->authorize && text_equal_nocase(header->name, "Authorization"))) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the header %s cannot be set", what, header->name);
    }
    if (has_control(header->value, strlen(header->value))) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the value of the header %s has a control character", what, header->name);
    }
  }
  return DBSQL_OK;
}

static void head_line(struct head *head, const char *name, const char *value, size_t length) {
  buf_append_text(&head->text, name);
  /* libcurl takes "Name:" as "do not send" and "Name;" as "send it empty". */
  if (length == 0) {
    buf_append_byte(&head->text, ';');
  } else {
    buf_append_text(&head->text, ": ");
    buf_append(&head->text, value, length);
  }
  buf_append_byte(&head->text, 0);
  head->count++;
}

static void head_without(struct head *head, const char *name) {
  buf_append_text(&head->text, name);
  buf_append(&head->text, ":", 2); /* the zero too */
  head->count++;
}

static void head_free(struct head *head) {
  buf_free_secret(&head->text);
  mem_free(head->lines);
}

/* The Authorization value, then pairs of a name and a value, all ended by a zero byte but the first if it is alone. */
static dbsql_status credentials(struct head *head, const char *bytes, size_t size, const char *what, dbsql_error **error) {
  const char *name = "Authorization";
  for (size_t at = 0; at < size;) {
    size_t length = strnlen(bytes + at, size - at);
    if (has_control(bytes + at, length)) {
      return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: the credentials have a control character", what);
    }
    if (!name) {
      name = bytes + at;
      bool bad = length == 0 || at + length + 1 >= size;
      for (size_t i = 0; i < length && !bad; i++) bad = !is_name_char(name[i]);
      if (bad || is_reserved(name)) {
        return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s: a header that goes with the credentials is malformed", what);
      }
    } else {
      head_line(head, name, bytes + at, length);
      name = NULL;
    }
    at += length + 1;
  }
  return DBSQL_OK;
}

static dbsql_status authorization(struct head *head, const struct http_request *request, const struct call *call, dbsql_error **error) {
  if (!request->authorize) return DBSQL_OK;
  struct buf value = BUF_SECRET;
  dbsql_status status = request->authorize(request->authorize_user, call, &value, error);
  if (status == DBSQL_OK && buf_failed(&value)) status = error_no_memory(error);
  if (status == DBSQL_OK && value.size != 0) status = credentials(head, (const char *)value.data, value.size, request->what, error);
  buf_free_secret(&value);
  return status;
}

static dbsql_status head_build(struct head *head, const struct http_request *request, const struct call *call, dbsql_error **error) {
  dbsql_status status = authorization(head, request, call, error);
  if (status != DBSQL_OK) return status;
  for (size_t i = 0; i < request->header_count; i++) {
    head_line(head, request->headers[i].name, request->headers[i].value, strlen(request->headers[i].value));
  }
  head_line(head, "Accept-Encoding", "identity", 8);
  head_without(head, "Expect");
  if (!has_header(request, "Content-Type")) head_without(head, "Content-Type");
  if (!buf_failed(&head->text)) head->lines = mem_alloc_zero(head->count, sizeof *head->lines);
  if (!head->lines) return error_no_memory(error);
  char *at = (char *)head->text.data;
  for (size_t i = 0; i < head->count; i++) {
    head->lines[i].data = at;
    head->lines[i].next = i + 1 < head->count ? &head->lines[i + 1] : NULL;
    at += strlen(at) + 1;
  }
  return DBSQL_OK;
}

/* The next value that was sent and is somebody's, from line *at on; NULL at the end. A part of it counts too: "Bearer TOKEN". */
static const char *next_sent(const struct head *head, size_t *at, bool *is_part) {
  static const char *const harmless[] = {"Accept", "Content-Type", "Accept-Encoding", "x-databricks-org-id", "X-XSRF-HEADER", "Metadata"};
  enum { shortest = 8 };
  for (; *at < head->count; (*at)++, *is_part = false) {
    const char *line = head->lines[*at].data, *value = strstr(line, ": ");
    bool skip = !value;
    for (size_t k = 0; k < sizeof harmless / sizeof harmless[0] && !skip; k++) {
      skip = text_equal_nocase_n(line, (size_t)(value - line), harmless[k], strlen(harmless[k]));
    }
    if (skip) continue;
    value += 2;
    if (!*is_part) {
      *is_part = true;
      if (strlen(value) >= shortest) return value;
    }
    const char *space = strchr(value, ' ');
    if (!space || strlen(space + 1) < shortest) continue;
    (*at)++;
    *is_part = false;
    return space + 1;
  }
  return NULL;
}

/* A server may send back what it was sent, in words that no pattern knows: no value of a header of the request stands in an error or in
 * what is kept of the answer's head, but for those that say nothing of anybody. */
static void hide_in_error(const struct head *head, dbsql_error **error) {
  size_t at = 0;
  bool is_part = false;
  for (const char *value; (value = next_sent(head, &at, &is_part)) != NULL;) error_hide(error, value);
}

static void hide_in_answer(const struct head *head, struct http_answer *answer) {
  size_t at = 0;
  bool is_part = false;
  for (const char *value; (value = next_sent(head, &at, &is_part)) != NULL;) {
    if (strstr(answer->request_id, value)) answer->request_id[0] = 0;
    if (strstr(answer->org_id, value)) answer->org_id[0] = 0;
  }
}

/* ---- One attempt -------------------------------------------------------------------------------------------------------- */

static bool method_is(const struct http_request *request, const char *method) {
  return strcmp(request->method, method) == 0;
}

/* Sets what differs between requests; every option each time, so that none is left over from the last one. */
static CURLcode prepare(struct http_client *client, const struct http_request *request, const struct http_proxy *proxy,
                        struct curl_slist *head) {
  CURL *easy = client->easy;
  bool with_body = request->body.size != 0 || method_is(request, "POST") || method_is(request, "PUT") || method_is(request, "PATCH");
  client->once = request->retry == HTTP_RETRY_REFUSED;
  client->begun = 0;
  client->unsent = request->body;
  client->no_memory = client->too_large = false;
  client->curl_text[0] = 0;
  CURLcode code = CURLE_OK;
#define TRY(option, value) \
  if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value)
  TRY(CURLOPT_URL, request->url);
  TRY(CURLOPT_HTTPHEADER, head);
  TRY(CURLOPT_POSTFIELDS, NULL); /* makes it a POST, so before the next */
  TRY(CURLOPT_HTTPGET, 1L);      /* also takes back NOBODY */
  TRY(CURLOPT_CUSTOMREQUEST, NULL);
  if (with_body) {
    TRY(CURLOPT_POST, 1L);
    TRY(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    if (!client->once || client->counts_begins || request->body.size == 0)
      TRY(CURLOPT_POSTFIELDS, request->body.size ? (const char *)request->body.data : "");
    if (!method_is(request, "POST")) TRY(CURLOPT_CUSTOMREQUEST, request->method);
  } else if (method_is(request, "HEAD")) {
    TRY(CURLOPT_NOBODY, 1L);
  } else if (!method_is(request, "GET")) {
    TRY(CURLOPT_CUSTOMREQUEST, request->method);
  }
  TRY(CURLOPT_TIMEOUT_MS, (long)client->request_timeout_ms);
  TRY(CURLOPT_PROXY, proxy ? proxy->url : ""); /* "" also keeps libcurl from reading the environment */
  TRY(CURLOPT_PROXYUSERNAME, proxy && proxy->user ? secret_text(proxy->user) : NULL);
  TRY(CURLOPT_PROXYPASSWORD, proxy && proxy->user ? secret_text(proxy->password) : NULL);
#undef TRY
  return code;
}

/* Runs the transfer until it ends or the call does. `*result` is libcurl's verdict if the return value is DBSQL_OK. */
static dbsql_status run(struct http_client *client, const struct http_target *target, const struct http_proxy *proxy,
                        const struct call *call, CURLcode *result, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK) return error_no_memory(error);
  for (;;) {
    int running = 0, queued = 0;
    CURLMcode code = curl_multi_perform(client->multi, &running);
    CURLMsg *message = code == CURLM_OK ? curl_multi_info_read(client->multi, &queued) : NULL;
    if (message && message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      break;
    }
    if (code == CURLM_OK) {
      struct curl_waitfd cancel = {(curl_socket_t)call_cancel_fd(call), CURL_WAIT_POLLIN, 0};
      int64_t wait = call_remaining_ms(call);
      code = curl_multi_poll(client->multi, &cancel, cancel.fd >= 0 ? 1 : 0, (int)(wait < poll_at_most_ms ? wait : poll_at_most_ms), NULL);
    }
    if (code != CURLM_OK) {
      status = code == CURLM_OUT_OF_MEMORY ? error_no_memory(error)
                                           : error_set(error, DBSQL_ERROR_DRIVER, "HY000", "libcurl failed: %s", curl_multi_strerror(code));
      break;
    }
    if (call_remaining_ms(call) > 0 && !dbsql_cancel_is_triggered(call->cancel)) continue;
    char phase[640];
    network_phase(client->easy, target, proxy ? proxy->shown : NULL, client->answer.status != 0, phase, sizeof phase);
    status = call_check(call, phase, error);
    if (status != DBSQL_OK) {
      error_set_host(error, target->host);
      break;
    }
  }
  return status;
}

struct outcome {
  bool may_retry;
  int64_t retry_after_ms; /* -1: not said */
};

static dbsql_status attempt(struct http_client *client, const struct http_request *request, const struct http_target *target,
                            const struct call *call, struct outcome *outcome, dbsql_error **error) {
  struct head head = {BUF_SECRET, NULL, 0};
  const struct http_proxy *proxy = http_proxy_choose(client->proxies, target);
  const char *proxy_shown = proxy ? proxy->shown : NULL;
  struct sigpipe_guard guard;
  CURLcode code = CURLE_OK;
  *outcome = (struct outcome){false, -1};
  answer_reset(&client->answer);
  dbsql_status status = head_build(&head, request, call, error);
  if (status != DBSQL_OK) goto cleanup;

  sigpipe_block(&guard);
  code = prepare(client, request, proxy, head.lines);
  if (code == CURLE_OK) {
    status = run(client, target, proxy, call, &code, error);
    if (status == DBSQL_ERROR_CANCELLED || status == DBSQL_ERROR_TIMEOUT) error_prefix(error, "%s: ", request->what);
  } else {
    status = code == CURLE_OUT_OF_MEMORY ? error_no_memory(error)
                                         : error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the request cannot be prepared: %s",
                                                     request->what, curl_easy_strerror(code));
  }
  /* Asked before the handle leaves the multi handle; then nothing of ours may stay in it. */
  long http_status = 0;
  curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &http_status);
  struct http_answer *answer = &client->answer;
  hide_in_answer(&head, answer);
  if (status == DBSQL_OK && client->no_memory) {
    status = error_no_memory(error);
  } else if (status == DBSQL_OK && client->too_large) {
    status =
        error_set(error, DBSQL_ERROR_REQUEST, "HY000", "%s: the answer of %s is larger than the limit of %llu bytes (max_response_bytes)",
                  request->what, target->shown, (unsigned long long)client->max_response_bytes);
    error_set_host(error, target->host);
  } else if (status == DBSQL_OK && answer->status >= 300 && code != CURLE_OUT_OF_MEMORY) {
    /* The answer is known even where its body broke off. */
    status = answer_error(answer, target, request->url, proxy && !target->tls ? proxy_shown : NULL, request->what, error);
    hide_in_error(&head, error);
    if (request->location && answer->status <= 399) snprintf(request->location, request->location_size, "%s", answer->location);
    outcome->may_retry = retry_allows_status(request->retry, answer->status);
    if (answer->retry_after[0]) outcome->retry_after_ms = retry_after_ms(answer->retry_after, clock_unix_us());
  } else if (status == DBSQL_OK && code != CURLE_OK) {
    curl_off_t pretransfer = 0;
    curl_easy_getinfo(client->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
    bool by_callback = client->once && !client->counts_begins && request->body.size != 0;
    bool sent = by_callback ? client->unsent.size != request->body.size : client->counts_begins ? client->begun != 0 : pretransfer != 0;
    if (code == CURLE_ABORTED_BY_CALLBACK && client->begun > 1) code = CURLE_GOT_NOTHING; /* what we kept libcurl from trying again */
    struct network_failure failure = {client->easy,
                                      code,
                                      client->curl_text,
                                      target,
                                      proxy_shown,
                                      proxy && proxy->tls,
                                      request->what,
                                      sent,
                                      answer->status != 0,
                                      client->connect_timeout_ms,
                                      client->request_timeout_ms};
    bool may_retry;
    status = network_error(&failure, &may_retry, error);
    outcome->may_retry = may_retry && status != DBSQL_ERROR_NO_MEMORY && retry_allows_network(request->retry, sent);
  } else if (status == DBSQL_OK && !answer_is_success(answer)) {
    status = error_set(error, DBSQL_ERROR_REQUEST, "08S01", "%s: %s did not answer in HTTP (status %d)", request->what, target->shown,
                       answer->status);
    error_set_host(error, target->host);
  }
  curl_multi_remove_handle(client->multi, client->easy);
  curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt(client->easy, CURLOPT_POSTFIELDS, NULL);
  client->unsent = slice_of(NULL, 0);
  if (target->tls || (proxy && proxy->tls)) ERR_clear_error(); /* libcurl leaves OpenSSL's errors to whoever uses it next on this thread */
  sigpipe_restore(&guard);

cleanup:
  head_free(&head);
  return status;
}

/* ---- All attempts ------------------------------------------------------------------------------------------------------- */

/* Whether to go on after a failure, and after which wait. `*reason` is why not, for the message. */
static bool plan_retry(struct http_client *client, const struct call *call, int64_t started_ns, int attempts, const struct outcome *outcome,
                       int64_t *wait_ms, char *reason, size_t reason_size) {
  reason[0] = 0;
  if (!outcome->may_retry) return false;
  if (attempts > client->retry.max) return false;
  int64_t wait = outcome->retry_after_ms >= 0 ? outcome->retry_after_ms : retry_wait_ms(&client->retry, attempts, &client->random);
  const char *asked = outcome->retry_after_ms >= 0 ? "as the server asks, " : "";
  if (client->retry.total_ms > 0) {
    int64_t left = client->retry.total_ms - (clock_now_ns() - started_ns) / 1000000;
    if (wait >= left) {
      snprintf(reason, reason_size, "%swaiting %lld ms would exceed the %lld ms for all attempts", asked, (long long)wait,
               (long long)client->retry.total_ms);
      return false;
    }
  }
  if (call->deadline_ns != INT64_MAX && wait >= call_remaining_ms(call)) {
    snprintf(reason, reason_size, "%swaiting %lld ms would exceed the time limit of %lld ms", asked, (long long)wait,
             (long long)call->timeout_ms);
    return false;
  }
  *wait_ms = wait;
  return true;
}

/* Adds to a message what was tried. */
static void error_suffix(dbsql_error **error, const char *suffix) {
  if (!error || !*error || (*error)->is_static) return;
  size_t length = strlen((*error)->message), more = strlen(suffix);
  char *message = mem_realloc((*error)->message, length + more + 1);
  if (!message) return;
  memcpy(message + length, suffix, more + 1);
  (*error)->message = message;
}

static void describe_failure(dbsql_error **error, const struct call *call, int attempts, const char *reason) {
  char suffix[300] = "";
  if (attempts > 1 || reason[0]) {
    snprintf(suffix, sizeof suffix, "; gave up after %d attempt%s%s%s", attempts, attempts == 1 ? "" : "s", reason[0] ? ": " : "", reason);
  }
  if (suffix[0]) error_suffix(error, suffix);
  if (error && *error && !(*error)->is_static) (*error)->attempts = attempts;
  call_annotate(call, error);
}

static void log_attempt(const struct http_client *client, const struct http_request *request, const struct http_target *target,
                        int attempts, int64_t started_ns, dbsql_error *error, int64_t wait_ms) {
  dbsql_log_level level = error ? DBSQL_LOG_WARN : DBSQL_LOG_DEBUG;
  if (!log_wants(client->log, level)) return;
  char number[16], status[16], took[32], wait[32], bytes[32];
  snprintf(number, sizeof number, "%d", attempts);
  snprintf(status, sizeof status, "%d", client->answer.status);
  snprintf(took, sizeof took, "%lld", (long long)((clock_now_ns() - started_ns) / 1000000));
  snprintf(wait, sizeof wait, "%lld", (long long)wait_ms);
  snprintf(bytes, sizeof bytes, "%llu", client->answer.body ? (unsigned long long)client->answer.body->size : 0ULL);
  log_write(client->log, level, "http", error ? (wait_ms >= 0 ? "request failed, trying again" : "request failed") : "request done", "what",
            request->what, "method", request->method, "url", target->logged, "attempt", number, "status",
            client->answer.status ? status : NULL, "bytes", bytes, "elapsed_ms", took, "request_id",
            client->answer.request_id[0] ? client->answer.request_id : NULL, "error", error ? dbsql_error_message(error) : NULL, "wait_ms",
            wait_ms >= 0 ? wait : NULL, NULL);
}

static dbsql_status fill_response(struct http_client *client, int attempts, struct http_response *response, dbsql_error **error) {
  struct http_answer *answer = &client->answer;
  if (!answer->body) answer->body = chunk_new(0);
  if (!answer->body) return error_no_memory(error);
  response->status = answer->status;
  response->attempts = attempts;
  response->body = answer->body;
  answer->body = NULL;
  memcpy(response->content_type, answer->content_type, sizeof response->content_type);
  memcpy(response->request_id, answer->request_id, sizeof response->request_id);
  memcpy(response->org_id, answer->org_id, sizeof response->org_id);
  return DBSQL_OK;
}

/* Where the call itself ended, what had failed before it is the reason that matters. */
static void append_previous(dbsql_error **error, const dbsql_error *previous, int attempts) {
  if (!error || !*error || (*error)->is_static || !previous || previous->is_static) return;
  char suffix[1200];
  snprintf(suffix, sizeof suffix, "; the last of %d attempt%s failed: %s", attempts, attempts == 1 ? "" : "s", previous->message);
  error_suffix(error, suffix);
  (*error)->attempts = attempts;
  (*error)->http_status = previous->http_status;
  (*error)->retry_after_ms = previous->retry_after_ms;
  error_set_request_id(error, previous->request_id);
}

static dbsql_status find_target(struct http_client *client, const char *url, dbsql_error **error) {
  if (client->url && url && strcmp(client->url, url) == 0) return DBSQL_OK;
  mem_free_secret(client->url); /* a signature may be in it */
  client->url = NULL;
  dbsql_status status = http_target_parse(url, &client->target, error);
  if (status != DBSQL_OK) return status;
  client->url = mem_strdup(url);
  return client->url ? DBSQL_OK : error_no_memory(error);
}

static dbsql_status check_time(const struct call *call, const struct http_request *request, const struct http_target *target,
                               dbsql_error **error) {
  if (call_remaining_ms(call) > 0 && !dbsql_cancel_is_triggered(call->cancel)) return DBSQL_OK;
  char doing[400];
  snprintf(doing, sizeof doing, "about to send %s to %s", request->what, target->shown);
  return call_check(call, doing, error);
}

dbsql_status http_send(struct http_client *client, const struct http_request *request, const struct call *call,
                       struct http_response *response, dbsql_error **error) {
  memset(response, 0, sizeof *response);
  dbsql_status status = check_request(request, error);
  if (status == DBSQL_OK) status = find_target(client, request->url, error);
  if (status != DBSQL_OK) return status;
  const struct http_target *target = &client->target;

  int64_t started_ns = clock_now_ns();
  dbsql_error *last = NULL, *previous = NULL;
  char reason[200] = "";
  status = check_time(call, request, target, &last);
  error_set_host(&last, target->host);
  for (int attempts = 1; status == DBSQL_OK; attempts++) {
    struct outcome outcome;
    status = attempt(client, request, target, call, &outcome, &last);
    if (status == DBSQL_OK) {
      log_attempt(client, request, target, attempts, started_ns, NULL, -1);
      status = fill_response(client, attempts, response, &last);
      break;
    }
    if (!last) status = error_set(&last, status, NULL, "%s failed without a reason", request->what); /* a provider of credentials */
    if (!last->is_static) last->retry_after_ms = outcome.retry_after_ms;
    int64_t wait_ms = -1;
    bool again = plan_retry(client, call, started_ns, attempts, &outcome, &wait_ms, reason, sizeof reason);
    log_attempt(client, request, target, attempts, started_ns, last, wait_ms);
    if (!again) {
      bool call_ended = status == DBSQL_ERROR_CANCELLED || call_remaining_ms(call) == 0;
      describe_failure(&last, call, attempts, reason);
      if (call_ended && previous) append_previous(&last, previous, attempts - 1);
      break;
    }
    error_clear(&previous);
    previous = last;
    last = NULL;
    char doing[400];
    snprintf(doing, sizeof doing, "waiting to try %s at %s again", request->what, target->shown);
    status = call_sleep(call, wait_ms, doing, &last);
    if (status != DBSQL_OK) {
      error_set_host(&last, target->host);
      append_previous(&last, previous, attempts);
    }
  }
  if (status != DBSQL_OK && error) {
    dbsql_error_free(*error);
    *error = last;
    last = NULL;
  }
  error_clear(&last);
  error_clear(&previous);
  answer_reset(&client->answer);
  return status;
}

void http_response_free(struct http_response *response) {
  if (!response) return;
  chunk_unref(response->body);
  memset(response, 0, sizeof *response);
}
