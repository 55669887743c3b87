#include "session/config.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

static void slot_destroy(struct shared *shared) {
  struct sign_in_slot *slot = (struct sign_in_slot *)(void *)shared;
  shared_drop(slot->provider);
  pthread_mutex_destroy(&slot->lock);
  mem_free(slot);
}

static struct sign_in_slot *slot_new(void) {
  struct sign_in_slot *slot = mem_alloc_zero(1, sizeof *slot);
  if (!slot) return NULL;
  shared_init(&slot->shared, slot_destroy);
  pthread_mutex_init(&slot->lock, NULL);
  return slot;
}

dbsql_status dbsql_config_new(dbsql_config **config, dbsql_error **error) {
  *config = mem_alloc_zero(1, sizeof **config);
  if (*config && ((*config)->sign_in = slot_new()) != NULL) return DBSQL_OK;
  mem_free(*config);
  *config = NULL;
  return error_no_memory(error);
}

void dbsql_config_free(dbsql_config *config) {
  if (!config) return;
  config_release(config);
  mem_free(config);
}

static void release_pairs(struct session_parameter *pairs, size_t count) {
  for (size_t i = 0; i < count; i++) {
    mem_free(pairs[i].name);
    mem_free_secret(pairs[i].value); /* a header may hold a credential that we do not know of */
  }
  mem_free(pairs);
}

void config_release(dbsql_config *config) {
  for (int id = 0; id < OPTION_COUNT; id++) config_clear(config, (enum option_id)id);
  release_pairs(config->parameters, config->parameter_count);
  release_pairs(config->headers, config->header_count);
  mem_free(config->environment_origin.host);
  mem_free(config->profile_origin.host);
  shared_drop(config->provider);
  if (config->sign_in) shared_drop(&config->sign_in->shared);
}

static bool copy_origin(const struct bound_origin *from, struct bound_origin *to) {
  *to = *from;
  if (from->host) to->host = mem_strdup(from->host);
  return !from->host || to->host;
}

dbsql_status config_bind(struct bound_origin *bound, const dbsql_config *found, dbsql_error **error) {
  if (!config_is_set(found, OPTION_host)) return DBSQL_OK;
  char *host = mem_strdup(config_text(found, OPTION_host));
  if (!host) return error_no_memory(error);
  mem_free(bound->host);
  *bound = (struct bound_origin){host, config_int(found, OPTION_port), config_bool(found, OPTION_tls)};
  return DBSQL_OK;
}

void config_set_provider(dbsql_config *config, struct shared *provider) {
  shared_keep(provider);
  shared_drop(config->provider);
  config->provider = provider;
}

void config_clear(dbsql_config *config, enum option_id id) {
  struct option_value *value = &config->values[id];
  mem_free(value->text);
  secret_free(value->secret);
  *value = (struct option_value){0};
}

static int64_t default_number(const struct option *option) {
  struct slice text = slice_text(option->default_text);
  if (option->type == OPTION_BOOL) return strcmp(option->default_text, "true") == 0;
  int64_t number = 0;
  if (option->type == OPTION_INT) {
    /* The numbers of the table are well-formed; none is 0. */
    for (size_t i = 0; i < text.size; i++) number = number * 10 + (text.data[i] - '0');
    return number;
  }
  struct slice word;
  for (size_t at = 0; text_next_piece(option->words, '|', &at, &word); number++) {
    if (slice_equal(word, text)) return number;
  }
  return 0;
}

const char *config_text(const dbsql_config *config, enum option_id id) {
  const struct option_value *value = &config->values[id];
  if (value->is_set && value->text) return value->text;
  return option_table[id].secret ? "" : option_table[id].default_text;
}

int64_t config_int(const dbsql_config *config, enum option_id id) {
  const struct option_value *value = &config->values[id];
  return value->is_set ? value->number : default_number(&option_table[id]);
}

bool config_bool(const dbsql_config *config, enum option_id id) {
  return config_int(config, id) != 0;
}

const struct secret *config_secret(const dbsql_config *config, enum option_id id) {
  return config->values[id].secret;
}

static bool copy_pairs(const struct session_parameter *from, size_t count, struct session_parameter **to, size_t *to_count) {
  if (count == 0) return true;
  *to = mem_alloc_zero(count, sizeof **to);
  if (!*to) return false;
  for (size_t i = 0; i < count; i++) {
    struct session_parameter copy = {mem_strdup(from[i].name), mem_strdup(from[i].value)};
    (*to)[(*to_count)++] = copy;
    if (!copy.name || !copy.value) return false;
  }
  return true;
}

