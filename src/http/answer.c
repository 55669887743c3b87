#include "http/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/retry.h"

enum { longest_text = 1000, longest_html_text = 200, clock_tolerance_s = 60 };

static void forget_head(struct http_answer *answer) {
  answer->status = 0;
  answer->reason[0] = answer->content_type[0] = answer->request_id[0] = answer->org_id[0] = 0;
  answer->retry_after[0] = answer->date[0] = answer->location[0] = 0;
  answer->thrift_message[0] = answer->redirect_message[0] = answer->reason_phrase[0] = 0;
  answer->content_length = -1;
}

void answer_reset(struct http_answer *answer) {
  forget_head(answer);
  chunk_unref(answer->body);
  answer->body = NULL;
  buf_reset(&answer->error_body);
}

void answer_free(struct http_answer *answer) {
  answer_reset(answer);
  buf_free(&answer->error_body);
}

/* ---- The head ------------------------------------------------------------------------------------------------------------ */

/* Copies a text without the bytes that must not reach a terminal or a log; cut at a character's start. */
static void copy_clean(char *out, size_t size, const char *text, size_t length) {
  while (length > 0 && text_is_space(text[length - 1])) length--;
  size_t kept = length < size - 1 ? length : size - 1;
  if (kept < length) {
    while (kept > 0 && ((unsigned char)text[kept] & 0xC0) == 0x80) kept--;
  }
  for (size_t i = 0; i < kept; i++) out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
  out[kept] = 0;
  if (!utf8_is_valid(out, kept, NULL)) {
    for (size_t i = 0; i < kept; i++) {
      if ((unsigned char)out[i] >= 0x80) out[i] = '?';
    }
  }
}

static void status_line(struct http_answer *answer, const char *line, size_t length) {
  forget_head(answer);
  size_t at = 0;
  while (at < length && line[at] != ' ') at++;
  while (at < length && line[at] == ' ') at++;
  int status = 0;
  size_t digits = 0;
  for (; at < length && text_is_digit(line[at]) && digits < 3; at++, digits++) status = status * 10 + (line[at] - '0');
  answer->status = digits == 3 ? status : 0;
  while (at < length && line[at] == ' ') at++;
  copy_clean(answer->reason, sizeof answer->reason, line + at, length - at);
}

static void media_type(char *out, size_t size, const char *value, size_t length) {
  size_t end = 0;
  while (end < length && value[end] != ';' && value[end] != ',') end++;
  copy_clean(out, size, value, end);
  for (char *c = out; *c; c++) *c = text_lower(*c);
}

void answer_header_line(struct http_answer *answer, const char *line, size_t length) {
  if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
    status_line(answer, line, length);
    return;
  }
  const char *colon = memchr(line, ':', length);
  if (!colon) return;
  size_t name_length = (size_t)(colon - line);
  const char *value = colon + 1;
  size_t value_length = length - name_length - 1;
  while (value_length > 0 && text_is_space(*value)) value++, value_length--;
  while (value_length > 0 && text_is_space(value[value_length - 1])) value_length--;

  const struct {
    const char *name;
    char *out;
    size_t size;
  } kept[] = {
      {"x-request-id", answer->request_id, sizeof answer->request_id},
      {"x-databricks-org-id", answer->org_id, sizeof answer->org_id},
      {"retry-after", answer->retry_after, sizeof answer->retry_after},
      {"date", answer->date, sizeof answer->date},
      {"location", answer->location, sizeof answer->location},
      {"x-thriftserver-error-message", answer->thrift_message, sizeof answer->thrift_message},
      {"x-databricks-error-or-redirect-message", answer->redirect_message, sizeof answer->redirect_message},
      {"x-databricks-reason-phrase", answer->reason_phrase, sizeof answer->reason_phrase},
  };
  for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
    if (text_equal_nocase_n(line, name_length, kept[i].name, strlen(kept[i].name))) {
      copy_clean(kept[i].out, kept[i].size, value, value_length);
      return;
    }
  }
  if (text_equal_nocase_n(line, name_length, "content-type", 12)) {
    media_type(answer->content_type, sizeof answer->content_type, value, value_length);
  } else if (text_equal_nocase_n(line, name_length, "content-length", 14)) {
    int64_t number;
    answer->content_length = text_parse_int64(value, value_length, &number) && number >= 0 ? number : -1;
  }
}

/* ---- The error ----------------------------------------------------------------------------------------------------------- */

