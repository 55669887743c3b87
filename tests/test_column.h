/* What the tests of columns share. */
#ifndef DBSQL_TESTS_TEST_COLUMN_H
#define DBSQL_TESTS_TEST_COLUMN_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/column.h"
#include "base/error.h"

static inline void make(struct ArrowSchema *schema, const char *format, const char *name, int64_t children) {
  assert_int_equal(arrow_schema_make(schema, format, name, 2, children, NULL), DBSQL_OK);
}

static inline void expect_buf(struct buf *out, dbsql_status status, dbsql_error *error, const char *expected, const char *what) {
  if (status != DBSQL_OK) fail_msg("%s: %s", what, dbsql_error_message(error));
  const char *text = buf_text(out);
  if (strcmp(text, expected) != 0) fail_msg("%s: \"%s\" is not \"%s\"", what, text, expected);
}

/* Both ways of writing a row, each behind something that is there already. */
static inline void expect_row(const struct arrow_column *column, int64_t row, const char *text, const char *json) {
  struct buf out = BUF_INIT;
  dbsql_error *error = NULL;
  char expected[1024];
  buf_append_text(&out, "> ");
  dbsql_status status = arrow_column_text(column, row, &out, &error);
  snprintf(expected, sizeof expected, "> %s", text ? text : "");
  expect_buf(&out, status, error, expected, column->format);
  out.size = 2;
  status = arrow_column_json(column, row, &out, &error);
  snprintf(expected, sizeof expected, "> %s", json);
  expect_buf(&out, status, error, expected, column->format);
  assert_int_equal(arrow_column_is_null(column, row), text == NULL);
  buf_free(&out);
}

static inline void expect_failure(const struct arrow_column *column, int64_t row, const char *part, const char *other_part) {
  struct buf out = BUF_INIT;
  for (int json = 0; json < 2; json++) {
    dbsql_error *error = NULL;
    buf_append_text(&out, "> ");
    size_t before = out.size;
    dbsql_status status = json ? arrow_column_json(column, row, &out, &error) : arrow_column_text(column, row, &out, &error);
    assert_int_equal(status, DBSQL_ERROR_DRIVER);
    if (!strstr(dbsql_error_message(error), part) || !strstr(dbsql_error_message(error), other_part))
      fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(out.size, before);
    dbsql_error_free(error);
  }
  buf_free(&out);
}

#endif
