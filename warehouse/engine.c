#include "engine.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include "memory.h"

#if defined(__APPLE__)
#define LIBRARY "libduckdb.dylib"
#else
#define LIBRARY "libduckdb.so"
#endif

struct engine {
  struct AdbcDriver driver;
  struct AdbcDatabase database;
  bool has_driver;
};

struct engine_connection {
  struct engine *engine;
  struct AdbcConnection connection;
  struct AdbcStatement statement; /* the one that runs, or whose result is being read */
  pthread_mutex_t lock;           /* over the life of `statement`: for engine_cancel() */
};

void engine_error_clear(struct engine_error *error) {
  free(error->message);
  memset(error, 0, sizeof *error);
}

/* Takes over what a driver's function left in `from`. */
static bool fail(struct engine_error *error, AdbcStatusCode code, struct AdbcError *from) {
  engine_error_clear(error);
  error->code = code;
  error->message = wh_copy(from->message ? from->message : "the engine gave no reason");
  memcpy(error->sqlstate, from->sqlstate, 5);
  if (from->release) from->release(from);
  return false;
}

/* ---- Finding and loading -------------------------------------------------------------------------------------------------------- */

struct tried {
  struct buf text;
};

static void *load(const char *path, struct tried *tried) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) buf_printf(&tried->text, "\n  %s", dlerror());
  return library;
}

/* The folder of the program, or the current one. */
static bool folder_of_program(char *path, size_t size) {
#if defined(__linux__)
  ssize_t length = readlink("/proc/self/exe", path, size - 1);
  if (length <= 0) return false;
  path[length] = '\0';
#elif defined(__APPLE__)
  uint32_t room = (uint32_t)size;
  if (_NSGetExecutablePath(path, &room) != 0) return false;
#else
  (void)size;
  return false;
#endif
  char *slash = strrchr(path, '/');
  if (!slash) return false;
  *slash = '\0';
  return true;
}

/* What `./dev` has npm put into .deps/ of the source tree: looked for in the folder and in those above it. */
static void *load_from_deps(char *folder, struct tried *tried) {
#if defined(__aarch64__)
#define PACKAGE "node-bindings-linux-arm64"
#else
#define PACKAGE "node-bindings-linux-x64"
#endif
  for (int level = 0; level < 5; level++) {
    char *path = wh_print("%s/.deps/duckdb/node_modules/@duckdb/" PACKAGE "/" LIBRARY, folder);
    void *library = access(path, R_OK) == 0 ? load(path, tried) : NULL;
    free(path);
    if (library) return library;
    char *slash = strrchr(folder, '/');
    if (!slash) break;
    *slash = '\0';
  }
  return NULL;
}

static void *find(const char *path, struct tried *tried) {
  if (path) return load(path, tried);
  const char *named = getenv("DBSQL_ENGINE");
  if (named && *named) return load(named, tried);
  void *library = load(LIBRARY, tried);
  char folder[PATH_MAX];
  if (!library && folder_of_program(folder, sizeof folder)) library = load_from_deps(folder, tried);
  if (!library && getcwd(folder, sizeof folder)) library = load_from_deps(folder, tried);
  return library;
}

static AdbcDriverInitFunc entry_of(void *library) {
  static const char *const names[] = {"duckdb_adbc_init", "AdbcDriverInit"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    void *symbol = dlsym(library, names[i]);
    AdbcDriverInitFunc init = NULL;
    memcpy(&init, &symbol, sizeof init); /* an object pointer is no function pointer to the compiler */
    if (init) return init;
  }
  return NULL;
}

struct engine *engine_open(const char *path, char **message) {
  struct tried tried = {BUF_INIT};
  struct engine_error refused = {0};
  struct AdbcError error = ADBC_ERROR_INIT;
  struct engine *engine = wh_new(1, sizeof *engine);
  /* The library is never unloaded: its threads may still be on their way out. */
  void *library = find(path, &tried);
  AdbcStatusCode code = ADBC_STATUS_INTERNAL;
  if (!library) {
    *message =
        wh_print("cannot load the SQL engine (an ADBC driver, such as DuckDB's " LIBRARY "; name it with --engine or DBSQL_ENGINE):%.*s",
                 (int)tried.text.size, tried.text.data ? (const char *)tried.text.data : "");
    goto failed;
  }
  AdbcDriverInitFunc init = entry_of(library);
  if (!init) {
    *message = wh_copy("the SQL engine's library has no entry point of an ADBC driver (duckdb_adbc_init or AdbcDriverInit)");
    goto failed;
  }
  code = init(ADBC_VERSION_1_1_0, &engine->driver, &error);
  if (code == ADBC_STATUS_NOT_IMPLEMENTED) {
    if (error.release) error.release(&error);
    error = (struct AdbcError)ADBC_ERROR_INIT;
    memset(&engine->driver, 0, sizeof engine->driver);
    code = init(ADBC_VERSION_1_0_0, &engine->driver, &error);
  }
  if (code != ADBC_STATUS_OK) goto refused;
  engine->has_driver = true;
  if (!engine->driver.DatabaseNew || !engine->driver.DatabaseInit || !engine->driver.DatabaseRelease || !engine->driver.ConnectionNew ||
      !engine->driver.ConnectionInit || !engine->driver.ConnectionRelease || !engine->driver.StatementNew ||
      !engine->driver.StatementSetSqlQuery || !engine->driver.StatementExecuteQuery || !engine->driver.StatementRelease) {
    *message = wh_copy("the SQL engine's driver lacks a function that every ADBC driver must have");
    goto failed;
  }
  if ((code = engine->driver.DatabaseNew(&engine->database, &error)) != ADBC_STATUS_OK) goto refused;
  if ((code = engine->driver.DatabaseInit(&engine->database, &error)) != ADBC_STATUS_OK) goto refused;
  buf_free(&tried.text);
  return engine;

refused:
  fail(&refused, code, &error);
  *message = wh_print("the SQL engine does not open: %s", refused.message);
  engine_error_clear(&refused);
failed:
  buf_free(&tried.text);
  engine_close(engine);
  return NULL;
}

