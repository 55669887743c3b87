/*
 * dbsql: Databricks SQL for C.
 *
 * The whole public API, in the order in which a program needs it:
 *
 *    1  Status and errors             7  Parameters                   13  Metadata calls
 *    2  Library: version, memory      8  Asynchronous execution       14  Files on volumes
 *    3  Logging                       9  Transactions                 15  Pools
 *    4  Calls and configuration      10  Results                      16  Arrow IPC: read and write
 *    5  Connections                  11  Results as Arrow             17  Authentication: token providers
 *    6  Statements                   12  Rows, one at a time          18  Telemetry
 *
 * Rules that hold everywhere:
 *
 *  - A function that can fail returns a dbsql_status and takes `dbsql_error **error` last. `error` may be NULL. On failure, and
 *    only then, `*error` is set to a new error that the caller frees with dbsql_error_free(). Set it to NULL before the call.
 *  - A function that can wait takes a `const dbsql_call *` just before it: one time limit and one cancel handle for everything
 *    that happens inside, connecting and retrying included. NULL means the connection's defaults.
 *  - Texts are UTF-8 with a length where they go in as data (SQL, values), and zero-terminated where they are names.
 *  - Threads: a connection and everything that hangs from it (statements, results, streams) is used by one thread at a time.
 *    Exceptions, callable from any thread at any time: dbsql_cancel_trigger(), dbsql_statement_cancel(). Different connections
 *    are independent. Released Arrow arrays may be released from any thread.
 *  - Memory: what a *_new() or *_connect() gave is freed with the function named there; views (`const char *`) belong to the
 *    object they came from and live as long as it does, unless said otherwise.
 *  - The library installs no signal handler, runs nothing at exit, raises no SIGPIPE and prints nothing.
 */
#ifndef DBSQL_H
#define DBSQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrow.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define DBSQL_API
#else
#define DBSQL_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define DBSQL_PRINTF(format_index, args_index) __attribute__((format(printf, format_index, args_index)))
#else
#define DBSQL_PRINTF(format_index, args_index)
#endif

/* ---- 1. Status and errors ------------------------------------------------------------------------------------------------ */

/* What went wrong, roughly. The first three are the kinds of the Go driver (errors/errors.go of databricks-sql-go). */
typedef enum dbsql_status {
  DBSQL_OK = 0,
  DBSQL_ERROR_DRIVER = 1,    /* wrong use of the library, an unsupported feature, an answer that makes no sense */
  DBSQL_ERROR_REQUEST = 2,   /* connecting, TLS, HTTP, authentication, permission */
  DBSQL_ERROR_EXECUTION = 3, /* the server accepted the statement and says that it failed */
  DBSQL_ERROR_CANCELLED = 4, /* the cancel handle was triggered, or the statement was cancelled on the server */
  DBSQL_ERROR_TIMEOUT = 5,   /* the time limit of the call, or the server's query timeout, ran out */
  DBSQL_ERROR_NO_MEMORY = 6  /* an allocation failed; the error is static and needs no memory */
} dbsql_status;

typedef struct dbsql_error dbsql_error;

/* Frees an error; NULL is allowed. */
DBSQL_API void dbsql_error_free(dbsql_error *error);

/* All accessors allow NULL and then answer DBSQL_OK, "", 0 or false. Texts live as long as the error; they are never NULL and
 * never hold a token, a password or a pre-signed URL. */
DBSQL_API dbsql_status dbsql_error_kind(const dbsql_error *error);
/* The message, for people: what was being done, what went wrong, what the other side said. */
DBSQL_API const char *dbsql_error_message(const dbsql_error *error);
/* Five characters. The server's own where it sent one; otherwise the ODBC state that fits (08001 cannot connect, 08S01 connection
 * lost, 28000 not authorised, HYT00 timeout, HY008 cancelled, HY001 memory, HY000 anything else ...). */
DBSQL_API const char *dbsql_error_sqlstate(const dbsql_error *error);
/* The error class in brackets at the start of a server message, such as "TABLE_OR_VIEW_NOT_FOUND"; "" if there is none. */
DBSQL_API const char *dbsql_error_class(const dbsql_error *error);
/* The server's numeric code; 0 if it sent none. */
DBSQL_API int32_t dbsql_error_vendor_code(const dbsql_error *error);
/* The HTTP status of the failing answer; 0 if there was none. */
DBSQL_API int dbsql_error_http_status(const dbsql_error *error);
/* The statement's id as in the query history; "" if none was known. */
DBSQL_API const char *dbsql_error_query_id(const dbsql_error *error);
/* The session's id. */
DBSQL_API const char *dbsql_error_connection_id(const dbsql_error *error);
/* The caller's own id, from dbsql_call. */
DBSQL_API const char *dbsql_error_correlation_id(const dbsql_error *error);
/* `x-request-id` of the failing answer: what Databricks' support asks for. */
DBSQL_API const char *dbsql_error_request_id(const dbsql_error *error);
/* The host that was being talked to or waited for. */
DBSQL_API const char *dbsql_error_host(const dbsql_error *error);
/* True if the server refused the work without starting it, so that the same call may succeed later. */
DBSQL_API bool dbsql_error_is_retryable(const dbsql_error *error);
/* How long the server asked to wait, in milliseconds; -1 if it did not say. */
DBSQL_API int64_t dbsql_error_retry_after_ms(const dbsql_error *error);
/* How often the failing request was sent, and how long the call took, in milliseconds. */
DBSQL_API int dbsql_error_attempts(const dbsql_error *error);
DBSQL_API int64_t dbsql_error_elapsed_ms(const dbsql_error *error);
/* True if the server said that the session is gone: the connection must be replaced. */
DBSQL_API bool dbsql_error_is_session_lost(const dbsql_error *error);

/* The name of a status, such as "DBSQL_ERROR_REQUEST". Static. */
DBSQL_API const char *dbsql_status_name(dbsql_status status);

/* ---- 2. Library ---------------------------------------------------------------------------------------------------------- */

#define DBSQL_VERSION_MAJOR 0
#define DBSQL_VERSION_MINOR 1
#define DBSQL_VERSION_PATCH 0
#define DBSQL_VERSION "0.1.0"

/* The version of the library that is loaded, such as "0.1.0". Static. */
DBSQL_API const char *dbsql_version(void);

/* Replaces malloc, realloc and free for everything that the library itself allocates (libcurl and OpenSSL keep theirs). All three
 * must be set and may be called from any thread; `user` is passed on. Call it once, before any other function; it fails with
 * DBSQL_ERROR_DRIVER once something has been allocated. The struct is copied. NULL restores the C library's. */
typedef struct dbsql_allocator {
  void *(*allocate)(void *user, size_t size);
  void *(*reallocate)(void *user, void *block, size_t size);
  void (*release)(void *user, void *block);
  void *user;
} dbsql_allocator;
DBSQL_API dbsql_status dbsql_set_allocator(const dbsql_allocator *allocator);

/* What all results of the process together may hold, as the option max_memory_bytes says it for one. 0: no limit, the default; a negative
 * one is DBSQL_ERROR_DRIVER. Each result may still have the one file that comes next in order. From any thread. */
DBSQL_API dbsql_status dbsql_set_memory_limit(int64_t bytes);
/* Bytes held or reserved by all results now, and the most there have been. */
DBSQL_API int64_t dbsql_memory_used(void);
DBSQL_API int64_t dbsql_memory_high(void);