dbsql_status config_copy(const dbsql_config *from, dbsql_config **to, dbsql_error **error) {
  *to = NULL;
  dbsql_config *copy = mem_alloc_zero(1, sizeof *copy);
  if (!copy) return error_no_memory(error);
  bool ok = true;
  for (int id = 0; id < OPTION_COUNT && ok; id++) {
    const struct option_value *value = &from->values[id];
    struct option_value *target = &copy->values[id];
    target->is_set = value->is_set;
    target->from_environment = value->from_environment;
    target->from_profile = value->from_profile;
    target->from_url = value->from_url;
    target->number = value->number;
    if (value->text) ok = (target->text = mem_strdup(value->text)) != NULL;
    if (value->secret && ok) ok = (target->secret = secret_new(secret_text(value->secret), secret_length(value->secret))) != NULL;
  }
  ok = ok && copy_pairs(from->parameters, from->parameter_count, &copy->parameters, &copy->parameter_count);
  ok = ok && copy_pairs(from->headers, from->header_count, &copy->headers, &copy->header_count);
  ok = ok && copy_origin(&from->environment_origin, &copy->environment_origin) && copy_origin(&from->profile_origin, &copy->profile_origin);
  if (!ok) {
    dbsql_config_free(copy);
    return error_no_memory(error);
  }
  copy->browser = from->browser;
  copy->browser_user = from->browser_user;
  copy->environment_loaded = from->environment_loaded;
  copy->telemetry = from->telemetry;
  copy->telemetry_user = from->telemetry_user;
  copy->log = from->log;
  config_set_provider(copy, from->provider);
  copy->sign_in = from->sign_in;
  if (copy->sign_in) shared_keep(&copy->sign_in->shared);
  *to = copy;
  return DBSQL_OK;
}

void dbsql_config_set_telemetry(dbsql_config *config, dbsql_telemetry_function function, void *user) {
  if (!config) return;
  config->telemetry = function;
  config->telemetry_user = user;
}

void dbsql_config_set_log(dbsql_config *config, dbsql_log_level level, dbsql_log_function function, void *user) {
  config->log = (struct log){level, function, user};
}

void dbsql_config_set_browser(dbsql_config *config, dbsql_browser_function open, void *user) {
  config->browser = open;
  config->browser_user = user;
}

dbsql_status dbsql_config_set(dbsql_config *config, const char *name, const char *value, dbsql_error **error) {
  if (!config || !name) return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "configuration and name of an option must not be NULL");
  if (!value) value = "";
  struct settings settings;
  settings_init(&settings, NULL);
  dbsql_status status = settings_put(&settings, slice_text(name), slice_text(value), 0, error);
  if (status == DBSQL_OK && !*value) {
    struct name_match match = config_find_name(slice_text(name));
    if (match.kind == NAME_OPTION) config_clear(config, match.option);
  }
  if (status == DBSQL_OK) status = settings_apply(&settings, config, false, error);
  settings_free(&settings);
  return status;
}

size_t config_find_pair(const struct session_parameter *pairs, size_t count, struct slice name) {
  size_t at = 0;
  while (at < count && !text_equal_nocase_n((const char *)name.data, name.size, pairs[at].name, strlen(pairs[at].name))) at++;
  return at;
}

dbsql_status dbsql_config_get(const dbsql_config *config, const char *name, char **value, dbsql_error **error) {
  if (!config || !name || !value) return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "configuration, name and value must not be NULL");
  *value = NULL;
  const char *text = NULL;
  char number[32];
  struct name_match match = config_find_name(slice_text(name));
  if (match.kind == NAME_PARAMETER) {
    size_t at = config_find_pair(config->parameters, config->parameter_count, match.rest);
    if (at < config->parameter_count) text = config->parameters[at].value;
  } else if (match.kind == NAME_HEADER) {
    /* A header may hold a credential that we do not know of. */
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "http_header values are write-only");
  } else if (match.kind == NAME_OPTION) {
    const struct option *option = &option_table[match.option];
    if (option->secret) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s is a secret and write-only", option->name);
    const struct option_value *set = &config->values[match.option];
    if (!set->is_set) return DBSQL_OK;
    text = set->text;
    if (option->type == OPTION_BOOL) text = set->number ? "true" : "false";
    if (option->type == OPTION_INT) {
      snprintf(number, sizeof number, "%lld", (long long)set->number);
      text = number;
    }
  } else if (match.kind == NAME_FOREIGN) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY092", "%s can only be set: it is another driver's name", match.foreign->name);
  } else {
    char nearest[nearest_size];
    config_nearest_name(slice_text(name), 3, nearest);
    return error_set(error, DBSQL_ERROR_DRIVER, "HY092", "there is no option of that name to read%s%s%s",
                     *nearest ? " (did you mean '" : "", nearest, *nearest ? "'?)" : "");
  }
  if (!text) return DBSQL_OK;
  *value = mem_strdup(text);
  return *value ? DBSQL_OK : error_no_memory(error);
}

static const char *type_name(enum option_type type) {
  switch (type) {
    case OPTION_STRING: return "string";
    case OPTION_BOOL: return "bool";
    case OPTION_INT: return "int";
    case OPTION_ENUM: return "enum";
  }
  return "";
}

size_t dbsql_option_count(void) {
  return OPTION_COUNT;
}

/* "1..65535" as a literal for each INT. */
#define OPTION(id, type, aliases, unit, min, max, ...) [OPTION_##id] = #min ".." #max,
static const char *const number_bounds[OPTION_COUNT] = {
#include "session/options.def"
};
#undef OPTION

bool dbsql_option_describe(size_t index, dbsql_option_info *info) {
  if (index >= OPTION_COUNT || !info) return false;
  const struct option *option = &option_table[index];
  *info = (dbsql_option_info){
      .name = option->name,
      .aliases = option->aliases,
      .type = type_name(option->type),
      .unit = option->unit,
      .default_value = option->default_text,
      .bounds = option->type == OPTION_INT ? number_bounds[index] : option->words,
      .secret = option->secret,
      .documentation = option->documentation,
  };
  return true;
}
