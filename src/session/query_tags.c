#include "session/query_tags.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

enum { most_pairs = 1000, longest_text = 65536 };

/* ---- Tags ---------------------------------------------------------------------------------------------------------------- */

static void free_tag(struct query_tag *tag) {
  mem_free(tag->key);
  mem_free(tag->value);
}

void query_tags_free(struct query_tags *tags) {
  for (size_t i = 0; i < tags->count; i++) free_tag(&tags->items[i]);
  mem_free(tags->items);
  mem_free(tags->text);
  *tags = (struct query_tags){0};
}

static void append_escaped(struct buf *out, const char *text, const char *escaped) {
  for (; *text; text++) {
    if (strchr(escaped, *text)) buf_append_byte(out, '\\');
    buf_append_byte(out, (uint8_t)*text);
  }
}

static char *make_text(const struct query_tag *items, size_t count) {
  struct buf text = BUF_INIT;
  for (size_t i = 0; i < count; i++) {
    if (i > 0) buf_append_byte(&text, ',');
    append_escaped(&text, items[i].key, "\\");
    if (!items[i].value) continue;
    buf_append_byte(&text, ':');
    append_escaped(&text, items[i].value, "\\:,");
  }
  return buf_take_text(&text);
}

static dbsql_status check_tag(const char *key, const char *value, dbsql_error **error) {
  size_t bad_at;
  if (!*key) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "query tag: the key must not be empty");
  if (!utf8_is_valid(key, strlen(key), &bad_at)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22021", "query tag: the key is not valid UTF-8 at byte %zu", bad_at);
  }
  const char *wrong = strpbrk(key, ":,");
  if (wrong) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "query tag \"%s\": the server would misread a key with \"%c\"", key, *wrong);
  }
  if (value && !utf8_is_valid(value, strlen(value), &bad_at)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22021", "query tag \"%s\": the value is not valid UTF-8 at byte %zu", key, bad_at);
  }
  if (strlen(key) + (value ? strlen(value) : 0) > longest_text) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "query tag \"%.40s\": longer than %d bytes", key, (int)longest_text);
  }
  return DBSQL_OK;
}

/* Puts one at its place by key; `text` is not made anew. */
static dbsql_status put(struct query_tags *tags, const char *key, const char *value, dbsql_error **error) {
  dbsql_status status = check_tag(key, value, error);
  if (status != DBSQL_OK) return status;
  size_t at = 0;
  while (at < tags->count && strcmp(tags->items[at].key, key) < 0) at++;
  bool known = at < tags->count && strcmp(tags->items[at].key, key) == 0;
  if (!known && tags->count == most_pairs) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "query tag \"%s\": there are %d already", key, (int)most_pairs);
  }
  struct query_tag tag = {mem_strdup(key), value ? mem_strdup(value) : NULL};
  struct query_tag *grown = known ? tags->items : mem_realloc_array(tags->items, tags->count + 1, sizeof *grown);
  if (grown) tags->items = grown;
  if (!grown || !tag.key || (value && !tag.value)) {
    free_tag(&tag);
    return error_no_memory(error);
  }
  if (known) {
    free_tag(&grown[at]);
  } else {
    memmove(grown + at + 1, grown + at, (tags->count - at) * sizeof *grown);
    tags->count++;
  }
  grown[at] = tag;
  return DBSQL_OK;
}

static dbsql_status renew_text(struct query_tags *tags, dbsql_error **error) {
  char *text = tags->count ? make_text(tags->items, tags->count) : NULL;
  if (tags->count && !text) return error_no_memory(error);
  mem_free(tags->text);
  tags->text = text;
  return DBSQL_OK;
}

/* Reads up to one of `ends` that no backslash stands before, and moves on to it. */
static const char *read_part(struct buf *out, const char *at, const char *ends) {
  buf_reset(out);
  while (*at && !strchr(ends, *at)) {
    if (*at == '\\' && at[1]) at++;
    buf_append_byte(out, (uint8_t)*at++);
  }
  return at;
}

