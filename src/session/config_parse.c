/* Connection strings: which grammar one is in. */
#include <string.h>

#include "base/text.h"
#include "session/config_internal.h"

/* Far more than any real one; keeps a file that was taken for a connection string out. */
enum { longest_text = 1024 * 1024 };

static bool begins(struct slice text, const char *prefix) {
  size_t length = strlen(prefix);
  return text.size >= length && text_equal_nocase_n((const char *)text.data, length, prefix, length);
}

/* Pairs have their first '=' before anything that a host, a port, a path or a user would bring. */
static bool looks_like_pairs(struct slice text) {
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '=' || text.data[i] == ';') return true;
    if (strchr(":/?@[#", text.data[i])) return false;
  }
  return false;
}

/* SCHEME:// of another kind. */
static bool has_scheme(struct slice text) {
  size_t length = 0;
  while (length < text.size &&
         (text_is_alpha((char)text.data[length]) || text_is_digit((char)text.data[length]) || text.data[length] == '+' ||
          text.data[length] == '-' || text.data[length] == '.' || text.data[length] == ':')) {
    length++;
  }
  return length > 0 && text.data[length - 1] == ':' && text.size - length >= 2 && memcmp(text.data + length, "//", 2) == 0;
}

static dbsql_status parse(struct settings *settings, struct slice text, dbsql_error **error) {
  static const char *const jdbc[] = {"jdbc:databricks://", "jdbc:spark://"};
  static const char url[] = "databricks://";
  for (size_t i = 0; i < sizeof jdbc / sizeof jdbc[0]; i++) {
    if (!begins(text, jdbc[i])) continue;
    settings->prefix = "invalid JDBC URL";
    settings->jdbc = true;
    return config_parse_jdbc(settings, text, strlen(jdbc[i]), error);
  }
  settings->prefix = "invalid connection string";
  if (looks_like_pairs(text)) return config_parse_pairs(settings, text, error);
  settings->prefix = "invalid DSN";
  settings->leftovers_are_parameters = true;
  if (begins(text, url)) return config_parse_dsn(settings, text, sizeof url - 1, error);
  if (has_scheme(text) && !begins(text, "https://") && !begins(text, "http://")) {
    return settings_error(settings, "HY024", 1, error, "invalid format: the scheme must be databricks, https, http or jdbc:databricks");
  }
  return config_parse_dsn(settings, text, 0, error);
}

dbsql_status dbsql_config_parse(dbsql_config *config, const char *text, size_t length, dbsql_error **error) {
  if (!config || !text) return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "configuration and connection string must not be NULL");
  if (length == SIZE_MAX) length = strlen(text);
  struct settings settings;
  settings_init(&settings, "invalid connection string");
  struct slice whole = slice_of(text, length);
  /* Spaces and line ends around it are not part of it: it may come from a file. */
  while (whole.size > 0 && text_is_space((char)whole.data[whole.size - 1])) whole.size--;
  while (whole.size > 0 && text_is_space((char)whole.data[0])) whole = slice_of(whole.data + 1, whole.size - 1);
  dbsql_status status = DBSQL_OK;
  const uint8_t *nul = whole.size ? memchr(whole.data, 0, whole.size) : NULL;
  if (whole.size == 0) {
    status = settings_error(&settings, "HY024", 0, error, "it is empty");
  } else if (whole.size > longest_text) {
    status = settings_error(&settings, "HY024", 0, error, "it is longer than %d bytes", longest_text);
  } else if (nul) {
    status = settings_error(&settings, "HY024", (size_t)(nul - whole.data) + 1, error, "there is a NUL in it");
  } else {
    status = parse(&settings, whole, error);
  }
  if (status == DBSQL_OK) status = settings_apply(&settings, config, false, error);
  settings_free(&settings);
  return status;
}
