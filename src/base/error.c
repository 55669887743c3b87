#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static dbsql_error no_memory_error = {
    .kind = DBSQL_ERROR_NO_MEMORY,
    .sqlstate = "HY001",
    .is_static = true,
    .retry_after_ms = -1,
    .message = (char *)"out of memory",
};

dbsql_status error_no_memory(dbsql_error **error) {
  if (error) {
    dbsql_error_free(*error);
    *error = &no_memory_error;
  }
  return DBSQL_ERROR_NO_MEMORY;
}

dbsql_status error_set_v(dbsql_error **error, dbsql_status kind, const char *sqlstate, const char *format, va_list args) {
  if (kind == DBSQL_ERROR_NO_MEMORY) return error_no_memory(error);
  if (!error) return kind;
  va_list measure;
  va_copy(measure, args);
  int length = vsnprintf(NULL, 0, format, measure);
  va_end(measure);
  if (length < 0) length = 0;
  dbsql_error *made = mem_alloc_zero(1, sizeof *made);
  char *message = mem_alloc((size_t)length + 1);
  if (!made || !message) {
    mem_free(made);
    mem_free(message);
    return error_no_memory(error);
  }
  vsnprintf(message, (size_t)length + 1, format, args);
  made->kind = kind;
  made->message = message;
  made->retry_after_ms = -1;
  snprintf(made->sqlstate, sizeof made->sqlstate, "%s", sqlstate && *sqlstate ? sqlstate : "HY000");
  dbsql_error_free(*error);
  *error = made;
  return kind;
}

dbsql_status error_set(dbsql_error **error, dbsql_status kind, const char *sqlstate, const char *format, ...) {
  va_list args;
  va_start(args, format);
  dbsql_status status = error_set_v(error, kind, sqlstate, format, args);
  va_end(args);
  return status;
}

void error_prefix(dbsql_error **error, const char *format, ...) {
  if (!error || !*error || (*error)->is_static) return;
  va_list args, measure;
  va_start(args, format);
  va_copy(measure, args);
  int length = vsnprintf(NULL, 0, format, measure);
  va_end(measure);
  size_t old_length = strlen((*error)->message);
  char *message = length < 0 ? NULL : mem_alloc((size_t)length + 2 + old_length + 1);
  if (message) {
    vsnprintf(message, (size_t)length + 1, format, args);
    memcpy(message + length, ": ", 2);
    memcpy(message + length + 2, (*error)->message, old_length + 1);
    mem_free((*error)->message);
    (*error)->message = message;
  }
  va_end(args);
}

static void set_text(dbsql_error **error, size_t offset, const char *text, size_t length) {
  if (!error || !*error || (*error)->is_static || !text) return;
  char *copy = mem_strndup(text, length);
  if (!copy) return;
  char **field = (char **)(void *)((char *)*error + offset);
  mem_free(*field);
  *field = copy;
}

#define SET(error, field, text) set_text((error), offsetof(dbsql_error, field), (text), (text) ? strlen(text) : 0)

void error_set_query_id(dbsql_error **error, const char *text) {
  SET(error, query_id, text);
}
void error_set_connection_id(dbsql_error **error, const char *text) {
  SET(error, connection_id, text);
}
void error_set_correlation_id(dbsql_error **error, const char *text) {
  SET(error, correlation_id, text);
}
void error_set_request_id(dbsql_error **error, const char *text) {
  SET(error, request_id, text);
}
void error_set_host(dbsql_error **error, const char *text) {
  SET(error, host, text);
}
void error_set_category(dbsql_error **error, enum error_category category) {
  if (error && *error && !(*error)->is_static && (*error)->category == CATEGORY_NONE) (*error)->category = (uint8_t)category;
}

void error_set_class(dbsql_error **error, const char *text, size_t length) {
  set_text(error, offsetof(dbsql_error, error_class), text, length);
}

void error_clear(dbsql_error **error) {
  if (!error) return;
  dbsql_error_free(*error);
  *error = NULL;
}

