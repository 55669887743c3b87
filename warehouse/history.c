#include "history.h"

#include <string.h>

#include "base/text.h"
#include "parameters.h"
#include "warehouse.h"

void history_init(struct history *history) {
  memset(history, 0, sizeof *history);
  pthread_mutex_init(&history->lock, NULL);
}

void history_free(struct history *history) {
  for (size_t i = 0; i < history_length; i++) json_decref(history->entries[i]);
  pthread_mutex_destroy(&history->lock);
}

/* Cut at a whole character. */
static json_t *text(const char *value) {
  if (!value) return json_null();
  size_t length = strlen(value);
  if (length > history_text) {
    length = history_text;
    while (length && ((unsigned char)value[length] & 0xC0) == 0x80) length--;
  }
  json_t *made = json_stringn(value, length);
  return made ? made : json_string("(not UTF-8)");
}

void history_add(struct history *history, const struct session *session, const struct operation_request *request) {
  json_t *entry = json_object(), *settings = json_object(), *parameters = json_array();
  const char *session_tags = session_setting(session, "QUERY_TAGS");
  json_object_set_new(entry, "statement", text(request->sql));
  json_object_set_new(entry, "session_tags", text(session_tags));
  json_object_set_new(entry, "query_tags", json_null());
  for (size_t i = 0; i < request->overlay_count; i++) {
    const struct setting *setting = &request->overlay[i];
    bool tags = text_equal_nocase(setting->key, "query_tags");
    json_object_set_new(tags ? entry : settings, tags ? "query_tags" : setting->key, text(setting->value));
  }
  json_object_set_new(entry, "settings", settings);
  for (size_t i = 0; i < request->parameter_count; i++) {
    const struct parameter *parameter = &request->parameters[i];
    json_t *one = json_object();
    json_object_set_new(one, "name", text(parameter->name));
    json_object_set_new(one, "type", text(parameter->type));
    json_object_set_new(one, "value", text(parameter->value));
    json_array_append_new(parameters, one);
  }
  json_object_set_new(entry, "parameters", parameters);
  pthread_mutex_lock(&history->lock);
  json_t **place = &history->entries[history->next++ % history_length];
  json_decref(*place);
  *place = entry;
  pthread_mutex_unlock(&history->lock);
}

json_t *history_list(struct history *history) {
  json_t *list = json_array();
  pthread_mutex_lock(&history->lock);
  for (size_t i = 0; i < history_length && i < history->next; i++)
    json_array_append(list, history->entries[(history->next - 1 - i) % history_length]);
  pthread_mutex_unlock(&history->lock);
  return list;
}