static const char *sqlstate_of(int status) {
  switch (status) {
    case 401:
    case 403: return "28000";
    case 404: return "08004";
    case 405:
    case 501: return "0A000";
    case 407: return "08001";
    case 408: return "08S01";
    case 429:
    case 503: return "08004";
    default: break;
  }
  if (status >= 500) return "08S01";
  if (status >= 300 && status <= 399) return "08001";
  return "HY000";
}

/* Names for HTTP/2, which sends none. */
static const char *standard_reason(int status) {
  static const struct {
    int status;
    const char *reason;
  } reasons[] = {{301, "Moved Permanently"},
                 {302, "Found"},
                 {303, "See Other"},
                 {307, "Temporary Redirect"},
                 {308, "Permanent Redirect"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {407, "Proxy Authentication Required"},
                 {408, "Request Timeout"},
                 {413, "Content Too Large"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"}};
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    if (reasons[i].status == status) return reasons[i].reason;
  }
  return "";
}

/* What a JSON body says: its message and its code. OAuth endpoints say error and error_description. */
struct json_words {
  char message[longest_text];
  char code[80];
};

static void copy_member(json_t *object, const char *name, char *out, size_t size) {
  json_t *member = json_object_get(object, name);
  if (json_is_string(member) && !out[0]) copy_clean(out, size, json_string_value(member), json_string_length(member));
}

static bool read_json(struct slice body, struct json_words *words) {
  memset(words, 0, sizeof *words);
  json_t *root = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
  if (!root) return false;
  copy_member(root, "message", words->message, sizeof words->message);
  copy_member(root, "error_description", words->message, sizeof words->message);
  copy_member(root, "errorSummary", words->message, sizeof words->message);
  copy_member(root, "error_code", words->code, sizeof words->code);
  copy_member(root, "errorCode", words->code, sizeof words->code);
  copy_member(root, "error", words->code, sizeof words->code);
  json_decref(root);
  return true;
}

static bool is_markup(const struct http_answer *answer) {
  if (strstr(answer->content_type, "html")) return true;
  const uint8_t *data = answer->error_body.data;
  size_t at = 0;
  while (at < answer->error_body.size && text_is_space((char)data[at])) at++;
  return at + 1 < answer->error_body.size && data[at] == '<' && (data[at + 1] == '!' || text_is_alpha((char)data[at + 1]));
}

/* Whether `text` at `at` begins the element `name`. */
static bool is_element(const char *text, size_t length, size_t at, const char *name) {
  size_t n = strlen(name);
  return at + n < length && text_equal_nocase_n(text + at, n, name, n) && !text_is_alpha(text[at + n]);
}

/* The readable text of a page, without tags, scripts and styles, spaces folded. */
static void page_text(const char *page, size_t length, char *out, size_t size) {
  size_t used = 0;
  bool space = false;
  for (size_t at = 0; at < length && used + 2 < size;) {
    if (page[at] == '<') {
      const char *closing = is_element(page, length, at, "<script")  ? "</script"
                            : is_element(page, length, at, "<style") ? "</style"
                                                                     : NULL;
      if (closing) {
        ptrdiff_t end = -1;
        for (size_t i = at; i + strlen(closing) <= length; i++) {
          if (text_equal_nocase_n(page + i, strlen(closing), closing, strlen(closing))) {
            end = (ptrdiff_t)i;
            break;
          }
        }
        at = end < 0 ? length : (size_t)end;
      }
      while (at < length && page[at] != '>') at++;
      if (at < length) at++;
      space = used != 0;
      continue;
    }
    char c = page[at++];
    if (text_is_space(c)) {
      space = used != 0;
      continue;
    }
    if (space) out[used++] = ' ';
    space = false;
    out[used++] = c;
  }
  out[used] = 0;
  char copy[longest_text];
  copy_clean(copy, sizeof copy < size ? sizeof copy : size, out, used);
  memcpy(out, copy, strlen(copy) + 1);
}

/* A plain text body is worth showing; anything else is not. */
static void plain_text(const struct http_answer *answer, char *out, size_t size) {
  out[0] = 0;
  size_t length = answer->error_body.size;
  if (length == 0 || strncmp(answer->content_type, "text/", 5) != 0 || memchr(answer->error_body.data, 0, length)) return;
  copy_clean(out, size, (const char *)answer->error_body.data, length);
}

static const char *hint_for(int status) {
  switch (status) {
    case 401: return " (the credentials were not accepted)";
    case 403: return " (the credentials are valid for the host but do not permit this, or are not accepted)";
    case 404: return " (check the HTTP path)";
    default: return "";
  }
}

/* Tokens and signed requests are refused where the clocks differ: worth knowing, and no more than a hint (auth.md 6, T31). */
static void append_clock(struct buf *text, const struct http_answer *answer, const char *code) {
  bool may_be =
      answer->status == 401 || (answer->status == 400 && (strcmp(code, "invalid_client") == 0 || strcmp(code, "invalid_grant") == 0));
  int64_t theirs = may_be ? http_date_s(answer->date) : -1;
  if (theirs < 0) return;
  int64_t ahead = clock_unix_us() / 1000000 - theirs;
  if (ahead > -clock_tolerance_s && ahead < clock_tolerance_s) return;
  buf_printf(text, "; the clock of this machine is %lld s %s the server's", (long long)(ahead < 0 ? -ahead : ahead),
             ahead < 0 ? "behind" : "ahead of");
}

dbsql_status answer_error(const struct http_answer *answer, const struct http_target *target, const char *url, const char *proxy,
                          const char *what, dbsql_error **error) {
  int status = answer->status;
  struct json_words json = {{0}, {0}};
  char body_text[longest_text] = "";
  struct buf text = BUF_INIT, clean = BUF_INIT;
  const char *reason = answer->reason[0] ? answer->reason : standard_reason(status);
  const char *shown_reason = answer->reason_phrase[0] ? answer->reason_phrase : "";

  const char *main_text = answer->thrift_message[0] ? answer->thrift_message : answer->redirect_message;
  if (status == 407 && proxy) {
    buf_printf(&text, "the proxy %s refuses to pass requests on: it wants other credentials than it was given (HTTP 407)", proxy);
  } else if (status >= 300 && status <= 399) {
    char origin[300] = "";
    if (answer->location[0]) http_location_origin(url, answer->location, origin, sizeof origin);
    buf_printf(&text, "%s answered with a redirect%s%s, which is not followed because it would carry the credentials elsewhere",
               target->shown, origin[0] ? " to " : "", origin);
  } else if (!main_text[0] && is_markup(answer)) {
    page_text((const char *)answer->error_body.data, answer->error_body.size, body_text, longest_html_text);
    buf_printf(&text, "%s answered with an HTML page, which is not an answer of Databricks (a proxy, a gateway or another server?)",
               target->shown);
    if (body_text[0]) buf_printf(&text, ": \"%s\"", body_text);
    buf_append_text(&text, hint_for(status));
  } else {
    bool is_json = answer->error_body.size != 0 && read_json(buf_slice(&answer->error_body), &json);
    if (!main_text[0]) main_text = json.message[0] ? json.message : json.code;
    if (!main_text[0]) main_text = shown_reason;
    if (!main_text[0] && !is_json) {
      plain_text(answer, body_text, sizeof body_text);
      main_text = body_text;
    }
    if (!main_text[0]) main_text = reason[0] ? reason : "no reason given";
    buf_append_text(&text, main_text);
    if (shown_reason[0] && !strstr(main_text, shown_reason)) buf_printf(&text, ": %s", shown_reason);
    buf_append_text(&text, hint_for(status));
  }
  buf_printf(&text, " (HTTP %d%s%s from %s", status, reason[0] ? " " : "", reason, target->shown);
  if (answer->request_id[0]) buf_printf(&text, ", request id %s", answer->request_id);
  buf_append_byte(&text, ')');
  append_clock(&text, answer, json.code);
  /* A server may echo what it was sent. */
  redact_append(&clean, (const char *)text.data, text.size);

  dbsql_status result;
  if (buf_failed(&text) || !buf_text(&clean)) {
    result = error_no_memory(error);
  } else {
    bool session_lost = strstr((const char *)clean.data, "Invalid SessionHandle") != NULL;
    result = error_set(error, DBSQL_ERROR_REQUEST, session_lost ? "08003" : sqlstate_of(status), "%s: %s", what, (const char *)clean.data);
    if (error && *error && !(*error)->is_static) {
      (*error)->http_status = status;
      (*error)->session_lost = session_lost;
      (*error)->retryable = status == 429 || status == 503;
      error_set_host(error, target->host);
      if (answer->request_id[0]) error_set_request_id(error, answer->request_id);
      if (json.code[0]) error_set_class(error, json.code, strlen(json.code));
    }
  }
  buf_free(&text);
  buf_free(&clean);
  return result;
}