void error_move(dbsql_error **from, dbsql_error **to) {
  if (to) {
    dbsql_error_free(*to);
    *to = *from;
  } else {
    dbsql_error_free(*from);
  }
  *from = NULL;
}

void dbsql_error_free(dbsql_error *error) {
  if (!error || error->is_static) return;
  mem_free(error->message);
  mem_free(error->error_class);
  mem_free(error->query_id);
  mem_free(error->connection_id);
  mem_free(error->correlation_id);
  mem_free(error->request_id);
  mem_free(error->host);
  mem_free(error);
}

static const char *or_empty(const char *text) {
  return text ? text : "";
}

dbsql_status dbsql_error_kind(const dbsql_error *error) {
  return error ? error->kind : DBSQL_OK;
}
const char *dbsql_error_message(const dbsql_error *error) {
  return error ? or_empty(error->message) : "";
}
const char *dbsql_error_sqlstate(const dbsql_error *error) {
  return error ? error->sqlstate : "";
}
const char *dbsql_error_class(const dbsql_error *error) {
  return error ? or_empty(error->error_class) : "";
}
int32_t dbsql_error_vendor_code(const dbsql_error *error) {
  return error ? error->vendor_code : 0;
}
int dbsql_error_http_status(const dbsql_error *error) {
  return error ? error->http_status : 0;
}
const char *dbsql_error_query_id(const dbsql_error *error) {
  return error ? or_empty(error->query_id) : "";
}
const char *dbsql_error_connection_id(const dbsql_error *error) {
  return error ? or_empty(error->connection_id) : "";
}
const char *dbsql_error_correlation_id(const dbsql_error *error) {
  return error ? or_empty(error->correlation_id) : "";
}
const char *dbsql_error_request_id(const dbsql_error *error) {
  return error ? or_empty(error->request_id) : "";
}
const char *dbsql_error_host(const dbsql_error *error) {
  return error ? or_empty(error->host) : "";
}
bool dbsql_error_is_retryable(const dbsql_error *error) {
  return error && error->retryable;
}
int64_t dbsql_error_retry_after_ms(const dbsql_error *error) {
  return error ? error->retry_after_ms : -1;
}
int dbsql_error_attempts(const dbsql_error *error) {
  return error ? error->attempts : 0;
}
int64_t dbsql_error_elapsed_ms(const dbsql_error *error) {
  return error ? error->elapsed_ms : 0;
}
bool dbsql_error_is_session_lost(const dbsql_error *error) {
  return error && error->session_lost;
}

const char *dbsql_status_name(dbsql_status status) {
  switch (status) {
    case DBSQL_OK: return "DBSQL_OK";
    case DBSQL_ERROR_DRIVER: return "DBSQL_ERROR_DRIVER";
    case DBSQL_ERROR_REQUEST: return "DBSQL_ERROR_REQUEST";
    case DBSQL_ERROR_EXECUTION: return "DBSQL_ERROR_EXECUTION";
    case DBSQL_ERROR_CANCELLED: return "DBSQL_ERROR_CANCELLED";
    case DBSQL_ERROR_TIMEOUT: return "DBSQL_ERROR_TIMEOUT";
    case DBSQL_ERROR_NO_MEMORY: return "DBSQL_ERROR_NO_MEMORY";
  }
  return "unknown status";
}

static void hide_in(char *text, const char *secret, size_t length) {
  for (char *at = text; (at = strstr(at, secret)) != NULL;) {
    memset(at, '*', 3);
    memmove(at + 3, at + length, strlen(at + length) + 1);
  }
}

void error_hide(dbsql_error **error, const char *secret) {
  if (!error || !*error || (*error)->is_static || !(*error)->message || !secret) return;
  size_t length = strlen(secret);
  if (length < 4) return;
  hide_in((*error)->message, secret, length);
  if ((*error)->error_class) hide_in((*error)->error_class, secret, length);
  if ((*error)->request_id) hide_in((*error)->request_id, secret, length); /* it comes from the server, too */
}