/* ---- 3. Logging ---------------------------------------------------------------------------------------------------------- */

typedef enum dbsql_log_level {
  DBSQL_LOG_OFF = 0,
  DBSQL_LOG_ERROR = 1,
  DBSQL_LOG_WARN = 2,
  DBSQL_LOG_INFO = 3,
  DBSQL_LOG_DEBUG = 4,
  DBSQL_LOG_TRACE = 5
} dbsql_log_level;

typedef struct dbsql_log_field {
  const char *key;
  const char *value;
} dbsql_log_field;

typedef struct dbsql_log_record {
  dbsql_log_level level;
  const char *module;  /* such as "http", "session" */
  const char *message; /* one line */
  const dbsql_log_field *fields;
  size_t field_count;
  int64_t time_unix_us;
} dbsql_log_record;

/* Called on the thread that does the work (with keepalive_interval_s also a thread of the library), with the record valid during the call
 * only. It must not call into the library.
 * Secrets are replaced before the record is made. */
typedef void (*dbsql_log_function)(void *user, const dbsql_log_record *record);

/* ---- 4. Calls and configuration ------------------------------------------------------------------------------------------ */

/* A handle by which one thread ends what another is waiting for. */
typedef struct dbsql_cancel dbsql_cancel;
DBSQL_API dbsql_status dbsql_cancel_new(dbsql_cancel **cancel, dbsql_error **error);
/* From any thread and from a signal handler. Every call that runs with this handle, or starts with it later, returns
 * DBSQL_ERROR_CANCELLED within a second. Stays triggered until reset. */
DBSQL_API void dbsql_cancel_trigger(dbsql_cancel *cancel);
DBSQL_API bool dbsql_cancel_is_triggered(const dbsql_cancel *cancel);
/* Makes the handle usable again. No call may be running with it. */
DBSQL_API void dbsql_cancel_reset(dbsql_cancel *cancel);
/* No call may be running with it. NULL is allowed. */
DBSQL_API void dbsql_cancel_free(dbsql_cancel *cancel);

/* How one call may wait. Begin with DBSQL_CALL_INIT. */
typedef struct dbsql_call {
  size_t struct_size;         /* sizeof(dbsql_call), so that the struct can grow */
  int64_t timeout_ms;         /* > 0: milliseconds for the whole call; 0: the connection's default; < 0: no limit */
  dbsql_cancel *cancel;       /* may be NULL; must outlive the call */
  const char *correlation_id; /* may be NULL; copied into errors and log records */
} dbsql_call;
#define DBSQL_CALL_INIT \
  { sizeof(dbsql_call), 0, NULL, NULL }

/* The settings of a connection. One table of options drives every way of writing them: docs/options.md is made from it. */
typedef struct dbsql_config dbsql_config;
DBSQL_API dbsql_status dbsql_config_new(dbsql_config **config, dbsql_error **error);
/* Wipes secrets. NULL is allowed. */
DBSQL_API void dbsql_config_free(dbsql_config *config);
/* Sets one option by its name or an alias; case, '_' and '-' do not matter. A value that cannot be honoured, or an unknown name,
 * is an error that names the option and the nearest known one. `session.NAME` sets a session parameter of the server. An option
 * that is set to "" or NULL is unset again: its default counts. */
DBSQL_API dbsql_status dbsql_config_set(dbsql_config *config, const char *name, const char *value, dbsql_error **error);
/* Reads an option back as text into `*value`, which the caller frees with dbsql_free(); `*value` is NULL if it is not set. A
 * secret cannot be read back: error. */
DBSQL_API dbsql_status dbsql_config_get(const dbsql_config *config, const char *name, char **value, dbsql_error **error);
/* Adds one tag to the option query_tags, in place of one with that key, as dbsql_statement_set_tag() does for one statement. */
DBSQL_API dbsql_status dbsql_config_set_tag(dbsql_config *config, const char *key, const char *value, dbsql_error **error);
/* Adds everything that a connection string says. The grammar is told by its look:
 *    token:TOKEN@HOST:443/sql/1.0/warehouses/ID?catalog=main      the Go driver's DSN (https:// or http:// may stand before)
 *    databricks://token:TOKEN@HOST:443/sql/1.0/warehouses/ID      the same as a URL
 *    Host=HOST;HTTPPath=/sql/1.0/warehouses/ID;AuthMech=3;UID=token;PWD=TOKEN        as in odbc.ini
 *    jdbc:databricks://HOST:443/SCHEMA;httpPath=/sql/1.0/warehouses/ID;PWD=TOKEN     a JDBC URL
 * In the DSN and URL forms an unknown name becomes a session parameter, unless it is a typo of a known one. `length` may be SIZE_MAX
 * for a zero-terminated text. On failure nothing has changed. */
DBSQL_API dbsql_status dbsql_config_parse(dbsql_config *config, const char *text, size_t length, dbsql_error **error);
/* Sets what DATABRICKS_* variables say and is not set yet. */
DBSQL_API dbsql_status dbsql_config_load_environment(dbsql_config *config, dbsql_error **error);
/* Sends the log records of this configuration's connections up to `level` to `function`. NULL stops it. */
DBSQL_API void dbsql_config_set_log(dbsql_config *config, dbsql_log_level level, dbsql_log_function function, void *user);

/* The option table, for programs that show or complete options. */
typedef struct dbsql_option_info {
  const char *name;
  const char *aliases;       /* separated by commas */
  const char *type;          /* "string", "bool", "int", "enum" */
  const char *unit;          /* "", "ms", "s", "bytes", "rows" */
  const char *default_value; /* as text; "" if there is none */
  const char *bounds;        /* such as "1..65535" or "a|b|c"; "" if there are none */
  bool secret;
  const char *documentation;
} dbsql_option_info;
DBSQL_API size_t dbsql_option_count(void);
/* False if `index` is out of range. All texts are static. */
DBSQL_API bool dbsql_option_describe(size_t index, dbsql_option_info *info);

/* Frees a text that the library gave away (only where a function says so). NULL is allowed. */
DBSQL_API void dbsql_free(void *block);

/* ---- 5. Connections ------------------------------------------------------------------------------------------------------ */

typedef struct dbsql_connection dbsql_connection;

/* Opens a session. `config` is copied and may be freed or changed at once. */
DBSQL_API dbsql_status dbsql_connect(const dbsql_config *config, const dbsql_call *call, dbsql_connection **connection,
                                     dbsql_error **error);
/* Closes the session and frees the connection, whatever is returned; the error only informs. Waits at most 30 s unless `call` says
 * otherwise. An open transaction is rolled back. Statements, results and streams that are still there can only be freed afterwards: reading
 * more rows from the server is an error. Arrow arrays that were handed out stay valid. NULL is allowed. After fork() the session stays the
 * parent's: in the child a connection can do nothing but be closed, with what hangs from it, and that sends nothing (what belongs to
 * libcurl is not freed there). */
