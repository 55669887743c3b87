#include "http/transfer_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/client.h"
#include "http/network.h"

enum { receive_buffer = 256 << 10, shown_body = 512 };

/* ---- Waking ------------------------------------------------------------------------------------------------------------- */

struct transfer_wake {
  atomic_int refs; /* of the owner and of each transfer */
  int read_fd;
  int write_fd; /* the same with an eventfd */
};

dbsql_status transfer_wake_new(struct transfer_wake **out, dbsql_error **error) {
  *out = NULL;
  struct transfer_wake *wake = mem_alloc_zero(1, sizeof *wake);
  if (!wake) return error_no_memory(error);
  atomic_init(&wake->refs, 1);
#if defined(__linux__)
  wake->read_fd = wake->write_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool made = wake->read_fd >= 0;
#else
  int fds[2];
  bool made = pipe(fds) == 0;
  if (made) {
    for (int i = 0; i < 2; i++) {
      fcntl(fds[i], F_SETFD, FD_CLOEXEC);
      fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    wake->read_fd = fds[0];
    wake->write_fd = fds[1];
  }
#endif
  if (!made) {
    int reason = errno;
    mem_free(wake);
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "cannot make a descriptor to wait for downloads (errno %d)", reason);
  }
  *out = wake;
  return DBSQL_OK;
}

void transfer_wake_free(struct transfer_wake *wake) {
  if (!wake || atomic_fetch_sub(&wake->refs, 1) != 1) return;
  close(wake->read_fd);
  if (wake->write_fd != wake->read_fd) close(wake->write_fd);
  mem_free(wake);
}

int transfer_wake_fd(const struct transfer_wake *wake) {
  return wake->read_fd;
}

void transfer_wake_reset(struct transfer_wake *wake) {
  uint64_t drain[8];
  while (read(wake->read_fd, drain, sizeof drain) > 0) {
  }
}

static void wake_up(struct transfer_wake *wake) {
  uint64_t one = 1;
  ssize_t written = write(wake->write_fd, &one, sizeof one);
  (void)written; /* full means readable */
}

/* ---- Profiles ----------------------------------------------------------------------------------------------------------- */

struct transfer_profile {
  struct transfer_engine *engine;
  struct transfer_core *core;
};

void transfer_core_unref(struct transfer_core *core) {
  if (!core || atomic_fetch_sub(&core->refs, 1) != 1) return;
  curl_easy_cleanup(core->pattern);
  http_tls_free(&core->tls);
  http_proxy_rules_free(core->proxies);
  mem_free(core);
}

