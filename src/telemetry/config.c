#include "telemetry/config.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

const struct setting telemetry_settings[SETTING_COUNT] = {
#define SETTING(id, type, name, default_text, min, max, words, environment, documentation) \
  {SETTING_##type, name, default_text, min, max, words, environment, documentation},
#include "telemetry/config.def"
#undef SETTING
};

/* ---- Values -------------------------------------------------------------------------------------------------------------- */

bool telemetry_parse_bool(const char *text, bool *value) {
  static const char *const yes[] = {"1", "t", "true", "yes", "on"}, *const no[] = {"0", "f", "false", "no", "off"};
  for (size_t i = 0; i < 5; i++) {
    if (text_equal_nocase(text, yes[i])) return *value = true, true;
    if (text_equal_nocase(text, no[i])) return *value = false, true;
  }
  return false;
}

bool telemetry_is_killed(const char *variable) {
  bool value = false;
  return variable && telemetry_parse_bool(variable, &value) && value;
}

static bool parse_hex(const char *text, size_t bytes, uint8_t *out) {
  for (size_t i = 0; i < bytes * 2; i++) {
    char c = text[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    out[i / 2] = (uint8_t)(i % 2 ? (out[i / 2] << 4) | digit : digit);
  }
  return true;
}

static bool all_zero(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i]) return false;
  }
  return true;
}

/* 00-TRACE-SPAN-FLAGS; a later version may have more behind it. */
bool trace_parent_parse(const char *text, struct trace_parent *parent) {
  *parent = (struct trace_parent){0};
  while (text_is_space(*text)) text++;
  size_t length = strlen(text);
  while (length > 0 && text_is_space(text[length - 1])) length--;
  if (length == 0) return true;
  uint8_t version;
  struct trace_parent made = {.present = true};
  if (length < 55 || !parse_hex(text, 1, &version) || version == 0xFF || text[2] != '-' || !parse_hex(text + 3, 16, made.trace_id) ||
      text[35] != '-' || !parse_hex(text + 36, 8, made.span_id) || text[52] != '-' || !parse_hex(text + 53, 1, &made.flags)) {
    return false;
  }
  if ((version == 0 && length != 55) || (length > 55 && text[55] != '-')) return false;
  if (all_zero(made.trace_id, 16) || all_zero(made.span_id, 8)) return false;
  *parent = made;
  return true;
}

static void format_hex(const uint8_t *bytes, size_t size, char *out) {
  for (size_t i = 0; i < size; i++) {
    out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
    out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
  }
}

void trace_parent_format(const struct trace_parent *parent, char out[trace_parent_size]) {
  memcpy(out, "00-", 3);
  format_hex(parent->trace_id, 16, out + 3);
  out[35] = '-';
  format_hex(parent->span_id, 8, out + 36);
  out[52] = '-';
  format_hex(&parent->flags, 1, out + 53);
  out[55] = 0;
}

/* The index of a word among those separated by '|', or -1. */
static int64_t word_index(const char *words, const char *value) {
  int64_t index = 0;
  for (const char *at = words;; index++) {
    const char *end = strchr(at, '|');
    size_t length = end ? (size_t)(end - at) : strlen(at);
    if (text_equal_nocase_n(at, length, value, strlen(value))) return index;
    if (!end) return -1;
    at = end + 1;
  }
}

/* ---- Settings ------------------------------------------------------------------------------------------------------------ */

void telemetry_config_init(struct telemetry_config *config) {
  memset(config, 0, sizeof *config);
}

void telemetry_config_free(struct telemetry_config *config) {
  for (int i = 0; i < SETTING_COUNT; i++) mem_free_secret(config->values[i].text);
  telemetry_config_init(config);
}

static dbsql_status bad(const struct setting *setting, const char *what, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s %s", setting->name, what);
}

static dbsql_status put(struct telemetry_config *config, int id, const char *value, dbsql_error **error) {
  const struct setting *setting = &telemetry_settings[id];
  int64_t number = 0;
  bool flag = false;
  char *text = NULL;
  if (!*value) {
    mem_free_secret(config->values[id].text);
    config->values[id].text = NULL;
    config->values[id].is_set = false;
    return DBSQL_OK;
  }
  for (const char *c = value; *c; c++) {
    if ((unsigned char)*c < ' ' || *c == 0x7F) return bad(setting, "has a control character in it", error);
  }
  switch (setting->type) {
    case SETTING_BOOL:
      if (!telemetry_parse_bool(value, &flag)) return bad(setting, "must be true or false", error);
      number = flag;
      break;
    case SETTING_INT:
    case SETTING_DURATION:
      if (setting->type == SETTING_INT ? !text_parse_int64(value, strlen(value), &number)
                                       : !text_parse_duration(value, strlen(value), &number)) {
        return bad(setting, setting->type == SETTING_INT ? "must be a whole number" : "must be milliseconds, or a time such as 30s", error);
      }
      if (number < setting->min || number > setting->max) {
        return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s must be from %lld to %lld, not %lld", setting->name,
                         (long long)setting->min, (long long)setting->max, (long long)number);
      }
      break;
    case SETTING_WORD:
      number = word_index(setting->words, value);
      if (number < 0) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s must be one of %s", setting->name, setting->words);
      break;
    case SETTING_TEXT:
    case SETTING_SECRET: {
      struct trace_parent parent;
      if (id == SETTING_trace_parent && !trace_parent_parse(value, &parent)) {
        return bad(setting, "must be a W3C traceparent: 00-TRACE-SPAN-FLAGS in hexadecimal", error);
      }
      text = mem_strdup(value);
      if (!text) return error_no_memory(error);
      break;
    }
  }
  mem_free_secret(config->values[id].text);
  config->values[id].text = text;
  config->values[id].number = number;
  config->values[id].is_set = true;
  return DBSQL_OK;
}