dbsql_status query_tags_parse(struct query_tags *tags, const char *text, dbsql_error **error) {
  struct query_tags parsed = {0};
  struct buf key = BUF_INIT, value = BUF_INIT;
  dbsql_status status = DBSQL_OK;
  for (const char *at = text; *at && status == DBSQL_OK;) {
    at = read_part(&key, at, ":,");
    bool has_value = *at == ':';
    if (has_value) at = read_part(&value, at + 1, ",");
    if (*at == ',' && !at[1]) {
      status = error_set(error, DBSQL_ERROR_DRIVER, "HY024", "query tags: there is none behind the last comma");
      break;
    }
    if (*at == ',') at++;
    if (!buf_text(&key) || (has_value && !buf_text(&value))) {
      status = error_no_memory(error);
    } else {
      status = put(&parsed, (const char *)key.data, has_value ? (const char *)value.data : NULL, error);
    }
  }
  if (status == DBSQL_OK) status = renew_text(&parsed, error);
  buf_free(&key);
  buf_free(&value);
  if (status == DBSQL_OK) {
    query_tags_free(tags);
    *tags = parsed;
  } else {
    query_tags_free(&parsed);
  }
  return status;
}

dbsql_status query_tags_set(struct query_tags *tags, const char *key, const char *value, dbsql_error **error) {
  /* On a copy, so that a failure changes nothing. */
  struct query_tags copy = {0};
  dbsql_status status = tags->text ? query_tags_parse(&copy, tags->text, error) : DBSQL_OK;
  if (status == DBSQL_OK) status = put(&copy, key, value, error);
  if (status == DBSQL_OK) status = renew_text(&copy, error);
  if (status == DBSQL_OK) {
    query_tags_free(tags);
    *tags = copy;
  } else {
    query_tags_free(&copy);
  }
  return status;
}

/* ---- Settings ------------------------------------------------------------------------------------------------------------ */

static void free_pair(struct text_pair *pair) {
  mem_free((void *)(uintptr_t)pair->key);
  mem_free((void *)(uintptr_t)pair->value);
}

void statement_conf_free(struct statement_conf *conf) {
  for (size_t i = 0; i < conf->count; i++) free_pair(&conf->items[i]);
  mem_free(conf->items);
  *conf = (struct statement_conf){0};
}

/* thrift.md 6.1 */
static bool is_setting_name(const char *name) {
  if (!*name || strlen(name) > 1024) return false;
  for (; *name; name++) {
    if (!text_is_alpha(*name) && !text_is_digit(*name) && !strchr("_.:", *name)) return false;
  }
  return true;
}

dbsql_status statement_conf_set(struct statement_conf *conf, const char *name, const char *value, dbsql_error **error) {
  size_t at = 0, bad_at;
  if (!is_setting_name(name)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY092", "conf.%s: names of settings consist of letters, digits, \"_\", \".\" and \":\"",
                     name);
  }
  if (text_equal_nocase(name, "query_tags")) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY092", "conf.%s: set the tags of a statement as query_tags", name);
  }
  if (!utf8_is_valid(value, strlen(value), &bad_at)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22021", "conf.%s: the value is not valid UTF-8 at byte %zu", name, bad_at);
  }
  while (at < conf->count && strcmp(conf->items[at].key, name) != 0) at++;
  if (!*value) {
    if (at == conf->count) return DBSQL_OK;
    free_pair(&conf->items[at]);
    conf->count--;
    memmove(conf->items + at, conf->items + at + 1, (conf->count - at) * sizeof *conf->items);
    return DBSQL_OK;
  }
  if (at == most_pairs)
    return error_set(error, DBSQL_ERROR_DRIVER, "HY092", "conf.%s: there are %d settings already", name, (int)most_pairs);
  struct text_pair pair = {mem_strdup(name), mem_strdup(value)};
  struct text_pair *grown = at < conf->count ? conf->items : mem_realloc_array(conf->items, conf->count + 1, sizeof *grown);
  if (grown) conf->items = grown;
  if (!grown || !pair.key || !pair.value) {
    free_pair(&pair);
    return error_no_memory(error);
  }
  if (at < conf->count) {
    free_pair(&grown[at]);
  } else {
    conf->count++;
  }
  grown[at] = pair;
  return DBSQL_OK;
}
