#include "base/text.h"
#include "result/result_schema.h"

static const struct {
  const char *name;
  dbsql_type type;
} names[] = {
    {"VOID", DBSQL_TYPE_VOID},
    {"NULL", DBSQL_TYPE_VOID},
    {"BOOLEAN", DBSQL_TYPE_BOOLEAN},
    {"TINYINT", DBSQL_TYPE_TINYINT},
    {"BYTE", DBSQL_TYPE_TINYINT},
    {"SMALLINT", DBSQL_TYPE_SMALLINT},
    {"SHORT", DBSQL_TYPE_SMALLINT},
    {"INT", DBSQL_TYPE_INT},
    {"INTEGER", DBSQL_TYPE_INT},
    {"BIGINT", DBSQL_TYPE_BIGINT},
    {"LONG", DBSQL_TYPE_BIGINT},
    {"FLOAT", DBSQL_TYPE_FLOAT},
    {"REAL", DBSQL_TYPE_FLOAT},
    {"DOUBLE", DBSQL_TYPE_DOUBLE},
    {"DECIMAL", DBSQL_TYPE_DECIMAL},
    {"NUMERIC", DBSQL_TYPE_DECIMAL},
    {"DEC", DBSQL_TYPE_DECIMAL},
    {"STRING", DBSQL_TYPE_STRING},
    {"VARCHAR", DBSQL_TYPE_STRING},
    {"CHAR", DBSQL_TYPE_STRING},
    {"BINARY", DBSQL_TYPE_BINARY},
    {"DATE", DBSQL_TYPE_DATE},
    {"TIMESTAMP_NTZ", DBSQL_TYPE_TIMESTAMP_NTZ},
    {"TIMESTAMP", DBSQL_TYPE_TIMESTAMP},
    {"TIMESTAMP_LTZ", DBSQL_TYPE_TIMESTAMP},
    {"TIME", DBSQL_TYPE_TIME},
    {"ARRAY", DBSQL_TYPE_ARRAY},
    {"MAP", DBSQL_TYPE_MAP},
    {"STRUCT", DBSQL_TYPE_STRUCT},
    {"VARIANT", DBSQL_TYPE_VARIANT},
    {"OBJECT", DBSQL_TYPE_OBJECT},
    {"GEOMETRY", DBSQL_TYPE_GEOMETRY},
    {"GEOGRAPHY", DBSQL_TYPE_GEOGRAPHY},
};

const char *dbsql_type_name(dbsql_type type) {
  if (type == DBSQL_TYPE_INTERVAL_YEAR_MONTH) return "INTERVAL YEAR TO MONTH";
  if (type == DBSQL_TYPE_INTERVAL_DAY_TIME) return "INTERVAL DAY TO SECOND";
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].type == type) return names[i].name;
  }
  return "UNKNOWN";
}

static size_t skip_spaces(const char *text, size_t length, size_t at) {
  while (at < length && text_is_space(text[at])) at++;
  return at;
}

static size_t word_end(const char *text, size_t length, size_t at) {
  while (at < length && (text_is_alpha(text[at]) || text_is_digit(text[at]) || text[at] == '_')) at++;
  return at;
}

/* The ten day-time forms and the three year-month forms differ in their first word (results.md 5.2). */
static dbsql_type interval_type(const char *text, size_t length, size_t at) {
  size_t start = skip_spaces(text, length, at);
  size_t end = word_end(text, length, start);
  bool months = text_equal_nocase_n(text + start, end - start, "YEAR", 4) || text_equal_nocase_n(text + start, end - start, "MONTH", 5);
  return months ? DBSQL_TYPE_INTERVAL_YEAR_MONTH : DBSQL_TYPE_INTERVAL_DAY_TIME;
}

static bool parse_number(const char *text, size_t length, size_t *at, int32_t *number) {
  size_t start = *at = skip_spaces(text, length, *at);
  while (*at < length && text_is_digit(text[*at])) ++*at;
  int64_t wide;
  if (!text_parse_int64(text + start, *at - start, &wide) || wide > 1000) return false;
  *number = (int32_t)wide;
  *at = skip_spaces(text, length, *at);
  return true;
}

dbsql_type sql_type_parse(const char *text, size_t length, int32_t *precision, int32_t *scale) {
  *precision = *scale = 0;
  size_t start = skip_spaces(text, length, 0);
  size_t end = word_end(text, length, start);
  if (text_equal_nocase_n(text + start, end - start, "INTERVAL", 8)) return interval_type(text, length, end);
  dbsql_type type = DBSQL_TYPE_UNKNOWN;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && type == DBSQL_TYPE_UNKNOWN; i++) {
    if (text_equal_nocase_n(text + start, end - start, names[i].name, strlen(names[i].name))) type = names[i].type;
  }
  if (type == DBSQL_TYPE_DECIMAL) {
    size_t at = skip_spaces(text, length, end);
    *precision = 10; /* what DECIMAL alone means */
    if (at < length && text[at] == '(') {
      at++;
      if (parse_number(text, length, &at, precision) && at < length && text[at] == ',') {
        at++;
        parse_number(text, length, &at, scale);
      }
    }
  }
  return type;
}
