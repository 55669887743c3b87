/*
 * The settings of telemetry (config.def), and the decision whether there is any (design.md 5; telemetry.md 1.6).
 *
 * From most to least: DATABRICKS_TELEMETRY_DISABLED in the environment; telemetry=false; telemetry_force=true; telemetry=true, if the
 * server's flag allows it; otherwise off, and no request is made. The user's own sinks do not depend on that.
 */
#ifndef DBSQL_TELEMETRY_CONFIG_H
#define DBSQL_TELEMETRY_CONFIG_H

#include "base/buf.h"
#include "base/log.h"

enum telemetry_setting {
#define SETTING(id, ...) SETTING_##id,
#include "telemetry/config.def"
#undef SETTING
  SETTING_COUNT
};

enum setting_type { SETTING_BOOL, SETTING_INT, SETTING_DURATION, SETTING_WORD, SETTING_TEXT, SETTING_SECRET };
struct setting {
  enum setting_type type;
  const char *name;
  const char *default_text;
  int64_t min, max;
  const char *words;
  const char *environment;
  const char *documentation;
};
extern const struct setting telemetry_settings[SETTING_COUNT];

enum traces_exporter { TRACES_NONE, TRACES_OTLP, TRACES_CONSOLE, TRACES_FILE };
enum otlp_protocol { OTLP_PROTOBUF, OTLP_JSON, OTLP_GRPC };

struct telemetry_config {
  struct {
    bool is_set;
    int64_t number; /* BOOL, INT, DURATION in ms; the index of a WORD */
    char *text;     /* TEXT, SECRET */
  } values[SETTING_COUNT];
};

/* Nothing set: the defaults count. */
void telemetry_config_init(struct telemetry_config *config);
/* Wipes secrets. */
void telemetry_config_free(struct telemetry_config *config);
/* An empty value takes the setting back. A bad one is an error that names it, and changes nothing. */
dbsql_status telemetry_config_set(struct telemetry_config *config, const char *name, const char *value, dbsql_error **error);
/* What the environment says and is not set yet. A bad value is ignored, with a warning. */
dbsql_status telemetry_config_environment(struct telemetry_config *config, const char *(*get)(void *user, const char *name), void *user,
                                          const struct log *log, dbsql_error **error);
int64_t telemetry_config_int(const struct telemetry_config *config, enum telemetry_setting id);
static inline bool telemetry_config_bool(const struct telemetry_config *config, enum telemetry_setting id) {
  return telemetry_config_int(config, id) != 0;
}
const char *telemetry_config_text(const struct telemetry_config *config, enum telemetry_setting id); /* "" if there is none */

enum telemetry_choice {
  CHOICE_OFF,
  CHOICE_FLAG,  /* on if the server's flag allows */
  CHOICE_FORCED /* on */
};
enum telemetry_choice telemetry_config_choice(const struct telemetry_config *config, bool killed);
/* Whether DATABRICKS_TELEMETRY_DISABLED has one of 1, true, yes, on. */
bool telemetry_is_killed(const char *variable);

/* Go's bool texts, and yes, no, on, off; any case. */
bool telemetry_parse_bool(const char *text, bool *value);

/* A W3C trace parent. */
struct trace_parent {
  uint8_t trace_id[16];
  uint8_t span_id[8];
  uint8_t flags;
  bool present;
};
enum { trace_parent_size = 56 };
/* "" gives one that is not present; false if it is malformed. */
bool trace_parent_parse(const char *text, struct trace_parent *parent);
void trace_parent_format(const struct trace_parent *parent, char out[trace_parent_size]);

#endif