DBSQL_API dbsql_status dbsql_connection_close(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error);
/* The session's id (a GUID as text). */
DBSQL_API const char *dbsql_connection_id(const dbsql_connection *connection);
/* The protocol version that the server answered (TProtocolVersion: 42248 is SPARK V8; 10 and below are plain HiveServer2). */
DBSQL_API int32_t dbsql_connection_protocol_version(const dbsql_connection *connection);
/* True until the session is known to be gone, or its transaction is broken (DBSQL_TRANSACTION_BROKEN). No I/O. */
DBSQL_API bool dbsql_connection_is_alive(const dbsql_connection *connection);
/* Asks the server whether the session lives, without running SQL (GetInfo). */
DBSQL_API dbsql_status dbsql_connection_ping(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error);
/* What the server says of itself: `*value` is a text to be freed with dbsql_free(). `info_type` is a number of SQLGetInfo, such as
 * 17 (product name) or 18 (version). */
DBSQL_API dbsql_status dbsql_connection_get_info(dbsql_connection *connection, int32_t info_type, const dbsql_call *call, char **value,
                                                 dbsql_error **error);

/* ---- 6. Statements ------------------------------------------------------------------------------------------------------- */

typedef struct dbsql_statement dbsql_statement;
typedef struct dbsql_result dbsql_result;

DBSQL_API dbsql_status dbsql_statement_new(dbsql_connection *connection, dbsql_statement **statement, dbsql_error **error);
/* No call may be running with it. Results of the statement stay usable. NULL is allowed. */
DBSQL_API void dbsql_statement_free(dbsql_statement *statement);
/* Settings of this statement only: "query_timeout_s", "max_rows" (rows of the whole result, cut by the server), "query_tags" (all of them,
 * `key:value,key` with `\` before `\`, and in values before `:` and `,`), "conf.NAME" (a setting of the server's, `session.NAME` of a
 * connection for this statement; "" takes it back), "telemetry" ("false": Databricks is not told of it), "trace_parent" (W3C; for spans in
 * the user's own sinks). An unknown name is an error that names the nearest known one. */
DBSQL_API dbsql_status dbsql_statement_set(dbsql_statement *statement, const char *name, const char *value, dbsql_error **error);
/* Adds one query tag, in place of one with that key; they are sent in the order of their keys. `value` NULL: a key alone, which is not the
 * same as
 * "". A key must not be empty or hold `:` or `,`. Tags of all statements: dbsql_config_set_tag(). */
DBSQL_API dbsql_status dbsql_statement_set_tag(dbsql_statement *statement, const char *key, const char *value, dbsql_error **error);
/* Runs SQL and waits until the first rows are there. `length` may be SIZE_MAX for a zero-terminated text. On success `*result` is
 * a result to be freed with dbsql_result_free(), also for statements that return no rows. A statement runs one text at a time;
 * executing again is allowed once the call has returned. PUT, GET and REMOVE of files on volumes are an error (HYC00): this version
 * moves no files. */
DBSQL_API dbsql_status dbsql_statement_execute(dbsql_statement *statement, const char *sql, size_t length, const dbsql_call *call,
                                               dbsql_result **result, dbsql_error **error);
/* From any thread: asks the server to cancel what the statement is running; the call that waits for it then returns
 * DBSQL_ERROR_CANCELLED. Success also if nothing runs. Waits for the server's answer at most 10 s unless `call` says otherwise.
 * While the server has not yet told the statement's id there is nothing to name to it: the wish counts as soon as it has. Whoever must
 * get control back at once, whatever the server does, triggers the cancel handle of the call. */
DBSQL_API dbsql_status dbsql_statement_cancel(dbsql_statement *statement, const dbsql_call *call, dbsql_error **error);
/* The id of the last statement that the server accepted, "" before. Valid until the next execution. */
DBSQL_API const char *dbsql_statement_query_id(const dbsql_statement *statement);

/* dbsql_statement_new, _execute and _free in one. */
DBSQL_API dbsql_status dbsql_execute(dbsql_connection *connection, const char *sql, size_t length, const dbsql_call *call,
                                     dbsql_result **result, dbsql_error **error);

/* ---- 7. Parameters ------------------------------------------------------------------------------------------------------- */

/*
 * Values for the markers of a statement's text: `?` by position, counted from 1, or `:name` by name. One statement has one style.
 *
 *    dbsql_bind_int64(statement, 1, NULL, 42, &error);         first `?`
 *    dbsql_bind_text(statement, 0, "city", "Ulm", 3, &error);  `:city`
 *
 * Each function takes `position` and `name`: a name that is NULL means the position, otherwise the position is 0. What is bound is copied,
 * replaces what was bound there, and stays for further executions until it is cleared. Whatever does not fit the text (a marker without a
 * value, a value without a marker, both styles) is an error of the execution, SQLSTATE 07002, before anything is sent. Needs a server that
 * speaks protocol V8. docs/parameters.md says how each type travels and what the server makes of it.
 */

/* NULL of a SQL type; `type` NULL: of none (VOID). */
DBSQL_API dbsql_status dbsql_bind_null(dbsql_statement *statement, int32_t position, const char *name, const char *type,
                                       dbsql_error **error);
/* BOOLEAN. */
DBSQL_API dbsql_status dbsql_bind_bool(dbsql_statement *statement, int32_t position, const char *name, bool value, dbsql_error **error);
/* INT: also for smaller integers, which LIMIT and OFFSET would not take. */
DBSQL_API dbsql_status dbsql_bind_int32(dbsql_statement *statement, int32_t position, const char *name, int32_t value, dbsql_error **error);
/* BIGINT. */
DBSQL_API dbsql_status dbsql_bind_int64(dbsql_statement *statement, int32_t position, const char *name, int64_t value, dbsql_error **error);
/* BIGINT; beyond INT64_MAX DECIMAL(20,0). */
DBSQL_API dbsql_status dbsql_bind_uint64(dbsql_statement *statement, int32_t position, const char *name, uint64_t value,
                                         dbsql_error **error);
/* FLOAT and DOUBLE, every bit kept but which NaN it is. */
DBSQL_API dbsql_status dbsql_bind_float(dbsql_statement *statement, int32_t position, const char *name, float value, dbsql_error **error);
DBSQL_API dbsql_status dbsql_bind_double(dbsql_statement *statement, int32_t position, const char *name, double value, dbsql_error **error);
/* STRING: UTF-8, or the error 22021. `length` may be SIZE_MAX for a zero-terminated text. NULL is a NULL. */
DBSQL_API dbsql_status dbsql_bind_text(dbsql_statement *statement, int32_t position, const char *name, const char *value, size_t length,
                                       dbsql_error **error);
/* BINARY, which the wire does not have: it travels as hexadecimal digits, and the marker must stand in unhex(?) (else the error HYC00).
 * NULL is a NULL. */
DBSQL_API dbsql_status dbsql_bind_bytes(dbsql_statement *statement, int32_t position, const char *name, const void *value, size_t length,
                                        dbsql_error **error);
/* DECIMAL(p,s): unscaled high * 2^64 + low, scale from 0 to 38, as many digits as the value has (at most 38; 22003). */
struct dbsql_decimal;
DBSQL_API dbsql_status dbsql_bind_decimal(dbsql_statement *statement, int32_t position, const char *name, const struct dbsql_decimal *value,
                                          dbsql_error **error);
/* DATE: days since 1970-01-01; years 0001 to 9999 (22008). */
DBSQL_API dbsql_status dbsql_bind_date(dbsql_statement *statement, int32_t position, const char *name, int32_t days, dbsql_error **error);
/* TIMESTAMP: microseconds since 1970-01-01 UTC. TIMESTAMP_NTZ: the same on a clock without a zone. Years 0001 to 9999 (22008). */
DBSQL_API dbsql_status dbsql_bind_timestamp(dbsql_statement *statement, int32_t position, const char *name, int64_t micros,
                                            dbsql_error **error);
