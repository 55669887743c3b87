#include "auth/json.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum { deepest = 32 };

static bool is_too_deep(struct slice text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size; i++) {
    uint8_t c = text.data[i];
    if (quoted) {
      if (c == '\\') i++;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > deepest) return true;
    } else if (c == '}' || c == ']') {
      depth--;
    }
  }
  return false;
}

json_t *json_read(struct slice text, size_t longest) {
  if (text.size == 0 || text.size > longest || is_too_deep(text)) return NULL;
  json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
  if (json_is_object(root)) return root;
  json_decref(root);
  return NULL;
}

const char *json_text(const json_t *object, const char *name) {
  const json_t *member = json_object_get(object, name);
  if (!json_is_string(member)) return NULL;
  const char *text = json_string_value(member);
  return strlen(text) == json_string_length(member) ? text : NULL;
}

bool json_number(const json_t *object, const char *name, double *value) {
  const json_t *member = json_object_get(object, name);
  if (json_is_number(member)) {
    *value = json_number_value(member);
    return true;
  }
  const char *text = json_text(object, name);
  int64_t number;
  if (!text || !text_parse_int64(text, strlen(text), &number)) return false;
  *value = (double)number;
  return true;
}

void json_drop_secret(json_t *object) {
  const char *key;
  json_t *member;
  json_object_foreach(object, key, member) {
    if (json_is_string(member)) mem_wipe((void *)(uintptr_t)json_string_value(member), json_string_length(member));
  }
  json_decref(object);
}
