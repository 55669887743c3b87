#include "telemetry/feature_flag.h"

#include <jansson.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

enum { usual_ttl_s = 900, least_ttl_s = 60, most_ttl_s = 3600, negative_s = 60, most_negative_s = 900 };
static const int64_t ns_per_s = 1000000000;

static const char *text_of(const json_t *value) {
  if (json_is_string(value)) return strlen(json_string_value(value)) == json_string_length(value) ? json_string_value(value) : NULL;
  if (json_is_boolean(value)) return json_is_true(value) ? "true" : "false";
  return NULL;
}

dbsql_status flag_list_parse(struct slice body, struct flag_list *list, dbsql_error **error) {
  *list = (struct flag_list){0};
  json_error_t why;
  json_t *root = json_loadb((const char *)body.data, body.size, 0, &why);
  if (!root) {
    return error_set(error, DBSQL_ERROR_REQUEST, "HY000", "the answer about feature flags is not valid JSON at byte %d: %s", why.position,
                     why.text);
  }
  dbsql_status status = DBSQL_OK;
  const json_t *flags = json_object_get(root, "flags");
  const json_t *ttl = json_object_get(root, "ttl_seconds");
  if (!json_is_object(root) || (flags && !json_is_array(flags) && !json_is_null(flags))) {
    status = error_set(error, DBSQL_ERROR_REQUEST, "HY000", "the answer about feature flags holds no list of them");
    goto cleanup;
  }
  double seconds = json_is_number(ttl) ? json_number_value(ttl) : 0;
  if (seconds > 0) list->ttl_s = seconds < most_ttl_s ? (seconds < least_ttl_s ? least_ttl_s : (int64_t)seconds) : most_ttl_s;
  size_t given = json_array_size(flags);
  size_t most = given < flag_most ? given : flag_most;
  list->flags = mem_alloc_zero(most, sizeof *list->flags);
  if (!list->flags) {
    status = error_no_memory(error);
    goto cleanup;
  }
  for (size_t i = 0; i < given && list->count < most; i++) {
    const json_t *one = json_array_get(flags, i);
    const char *name = text_of(json_object_get(one, "name"));
    const char *value = text_of(json_object_get(one, "value"));
    if (!name || !value || !*name || strlen(name) >= flag_name_size || strlen(value) >= flag_value_size) continue;
    struct flag *flag = &list->flags[list->count++];
    strcpy(flag->name, name);
    strcpy(flag->value, value);
  }

cleanup:
  json_decref(root);
  return status;
}

void flag_list_free(struct flag_list *list) {
  mem_free(list->flags);
  *list = (struct flag_list){0};
}

const char *flag_list_find(const struct flag_list *list, const char *name) {
  for (size_t i = 0; i < list->count; i++) {
    if (strcmp(list->flags[i].name, name) == 0) return list->flags[i].value;
  }
  return NULL;
}

void flag_entry_free(struct flag_entry *entry) {
  flag_list_free(&entry->list);
}

enum flag_state flag_lookup(const struct flag_entry *entry, const char *name) {
  if (!entry->known) return entry->failures > 0 ? FLAG_STATE_ERROR : FLAG_STATE_PENDING;
  const char *value = flag_list_find(&entry->list, name);
  if (!value) return FLAG_STATE_MISSING;
  return text_equal_nocase(value, "true") ? FLAG_STATE_TRUE : FLAG_STATE_FALSE;
}

int64_t flag_next_fetch_ns(const struct flag_entry *entry, int64_t now_ns) {
  if (entry->fetching) return INT64_MAX;
  if (!entry->known && entry->failures == 0) return now_ns;
  int64_t next = entry->answered_ns + entry->fresh_ns;
  return next > now_ns ? next : now_ns;
}

bool flag_wants_fetch(const struct flag_entry *entry, int64_t now_ns) {
  return flag_next_fetch_ns(entry, now_ns) <= now_ns;
}

bool flag_begin_fetch(struct flag_entry *entry, int64_t now_ns) {
  if (!flag_wants_fetch(entry, now_ns)) return false;
  entry->fetching = true;
  return true;
}

void flag_end_fetch(struct flag_entry *entry, struct flag_list *list, int64_t now_ns) {
  flag_list_free(&entry->list);
  entry->list = *list;
  *list = (struct flag_list){0};
  entry->known = true;
  entry->fetching = false;
  entry->failures = 0;
  entry->answered_ns = now_ns;
  entry->fresh_ns = (entry->list.ttl_s > 0 ? entry->list.ttl_s : usual_ttl_s) * ns_per_s;
}

void flag_fail_fetch(struct flag_entry *entry, int http_status, int64_t now_ns) {
  entry->fetching = false;
  entry->answered_ns = now_ns;
  int64_t wait_s = negative_s;
  for (int i = 0; i < entry->failures && wait_s < most_negative_s; i++) wait_s *= 2;
  if (wait_s > most_negative_s) wait_s = most_negative_s;
  if (http_status == 401 || http_status == 403 || http_status == 404) wait_s = usual_ttl_s;
  if (entry->failures < 100) entry->failures++;
  entry->fresh_ns = wait_s * ns_per_s;
}
