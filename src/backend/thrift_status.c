#include "backend/thrift_status.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/text.h"

/* What the server gave us to make an error from. Empty slices where it gave nothing. */
struct server_words {
  struct slice sqlstate;
  struct slice display;
  struct slice message;
  struct slice info;
  int32_t code;
};

static struct slice trim(struct slice text) {
  while (text.size != 0 && text_is_space((char)text.data[0])) {
    text.data++;
    text.size--;
  }
  while (text.size != 0 && text_is_space((char)text.data[text.size - 1])) text.size--;
  return text;
}

/* `[ERROR_CLASS.SUB_CLASS]`, brackets included, within the first `limit` bytes: Spark writes "Error running query: [CLASS] ...". */
static struct slice find_class(struct slice text, size_t limit) {
  for (size_t i = 0; i < text.size && i < limit; i++) {
    if (text.data[i] != '[') continue;
    size_t end = i + 1;
    while (end < text.size && ((text.data[end] >= 'A' && text.data[end] <= 'Z') || text_is_digit((char)text.data[end]) ||
                               text.data[end] == '_' || text.data[end] == '.')) {
      end++;
    }
    if (end < text.size && text.data[end] == ']' && end > i + 2) return slice_of(text.data + i, end + 1 - i);
  }
  return slice_of(NULL, 0);
}

enum { class_within = 400 };

/* Prefer what is meant for people; plain servers have only the others, with Java class names before the text, which then begins again
 * with the error class, and a stack behind it (thrift.md 10.1). */
static struct slice best_text(const struct server_words *words) {
  struct slice text = trim(words->display);
  if (text.size != 0) return text;
  text = trim(words->message);
  if (text.size == 0) text = trim(words->info);
  ptrdiff_t stack = text_find((const char *)text.data, text.size, "\n\tat ");
  if (stack > 0) text.size = (size_t)stack;
  struct slice class = find_class(text, class_within);
  if (class.size != 0) {
    size_t after = (size_t)(class.data - text.data) + class.size;
    struct slice again = find_class(slice_of(text.data + after, text.size - after), class_within);
    if (slice_equal(class, again)) text = slice_of(again.data, (size_t)(text.data + text.size - again.data));
  }
  return trim(text);
}

static bool is_sqlstate(const uint8_t *text, size_t length) {
  if (length != 5) return false;
  for (size_t i = 0; i < 5; i++) {
    if (!text_is_digit((char)text[i]) && (text[i] < 'A' || text[i] > 'Z')) return false;
  }
  return true;
}

static void find_sqlstate(const struct server_words *words, struct slice text, char out[6]) {
  struct slice own = trim(words->sqlstate);
  static const char marker[] = "SQLSTATE: ";
  if (is_sqlstate(own.data, own.size)) {
    memcpy(out, own.data, 5);
    return;
  }
  ptrdiff_t at = text_find((const char *)text.data, text.size, marker);
  size_t start = (size_t)at + sizeof marker - 1;
  if (at >= 0 && start + 5 <= text.size && is_sqlstate(text.data + start, 5)) memcpy(out, text.data + start, 5);
}

static bool has_text(struct slice text, const char *needle) {
  return text.size != 0 && text_find((const char *)text.data, text.size, needle) >= 0;
}

static dbsql_status make_error(const struct server_words *words, dbsql_status kind, const char *what, bool session_lost,
                               dbsql_error **error) {
  struct slice text = best_text(words);
  char sqlstate[6] = "";
  find_sqlstate(words, text, sqlstate);
  session_lost = session_lost || has_text(text, "Invalid SessionHandle") || has_text(words->message, "Invalid SessionHandle");
  if (session_lost) {
    kind = DBSQL_ERROR_REQUEST;
    if (!sqlstate[0]) memcpy(sqlstate, "08003", 6);
  }
  /* The server's own query timeout (thrift.md 5.5). */
  if (memcmp(sqlstate, "57KD0", 5) == 0) kind = DBSQL_ERROR_TIMEOUT;
  dbsql_status status = text.size == 0
                            ? error_set(error, kind, sqlstate, "%s", what)
                            : error_set(error, kind, sqlstate, "%s: %.*s", what, (int)(text.size < 65536 ? text.size : 65536), text.data);
  if (error && *error && !(*error)->is_static) {
    struct slice class = find_class(text, class_within);
    (*error)->vendor_code = words->code;
    (*error)->session_lost = session_lost;
    if (class.size != 0) error_set_class(error, (const char *)class.data + 1, class.size - 2);
  }
  return status;
}

