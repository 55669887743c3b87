/* What the tests of the configuration share. */
#ifndef DBSQL_TESTS_CONFIG_SUPPORT_H
#define DBSQL_TESTS_CONFIG_SUPPORT_H

#include "test.h"

#include <stdio.h>

#include "base/mem.h"
#include "session/config_internal.h"

static inline dbsql_config *new_config(void) {
  dbsql_config *config = NULL;
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  return config;
}

/* The message of a failed call, to be read before the next one. */
static inline const char *message_of(dbsql_error **error) {
  static char message[1024];
  snprintf(message, sizeof message, "%s", dbsql_error_message(*error));
  error_clear(error);
  return message;
}

#define assert_contains(text, part)                                                 \
  do {                                                                              \
    const char *text_ = (text);                                                     \
    if (!strstr(text_, (part))) fail_msg("\"%s\" should be in: %s", (part), text_); \
  } while (0)
#define assert_lacks(text, part)                                                       \
  do {                                                                                 \
    const char *text_ = (text);                                                        \
    if (strstr(text_, (part))) fail_msg("\"%s\" should not be in: %s", (part), text_); \
  } while (0)

#define assert_ok(call)                                                             \
  do {                                                                              \
    dbsql_error *error_ = NULL;                                                     \
    dbsql_error **error = &error_;                                                  \
    if ((call) != DBSQL_OK) fail_msg("%s: %s", #call, dbsql_error_message(error_)); \
  } while (0)

static inline void set_ok(dbsql_config *config, const char *name, const char *value) {
  dbsql_error *error = NULL;
  if (dbsql_config_set(config, name, value, &error) != DBSQL_OK) fail_msg("%s=%s: %s", name, value, dbsql_error_message(error));
}
static inline void set_fails(dbsql_config *config, const char *name, const char *value, const char *part) {
  dbsql_error *error = NULL;
  if (dbsql_config_set(config, name, value, &error) == DBSQL_OK) fail_msg("%s=%s should fail", name, value);
  assert_contains(message_of(&error), part);
}
/* A new configuration out of a connection string. */
static inline dbsql_config *parse_ok(const char *text) {
  dbsql_config *config = new_config();
  dbsql_error *error = NULL;
  if (dbsql_config_parse(config, text, strlen(text), &error) != DBSQL_OK) fail_msg("%s: %s", text, dbsql_error_message(error));
  return config;
}
static inline void parse_fails(const char *text, const char *part) {
  dbsql_config *config = new_config();
  dbsql_error *error = NULL;
  if (dbsql_config_parse(config, text, strlen(text), &error) == DBSQL_OK) fail_msg("%s should fail", text);
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), part);
  /* nothing of a bad string stays */
  for (int id = 0; id < OPTION_COUNT; id++) assert_false(config->values[id].is_set);
  assert_int_equal(config->parameter_count, 0);
  dbsql_config_free(config);
}
static inline const char *parameter(const dbsql_config *config, const char *name) {
  size_t at = config_find_pair(config->parameters, config->parameter_count, slice_text(name));
  return at < config->parameter_count ? config->parameters[at].value : NULL;
}

#endif
