/* Setting options: the one way that every grammar, the environment and dbsql_config_set() take. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

/* No server takes as many parameters or headers. */
enum { most_pairs = 1000 };
/* Each name is compared with every name of the tables: keeps a nonsense string from taking seconds. */
enum { most_settings = 4000 };

void settings_init(struct settings *settings, const char *prefix) {
  memset(settings, 0, sizeof *settings);
  settings->prefix = prefix;
}

void settings_free(struct settings *settings) {
  config_release(&settings->values);
}

dbsql_status settings_error(const struct settings *settings, const char *sqlstate, size_t position, dbsql_error **error, const char *format,
                            ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  const char *prefix = settings->prefix ? settings->prefix : "";
  const char *colon = settings->prefix ? ": " : "";
  if (position == 0) return error_set(error, DBSQL_ERROR_DRIVER, sqlstate, "%s%s%s", prefix, colon, message);
  return error_set(error, DBSQL_ERROR_DRIVER, sqlstate, "%s%s%s (at position %zu)", prefix, colon, message, position);
}

/* A name as it may stand in an error. In a string that was cut at the wrong place a "name" may be half a secret: what does not look
 * like a name, or looks like a token, is not shown (auth.md 3.5). */
static void printable_name(struct slice name, char out[nearest_size]) {
  static const char *const tokens[] = {"dapi", "dkea", "dskea", "dsapi", "dose", "eyJ"};
  bool fine = name.size > 0 && name.size < nearest_size && !text_is_digit((char)name.data[0]);
  size_t digits = 0;
  for (size_t i = 0; i < name.size && fine; i++) {
    char c = (char)name.data[i];
    digits += text_is_digit(c);
    fine = text_is_alpha(c) || text_is_digit(c) || c == '_' || c == '-' || c == '.' || c == ':';
  }
  fine = fine && digits < 6;
  for (size_t i = 0; i < sizeof tokens / sizeof tokens[0] && fine; i++) {
    size_t length = strlen(tokens[i]);
    fine = name.size < length || memcmp(name.data, tokens[i], length) != 0;
  }
  if (fine) {
    memcpy(out, name.data, name.size);
    out[name.size] = 0;
  } else {
    snprintf(out, nearest_size, "a name");
  }
}

/* Checks that the option was not given another value before. `*same` if it was given this one. */
static dbsql_status claim(struct settings *settings, enum option_id id, const char *name, bool equal, size_t position, bool *same,
                          dbsql_error **error) {
  char *origin = settings->origins[id].name;
  *same = *origin != 0;
  if (!*origin) {
    snprintf(origin, nearest_size, "%s", name);
  } else if (!equal) {
    if (config_names_equal(slice_text(origin), slice_text(name))) {
      return settings_error(settings, "HY024", position, error, "%s is given twice with different values", name);
    }
    return settings_error(settings, "HY024", position, error, "%s and %s give different values for %s", origin, name,
                          option_table[id].name);
  }
  return DBSQL_OK;
}

static dbsql_status store_number(struct settings *settings, enum option_id id, const char *name, int64_t number, size_t position,
                                 dbsql_error **error) {
  struct option_value *value = &settings->values.values[id];
  bool same;
  dbsql_status status = claim(settings, id, name, value->number == number, position, &same, error);
  if (status != DBSQL_OK || same) return status;
  value->number = number;
  value->is_set = true;
  return DBSQL_OK;
}

static dbsql_status store_text(struct settings *settings, enum option_id id, const char *name, struct slice text, size_t position,
                               dbsql_error **error) {
  struct option_value *value = &settings->values.values[id];
  struct slice old = value->secret ? slice_of(secret_text(value->secret), secret_length(value->secret)) : slice_text(value->text);
  bool same;
  dbsql_status status = claim(settings, id, name, slice_equal(old, text), position, &same, error);
  if (status != DBSQL_OK || same) return status;
  if (option_table[id].secret) {
    value->secret = secret_new((const char *)text.data, text.size);
  } else {
    value->text = mem_strndup((const char *)text.data, text.size);
  }
  if (!value->secret && !value->text) return error_no_memory(error);
  value->is_set = true;
  return DBSQL_OK;
}

