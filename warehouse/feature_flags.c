#include "feature_flags.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void feature_flags_init(struct feature_flags *flags) {
  memset(flags, 0, sizeof *flags);
  pthread_mutex_init(&flags->lock, NULL);
}

static void drop_all(struct feature_flags *flags) {
  for (int i = 0; i < flags->count; i++) {
    json_decref(flags->sets[i].flags);
    json_decref(flags->sets[i].ttl);
  }
  flags->count = 0;
}

void feature_flags_destroy(struct feature_flags *flags) {
  drop_all(flags);
  pthread_mutex_destroy(&flags->lock);
}

void feature_flags_clear(struct feature_flags *flags) {
  pthread_mutex_lock(&flags->lock);
  drop_all(flags);
  pthread_mutex_unlock(&flags->lock);
}

/* ---- Setting ------------------------------------------------------------------------------------------------------------------------ */

static bool add_flag(json_t *list, const char *name, const json_t *value, char *message, size_t size) {
  if (!name || !*name || !json_is_string(value)) {
    snprintf(message, size, "a flag has a \"name\" and a \"value\", both texts (\"true\", not true)");
    return false;
  }
  json_array_append_new(list, json_pack("{s:s, s:O}", "name", name, "value", value));
  return true;
}

static json_t *read_flags(const json_t *json, char *message, size_t size) {
  json_t *list = json_array(), *value;
  const char *key;
  size_t i;
  bool good = json_is_array(json) || json_is_object(json);
  if (!good) snprintf(message, size, "\"flags\" must be an object or an array");
  json_object_foreach((json_t *)(uintptr_t)json, key, value) {
    good = good && add_flag(list, key, value, message, size);
  }
  json_array_foreach(json, i, value) {
    good = good && json_object_size(value) == 2 &&
           add_flag(list, json_string_value(json_object_get(value, "name")), json_object_get(value, "value"), message, size);
  }
  if (good) return list;
  if (!message[0]) snprintf(message, size, "a flag has a \"name\" and a \"value\", and nothing else");
  json_decref(list);
  return NULL;
}

static bool read_word(const json_t *value, const char *key, char out[32], char *message, size_t size) {
  const char *text = json_string_value(value);
  if (!text || strlen(text) >= 32) {
    snprintf(message, size, "\"%s\" must be a text of at most 31 characters", key);
    return false;
  }
  memcpy(out, text, strlen(text) + 1);
  return true;
}

bool feature_flags_set(struct feature_flags *flags, const json_t *json, char *message, size_t size) {
  struct feature_flags_set set = {.flags = NULL};
  bool no_ttl = false, good = true;
  const char *key;
  json_t *value;
  message[0] = '\0';
  if (!json_is_object(json)) {
    snprintf(message, size, "a set of flags is a JSON object");
    return false;
  }
  json_object_foreach((json_t *)(uintptr_t)json, key, value) {
    if (!good) break;
    if (strcmp(key, "flags") == 0) {
      set.flags = read_flags(value, message, size);
      good = set.flags != NULL;
    } else if (strcmp(key, "ttl_seconds") == 0) {
      no_ttl = json_is_null(value);
      good = no_ttl || json_is_integer(value);
      if (!good) snprintf(message, size, "\"ttl_seconds\" must be an integer, or null for none");
      if (good && !no_ttl) set.ttl = json_incref(value);
    } else if (strcmp(key, "client") == 0) {
      good = read_word(value, key, set.client, message, size);
    } else if (strcmp(key, "org") == 0) {
      good = read_word(value, key, set.org, message, size);
    } else {
      snprintf(message, size, "there is no member \"%.40s\" (known: flags, ttl_seconds, client, org)", key);
      good = false;
    }
  }
  if (good && !set.flags) {
    snprintf(message, size, "\"flags\" is missing");
    good = false;
  }
  if (!good) {
    json_decref(set.flags);
    json_decref(set.ttl);
    return false;
  }
  if (!set.ttl && !no_ttl) set.ttl = json_integer(feature_flags_ttl_s);

  pthread_mutex_lock(&flags->lock);
  int at = 0;
  while (at < flags->count && (strcmp(flags->sets[at].client, set.client) != 0 || strcmp(flags->sets[at].org, set.org) != 0)) at++;
  if (at == feature_flags_sets) {
    snprintf(message, size, "%d sets of flags are there already", feature_flags_sets);
    good = false;
    at = -1;
  } else if (at == flags->count) {
    flags->count++;
  } else {
    json_decref(flags->sets[at].flags);
    json_decref(flags->sets[at].ttl);
  }
  if (at >= 0) {
    flags->sets[at] = set;
  } else {
    json_decref(set.flags);
    json_decref(set.ttl);
  }
  pthread_mutex_unlock(&flags->lock);
  return good;
}