DBSQL_API dbsql_status dbsql_bind_timestamp_ntz(dbsql_statement *statement, int32_t position, const char *name, int64_t micros,
                                                dbsql_error **error);
/* INTERVAL YEAR TO MONTH and INTERVAL DAY TO SECOND. */
DBSQL_API dbsql_status dbsql_bind_interval_months(dbsql_statement *statement, int32_t position, const char *name, int32_t months,
                                                  dbsql_error **error);
DBSQL_API dbsql_status dbsql_bind_interval_micros(dbsql_statement *statement, int32_t position, const char *name, int64_t micros,
                                                  dbsql_error **error);
/* Any type by its SQL name ("TINYINT", "DECIMAL(10,2)", "INTERVAL MONTH" ...), and the value as the server's CAST reads it from text. The
 * type "DECIMAL" alone gets precision and scale from the digits. NULL is a NULL of the type. */
DBSQL_API dbsql_status dbsql_bind_typed(dbsql_statement *statement, int32_t position, const char *name, const char *type, const char *value,
                                        size_t length, dbsql_error **error);
/* Nothing is bound any more. */
DBSQL_API void dbsql_statement_clear_parameters(dbsql_statement *statement);

/* Binds the rows of a batch: each is one parameter set, each column one parameter, by its place for `?` and by its name for `:name`.
 * `array` is a struct array. On success both belong to the statement (release is NULL afterwards), in place of all that was bound; they
 * stay bound.
 *
 * One set runs as a single statement with its result. Several: INSERT INTO ... VALUES (row), with all markers in that one row, runs with as
 * many rows in a statement as the server takes (255 parameters, and values of about 1 MiB); anything else runs once for each set. A
 * statement that returns rows is an error then (HYC00). The result's counts are the sums. Each statement is done or not done as a
 * whole; an error names the sets that failed, and says what was done before (see dbsql_statement_sets_done()). The time limit of
 * the call is that of all of them. No set: nothing is sent, and no row affected. */
DBSQL_API dbsql_status dbsql_statement_bind(dbsql_statement *statement, struct ArrowArray *array, struct ArrowSchema *schema,
                                            dbsql_error **error);
/* The same for a stream of batches, read during the next execution, which uses it up. */
DBSQL_API dbsql_status dbsql_statement_bind_stream(dbsql_statement *statement, struct ArrowArrayStream *stream, dbsql_error **error);
/* How many parameter sets of the last execution are known to be done. */
DBSQL_API int64_t dbsql_statement_sets_done(const dbsql_statement *statement);

/* The markers of a text, found without asking the server: texts, names in quotes, comments, casts (`a::INT`), slices (`a[1:2]`) and paths
 * into VARIANT values (`column:field`) are told apart as Spark's grammar does. */
typedef struct dbsql_markers dbsql_markers;
/* `length` may be SIZE_MAX for a zero-terminated text. */
DBSQL_API dbsql_status dbsql_markers_new(const char *sql, size_t length, dbsql_markers **markers, dbsql_error **error);
/* NULL is allowed. */
DBSQL_API void dbsql_markers_free(dbsql_markers *markers);
DBSQL_API size_t dbsql_markers_count(const dbsql_markers *markers);
/* The name of a marker, counted from 0 in the order of the text (a name may come again); NULL for `?` and beyond the end. */
DBSQL_API const char *dbsql_markers_name(const dbsql_markers *markers, size_t index);
/* The byte of the text where it stands; SIZE_MAX beyond the end. */
DBSQL_API size_t dbsql_markers_offset(const dbsql_markers *markers, size_t index);

/* ---- 8. Asynchronous execution ------------------------------------------------------------------------------------------- */

/* ---- 9. Transactions ----------------------------------------------------------------------------------------------------- */

/* Several statements that count together or not at all (docs/transactions.md). Two styles share one state:
 *
 *   dbsql_begin(), then dbsql_commit() or dbsql_rollback(), after which each statement counts by itself again;
 *   dbsql_connection_set_autocommit(false): from then on every statement belongs to a transaction, and dbsql_commit() or
 *   dbsql_rollback() ends one and the next statement begins the next.
 *
 * Transactions are the server's: SQL warehouses, and tables that take part in them. After an error inside one only rolling back helps.
 * There are no savepoints. The cancel handle of a call does not reach what ends or resets a transaction (COMMIT, ROLLBACK, SET AUTOCOMMIT),
 * since that must not be left half done; `timeout_ms` counts (0: 5 minutes for a COMMIT, 30 s for the others), anew for what tidies up
 * after a failure.
 *
 * SQLSTATEs here: 25001 a transaction is in progress already; 25000 there is none; 40001 another transaction was faster: roll back and try
 * again; 40000 an earlier statement has failed; 0A000 not supported inside one; 08007 nobody knows whether the transaction was committed.
 */

typedef enum dbsql_transaction_state {
  DBSQL_TRANSACTION_AUTO = 0, /* each statement by itself */
  DBSQL_TRANSACTION_IDLE,     /* the next statement begins a transaction */
  DBSQL_TRANSACTION_ACTIVE,
  DBSQL_TRANSACTION_ABORTED, /* a statement has failed: only rolling back helps */
  DBSQL_TRANSACTION_UNKNOWN, /* SQL of the caller's may have changed it (the server is asked when it matters), an answer was lost, or a
                                statement cancelled */
  DBSQL_TRANSACTION_BROKEN   /* the session is lost, or its state cannot be found out: close the connection */
} dbsql_transaction_state;

typedef enum dbsql_isolation {
  DBSQL_ISOLATION_DEFAULT = 0,
  DBSQL_ISOLATION_READ_UNCOMMITTED,
  DBSQL_ISOLATION_READ_COMMITTED,
  DBSQL_ISOLATION_REPEATABLE_READ,
  DBSQL_ISOLATION_SNAPSHOT,
  DBSQL_ISOLATION_SERIALIZABLE
} dbsql_isolation;

/* Begin with DBSQL_TRANSACTION_OPTIONS_INIT. */
typedef struct dbsql_transaction_options {
  size_t struct_size;
  dbsql_isolation isolation;
  bool read_only; /* not supported: true is an error */
} dbsql_transaction_options;
#define DBSQL_TRANSACTION_OPTIONS_INIT \
  { sizeof(dbsql_transaction_options), DBSQL_ISOLATION_DEFAULT, false }

/* Begins a transaction (SET AUTOCOMMIT = FALSE). `options` may be NULL. DEFAULT, SNAPSHOT and REPEATABLE_READ are what the server does;
 * SERIALIZABLE is taken too, and is not stronger than a snapshot across tables; the weaker levels are an error (HYC00). If one is in
 * progress, or autocommit is off: error 25001, and nothing is sent. After any failure autocommit is on again, or the connection is broken.
 */
DBSQL_API dbsql_status dbsql_begin(dbsql_connection *connection, const dbsql_transaction_options *options, const dbsql_call *call,
                                   dbsql_error **error);
/* Commits. If that fails, everything is rolled back, and the error is the COMMIT's; it is never sent twice when nobody knows what became of
 * it (08007). After dbsql_begin() autocommit is on again, whatever has happened. Nothing is sent if nothing was done. */