/* Cuts `prefix` off. */
static bool strip(struct slice *text, const char *prefix) {
  size_t length = strlen(prefix);
  if (text->size < length || !text_equal_nocase_n((const char *)text->data, length, prefix, length)) return false;
  *text = slice_of(text->data + length, text->size - length);
  return true;
}

/* HOST, HOST:PORT or a URL of them. */
static dbsql_status put_host(struct settings *settings, const char *name, struct slice value, size_t position, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  if (strip(&value, "https://")) {
    status = store_number(settings, OPTION_tls, name, 1, position, error);
  } else if (strip(&value, "http://")) {
    status = store_number(settings, OPTION_tls, name, 0, position, error);
  }
  if (status != DBSQL_OK) return status;
  if (value.size > 0 && value.data[value.size - 1] == '/') value.size--;
  if (config_check_text(OPTION_host, value) == NULL && value.size > 0) {
    return store_text(settings, OPTION_host, name, value, position, error);
  }
  struct slice host, port;
  const char *problem = config_split_authority(value, &host, &port);
  if (!problem && host.size == 0) problem = "has no host";
  if (problem) return settings_error(settings, "HY024", position, error, "%s %s", name, problem);
  status = store_text(settings, OPTION_host, name, host, position, error);
  if (status == DBSQL_OK && port.size > 0) status = settings_put_option(settings, OPTION_port, name, port, position, error);
  return status;
}

/* Moves user and password out of a proxy's URL, which is no secret, into the options that are. */
static dbsql_status put_proxy_url(struct settings *settings, const char *name, struct slice value, size_t position, dbsql_error **error) {
  struct buf plain = BUF_SECRET, user = BUF_SECRET, password = BUF_SECRET;
  dbsql_status status = DBSQL_OK;
  ptrdiff_t scheme = text_find((const char *)value.data, value.size, "://");
  size_t start = scheme < 0 ? 0 : (size_t)scheme + 3, at = value.size;
  while (at > start && value.data[at - 1] != '@') at--;
  buf_append(&plain, value.data, start);
  buf_append(&plain, value.data + (at > start ? at : start), value.size - (at > start ? at : start));
  if (at > start) {
    struct slice info = slice_of(value.data + start, at - 1 - start);
    const uint8_t *colon = info.size ? memchr(info.data, ':', info.size) : NULL;
    struct slice name_part = colon ? slice_of(info.data, (size_t)(colon - info.data)) : info;
    struct slice password_part = colon ? slice_of(colon + 1, info.size - name_part.size - 1) : slice_of(NULL, 0);
    size_t bad_at;
    if (!config_percent_decode(name_part, false, &user, &bad_at) || !config_percent_decode(password_part, false, &password, &bad_at)) {
      status = settings_error(settings, "HY024", position, error, "%s has a malformed '%%' escape in its user or password", name);
      goto cleanup;
    }
  }
  if (buf_failed(&plain) || buf_failed(&user) || buf_failed(&password)) {
    status = error_no_memory(error);
    goto cleanup;
  }
  const char *problem = config_check_text(OPTION_proxy_url, buf_slice(&plain));
  if (problem) {
    status = settings_error(settings, "HY024", position, error, "%s %s", name, problem);
    goto cleanup;
  }
  status = store_text(settings, OPTION_proxy_url, name, buf_slice(&plain), position, error);
  if (status == DBSQL_OK) status = settings_put_option(settings, OPTION_proxy_user, name, buf_slice(&user), position, error);
  if (status == DBSQL_OK) status = settings_put_option(settings, OPTION_proxy_password, name, buf_slice(&password), position, error);
  settings->values.values[OPTION_proxy_user].from_url = user.size > 0;
  settings->values.values[OPTION_proxy_password].from_url = password.size > 0;

cleanup:
  buf_free(&plain);
  buf_free_secret(&user);
  buf_free_secret(&password);
  return status;
}