/* ---- Answering ---------------------------------------------------------------------------------------------------------------------- */

static json_t *answer_of(const struct feature_flags_set *set) {
  json_t *out = json_object();
  json_object_set_new(out, "flags", json_deep_copy(set->flags));
  if (set->ttl) json_object_set_new(out, "ttl_seconds", json_deep_copy(set->ttl));
  return out;
}

json_t *feature_flags_list(struct feature_flags *flags) {
  json_t *out = json_array();
  pthread_mutex_lock(&flags->lock);
  for (int i = 0; i < flags->count; i++) {
    const struct feature_flags_set *set = &flags->sets[i];
    json_t *item = answer_of(set);
    if (set->client[0]) json_object_set_new(item, "client", json_string(set->client));
    if (set->org[0]) json_object_set_new(item, "org", json_string(set->org));
    json_array_append_new(out, item);
  }
  pthread_mutex_unlock(&flags->lock);
  return out;
}

json_t *feature_flags_answer(struct feature_flags *flags, const char *client, const char *org) {
  const struct feature_flags_set *best = NULL;
  int best_score = -1;
  json_t *out;
  pthread_mutex_lock(&flags->lock);
  for (int i = 0; i < flags->count; i++) {
    const struct feature_flags_set *set = &flags->sets[i];
    if ((set->client[0] && strcmp(set->client, client) != 0) || (set->org[0] && strcmp(set->org, org) != 0)) continue;
    int score = (set->client[0] ? 2 : 0) + (set->org[0] ? 1 : 0);
    if (score > best_score) {
      best = set;
      best_score = score;
    }
  }
  out = best ? answer_of(best) : json_pack("{s:[], s:i}", "flags", "ttl_seconds", feature_flags_ttl_s);
  pthread_mutex_unlock(&flags->lock);
  return out;
}

/* ---- The path ----------------------------------------------------------------------------------------------------------------------- */

static const char *after_prefix(const char *path) {
  static const char prefix[] = "/2.0/connector-service/feature-flags/";
  if (strncmp(path, "/api", 4) == 0) path += 4;
  return strncmp(path, prefix, sizeof prefix - 1) == 0 ? path + sizeof prefix - 1 : NULL;
}

bool feature_flags_is_path(const char *path) {
  return after_prefix(path) != NULL;
}

/* What follows the triplet is a 404 of the service (telemetry.md 3.1, Node). */
static bool is_version(const char *text) {
  for (int part = 0; part < 3; part++) {
    if (!text_is_digit(*text)) return false;
    while (text_is_digit(*text)) text++;
    if (part < 2 && *text++ != '.') return false;
  }
  return !*text;
}

bool feature_flags_read_path(const char *path, char client[32], char *message, size_t size) {
  const char *text = after_prefix(path), *slash = text ? strchr(text, '/') : NULL;
  size_t length = slash ? (size_t)(slash - text) : 0;
  client[0] = '\0';
  if (!slash || length == 0 || length >= 32) {
    snprintf(message, size, "the path must end with CLIENT/VERSION");
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    if ((text[i] >= 'A' && text[i] <= 'Z') || text[i] == '_') continue;
    snprintf(message, size, "the client '%.*s' must be of capital letters and _", (int)length, text);
    return false;
  }
  memcpy(client, text, length);
  client[length] = '\0';
  if (is_version(slash + 1)) return true;
  snprintf(message, size, "the version '%.40s' must be major.minor.patch, and nothing more", slash + 1);
  return false;
}