DBSQL_API dbsql_status dbsql_commit(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error);
/* Discards; success also if there is nothing to discard. */
DBSQL_API dbsql_status dbsql_rollback(dbsql_connection *connection, const dbsql_call *call, dbsql_error **error);

/* Switching on commits what is open first; if that fails it is rolled back, the COMMIT's error is returned and autocommit stays as it was.
 * Nothing is sent if it is so already. */
DBSQL_API dbsql_status dbsql_connection_set_autocommit(dbsql_connection *connection, bool on, const dbsql_call *call, dbsql_error **error);
/* From memory; the server is asked only if the caller's own SQL has changed it, and no transaction is in progress. */
DBSQL_API dbsql_status dbsql_connection_get_autocommit(dbsql_connection *connection, bool *on, const dbsql_call *call, dbsql_error **error);
/* What is known. No I/O. */
DBSQL_API dbsql_transaction_state dbsql_connection_transaction_state(const dbsql_connection *connection);
/* The isolation of all transactions: DBSQL_ISOLATION_REPEATABLE_READ (a snapshot of all tables). */
DBSQL_API dbsql_isolation dbsql_connection_isolation(const dbsql_connection *connection);
/* "AUTO", "ACTIVE" ...; "REPEATABLE READ" .... Static. */
DBSQL_API const char *dbsql_transaction_state_name(dbsql_transaction_state state);
DBSQL_API const char *dbsql_isolation_name(dbsql_isolation isolation);

/* ---- 10. Results --------------------------------------------------------------------------------------------------------- */

/* SQL types of columns. Values are ours; names are the SQL names. */
typedef enum dbsql_type {
  DBSQL_TYPE_UNKNOWN = 0,
  DBSQL_TYPE_VOID,
  DBSQL_TYPE_BOOLEAN,
  DBSQL_TYPE_TINYINT,
  DBSQL_TYPE_SMALLINT,
  DBSQL_TYPE_INT,
  DBSQL_TYPE_BIGINT,
  DBSQL_TYPE_FLOAT,
  DBSQL_TYPE_DOUBLE,
  DBSQL_TYPE_DECIMAL,
  DBSQL_TYPE_STRING, /* also VARCHAR and CHAR: results do not tell them apart */
  DBSQL_TYPE_BINARY,
  DBSQL_TYPE_DATE,
  DBSQL_TYPE_TIMESTAMP,     /* an instant, shown in the session's time zone */
  DBSQL_TYPE_TIMESTAMP_NTZ, /* a wall clock without a zone */
  DBSQL_TYPE_INTERVAL_YEAR_MONTH,
  DBSQL_TYPE_INTERVAL_DAY_TIME,
  DBSQL_TYPE_ARRAY,
  DBSQL_TYPE_MAP,
  DBSQL_TYPE_STRUCT,
  DBSQL_TYPE_VARIANT,
  DBSQL_TYPE_GEOMETRY,
  DBSQL_TYPE_GEOGRAPHY,
  DBSQL_TYPE_TIME,
  DBSQL_TYPE_OBJECT
} dbsql_type;
/* "BIGINT", "INTERVAL DAY TO SECOND" ...; "UNKNOWN" for anything else. Static. */
DBSQL_API const char *dbsql_type_name(dbsql_type type);

typedef struct dbsql_column {
  const char *name;      /* as the server wrote it; names may repeat */
  dbsql_type type;       /* the logical type, also where the server sent text */
  const char *type_text; /* the SQL type in full, such as "DECIMAL(10,2)" or "ARRAY<STRUCT<a: INT>>" */
  int32_t precision;     /* DECIMAL; otherwise 0 */
  int32_t scale;         /* DECIMAL; otherwise 0 */
  bool nullable;
  const char *comment;
} dbsql_column;

/* Frees the result and closes the statement's operation on the server if it is still open (waits at most 10 s for it). Arrow
 * arrays that were handed out stay valid. NULL is allowed. */
DBSQL_API void dbsql_result_free(dbsql_result *result);
DBSQL_API size_t dbsql_result_column_count(const dbsql_result *result);
/* False if `index` is out of range. Texts live as long as the result. */
DBSQL_API bool dbsql_result_column(const dbsql_result *result, size_t index, dbsql_column *column);
/* The id of the statement in the query history. */
DBSQL_API const char *dbsql_result_query_id(const dbsql_result *result);
/* Rows that INSERT, UPDATE, DELETE or MERGE changed; -1 if the server did not say. */
DBSQL_API int64_t dbsql_result_affected_rows(const dbsql_result *result);
/* Rows delivered so far, through either way of reading. */
DBSQL_API int64_t dbsql_result_rows_read(const dbsql_result *result);

/* What reading the result has taken so far. Sizes in bytes; files are those of CloudFetch. */
typedef struct dbsql_statistics {
  size_t struct_size;   /* sizeof(dbsql_statistics): the caller sets it before the call */
  int64_t memory_used;  /* held, reserved for downloads, or handed out and not released, decompressed */
  int64_t memory_high;  /* the most there has been, kept buffers included */
  int64_t memory_limit; /* max_memory_bytes */
  int64_t files_known;  /* links that the server has sent */
  int64_t files_read;   /* to their last row */
  int64_t bytes_received;
  int64_t bytes_decoded;
  int64_t retries;       /* of downloads, after failures of the network or of storage */
  int64_t renewals;      /* requests for new links */
  int64_t restarts;      /* of downloads that were far slower than others */
  int64_t redownloads;   /* of files that were damaged */
  int64_t first_file_us; /* from the first attempt to the arrival of the first file */
  int64_t slowest_file_us;
  int64_t all_files_us; /* the sum over all files */
  int64_t waited_us;    /* for files, by calls that read */
} dbsql_statistics;
/* False if an argument is NULL. Members beyond `struct_size` are left alone. */
DBSQL_API bool dbsql_result_statistics(const dbsql_result *result, dbsql_statistics *statistics);

/* A text with which another connection, also of another process, can go on with the row that comes next here: for as long as the server
 * keeps the statement, and signed in as the same user. Whoever has it can read the result: keep it as secret as a password, and wipe it
 * before dbsql_free(). From then on freeing `result` leaves the statement open on the server, unless it is read to its end; closing the
 * connection's session may end it. Error for a result that the server has closed already (small ones, and plain HiveServer2). */
DBSQL_API dbsql_status dbsql_result_resume_token(dbsql_result *result, char **token, dbsql_error **error);
/* The rest of a result. Its rows are counted from the first that it brings. */
DBSQL_API dbsql_status dbsql_resume(dbsql_connection *connection, const char *token, const dbsql_call *call, dbsql_result **result,
                                    dbsql_error **error);

/* ---- 11. Results as Arrow ------------------------------------------------------------------------------------------------ */

/* The schema of all batches. The caller releases `*schema`. */
DBSQL_API dbsql_status dbsql_result_schema(dbsql_result *result, struct ArrowSchema *schema, dbsql_error **error);
/* The next batch of rows, a struct array with one child per column; at the end success with `batch->release == NULL`. The caller
 * releases it, whenever and from whatever thread. Batches are views into what was received: no copy is made. */