static dbsql_status put_word(struct settings *settings, enum option_id id, const char *name, struct slice value, size_t position,
                             dbsql_error **error) {
  /* What other drivers call them. */
  static const struct {
    const char *theirs, *ours;
  } ways[] = {{"token", "pat"},
              {"access_token", "pat"},
              {"static_token", "pat"},
              {"token_provider", "external"},
              {"external_token", "external"},
              {"client_credentials", "oauth-m2m"},
              {"external_browser", "oauth-u2m"},
              {"databricks_oauth", "oauth-u2m"},
              {"azure_sp_m2m", "azure-client-secret"},
              {"oauth_m2m", "oauth-m2m"},
              {"oauth_u2m", "oauth-u2m"}};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0] && id == OPTION_auth_type; i++) {
    if (config_names_equal(value, slice_text(ways[i].theirs))) value = slice_text(ways[i].ours);
  }
  struct slice word;
  int64_t number = 0;
  for (size_t at = 0; text_next_piece(option_table[id].words, '|', &at, &word); number++) {
    if (!text_equal_nocase_n((const char *)word.data, word.size, (const char *)value.data, value.size)) continue;
    dbsql_status status = store_text(settings, id, name, word, position, error);
    if (status == DBSQL_OK) settings->values.values[id].number = number;
    return status;
  }
  if (id == OPTION_auth_type) {
    return settings_error(settings, "HYC00", position, error, "%s: this way to sign in is not supported by this version (%s are)", name,
                          option_table[id].words);
  }
  return settings_error(settings, "HY024", position, error, "%s must be one of %s", name, option_table[id].words);
}

dbsql_status settings_put_option(struct settings *settings, enum option_id id, const char *name, struct slice value, size_t position,
                                 dbsql_error **error) {
  const struct option *option = &option_table[id];
  if (value.size == 0) return DBSQL_OK;
  switch (option->type) {
    case OPTION_BOOL: {
      bool flag;
      if (!config_parse_bool(value, &flag)) {
        return settings_error(settings, "HY024", position, error, "%s is not of type bool (true or false)", name);
      }
      return store_number(settings, id, name, flag, position, error);
    }
    case OPTION_INT: {
      int64_t number;
      if (!text_parse_int64((const char *)value.data, value.size, &number)) {
        return settings_error(settings, "HY024", position, error, "%s is not of type int", name);
      }
      if (number < option->min || number > option->max) {
        return settings_error(settings, "HY024", position, error, "%s must be from %lld to %lld", name, (long long)option->min,
                              (long long)option->max);
      }
      return store_number(settings, id, name, number, position, error);
    }
    case OPTION_ENUM: return put_word(settings, id, name, value, position, error);
    case OPTION_STRING: break;
  }
  if (id == OPTION_host) return put_host(settings, name, value, position, error);
  if (id == OPTION_proxy_url) return put_proxy_url(settings, name, value, position, error);
  const char *problem = config_check_text(id, value);
  if (problem) return settings_error(settings, "HY024", position, error, "%s %s", name, problem);
  if (id == OPTION_http_path && value.data[0] != '/') {
    /* As the Go driver's WithHTTPPath(). */
    struct buf path = BUF_INIT;
    buf_append_byte(&path, '/');
    buf_append_slice(&path, value);
    dbsql_status status = buf_failed(&path) ? error_no_memory(error) : store_text(settings, id, name, buf_slice(&path), position, error);
    buf_free(&path);
    return status;
  }
  return store_text(settings, id, name, value, position, error);
}