void engine_close(struct engine *engine) {
  if (!engine) return;
  struct AdbcError error = ADBC_ERROR_INIT;
  if (engine->database.private_data) engine->driver.DatabaseRelease(&engine->database, &error);
  if (engine->has_driver && engine->driver.release) engine->driver.release(&engine->driver, &error);
  if (error.release) error.release(&error);
  free(engine);
}

/* ---- Connections ---------------------------------------------------------------------------------------------------------------- */

struct engine_connection *engine_connect(struct engine *engine, struct engine_error *error) {
  struct AdbcError from = ADBC_ERROR_INIT;
  struct engine_connection *connection = wh_new(1, sizeof *connection);
  connection->engine = engine;
  pthread_mutex_init(&connection->lock, NULL);
  AdbcStatusCode code = engine->driver.ConnectionNew(&connection->connection, &from);
  if (code == ADBC_STATUS_OK) code = engine->driver.ConnectionInit(&connection->connection, &engine->database, &from);
  if (code == ADBC_STATUS_OK) return connection;
  fail(error, code, &from);
  engine_disconnect(connection);
  return NULL;
}

void engine_disconnect(struct engine_connection *connection) {
  if (!connection) return;
  engine_finish(connection);
  struct AdbcError error = ADBC_ERROR_INIT;
  if (connection->connection.private_data) connection->engine->driver.ConnectionRelease(&connection->connection, &error);
  if (error.release) error.release(&error);
  pthread_mutex_destroy(&connection->lock);
  free(connection);
}

void engine_finish(struct engine_connection *connection) {
  struct AdbcError error = ADBC_ERROR_INIT;
  pthread_mutex_lock(&connection->lock);
  if (connection->statement.private_data) connection->engine->driver.StatementRelease(&connection->statement, &error);
  memset(&connection->statement, 0, sizeof connection->statement);
  pthread_mutex_unlock(&connection->lock);
  if (error.release) error.release(&error);
}

bool engine_execute(struct engine_connection *connection, const char *sql, struct ArrowArray *parameters,
                    struct ArrowSchema *parameter_schema, struct ArrowArrayStream *stream, struct engine_error *error) {
  struct AdbcDriver *driver = &connection->engine->driver;
  struct AdbcError from = ADBC_ERROR_INIT;
  struct AdbcStatement *statement = &connection->statement;
  struct ArrowArrayStream unused = {0};
  engine_finish(connection);

  pthread_mutex_lock(&connection->lock);
  AdbcStatusCode code = driver->StatementNew(&connection->connection, statement, &from);
  pthread_mutex_unlock(&connection->lock);
  if (code == ADBC_STATUS_OK) code = driver->StatementSetSqlQuery(statement, sql, &from);
  if (code == ADBC_STATUS_OK && parameters) {
    if (driver->StatementPrepare) code = driver->StatementPrepare(statement, &from);
    if (code == ADBC_STATUS_OK && !driver->StatementBind) code = ADBC_STATUS_NOT_IMPLEMENTED;
    if (code == ADBC_STATUS_OK) code = driver->StatementBind(statement, parameters, parameter_schema, &from);
  }
  if (code == ADBC_STATUS_OK) code = driver->StatementExecuteQuery(statement, stream ? stream : &unused, NULL, &from);
  if (parameters && parameters->release) parameters->release(parameters);
  if (parameter_schema && parameter_schema->release) parameter_schema->release(parameter_schema);
  if (unused.release) {
    struct ArrowArray rest = {0}; /* DuckDB runs some statements only when they are read */
    int failed = 0;
    while ((failed = unused.get_next(&unused, &rest)) == 0 && rest.release) rest.release(&rest);
    if (failed) engine_stream_error(connection, &unused, failed, error);
    unused.release(&unused);
    engine_finish(connection);
    return failed == 0;
  }
  if (code == ADBC_STATUS_OK) {
    if (!stream) engine_finish(connection);
    return true;
  }
  fail(error, code, &from);
  engine_finish(connection);
  return false;
}

void engine_stream_error(struct engine_connection *connection, struct ArrowArrayStream *stream, int code, struct engine_error *error) {
  struct AdbcDriver *driver = &connection->engine->driver;
  AdbcStatusCode status = code == ECANCELED ? ADBC_STATUS_CANCELLED : ADBC_STATUS_IO;
  const struct AdbcError *from = driver->ErrorFromArrayStream ? driver->ErrorFromArrayStream(stream, &status) : NULL;
  engine_error_clear(error);
  error->code = status;
  if (from) memcpy(error->sqlstate, from->sqlstate, 5);
  const char *text = from ? from->message : NULL;
  if (!text) text = stream->get_last_error ? stream->get_last_error(stream) : NULL;
  error->message = wh_copy(text ? text : strerror(code));
}

void engine_cancel(struct engine_connection *connection) {
  struct AdbcDriver *driver = &connection->engine->driver;
  struct AdbcError error = ADBC_ERROR_INIT;
  pthread_mutex_lock(&connection->lock);
  if (connection->statement.private_data) {
    if (driver->StatementCancel) {
      driver->StatementCancel(&connection->statement, &error);
    } else if (driver->ConnectionCancel) {
      driver->ConnectionCancel(&connection->connection, &error);
    }
  }
  pthread_mutex_unlock(&connection->lock);
  if (error.release) error.release(&error);
}