DBSQL_API dbsql_status dbsql_result_next_batch(dbsql_result *result, const dbsql_call *call, struct ArrowArray *batch, dbsql_error **error);
/* Turns the result into a stream, which then owns it: do not use or free `result` afterwards (also its id and counts are gone:
 * read them before). `call` is applied to each get_next; its cancel handle must outlive the stream. On failure the result stays
 * with the caller. Release of the stream does what dbsql_result_free() does. */
DBSQL_API dbsql_status dbsql_result_stream(dbsql_result *result, const dbsql_call *call, struct ArrowArrayStream *stream,
                                           dbsql_error **error);

/* ---- 12. Rows, one at a time --------------------------------------------------------------------------------------------- */

/* A thin reader on the same batches: it never converts what is not asked for. Do not mix with dbsql_result_next_batch().
 * Columns count from 0. */

/* Steps to the next row (the first call: to the first); `*has_row` is false at the end. */
DBSQL_API dbsql_status dbsql_row_next(dbsql_result *result, const dbsql_call *call, bool *has_row, dbsql_error **error);

/* The typed getters read a column of exactly that kind and fail (SQLSTATE 07006) for another; a NULL reads as zero or empty. A
 * value that would not fit is an error (22003), never cut. */
DBSQL_API bool dbsql_is_null(const dbsql_result *result, size_t column);
DBSQL_API dbsql_status dbsql_get_bool(const dbsql_result *result, size_t column, bool *value, dbsql_error **error);
/* TINYINT to BIGINT; DATE as days and TIMESTAMP as microseconds since 1970-01-01; TIME and day-time intervals as microseconds, year-month
 * intervals as months. */
DBSQL_API dbsql_status dbsql_get_int64(const dbsql_result *result, size_t column, int64_t *value, dbsql_error **error);
/* FLOAT and DOUBLE. */
DBSQL_API dbsql_status dbsql_get_double(const dbsql_result *result, size_t column, double *value, dbsql_error **error);
/* STRING, BINARY, VARIANT and whatever the server sent as text: the bytes as they are, not zero-terminated. Valid until the batch
 * is left. */
DBSQL_API dbsql_status dbsql_get_bytes(const dbsql_result *result, size_t column, const void **value, size_t *length, dbsql_error **error);
/* DECIMAL: the unscaled value is high * 2^64 + low; the scale is the column's. */
typedef struct dbsql_decimal {
  int64_t high;
  uint64_t low;
  int32_t scale;
} dbsql_decimal;
DBSQL_API dbsql_status dbsql_get_decimal(const dbsql_result *result, size_t column, dbsql_decimal *value, dbsql_error **error);
/* Any column as text, by the rules of docs/types.md (exact decimals, shortest floating-point digits that read back, ISO dates,
 * nested values as JSON). Zero-terminated; `*length` (may be NULL) does not count the zero. NULL gives `*value` NULL. Valid until
 * the row is left or the same column is asked for again. */
DBSQL_API dbsql_status dbsql_get_text(dbsql_result *result, size_t column, const char **value, size_t *length, dbsql_error **error);
/* Any column as one JSON value: numbers and booleans plain, NULL as null, anything else quoted; nested values as arrays and
 * objects. Same lifetime as dbsql_get_text(). */
DBSQL_API dbsql_status dbsql_get_json(dbsql_result *result, size_t column, const char **value, size_t *length, dbsql_error **error);

/* ---- 13. Metadata calls -------------------------------------------------------------------------------------------------- */

/*
 * What the catalog knows, as results whose columns, types and order of rows are always the same: docs/metadata.md lists them. They are
 * JDBC's, whatever the server sends; a value that does not fit is an error. Where a server has no call for it, or refuses it, statements
 * (SHOW, DESCRIBE, information_schema) are run in its place, unless a transaction is open.
 *
 * Arguments named `..._pattern` are patterns: `%` is any sequence, `_` one character, `\` takes a `%`, `_` or `\` behind it literally.
 * All others are names, taken literally. Case does not count. NULL does not filter; "" asks for what has no catalog, or no schema: nothing.
 * What does not exist gives no rows, and is no error.
 */
DBSQL_API dbsql_status dbsql_get_catalogs(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result, dbsql_error **error);
DBSQL_API dbsql_status dbsql_get_schemas(dbsql_connection *connection, const char *catalog, const char *schema_pattern,
                                         const dbsql_call *call, dbsql_result **result, dbsql_error **error);
/* `table_types`: an array of `table_type_count` names such as "TABLE", "VIEW"; none means all. */
DBSQL_API dbsql_status dbsql_get_tables(dbsql_connection *connection, const char *catalog, const char *schema_pattern,
                                        const char *table_pattern, const char *const *table_types, size_t table_type_count,
                                        const dbsql_call *call, dbsql_result **result, dbsql_error **error);
DBSQL_API dbsql_status dbsql_get_table_types(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result,
                                             dbsql_error **error);
DBSQL_API dbsql_status dbsql_get_columns(dbsql_connection *connection, const char *catalog, const char *schema_pattern,
                                         const char *table_pattern, const char *column_pattern, const dbsql_call *call,
                                         dbsql_result **result, dbsql_error **error);
DBSQL_API dbsql_status dbsql_get_functions(dbsql_connection *connection, const char *catalog, const char *schema_pattern,
                                           const char *function_pattern, const dbsql_call *call, dbsql_result **result,
                                           dbsql_error **error);
DBSQL_API dbsql_status dbsql_get_type_info(dbsql_connection *connection, const dbsql_call *call, dbsql_result **result,
                                           dbsql_error **error);
DBSQL_API dbsql_status dbsql_get_primary_keys(dbsql_connection *connection, const char *catalog, const char *schema, const char *table,
                                              const dbsql_call *call, dbsql_result **result, dbsql_error **error);
/* Foreign keys from the `foreign_*` table to the `parent_*` table; leave one side NULL for all of the other side's. In both calls a catalog
 * and schema that are NULL are where the session stands, as far as that is known; a table must be named. */
DBSQL_API dbsql_status dbsql_get_cross_reference(dbsql_connection *connection, const char *parent_catalog, const char *parent_schema,
                                                 const char *parent_table, const char *foreign_catalog, const char *foreign_schema,
                                                 const char *foreign_table, const dbsql_call *call, dbsql_result **result,
                                                 dbsql_error **error);

/* `*pattern`: a pattern that matches `name` and nothing else; to be freed with dbsql_free(). */
DBSQL_API dbsql_status dbsql_escape_pattern(const char *name, char **pattern, dbsql_error **error);
/* `*quoted`: the name in back-ticks, as SQL wants it; to be freed with dbsql_free(). */
DBSQL_API dbsql_status dbsql_quote_identifier(const char *name, char **quoted, dbsql_error **error);

/* The columns that a query would have, without running it: a result without rows, whose columns and Arrow schema are those that
 * dbsql_statement_execute() would give. (Whether a column may be NULL is not known before: it may.) Any other statement than a query is
 * an error (07005), and nothing is sent. Runs DESCRIBE QUERY; to learn the session's time zone, if a TIMESTAMP needs it, one query more. */
DBSQL_API dbsql_status dbsql_statement_describe(dbsql_statement *statement, const char *sql, size_t length, const dbsql_call *call,
                                                dbsql_result **result, dbsql_error **error);

/* Where the session stands: the current catalog and schema, from what the server said when it was opened and from the USE and SET CATALOG
 * that have succeeded since. NULL where that is not known: with `ask` the server is asked then, which is an error (25000) in a transaction.
 * The texts live until the next call with the connection; both pointers may be NULL. */
