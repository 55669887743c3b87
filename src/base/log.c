#include "base/log.h"

#include <stdarg.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum { max_fields = 16 };

/* Names whose value is a secret wherever they stand before '=', ':' or a JSON colon (auth.md 3.5). */
static const char *const secret_keys[] = {
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "client_assertion",
    "assertion",
    "subject_token",
    "code_verifier",
    "password",
    "token_value",
    "string_value",
    "pwd",
    "auth_accesstoken",
    "accesstoken",
    "auth_client_secret",
    "clientsecret",
    "proxypwd",
    "proxy_password",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-goog-signature",
    "x-goog-credential",
    "awsaccesskeyid",
    "signature",
    "sig",
    "code",
    "state",
    "token",
    "oauth2secret",
    "tls_client_key_password",
};

static bool is_word(char c) {
  return text_is_alpha(c) || text_is_digit(c) || c == '_' || c == '-' || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

static bool is_key_char(char c) {
  return text_is_alpha(c) || text_is_digit(c) || c == '_' || c == '-';
}

static bool is_hex(char c) {
  return text_is_digit(c) || (text_lower(c) >= 'a' && text_lower(c) <= 'f');
}

static size_t word_length(const char *text, size_t left) {
  size_t n = 0;
  while (n < left && is_word(text[n])) n++;
  return n;
}

/* If a secret begins at `text`, how many bytes of it to hide; `*keep` bytes before it are shown. */
static size_t secret_at(const char *text, size_t left, char before, size_t *keep) {
  static const char *const schemes[] = {"Bearer ", "Basic ", "Negotiate "};
  *keep = 0;
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    size_t n = strlen(schemes[i]);
    if (left > n && text_equal_nocase_n(text, n, schemes[i], n)) {
      size_t hidden = word_length(text + n, left - n);
      if (hidden >= 4) {
        *keep = n;
        return hidden;
      }
    }
  }
  if (left > 4 && memcmp(text, "://", 3) == 0) {
    /* userinfo: everything up to the last '@' before the path */
    size_t end = 3, at = 0;
    while (end < left && text[end] != '/' && text[end] != '?' && text[end] != '#' && !text_is_space(text[end]) && text[end] != '"') {
      if (text[end] == '@') at = end;
      end++;
    }
    if (at > 3) {
      *keep = 3;
      return at - 3;
    }
  }
  if (is_key_char(before)) return 0;
  if (left > 12 &&
      (memcmp(text, "dapi", 4) == 0 || memcmp(text, "dose", 4) == 0 || memcmp(text, "dkea", 4) == 0 || memcmp(text, "dsapi", 5) == 0)) {
    size_t n = 4;
    while (n < left && is_hex(text[n])) n++;
    if (n >= 12) return word_length(text, left);
  }
  if (left > 20 && memcmp(text, "eyJ", 3) == 0) {
    size_t n = word_length(text, left);
    if (memchr(text, '.', n)) return n;
  }
  if (left > 6 && text_equal_nocase_n(text, 6, "token:", 6)) {
    size_t end = 6;
    while (end < left && text[end] != '@' && text[end] != '/' && !text_is_space(text[end])) end++;
    if (end < left && text[end] == '@') {
      *keep = 6;
      return end - 6;
    }
  }
  for (size_t i = 0; i < sizeof secret_keys / sizeof secret_keys[0]; i++) {
    size_t n = strlen(secret_keys[i]);
    if (left <= n || !text_equal_nocase_n(text, n, secret_keys[i], n) || is_key_char(text[n])) continue;
    size_t at = n;
    bool quoted_key = text[at] == '"' || text[at] == '\'';
    if (quoted_key) at++;
    while (at < left && text[at] == ' ') at++;
    if (at >= left || (text[at] != '=' && !(text[at] == ':' && quoted_key))) continue;
    at++;
    while (at < left && text[at] == ' ') at++;
    if (at >= left) continue;
    size_t end = at;
    if (text[at] == '"' || text[at] == '\'' || text[at] == '{') {
      char close = text[at] == '{' ? '}' : text[at];
      end = at + 1;
      while (end < left && text[end] != close) {
        if (text[end] == '\\' && end + 1 < left) end++;
        end++;
      }
      if (end < left) end++;
    } else {
      while (end < left && text[end] != '&' && text[end] != ';' && text[end] != ',' && text[end] != '"' && !text_is_space(text[end])) end++;
    }
    if (end > at) {
      *keep = at;
      return end - at;
    }
  }
  return 0;
}

void redact_append(struct buf *out, const char *text, size_t length) {
  size_t at = 0;
  char before = 0;
  while (at < length) {
    size_t keep;
    size_t hidden = secret_at(text + at, length - at, before, &keep);
    if (hidden != 0) {
      buf_append(out, text + at, keep);
      buf_append_text(out, "***");
      at += keep + hidden;
      before = '*';
      continue;
    }
    char c = text[at++];
    buf_append_byte(out, (unsigned char)c < 0x20 || c == 0x7F ? ' ' : (uint8_t)c);
    before = c;
  }
}

void log_write(const struct log *log, dbsql_log_level level, const char *module, const char *message, ...) {
  if (!log_wants(log, level)) return;
  struct buf texts = BUF_INIT;
  const char *keys[max_fields];
  size_t starts[max_fields + 1];
  size_t count = 0;
  redact_append(&texts, message, strlen(message));
  buf_append_byte(&texts, 0);
  va_list args;
  va_start(args, message);
  const char *key;
  while ((key = va_arg(args, const char *)) != NULL) {
    const char *value = va_arg(args, const char *);
    if (!value || count == max_fields) continue;
    keys[count] = key;
    starts[count++] = texts.size;
    redact_append(&texts, value, strlen(value));
    buf_append_byte(&texts, 0);
  }
  va_end(args);
  if (!buf_failed(&texts)) {
    dbsql_log_field fields[max_fields];
    for (size_t i = 0; i < count; i++) fields[i] = (dbsql_log_field){keys[i], (const char *)texts.data + starts[i]};
    dbsql_log_record record = {level, module, (const char *)texts.data, fields, count, clock_unix_us()};
    log->function(log->user, &record);
  }
  buf_free(&texts);
}