dbsql_status telemetry_config_set(struct telemetry_config *config, const char *name, const char *value, dbsql_error **error) {
  for (int i = 0; i < SETTING_COUNT; i++) {
    if (text_equal_nocase(telemetry_settings[i].name, name)) return put(config, i, value ? value : "", error);
  }
  return error_set(error, DBSQL_ERROR_DRIVER, "HY092", "there is no setting '%s' of telemetry", name);
}

/* The base URL of a collector, with the path for spans. */
static dbsql_status put_endpoint(struct telemetry_config *config, const char *base, dbsql_error **error) {
  size_t length = strlen(base);
  while (length > 0 && base[length - 1] == '/') length--;
  struct buf url = BUF_INIT;
  buf_append(&url, base, length);
  buf_append_text(&url, "/v1/traces");
  const char *text = buf_text(&url);
  dbsql_status status = text ? put(config, SETTING_otlp_endpoint, text, error) : error_no_memory(error);
  buf_free(&url);
  return status;
}

dbsql_status telemetry_config_environment(struct telemetry_config *config, const char *(*get)(void *user, const char *name), void *user,
                                          const struct log *log, dbsql_error **error) {
  for (int i = 0; i < SETTING_COUNT; i++) {
    for (const char *at = telemetry_settings[i].environment; *at && !config->values[i].is_set;) {
      size_t length = strcspn(at, ",");
      char variable[64];
      if (length >= sizeof variable) break;
      memcpy(variable, at, length);
      variable[length] = 0;
      at += length + (at[length] == ',');
      const char *value = get(user, variable);
      if (!value || !*value) continue;
      dbsql_error *why = NULL;
      dbsql_status status = put(config, i, value, &why);
      if (status == DBSQL_ERROR_NO_MEMORY) {
        error_move(&why, error);
        return status;
      }
      if (status != DBSQL_OK) {
        log_write(log, DBSQL_LOG_WARN, "telemetry", "a variable of the environment is ignored", "variable", variable, "error",
                  dbsql_error_message(why), (char *)NULL);
      }
      error_clear(&why);
    }
  }
  const char *base = get(user, "OTEL_EXPORTER_OTLP_ENDPOINT");
  if (!config->values[SETTING_otlp_endpoint].is_set && base && *base) {
    dbsql_error *why = NULL;
    dbsql_status status = put_endpoint(config, base, &why);
    if (status == DBSQL_ERROR_NO_MEMORY) {
      error_move(&why, error);
      return status;
    }
    if (status != DBSQL_OK) {
      log_write(log, DBSQL_LOG_WARN, "telemetry", "a variable of the environment is ignored", "variable", "OTEL_EXPORTER_OTLP_ENDPOINT",
                "error", dbsql_error_message(why), (char *)NULL);
    }
    error_clear(&why);
  }
  return DBSQL_OK;
}

int64_t telemetry_config_int(const struct telemetry_config *config, enum telemetry_setting id) {
  const struct setting *setting = &telemetry_settings[id];
  if (config->values[id].is_set) return config->values[id].number;
  bool flag = false;
  int64_t number = 0;
  switch (setting->type) {
    case SETTING_BOOL: telemetry_parse_bool(setting->default_text, &flag); return flag;
    case SETTING_INT:
    case SETTING_DURATION: text_parse_int64(setting->default_text, strlen(setting->default_text), &number); return number;
    case SETTING_WORD: return word_index(setting->words, setting->default_text);
    default: return 0;
  }
}

const char *telemetry_config_text(const struct telemetry_config *config, enum telemetry_setting id) {
  return config->values[id].text ? config->values[id].text : telemetry_settings[id].default_text;
}

enum telemetry_choice telemetry_config_choice(const struct telemetry_config *config, bool killed) {
  bool enabled = telemetry_config_bool(config, SETTING_enabled);
  if (killed || (config->values[SETTING_enabled].is_set && !enabled)) return CHOICE_OFF;
  if (telemetry_config_bool(config, SETTING_forced)) return CHOICE_FORCED;
  return enabled ? CHOICE_FLAG : CHOICE_OFF;
}