/* Whether `value` is one of `values`: "a|b", or with `mapped` "a=x|b=y" and then `*mapped` is x. */
static bool find_value(const char *values, struct slice value, struct slice *mapped) {
  struct slice piece;
  bool wanted = false, listed = false;
  for (size_t at = 0; text_next_piece(values, '|', &at, &piece);) {
    if (mapped) {
      const uint8_t *equals = memchr(piece.data, '=', piece.size);
      *mapped = slice_of(equals + 1, piece.size - (size_t)(equals - piece.data) - 1);
      piece.size = (size_t)(equals - piece.data);
    }
    if (text_equal_nocase_n((const char *)piece.data, piece.size, (const char *)value.data, value.size)) return true;
    if (!mapped && config_parse_bool(value, &wanted) && config_parse_bool(piece, &listed) && wanted == listed) return true;
  }
  return false;
}

static dbsql_status refuse_value(struct settings *settings, const struct foreign *foreign, const char *name, size_t position,
                                 dbsql_error **error) {
  struct buf known = BUF_INIT;
  struct slice piece;
  for (size_t at = 0; text_next_piece(foreign->values, '|', &at, &piece);) {
    const uint8_t *equals = memchr(piece.data, '=', piece.size);
    if (equals) piece.size = (size_t)(equals - piece.data);
    if (known.size > 0) buf_append_text(&known, ", ");
    buf_append_slice(&known, piece);
  }
  dbsql_status status =
      buf_failed(&known) ? error_no_memory(error)
                         : settings_error(settings, "HYC00", position, error, "%s: this value is not supported by this version (only %.*s)",
                                          name, (int)known.size, (const char *)known.data);
  buf_free(&known);
  return status;
}

static dbsql_status put_foreign(struct settings *settings, const struct foreign *foreign, const char *name, struct slice value,
                                size_t position, dbsql_error **error) {
  if (value.size == 0) return DBSQL_OK;
  switch (foreign->rule) {
    case FOREIGN_IGNORED: return DBSQL_OK;
    case FOREIGN_UNSUPPORTED: break;
    case FOREIGN_ONLY:
      if (find_value(foreign->values, value, NULL)) return DBSQL_OK;
      return refuse_value(settings, foreign, name, position, error);
    case FOREIGN_USER:
      if (text_equal_nocase_n((const char *)value.data, value.size, "token", 5)) return DBSQL_OK;
      return settings_error(settings, "28000", position, error,
                            "%s: basic auth not enabled: the only user is 'token', with an access token", name);
    case FOREIGN_NOT: {
      bool flag;
      if (!config_parse_bool(value, &flag)) {
        return settings_error(settings, "HY024", position, error, "%s is not of type bool (true or false)", name);
      }
      return store_number(settings, foreign->option, name, !flag, position, error);
    }
    case FOREIGN_SECONDS: {
      int64_t seconds, most = option_table[foreign->option].max / 1000, least = (option_table[foreign->option].min + 999) / 1000;
      if (!text_parse_int64((const char *)value.data, value.size, &seconds)) {
        return settings_error(settings, "HY024", position, error, "%s is not of type int (seconds)", name);
      }
      if (seconds < least || seconds > most) {
        return settings_error(settings, "HY024", position, error, "%s must be from %lld to %lld seconds", name, (long long)least,
                              (long long)most);
      }
      return store_number(settings, foreign->option, name, seconds * 1000, position, error);
    }
    case FOREIGN_DURATION: {
      int64_t ms;
      if (!text_parse_duration((const char *)value.data, value.size, &ms)) {
        return settings_error(settings, "HY024", position, error, "%s is not a time (such as 30s, 500ms, or milliseconds)", name);
      }
      const struct option *option = &option_table[foreign->option];
      if (ms < option->min || ms > option->max) {
        return settings_error(settings, "HY024", position, error, "%s must be from %lld to %lld milliseconds", name, (long long)option->min,
                              (long long)option->max);
      }
      return store_number(settings, foreign->option, name, ms, position, error);
    }
    case FOREIGN_MAP: {
      struct slice mapped;
      if (find_value(foreign->values, value, &mapped)) return settings_put_option(settings, foreign->option, name, mapped, position, error);
      return refuse_value(settings, foreign, name, position, error);
    }
  }
  return settings_error(settings, "HYC00", position, error, "%s is not supported by this version", name);
}

