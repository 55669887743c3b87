/*
 * The SQL engine: any ADBC driver, loaded at run time. DuckDB is the one that the SQL layer is written for.
 *
 * An engine_connection is used by one thread at a time, but for engine_cancel(), which may be called from any.
 */
#ifndef DBSQL_WAREHOUSE_ENGINE_H
#define DBSQL_WAREHOUSE_ENGINE_H

#include <pthread.h>
#include <stdbool.h>

#include <dbsql/adbc.h>

struct engine;
struct engine_connection;

/* What an engine said when it refused. */
struct engine_error {
  AdbcStatusCode code;
  char sqlstate[6]; /* "" if it gave none */
  char *message;    /* owned */
};
void engine_error_clear(struct engine_error *error);

/* Loads the library and opens its database in memory. `path` NULL means: what the environment's DBSQL_ENGINE names, what the loader
 * finds as libduckdb.so, or what lies in .deps/ under the program's folder, the current one or one above them. On failure NULL, and
 * `*message` (owned by the caller) says what was tried. */
struct engine *engine_open(const char *path, char **message);
void engine_close(struct engine *engine);

struct engine_connection *engine_connect(struct engine *engine, struct engine_error *error);
/* The connection's streams must have been released. */
void engine_disconnect(struct engine_connection *connection);

/* Runs one statement. `parameters`, a record batch of one row, is moved (it and its schema are released in any case); NULL means none.
 * On success `stream`, if not NULL, holds the result, which is to be read and released before the next statement. */
bool engine_execute(struct engine_connection *connection, const char *sql, struct ArrowArray *parameters,
                    struct ArrowSchema *parameter_schema, struct ArrowArrayStream *stream, struct engine_error *error);
/* The error that a stream's get_next() returned. */
void engine_stream_error(struct engine_connection *connection, struct ArrowArrayStream *stream, int code, struct engine_error *error);
/* To be called when the stream has been released: what the statement kept goes with it. */
void engine_finish(struct engine_connection *connection);
/* Interrupts what the connection runs, if it runs anything. From any thread. */
void engine_cancel(struct engine_connection *connection);

#endif
