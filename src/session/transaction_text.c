/* Statements about transactions, known by their first words; and what the server says when it refuses them. */
#include <string.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/text.h"
#include "session/transaction.h"

struct scan {
  const char *at, *end;
};

/* Comments in brackets lie in each other (Spark's grammar). */
static void skip_blanks(struct scan *scan) {
  while (scan->at < scan->end) {
    size_t left = (size_t)(scan->end - scan->at);
    if (text_is_space(*scan->at)) {
      scan->at++;
    } else if (left >= 2 && memcmp(scan->at, "--", 2) == 0) {
      const char *line = memchr(scan->at, '\n', left);
      scan->at = line ? line + 1 : scan->end;
    } else if (left >= 2 && memcmp(scan->at, "/*", 2) == 0) {
      size_t depth = 0;
      do {
        left = (size_t)(scan->end - scan->at);
        if (left < 2) {
          scan->at = scan->end;
          return;
        }
        bool open = memcmp(scan->at, "/*", 2) == 0, close = memcmp(scan->at, "*/", 2) == 0;
        if (open) depth++;
        if (close) depth--;
        scan->at += open || close ? 2 : 1;
      } while (depth > 0);
    } else {
      return;
    }
  }
}

static bool is_word_char(char c) {
  return text_is_alpha(c) || text_is_digit(c) || c == '_';
}

static bool accept(struct scan *scan, const char *word) {
  skip_blanks(scan);
  size_t length = 0, left = (size_t)(scan->end - scan->at);
  while (length < left && is_word_char(scan->at[length])) length++;
  if (length == 0 || !text_equal_nocase_n(scan->at, length, word, strlen(word))) return false;
  scan->at += length;
  return true;
}

static bool accept_symbol(struct scan *scan, char symbol) {
  skip_blanks(scan);
  if (scan->at == scan->end || *scan->at != symbol) return false;
  scan->at++;
  return true;
}

static bool at_end(struct scan *scan) {
  while (accept_symbol(scan, ';')) {
  }
  return scan->at == scan->end;
}

enum transaction_verb transaction_verb(struct slice sql) {
  struct scan scan = {(const char *)sql.data, (const char *)sql.data + sql.size};
  if (sql.size == 0) return TRANSACTION_VERB_NONE;
  if (accept(&scan, "COMMIT")) return TRANSACTION_VERB_COMMIT;
  if (accept(&scan, "ROLLBACK")) return TRANSACTION_VERB_ROLLBACK;
  if (accept(&scan, "BEGIN")) {
    if (accept(&scan, "TRANSACTION") || accept(&scan, "WORK")) return TRANSACTION_VERB_BEGIN;
    return accept(&scan, "ATOMIC") ? TRANSACTION_VERB_NONE : TRANSACTION_VERB_SCRIPT;
  }
  if (!accept(&scan, "SET") || !accept(&scan, "AUTOCOMMIT")) return TRANSACTION_VERB_NONE;
  if (at_end(&scan)) return TRANSACTION_VERB_ASK;
  if (!accept_symbol(&scan, '=')) return TRANSACTION_VERB_SCRIPT;
  bool on = accept(&scan, "TRUE") || accept(&scan, "1");
  bool off = !on && (accept(&scan, "FALSE") || accept(&scan, "0"));
  if ((!on && !off) || !at_end(&scan)) return TRANSACTION_VERB_SCRIPT;
  return on ? TRANSACTION_VERB_ON : TRANSACTION_VERB_OFF;
}

enum transaction_outcome transaction_outcome(dbsql_status status, bool ran, const struct backend_operation *operation,
                                             const dbsql_error *error) {
  if (status == DBSQL_OK || ran) return TRANSACTION_DONE;
  if (operation) {
    /* A statement that was cancelled may not have begun, or have ended before. */
    bool told = operation->has_ended && status != DBSQL_ERROR_NO_MEMORY && status != DBSQL_ERROR_CANCELLED;
    return told ? TRANSACTION_REFUSED : TRANSACTION_IN_THE_DARK;
  }
  if (dbsql_error_is_retryable(error)) return TRANSACTION_NOT_RUN;
  const char *sqlstate = dbsql_error_sqlstate(error);
  int http = dbsql_error_http_status(error);
  switch (status) {
    case DBSQL_ERROR_EXECUTION: return TRANSACTION_REFUSED;
    case DBSQL_ERROR_DRIVER: /* refused before it was sent */
      return strcmp(sqlstate, "HYC00") == 0 || strcmp(sqlstate, "08003") == 0 ? TRANSACTION_NOT_RUN : TRANSACTION_IN_THE_DARK;
    case DBSQL_ERROR_REQUEST:
      if (strcmp(sqlstate, "08001") == 0 || strcmp(sqlstate, "28000") == 0) return TRANSACTION_NOT_RUN;
      return http >= 400 && http < 500 && http != 408 ? TRANSACTION_NOT_RUN : TRANSACTION_IN_THE_DARK;
    default: return TRANSACTION_IN_THE_DARK;
  }
}