static dbsql_status put_pair(struct settings *settings, struct session_parameter **pairs, size_t *count, struct slice name,
                             struct slice value, size_t position, dbsql_error **error) {
  size_t at = config_find_pair(*pairs, *count, name);
  if (at < *count) {
    if (slice_equal(slice_text((*pairs)[at].value), value)) return DBSQL_OK;
    char shown[nearest_size];
    printable_name(name, shown);
    return settings_error(settings, "HY024", position, error, "%s is given twice with different values", shown);
  }
  if (*count == most_pairs)
    return settings_error(settings, "HY024", position, error, "there are more than %d of these settings", most_pairs);
  struct session_parameter *grown = mem_realloc_array(*pairs, *count + 1, sizeof **pairs);
  if (!grown) return error_no_memory(error);
  *pairs = grown;
  struct session_parameter pair = {mem_strndup((const char *)name.data, name.size), mem_strndup((const char *)value.data, value.size)};
  if (!pair.name || !pair.value) {
    mem_free(pair.name);
    mem_free_secret(pair.value);
    return error_no_memory(error);
  }
  (*pairs)[(*count)++] = pair;
  return DBSQL_OK;
}

dbsql_status settings_put_parameter(struct settings *settings, struct slice name, struct slice value, size_t position,
                                    dbsql_error **error) {
  const char *problem = config_check_parameter_name(name);
  if (problem) return settings_error(settings, "HY024", position, error, "%s", problem);
  return put_pair(settings, &settings->values.parameters, &settings->values.parameter_count, name, value, position, error);
}

/* A parameter of this name would carry a secret to the server (auth.md 6, T21). */
static bool looks_secret(struct slice name) {
  static const char *const words[] = {"token",      "secret", "password",  "passwd",     "passphrase",
                                      "credential", "apikey", "accesskey", "accountkey", "privatekey"};
  char squeezed[longest_parameter_name];
  size_t length = 0;
  for (size_t i = 0; i < name.size && length < sizeof squeezed; i++) {
    char c = text_lower((char)name.data[i]);
    if (c != '_' && c != '-' && c != '.') squeezed[length++] = c;
  }
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (text_find(squeezed, length, words[i]) >= 0) return true;
  }
  return length >= 3 && memcmp(squeezed + length - 3, "pwd", 3) == 0;
}

static dbsql_status put_unknown(struct settings *settings, struct slice name, const char *shown, struct slice value, size_t position,
                                dbsql_error **error) {
  /* What the JDBC driver takes as session parameters (auth.md 4.2). */
  static const char *const parameters[] = {
      "ANSI_MODE",         "ENABLE_PHOTON", "LEGACY_TIME_PARSER_POLICY", "MAX_FILE_PARTITION_BYTES",
      "STATEMENT_TIMEOUT", "TIMEZONE",      "USE_CACHED_RESULT",         "READ_ONLY_EXTERNAL_METASTORE"};
  for (size_t i = 0; i < sizeof parameters / sizeof parameters[0] && settings->jdbc; i++) {
    if (text_equal_nocase_n((const char *)name.data, name.size, parameters[i], strlen(parameters[i]))) {
      return settings_put_parameter(settings, name, value, position, error);
    }
  }
  char nearest[nearest_size];
  config_nearest_name(name, settings->leftovers_are_parameters ? 1 : 3, nearest);
  if (settings->leftovers_are_parameters && !*nearest) {
    if (!looks_secret(name)) return settings_put_parameter(settings, name, value, position, error);
    return settings_error(
        settings, "HY092", position, error,
        "%s is no option, and a secret would be sent to the server as a session parameter (write session.NAME if it must)", shown);
  }
  if (!*nearest) return settings_error(settings, "HY092", position, error, "%s is not the name of an option", shown);
  return settings_error(settings, "HY092", position, error, "%s is not the name of an option: did you mean %s?", shown, nearest);
}