/* How a failure of the call is told, in the words of the Go driver (thrift.md 10.3), and of what kind it is. */
static void describe_method(enum tcli_method method, char what[80], dbsql_status *kind, bool *on_session) {
  const char *text = NULL;
  *kind = DBSQL_ERROR_EXECUTION;
  *on_session = true;
  switch (method) {
    case TCLI_OpenSession:
      text = "open session request error";
      *kind = DBSQL_ERROR_REQUEST;
      *on_session = false;
      break;
    case TCLI_CloseSession:
      text = "close session request error";
      *kind = DBSQL_ERROR_REQUEST;
      break;
    case TCLI_GetInfo:
      text = "get info request error";
      *kind = DBSQL_ERROR_REQUEST;
      break;
    case TCLI_ExecuteStatement: text = "failed to execute query"; break;
    case TCLI_GetOperationStatus:
      text = "get operation status request error";
      *on_session = false;
      break;
    case TCLI_GetResultSetMetadata:
      text = "get result set metadata request error";
      *on_session = false;
      break;
    case TCLI_FetchResults:
      text = "fetch results request error";
      *on_session = false;
      break;
    case TCLI_CancelOperation:
      text = "cancel operation request error";
      *kind = DBSQL_ERROR_REQUEST;
      *on_session = false;
      break;
    case TCLI_CloseOperation:
      text = "close operation request error";
      *kind = DBSQL_ERROR_REQUEST;
      *on_session = false;
      break;
    default: break;
  }
  if (text) {
    snprintf(what, 80, "%s", text);
  } else {
    snprintf(what, 80, "%s request error", tcli_methods[method].name);
  }
}

static void log_messages(const struct TStatus *status, enum tcli_method method, const struct log *log) {
  if (!log_wants(log, DBSQL_LOG_WARN)) return;
  struct buf text = BUF_INIT;
  for (uint32_t i = 0; i < status->infoMessages.count; i++) {
    if (i != 0) buf_append_text(&text, "; ");
    buf_append_slice(&text, status->infoMessages.items[i]);
  }
  log_write(log, DBSQL_LOG_WARN, "backend", "the server warns", "method", tcli_methods[method].name, "warning", buf_text(&text),
            (char *)NULL);
  buf_free(&text);
}

dbsql_status thrift_check_status(const struct TStatus *status, enum tcli_method method, const struct log *log, dbsql_error **error) {
  char what[80];
  dbsql_status kind;
  bool on_session;
  describe_method(method, what, &kind, &on_session);
  if (!status || !status->has_statusCode) {
    return error_set(error, DBSQL_ERROR_REQUEST, "08S01", "%s: the server's answer has no status", what);
  }
  switch (status->statusCode) {
    case TStatusCode_SUCCESS_WITH_INFO_STATUS: log_messages(status, method, log); return DBSQL_OK;
    case TStatusCode_SUCCESS_STATUS:
    case TStatusCode_STILL_EXECUTING_STATUS: return DBSQL_OK;
    default: break;
  }
  bool invalid_handle = status->statusCode == TStatusCode_INVALID_HANDLE_STATUS;
  struct server_words words = {
      .sqlstate = status->sqlState,
      .display = status->displayMessage,
      .message = status->errorMessage,
      .info = status->infoMessages.count ? status->infoMessages.items[0] : slice_of(NULL, 0),
      .code = status->errorCode,
  };
  if (best_text(&words).size == 0) {
    words.display = slice_text(!invalid_handle ? "the server reports an error without saying which"
                               : on_session    ? "the server no longer knows the session"
                                               : "the server no longer knows the statement");
  }
  return make_error(&words, kind, what, invalid_handle && on_session, error);
}

dbsql_status thrift_operation_failed(const struct TGetOperationStatusResp *response, dbsql_error **error) {
  struct server_words words = {
      .sqlstate = response->sqlState,
      .display = response->displayMessage,
      .message = response->errorMessage,
      .code = response->errorCode,
  };
  switch (response->operationState) {
    case TOperationState_CANCELED_STATE:
      return error_set(error, DBSQL_ERROR_CANCELLED, "HY008", "the statement was cancelled on the server");
    case TOperationState_CLOSED_STATE: return error_set(error, DBSQL_ERROR_EXECUTION, "HY010", "the server has closed the statement");
    case TOperationState_TIMEDOUT_STATE:
      return error_set(error, DBSQL_ERROR_TIMEOUT, "57KD0", "the statement ran into the server's time limit");
    case TOperationState_ERROR_STATE: return make_error(&words, DBSQL_ERROR_EXECUTION, "the statement failed", false, error);
    default:
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "invalid operation state %d. This should not have happened",
                       (int)response->operationState);
  }
}