DBSQL_API dbsql_status dbsql_connection_current(dbsql_connection *connection, bool ask, const dbsql_call *call, const char **catalog,
                                                const char **schema, dbsql_error **error);

/* ---- 14. Files on volumes ------------------------------------------------------------------------------------------------ */

/* ---- 15. Pools ----------------------------------------------------------------------------------------------------------- */

/* ---- 16. Arrow IPC ------------------------------------------------------------------------------------------------------- */

/* Reads an Arrow IPC stream from memory, as Databricks sends it: plain, or as one or more LZ4 frames. With `schema` (the bytes of
 * one encapsulated schema message) `data` may begin with record batches at once, as the inline batches of a Thrift answer do.
 * The bytes are checked fully; a wrong one is an error that says what was wrong. They are copied once, and the batches are views
 * into the copy. The caller releases `*stream`. */
DBSQL_API dbsql_status dbsql_ipc_read(const void *data, size_t length, const void *schema, size_t schema_length,
                                      struct ArrowArrayStream *stream, dbsql_error **error);

/* Writes an Arrow IPC stream: the schema, batches, and an end mark. `write` gets all bytes in order and returns 0, or an errno
 * value, which stops the writing and is reported. */
typedef int (*dbsql_write_function)(void *user, const void *data, size_t length);
typedef struct dbsql_ipc_writer dbsql_ipc_writer;
DBSQL_API dbsql_status dbsql_ipc_writer_new(const struct ArrowSchema *schema, dbsql_write_function write, void *user,
                                            dbsql_ipc_writer **writer, dbsql_error **error);
DBSQL_API dbsql_status dbsql_ipc_writer_write(dbsql_ipc_writer *writer, const struct ArrowArray *batch, dbsql_error **error);
/* Writes the end mark. */
DBSQL_API dbsql_status dbsql_ipc_writer_finish(dbsql_ipc_writer *writer, dbsql_error **error);
/* NULL is allowed. Writes nothing. */
DBSQL_API void dbsql_ipc_writer_free(dbsql_ipc_writer *writer);

/* ---- 17. Authentication -------------------------------------------------------------------------------------------------- */

/*
 * Most programs need none of this: options say how to sign in (docs/authentication.md). Token providers are for programs that have
 * tokens of their own, or want to combine: static, external, cached and federated ones may stand on each other.
 *
 * A provider has a count of owners. Who makes one owns it and gives it back with dbsql_token_provider_free(); a configuration, a
 * connection and a provider that stands on another one own it too, for as long as they live. Any number of threads may use one. A
 * provider that keeps tokens serves one host, the first that asked: for another host it is an error, since a token is nobody else's.
 */
typedef struct dbsql_token_provider dbsql_token_provider;

/* Why a token is asked for. */
typedef enum dbsql_token_reason {
  DBSQL_TOKEN_INITIAL = 0, /* there is none yet, or none is kept */
  DBSQL_TOKEN_REFRESH = 1, /* the last one expires soon, or has */
  DBSQL_TOKEN_REJECTED = 2 /* the server has refused the last one (HTTP 401): the same one again helps nobody */
} dbsql_token_reason;

/* What a callback is told. Valid during the call. */
typedef struct dbsql_token_request {
  size_t struct_size;
  const char *host; /* that the token will be sent to */
  dbsql_token_reason reason;
  int64_t timeout_ms;         /* how long the answer is of use; -1: no limit */
  const dbsql_cancel *cancel; /* NULL, or triggered when nobody waits any more: see dbsql_cancel_is_triggered() */
} dbsql_token_request;

/* What a callback gives. All texts are the callback's: they are copied, and then `release`, if it is set, is called on the same
 * thread, also after a failure. The library's copies are wiped when they are no longer needed. */
typedef struct dbsql_token {
  size_t struct_size;
  const char *access_token;   /* visible ASCII without spaces */
  const char *token_type;     /* NULL: "Bearer" */
  int64_t expires_at_ms;      /* milliseconds since 1970-01-01 UTC; 0: unknown (the `exp` of a JWT counts then) */
  const char *scopes;         /* separated by spaces; may be NULL */
  const char *const *headers; /* that go with the token: name, value, ..., NULL; may be NULL; at most 16 */
  const char *error_message;  /* why there is no token, if the callback fails; may be NULL */
  void (*release)(struct dbsql_token *self);
  void *release_data;
} dbsql_token;

enum {
  DBSQL_TOKEN_THREAD_SAFE = 1,  /* the callback may run on several threads at once; otherwise its calls take turns */
  DBSQL_TOKEN_NO_CACHE = 2,     /* ask for every request; a callback that then ignores `timeout_ms` holds up the caller */
  DBSQL_TOKEN_NO_BACKGROUND = 4 /* call only on threads that are in a call of the library, never on one of its own */
};

/* Tokens of the application. Begin with zeros and `struct_size`. */
typedef struct dbsql_token_source {
  size_t struct_size;
  uint32_t flags;   /* DBSQL_TOKEN_* */
  const char *name; /* for errors and logs, without secrets; copied; may be NULL */
  /* Returns 0 and fills `token` (zeroed, but for `struct_size`), or another number. May be called from any thread. It must not return
   * by longjmp() or an exception, nor use the connection that asks; other connections are fine. A token that is empty, has expired or
   * cannot be sent is an error of the call that needed it. */
  int (*get_token)(void *user, const dbsql_token_request *request, dbsql_token *token);
  /* Called once, when the last owner has gone and no get_token runs; may be NULL. Not called if the provider could not be made. */
  void (*destroy)(void *user);
  void *user;
  int64_t unknown_lifetime_ms; /* how long a token of unknown expiry is kept; 0: a minute; < 0: until the server refuses it */
} dbsql_token_source;

/* One token for ever. `token_type` NULL means "Bearer"; `expires_at_ms` 0 means never. */
DBSQL_API dbsql_status dbsql_token_provider_static(const char *token, const char *token_type, int64_t expires_at_ms,
                                                   dbsql_token_provider **provider, dbsql_error **error);
/* The application's callback. A connection puts a cache around it, unless a flag says no. */
DBSQL_API dbsql_status dbsql_token_provider_external(const dbsql_token_source *source, dbsql_token_provider **provider,
                                                     dbsql_error **error);
/* Keeps the token of another provider: one fetch at a time, however many threads ask; a token that is due for refresh is still given
 * out while a new one is fetched in the background; none is given out within 30 s of its end. `refresh_ahead_ms`: how long before its
 * end a token is due, at most half its life; 0 means 20 minutes. */
DBSQL_API dbsql_status dbsql_token_provider_cached(dbsql_token_provider *inner, int64_t refresh_ahead_ms, dbsql_token_provider **provider,
                                                   dbsql_error **error);
/* Exchanges the tokens of another provider at the workspace (RFC 8693) if they are JWTs of another issuer; others pass unchanged.
 * `client_id` names a service principal's federation policy; NULL or "" means the account's. With `strict` a failed exchange is an
 * error; otherwise the original token is tried, and the next exchange a minute later. */
DBSQL_API dbsql_status dbsql_token_provider_federated(dbsql_token_provider *inner, const char *client_id, bool strict,
                                                      dbsql_token_provider **provider, dbsql_error **error);
