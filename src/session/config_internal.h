/* What the files of the configuration share: the table as data, and the one way in which every grammar sets an option. */
#ifndef DBSQL_SESSION_CONFIG_INTERNAL_H
#define DBSQL_SESSION_CONFIG_INTERNAL_H

#include "base/buf.h"
#include "session/config.h"

struct option {
  enum option_type type;
  const char *name;
  const char *aliases;
  const char *unit;
  int64_t min, max;
  const char *words;
  const char *default_text;
  bool secret;
  const char *environment;
  const char *documentation;
};
extern const struct option option_table[OPTION_COUNT];

/* What a name of another driver means here (foreign.def). */
enum foreign_rule {
  FOREIGN_NOT,         /* the opposite of a BOOL */
  FOREIGN_SECONDS,     /* seconds of an option in milliseconds */
  FOREIGN_DURATION,    /* the same as `30s`, `500ms` or plain milliseconds */
  FOREIGN_MAP,         /* each value that is listed sets the option to what stands after '='; others are not supported */
  FOREIGN_ONLY,        /* the values that are listed ask for what is done anyway; others are not supported */
  FOREIGN_IGNORED,     /* says nothing to us */
  FOREIGN_UNSUPPORTED, /* whatever its value */
  FOREIGN_USER         /* `token` as user name */
};
struct foreign {
  const char *name;
  enum foreign_rule rule;
  enum option_id option; /* of NOT, SECONDS, DURATION, MAP; otherwise OPTION_COUNT */
  const char *values;    /* of MAP and ONLY, separated by '|' */
};
extern const struct foreign foreign_table[];
extern const size_t foreign_count;

/* What a name stands for. */
enum name_kind { NAME_UNKNOWN, NAME_OPTION, NAME_FOREIGN, NAME_PARAMETER, NAME_HEADER };
struct name_match {
  enum name_kind kind;
  enum option_id option;
  const struct foreign *foreign;
  struct slice rest; /* of PARAMETER and HEADER: the part after the prefix, a view into the name */
};
struct name_match config_find_name(struct slice name);
/* True if two names are equal but for case, '_' and '-'. */
bool config_names_equal(struct slice a, struct slice b);
/* The known name that is at most `limit` edits away, or "". Written to `out`. */
enum { nearest_size = 64 };
void config_nearest_name(struct slice name, size_t limit, char out[nearest_size]);
/* The next piece of a text that is separated by `separator`; false at the end. Begin with *at = 0. */
bool text_next_piece(const char *text, char separator, size_t *at, struct slice *piece);

/* Frees what a configuration holds, but not itself. */
void config_release(dbsql_config *config);
/* Takes one setting back, so that the default counts again. */
void config_clear(dbsql_config *config, enum option_id id);
/* The place of a name among pairs, case aside; `count` if it is not there. */
size_t config_find_pair(const struct session_parameter *pairs, size_t count, struct slice name);

bool config_parse_bool(struct slice text, bool *value);
bool config_is_loopback(const char *host);

/*
 * Settings that belong together (one connection string, one call): collected apart, so that nothing has changed if one of them is
 * wrong, and so that two names for one option can be told to contradict each other.
 */
struct settings {
  dbsql_config values;
  struct {
    char name[nearest_size]; /* as it was written; "" if the option was not set */
  } origins[OPTION_COUNT];
  size_t count;                  /* of calls of settings_put() */
  const char *prefix;            /* of errors: "invalid DSN"; NULL for none */
  bool leftovers_are_parameters; /* an unknown name is a session parameter */
  bool after_secret;             /* the last name was a secret's: what follows may be the rest of its value */
  bool jdbc;                     /* the session parameters that JDBC knows by name are that */
};
void settings_init(struct settings *settings, const char *prefix);
void settings_free(struct settings *settings);
/* Sets what `name` stands for. `position` (from 1, 0 for none) is where the name stands in the string. An empty value says nothing. */
dbsql_status settings_put(struct settings *settings, struct slice name, struct slice value, size_t position, dbsql_error **error);
/* A session parameter, whatever its name. */
dbsql_status settings_put_parameter(struct settings *settings, struct slice name, struct slice value, size_t position, dbsql_error **error);
/* The same for an option that is known; `name` is only for errors. */
dbsql_status settings_put_option(struct settings *settings, enum option_id id, const char *name, struct slice value, size_t position,
                                 dbsql_error **error);
/* Moves everything that was collected into `config`, in place of what is there; with `fill_only` what is there stays. */
dbsql_status settings_apply(struct settings *settings, dbsql_config *config, bool fill_only, dbsql_error **error);
/* An error about what stands at `position`, with the prefix. */
dbsql_status settings_error(const struct settings *settings, const char *sqlstate, size_t position, dbsql_error **error, const char *format,
                            ...) DBSQL_PRINTF(5, 6);

/* Values that need a closer look than their type: takes `value` apart or checks it. NULL if it is fine, otherwise what is wrong with
 * it, as the rest of a sentence that begins with the name. Never quotes the value. */
const char *config_check_text(enum option_id id, struct slice value);
enum { longest_parameter_name = 1024 };
const char *config_check_parameter_name(struct slice name);
const char *config_check_header(struct slice name, struct slice value);

/* HOST, HOST:PORT, [IPv6], [IPv6]:PORT. `*port` is empty if there is none. NULL, or what is wrong. */
const char *config_split_authority(struct slice text, struct slice *host, struct slice *port);
/* Percent-decodes; with `form` '+' is a space. False at a bad escape, with its offset in `*bad_at`. The caller frees the buffer, also
 * on failure; buf_failed() tells that memory was lacking. */
bool config_percent_decode(struct slice text, bool form, struct buf *out, size_t *bad_at);

/* The grammars. `text` holds no NUL. */
dbsql_status config_parse_dsn(struct settings *settings, struct slice text, size_t offset, dbsql_error **error);
dbsql_status config_parse_pairs(struct settings *settings, struct slice text, dbsql_error **error);
dbsql_status config_parse_jdbc(struct settings *settings, struct slice text, size_t offset, dbsql_error **error);

/* Parts of config_resolve(): what environment and profile add if they were asked for; which way to sign in. */
dbsql_status config_resolve_sources(dbsql_config *config, dbsql_error **error);
dbsql_status config_resolve_auth(dbsql_config *config, dbsql_error **error);
/* Remembers the origin that a source names, if it names one: what it does not say of it is as usual. */
dbsql_status config_bind(struct bound_origin *bound, const dbsql_config *found, dbsql_error **error);

/* Sets what the profile says and is not set yet: the one of option `profile`, or with `default_too` the default one, of `config_file` or
 * the usual file. A file or section that was asked for and is not there is an error. */
dbsql_status config_load_profile(dbsql_config *config, bool default_too, dbsql_error **error);
/* The same of a file's text; `path` is for messages. `profile` NULL: the default one, which may be missing. */
dbsql_status config_parse_profile(dbsql_config *config, struct slice text, const char *path, const char *profile, dbsql_error **error);
/* dbsql_config_load_environment() with another source of variables. */
typedef const char *(*environment_function)(void *user, const char *name);
dbsql_status config_load_from(dbsql_config *config, environment_function get, void *user, dbsql_error **error);

#endif