static dbsql_status configure(struct transfer_core *core, const struct http_settings *settings, dbsql_error **error) {
  CURLcode code = CURLE_OK;
  const char *failed = "";
#define TRY(option, value)                                                                         \
  do {                                                                                             \
    if (code == CURLE_OK && (code = curl_easy_setopt(core->pattern, option, value)) != CURLE_OK) { \
      failed = #option;                                                                            \
    }                                                                                              \
  } while (0)
  TRY(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
  TRY(CURLOPT_PROTOCOLS_STR, "http,https");
#else
  TRY(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  TRY(CURLOPT_FOLLOWLOCATION, 0L);
  TRY(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  TRY(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  TRY(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  TRY(CURLOPT_NOPROXY, "");
  TRY(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
  TRY(CURLOPT_TCP_KEEPALIVE, 1L);
  TRY(CURLOPT_OPENSOCKETFUNCTION, http_open_socket);
  TRY(CURLOPT_BUFFERSIZE, (long)receive_buffer);
  TRY(CURLOPT_HEADERFUNCTION, transfer_take_header);
  TRY(CURLOPT_WRITEFUNCTION, transfer_take_data);
  TRY(CURLOPT_CONNECTTIMEOUT_MS, (long)(core->connect_timeout_ms > 0 ? core->connect_timeout_ms : INT32_MAX));
  if (settings->user_agent) TRY(CURLOPT_USERAGENT, settings->user_agent);
#undef TRY
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(core->pattern, CURLOPT_QUICK_EXIT, 1L);
#endif
  curl_easy_setopt(core->pattern, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  if (code == CURLE_OK) return http_tls_apply(&core->tls, true, core->pattern, error);
  if (code == CURLE_OUT_OF_MEMORY) return error_no_memory(error);
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "libcurl %s does not support %s", curl_version_info(CURLVERSION_NOW)->version,
                   failed);
}

dbsql_status transfer_profile_new(const struct http_settings *settings, struct transfer_profile **out, dbsql_error **error) {
  *out = NULL;
  dbsql_status status = http_global_start(error);
  if (status != DBSQL_OK) return status;
  struct transfer_profile *profile = mem_alloc_zero(1, sizeof *profile);
  struct transfer_core *core = mem_alloc_zero(1, sizeof *core);
  if (!profile || !core) {
    mem_free(profile);
    mem_free(core);
    return error_no_memory(error);
  }
  profile->core = core;
  atomic_init(&core->refs, 1);
  core->connect_timeout_ms =
      settings->connect_timeout_ms > 0 && settings->connect_timeout_ms < INT32_MAX ? settings->connect_timeout_ms : 0;
  struct http_settings used = *settings;
  used.tls_client_cert = used.tls_client_key = NULL;
  used.tls_client_key_password = NULL;
  status = http_tls_init(&core->tls, &used, error);
  if (status == DBSQL_OK) status = http_proxy_rules_new(&used, &core->proxies, error);
  if (status == DBSQL_OK && !(core->pattern = curl_easy_init())) status = error_no_memory(error);
  if (status == DBSQL_OK) status = configure(core, &used, error);
  if (status == DBSQL_OK) status = transfer_engine_use(&profile->engine, error);
  if (status != DBSQL_OK) {
    transfer_profile_free(profile);
    return status;
  }
  *out = profile;
  return DBSQL_OK;
}

void transfer_profile_free(struct transfer_profile *profile) {
  if (!profile) return;
  transfer_engine_leave(profile->engine);
  transfer_core_unref(profile->core);
  mem_free(profile);
}

bool transfer_profile_is_ours(const struct transfer_profile *profile) {
  return transfer_engine_is_ours(profile->engine);
}

/* ---- What arrives (on the thread) --------------------------------------------------------------------------------------- */

size_t transfer_take_header(char *data, size_t size, size_t count, void *user) {
  struct transfer *transfer = user;
  answer_header_line(&transfer->answer, data, size * count);
  transfer->moved_ns = clock_now_ns();
  return size * count;
}

/* Room for `more` bytes: of the declared length at once, since nothing would be gained by growing towards it. */
static bool reserve_body(struct transfer *transfer, size_t more) {
  enum { first = 64 << 10 };
  struct http_answer *answer = &transfer->answer;
  size_t has = answer->body ? answer->body->size : 0;
  if (answer->body && answer->body->capacity - has >= more) return true;
  size_t capacity = has + more;
  if (!answer->body) {
    if (answer->content_length > 0) {
      capacity = (size_t)answer->content_length;
      atomic_store(&transfer->declared, answer->content_length);
    } else if (transfer->size_hint > capacity) {
      capacity = transfer->size_hint < transfer->max_size ? transfer->size_hint : transfer->max_size;
    } else if (capacity < first) {
      capacity = first;
    }
    if (capacity < more) capacity = more;
    answer->body = transfer->budget ? budget_chunk_new(transfer->budget, capacity, &transfer->reserved) : chunk_new(capacity);
    return answer->body != NULL;
  }
  size_t grown = answer->body->capacity + answer->body->capacity / 2;
  if (grown > capacity) capacity = grown;
  return transfer->budget ? budget_chunk_grow(answer->body, capacity) : chunk_grow(answer->body, capacity) != 0;
}

size_t transfer_take_data(char *data, size_t size, size_t count, void *user) {
  struct transfer *transfer = user;
  struct http_answer *answer = &transfer->answer;
  size_t length = size * count;
  transfer->moved_ns = clock_now_ns();
  if (!answer_is_success(answer)) {
    size_t room = answer_error_body_max - answer->error_body.size;
    buf_append(&answer->error_body, data, length < room ? length : room);
    if (buf_failed(&answer->error_body)) {
      transfer->no_memory = true;
      return 0;
    }
    return length <= room ? length : 0;
  }
  size_t has = answer->body ? answer->body->size : 0;
  if (length > transfer->max_size - has || (answer->content_length > 0 && (uint64_t)answer->content_length > transfer->max_size)) {
    transfer->too_large = true;
    return 0;
  }
  if (!reserve_body(transfer, length)) {
    transfer->no_memory = true;
    return 0;
  }
  memcpy(answer->body->data + has, data, length);
  answer->body->size = has + length;
  atomic_store_explicit(&transfer->received, (int64_t)(has + length), memory_order_relaxed);
  return length;
}

/* ---- How it ended (on the thread) --------------------------------------------------------------------------------------- */

/* The content of the first element NAME of an XML text, or nothing. */
static struct slice xml_element(struct slice text, const char *name) {
  char open[24], close[24];
  snprintf(open, sizeof open, "<%s>", name);
  snprintf(close, sizeof close, "</%s>", name);
  ptrdiff_t from = text_find((const char *)text.data, text.size, open);
  if (from < 0) return slice_of(NULL, 0);
  size_t start = (size_t)from + strlen(open);
  ptrdiff_t length = text_find((const char *)text.data + start, text.size - start, close);
  return length < 0 ? slice_of(NULL, 0) : slice_of(text.data + start, (size_t)length);
}

static void append_clean(struct buf *out, struct slice text, size_t most) {
  if (text.size > most) text.size = most;
  redact_append(out, (const char *)text.data, text.size);
}

/* What storage says of the reason. Stores answer in XML, whose other elements quote the request, secrets included. */
static void append_storage_words(struct buf *out, const struct http_answer *answer) {
  struct slice body = buf_slice(&answer->error_body);
  if (body.size > shown_body * 8) body.size = shown_body * 8;
  struct slice code = xml_element(body, "Code"), message = xml_element(body, "Message");
  if (code.size != 0 || message.size != 0) {
    buf_append_text(out, ": ");
    append_clean(out, code, 100);
    if (code.size != 0 && message.size != 0) buf_append_text(out, ", ");
    append_clean(out, message, shown_body);
  } else if (body.size != 0 && strncmp(answer->content_type, "text/plain", 10) == 0 && utf8_is_valid(body.data, body.size, NULL)) {
    buf_append_text(out, ": ");
    append_clean(out, body, shown_body);
  }
}

static void status_error(struct transfer *transfer) {
  const struct http_answer *answer = &transfer->answer;
  struct buf text = BUF_INIT;
  dbsql_error **error = &transfer->end.error;
  if (answer->status == 407 && transfer->proxy) {
    buf_printf(&text, "the proxy %s wants other credentials than it was given (HTTP 407)", transfer->proxy->shown);
  } else if (answer->status >= 300 && answer->status <= 399) {
    buf_printf(&text, "the storage host %s answered with a redirect (HTTP %d), which is not followed", transfer->target.shown,
               answer->status);
  } else {
    buf_printf(&text, "the storage host %s answered with HTTP %d%s%s", transfer->target.shown, answer->status, answer->reason[0] ? " " : "",
               answer->reason);
    append_storage_words(&text, answer);
  }
  transfer->end.outcome = TRANSFER_STATUS;
  if (!buf_text(&text)) {
    error_no_memory(error);
  } else {
    error_set(error, DBSQL_ERROR_REQUEST, "08S01", "%s: %s", transfer->what, (const char *)text.data);
    if (*error && !(*error)->is_static) (*error)->http_status = answer->status;
    error_set_request_id(error, answer->request_id[0] ? answer->request_id : NULL);
  }
  buf_free(&text);
}

static void network_failed(struct transfer *transfer, CURLcode code) {
  dbsql_error **error = &transfer->end.error;
  transfer->end.outcome = TRANSFER_NETWORK;
  if (code == CURLE_OPERATION_TIMEDOUT && transfer->stalled) {
    char phase[640];
    network_phase(transfer->easy, &transfer->target, transfer->proxy ? transfer->proxy->shown : NULL, transfer->answer.status != 0, phase,
                  sizeof phase);
    error_set(error, DBSQL_ERROR_TIMEOUT, "HYT00", "%s: no byte came for %lld ms while %s", transfer->what, (long long)transfer->stall_ms,
              phase);
    transfer->end.may_retry = true;
    return;
  }
  struct network_failure failure = {transfer->easy,
                                    code,
                                    transfer->curl_text,
                                    &transfer->target,
                                    transfer->proxy ? transfer->proxy->shown : NULL,
                                    transfer->proxy && transfer->proxy->tls,
                                    transfer->what,
                                    transfer->end.reached,
                                    transfer->answer.status != 0,
                                    transfer->core->connect_timeout_ms,
                                    transfer->total_ms};
  network_error(&failure, &transfer->end.may_retry, error);
}

void transfer_judge(struct transfer *transfer, CURLcode code) {
  struct http_answer *answer = &transfer->answer;
  struct transfer_end *end = &transfer->end;
  curl_off_t pretransfer = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
  end->reached = pretransfer != 0 || answer->status != 0;
  end->http_status = answer->status;
  end->retry_after_ms = answer->retry_after[0] ? retry_after_ms(answer->retry_after, clock_unix_us()) : -1;
  end->elapsed_ns = clock_now_ns() - transfer->started_ns;
  if (transfer->no_memory || code == CURLE_OUT_OF_MEMORY) {
    end->outcome = TRANSFER_NO_MEMORY;
    error_no_memory(&end->error);
  } else if (transfer->too_large) {
    end->outcome = TRANSFER_TOO_LARGE;
    error_set(&end->error, DBSQL_ERROR_REQUEST, "HY000", "%s: the file at %s is larger than the limit of %zu bytes (max_response_bytes)",
              transfer->what, transfer->target.shown, transfer->max_size);
  } else if (answer->status >= 300 && (code == CURLE_OK || code == CURLE_WRITE_ERROR || code == CURLE_PARTIAL_FILE)) {
    status_error(transfer);
  } else if (code != CURLE_OK) {
    network_failed(transfer, code);
  } else if (!answer_is_success(answer)) {
    end->outcome = TRANSFER_NETWORK;
    end->may_retry = true;
    error_set(&end->error, DBSQL_ERROR_REQUEST, "08S01", "%s: %s did not answer in HTTP", transfer->what, transfer->target.shown);
  } else {
    end->outcome = TRANSFER_DONE;
    if (!answer->body) {
      answer->body = transfer->budget ? budget_chunk_new(transfer->budget, 1, &transfer->reserved) : chunk_new(1);
      if (!answer->body) {
        end->outcome = TRANSFER_NO_MEMORY;
        error_no_memory(&end->error);
      }
    }
  }
  if (end->outcome != TRANSFER_DONE) {
    error_set_host(&end->error, transfer->target.host);
    chunk_unref(answer->body);
    answer->body = NULL;
  }
}

void transfer_finish(struct transfer *transfer) {
  atomic_store_explicit(&transfer->ended, true, memory_order_release);
  if (transfer->wake && !atomic_load(&transfer->abandoned)) wake_up(transfer->wake);
  transfer_unref(transfer);
}

/* ---- Transfers ---------------------------------------------------------------------------------------------------------- */

void transfer_unref(struct transfer *transfer) {
  if (!transfer || atomic_fetch_sub_explicit(&transfer->refs, 1, memory_order_acq_rel) != 1) return;
  curl_easy_cleanup(transfer->easy);
  answer_free(&transfer->answer);
  buf_free_secret(&transfer->head);
  mem_free(transfer->lines);
  dbsql_error_free(transfer->end.error);
  if (transfer->budget) budget_release(transfer->budget, transfer->reserved);
  budget_unref(transfer->budget);
  transfer_wake_free(transfer->wake);
  transfer_core_unref(transfer->core);
  mem_free(transfer);
}

/* Headers as lines of one buffer, which libcurl only reads. */
static dbsql_status make_head(struct transfer *transfer, const struct transfer_request *request, dbsql_error **error) {
  size_t count = request->header_count + 1;
  buf_append_text(&transfer->head, "Accept-Encoding: identity");
  buf_append_byte(&transfer->head, 0);
  for (size_t i = 0; i < request->header_count; i++) {
    const struct http_header *header = &request->headers[i];
    /* "Name;" is libcurl's way of sending an empty value. */
    buf_printf(&transfer->head, *header->value ? "%s: %s" : "%s;", header->name, header->value);
    buf_append_byte(&transfer->head, 0);
  }
  transfer->lines = mem_alloc_zero(count, sizeof *transfer->lines);
  if (!transfer->lines || buf_failed(&transfer->head)) return error_no_memory(error);
  char *at = (char *)transfer->head.data;
  for (size_t i = 0; i < count; i++) {
    transfer->lines[i].data = at;
    transfer->lines[i].next = i + 1 < count ? &transfer->lines[i + 1] : NULL;
    at += strlen(at) + 1;
  }
  return DBSQL_OK;
}

static dbsql_status make_handle(struct transfer *transfer, const char *url, dbsql_error **error) {
  transfer->easy = curl_easy_duphandle(transfer->core->pattern);
  if (!transfer->easy) return error_no_memory(error);
  CURL *easy = transfer->easy;
  const struct http_proxy *proxy = transfer->proxy;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
#define TRY(option, value) \
  if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value)
  TRY(CURLOPT_HTTPHEADER, transfer->lines);
  TRY(CURLOPT_HEADERDATA, (void *)transfer);
  TRY(CURLOPT_WRITEDATA, (void *)transfer);
  TRY(CURLOPT_ERRORBUFFER, transfer->curl_text);
  TRY(CURLOPT_PROXY, proxy ? proxy->url : "");
  if (proxy && proxy->user) {
    TRY(CURLOPT_PROXYUSERNAME, secret_text(proxy->user));
    TRY(CURLOPT_PROXYPASSWORD, secret_text(proxy->password));
  }
#undef TRY
  if (code == CURLE_OK) return DBSQL_OK;
  if (code == CURLE_OUT_OF_MEMORY) return error_no_memory(error);
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the request cannot be prepared: %s", transfer->what, curl_easy_strerror(code));
}

dbsql_status transfer_start(struct transfer_profile *profile, const struct transfer_request *request, struct transfer **out,
                            dbsql_error **error) {
  *out = NULL;
  struct transfer *transfer = mem_alloc_zero(1, sizeof *transfer);
  if (!transfer) {
    if (request->budget) budget_release(request->budget, request->reserved);
    return error_no_memory(error);
  }
  atomic_init(&transfer->refs, 1);
  atomic_init(&transfer->declared, -1);
  transfer->answer.content_length = -1;
  transfer->engine = profile->engine;
  transfer->core = profile->core;
  atomic_fetch_add(&profile->core->refs, 1);
  if (request->wake) {
    transfer->wake = request->wake;
    atomic_fetch_add(&request->wake->refs, 1);
  }
  if (request->budget) {
    transfer->budget = budget_ref(request->budget);
    transfer->reserved = request->reserved;
  }
  snprintf(transfer->what, sizeof transfer->what, "%s", request->what);
  transfer->size_hint = request->size_hint;
  transfer->max_size = request->max_size;
  transfer->stall_ms = request->stall_ms;
  transfer->total_ms = request->total_ms;
  transfer->started_ns = clock_now_ns();
  transfer->end.retry_after_ms = -1;
  dbsql_status status = http_target_parse(request->url, &transfer->target, error);
  if (status == DBSQL_OK) {
    transfer->proxy = http_proxy_choose(profile->core->proxies, &transfer->target);
    status = make_head(transfer, request, error);
  }
  if (status == DBSQL_OK) status = make_handle(transfer, request->url, error);
  if (status == DBSQL_OK) status = transfer_engine_submit(profile->engine, transfer, error);
  if (status != DBSQL_OK) {
    transfer_unref(transfer);
    return status;
  }
  *out = transfer;
  return DBSQL_OK;
}

const struct transfer_end *transfer_ended(const struct transfer *transfer) {
  return atomic_load_explicit(&transfer->ended, memory_order_acquire) ? &transfer->end : NULL;
}

void transfer_progress(const struct transfer *transfer, int64_t *received, int64_t *declared, int64_t *elapsed_ns) {
  *received = (int64_t)atomic_load_explicit(&transfer->received, memory_order_relaxed);
  *declared = (int64_t)atomic_load_explicit(&transfer->declared, memory_order_relaxed);
  *elapsed_ns = clock_now_ns() - transfer->started_ns;
}

struct chunk *transfer_take_body(struct transfer *transfer, int64_t *reserved) {
  struct chunk *body = transfer->answer.body;
  transfer->answer.body = NULL;
  *reserved = transfer->reserved;
  transfer->reserved = 0;
  return body;
}

void transfer_free(struct transfer *transfer) {
  if (!transfer) return;
  /* In a forked child the thread's reference is never dropped, so that nothing of the parent's connections is touched. */
  bool running = !transfer_ended(transfer);
  struct transfer_engine *engine = transfer->engine;
  atomic_store(&transfer->abandoned, true);
  transfer_unref(transfer);
  if (running && transfer_engine_is_ours(engine)) transfer_engine_poke(engine);
}