/* Gives up one's ownership. NULL is allowed. */
DBSQL_API void dbsql_token_provider_free(dbsql_token_provider *provider);
/* Such as "cached[federation[external]]". */
DBSQL_API const char *dbsql_token_provider_name(const dbsql_token_provider *provider);

/* Connections of this configuration sign in with tokens of `provider`, which the configuration owns too from then on. It is a way to
 * sign in like `access_token`: both at once is an error of dbsql_connect(). NULL takes it back. */
DBSQL_API dbsql_status dbsql_config_set_token_provider(dbsql_config *config, dbsql_token_provider *provider, dbsql_error **error);

/* How auth_type=oauth-u2m shows the sign-in page: `open` gets its address, which nobody but the user may see, and returns false if it
 * cannot be shown, which ends the sign-in. It may be called on a thread of the library's own. NULL: the system's browser. */
typedef bool (*dbsql_browser_function)(void *user, const char *url);
DBSQL_API void dbsql_config_set_browser(dbsql_config *config, dbsql_browser_function open, void *user);

/* What dbsql_connect() makes of a configuration before it signs in: the profile, and with auth_type=default the environment, are read,
 * everything is checked, and `auth_type` says which way it will be. No path is needed, and nothing is sent. `*effective` is to be
 * freed with dbsql_config_free(). */
DBSQL_API dbsql_status dbsql_config_effective(const dbsql_config *config, dbsql_config **effective, dbsql_error **error);
/* Where an option's value comes from, for secrets too: "option" (it was set, or follows from others), "environment" or "profile"; "default"
 * if it is not set, "" if there is no such option. Static. */
DBSQL_API const char *dbsql_config_source(const dbsql_config *config, const char *name);

/* Signs in as dbsql_connect() would, without a session. `*token` is the access token: to be wiped, and freed with dbsql_free().
 * `*expires_at_ms` (may be NULL) is milliseconds since 1970-01-01 UTC, 0 if unknown. */
DBSQL_API dbsql_status dbsql_sign_in(const dbsql_config *config, const dbsql_call *call, char **token, int64_t *expires_at_ms,
                                     dbsql_error **error);
/* Removes the tokens that token_cache keeps on disk for the host, client and scopes of a configuration with auth_type=oauth-u2m. The server
 * is not told: it has no way to be. `*was_there` (may be NULL) says whether there were any. */
DBSQL_API dbsql_status dbsql_sign_out(const dbsql_config *config, const dbsql_call *call, bool *was_there, dbsql_error **error);

/* ---- 18. Telemetry ------------------------------------------------------------------------------------------------------- */

/* Usage statistics are off unless a connection is opened with telemetry=true (docs/telemetry.md says what they hold: never SQL, values,
 * names, messages). A copy of each record for the program itself does not depend on that. */

/* What was done, how long it took and how it ended. Texts are never NULL and live during the call only. */
typedef struct dbsql_telemetry_event {
  size_t struct_size; /* of the library's struct: it may grow at its end */
  int64_t time_unix_us;
  int64_t latency_us;
  const char *operation;      /* "CREATE_SESSION", "EXECUTE_STATEMENT", "LIST_TABLES" ... */
  const char *statement_type; /* "QUERY", "METADATA" ...; "" if it is none */
  const char *result_format;  /* "INLINE_ARROW", "COLUMNAR_INLINE" ...; "" if there was no result */
  const char *error_category; /* "" if it went well */
  const char *sqlstate;
  const char *session_id;
  const char *query_id;
  int32_t vendor_code;
  int http_status;
  int64_t rows;           /* handed out */
  int64_t bytes;          /* of the result, as they came */
  int64_t ready_ms;       /* until the first rows were there */
  int64_t consumption_ms; /* from the first fetch to the last row */
  int64_t polls;          /* questions whether the statement had finished */
  int64_t poll_ms;
  int64_t chunks;
  int64_t slowest_chunk_ms;
  int64_t retries;
  bool compressed;
  bool internal; /* of the library's own accord */
} dbsql_telemetry_event;
/* Called on a thread of the library, one call at a time for one connection. It must not call into the library. No call comes once
 * dbsql_connection_close() has returned, unless the function itself kept it waiting for longer than telemetry_close_timeout_ms. */
typedef void (*dbsql_telemetry_function)(void *user, const dbsql_telemetry_event *event);
/* For connections that are opened with this configuration. NULL: none. */
DBSQL_API void dbsql_config_set_telemetry(dbsql_config *config, dbsql_telemetry_function function, void *user);

/* Numbers since the process began; those from `state` on are of the connection's host and credentials. */
typedef struct dbsql_telemetry_stats {
  size_t struct_size;      /* sizeof(dbsql_telemetry_stats): the caller sets it before the call */
  uint64_t recorded;       /* records made in the process */
  uint64_t dropped_full;   /* refused: too many waited */
  uint64_t dropped_closed; /* refused: the connection was closed */
  uint64_t dropped_fork;   /* refused: the connection is the parent process's */
  const char *state;   /* "off", "pending" (the server's answer is awaited), "on", "refused" (by the server's flag or an answer). Static. */
  const char *reason;  /* "not asked for", "environment", "option", "forced", "flag", "flag missing", "flag error", "status". Static. */
  int64_t flag_age_ms; /* -1: not asked */
  int64_t flag_ttl_ms;
  const char *breaker;       /* "closed", "open", "half-open". Static. */
  int64_t breaker_wait_ms;   /* until something may be sent again */
  uint64_t received;         /* records for Databricks */
  uint64_t pending;          /* that wait */
  uint64_t sent;             /* that were in a request the server answered well */
  uint64_t accepted;         /* that the server says it took */
  uint64_t rejected;         /* that it did not */
  uint64_t dropped_pending;  /* too many waited */
  uint64_t dropped_breaker;  /* too many waited while the endpoint was given up */
  uint64_t dropped_disabled; /* the server does not want them */
  uint64_t dropped_failed;   /* sending failed twice, or it is not known whether it arrived */
  uint64_t dropped_unmade;   /* memory was short, or they were too large */
  uint64_t dropped_shutdown; /* still there when everything ended */
  uint64_t batches;
  uint64_t failed_batches;
  uint64_t bytes; /* of bodies that were sent */
  uint64_t flag_requests;
  int last_http_status;      /* 0: none */
  int64_t last_flush_age_ms; /* -1: never */
  uint64_t local_received;   /* records for the user's own sinks */
  uint64_t local_delivered;
  uint64_t local_dropped;
} dbsql_telemetry_stats;
/* From any thread. `connection` NULL: only the process's numbers. */
DBSQL_API dbsql_status dbsql_telemetry_get_stats(const dbsql_connection *connection, dbsql_telemetry_stats *stats, dbsql_error **error);
/* The same as a JSON object, and the last body that was sent: a text for the caller to free with dbsql_free(). */
DBSQL_API dbsql_status dbsql_telemetry_get_report(const dbsql_connection *connection, char **json, dbsql_error **error);
/* Waits until all records so far have been sent or given up, at most `timeout_ms`; false if time ran out. */
DBSQL_API bool dbsql_telemetry_flush(int64_t timeout_ms);
/* The same, and ends the threads of telemetry: for programs that unload the library or that care for what their last second did.
 * Connections stay usable; nothing that they do is recorded from then on. */
DBSQL_API bool dbsql_telemetry_shutdown(int64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