dbsql_status settings_put(struct settings *settings, struct slice name, struct slice value, size_t position, dbsql_error **error) {
  struct name_match match = config_find_name(name);
  char shown[nearest_size];
  if (match.kind == NAME_UNKNOWN && settings->after_secret) {
    /* Perhaps no name at all, but the end of the secret. */
    snprintf(shown, sizeof shown, "what follows the secret");
  } else {
    printable_name(name, shown);
  }
  if (++settings->count > most_settings) {
    return settings_error(settings, "HY024", position, error, "there are more than %d settings", most_settings);
  }
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] < ' ' || value.data[i] == 0x7F) {
      return settings_error(settings, "HY024", position, error, "the value of %s has a control character in it", shown);
    }
  }
  if (!utf8_is_valid(value.data, value.size, NULL)) {
    return settings_error(settings, "HY024", position, error, "the value of %s is not valid UTF-8", shown);
  }
  if (match.kind != NAME_UNKNOWN) settings->after_secret = match.kind == NAME_OPTION && option_table[match.option].secret;
  switch (match.kind) {
    case NAME_OPTION: return settings_put_option(settings, match.option, shown, value, position, error);
    case NAME_FOREIGN: return put_foreign(settings, match.foreign, shown, value, position, error);
    case NAME_PARAMETER: return settings_put_parameter(settings, match.rest, value, position, error);
    case NAME_HEADER: {
      const char *problem = config_check_header(match.rest, value);
      if (problem) return settings_error(settings, "HY024", position, error, "%s: %s", shown, problem);
      return put_pair(settings, &settings->values.headers, &settings->values.header_count, match.rest, value, position, error);
    }
    case NAME_UNKNOWN: break;
  }
  return put_unknown(settings, name, shown, value, position, error);
}

static bool reserve_pairs(struct session_parameter **pairs, size_t count, size_t more) {
  if (more == 0) return true;
  struct session_parameter *grown = mem_realloc_array(*pairs, count + more, sizeof **pairs);
  if (grown) *pairs = grown;
  return grown != NULL;
}

/* There is room. */
static void move_pairs(struct session_parameter *from, size_t *from_count, struct session_parameter *to, size_t *to_count, bool fill_only) {
  for (size_t i = 0; i < *from_count; i++) {
    size_t at = config_find_pair(to, *to_count, slice_text(from[i].name));
    if (at == *to_count) {
      to[(*to_count)++] = from[i];
      continue;
    }
    char *unused = from[i].value;
    if (!fill_only) {
      unused = to[at].value;
      to[at].value = from[i].value;
    }
    mem_free(from[i].name);
    mem_free_secret(unused);
  }
  *from_count = 0;
}

dbsql_status settings_apply(struct settings *settings, dbsql_config *config, bool fill_only, dbsql_error **error) {
  dbsql_config *from = &settings->values;
  if (!reserve_pairs(&config->parameters, config->parameter_count, from->parameter_count) ||
      !reserve_pairs(&config->headers, config->header_count, from->header_count)) {
    return error_no_memory(error);
  }
  for (int id = 0; id < OPTION_COUNT; id++) {
    if (!from->values[id].is_set || (fill_only && config->values[id].is_set)) continue;
    /* User and password that came with a URL go with it (auth.md 5.2). */
    if (id == OPTION_proxy_url) {
      if (config->values[OPTION_proxy_user].from_url) config_clear(config, OPTION_proxy_user);
      if (config->values[OPTION_proxy_password].from_url) config_clear(config, OPTION_proxy_password);
    }
    config_clear(config, (enum option_id)id);
    config->values[id] = from->values[id];
    from->values[id] = (struct option_value){0};
  }
  move_pairs(from->parameters, &from->parameter_count, config->parameters, &config->parameter_count, fill_only);
  move_pairs(from->headers, &from->header_count, config->headers, &config->header_count, fill_only);
  return DBSQL_OK;
}
