/*
 * The ABI of ADBC (Arrow Database Connectivity), versions 1.0.0 and 1.1.0: the structs that a client and a driver hand to each other.
 *
 * Source: the Arrow project's specification of ADBC. The guard is the one that the specification uses, so that this header may
 * stand beside any other copy of the same definitions. The functions that a driver manager exports are not declared: whoever loads a
 * driver by hand calls it through `struct AdbcDriver`.
 */
#ifndef DBSQL_ADBC_H
#define DBSQL_ADBC_H

#include <stddef.h>
#include <stdint.h>

#include <dbsql/arrow.h>

#ifndef ADBC
#define ADBC

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------------------------------------- */

typedef uint8_t AdbcStatusCode;

#define ADBC_STATUS_OK 0
#define ADBC_STATUS_UNKNOWN 1
#define ADBC_STATUS_NOT_IMPLEMENTED 2
#define ADBC_STATUS_NOT_FOUND 3
#define ADBC_STATUS_ALREADY_EXISTS 4
#define ADBC_STATUS_INVALID_ARGUMENT 5
#define ADBC_STATUS_INVALID_STATE 6
#define ADBC_STATUS_INVALID_DATA 7
#define ADBC_STATUS_INTEGRITY 8
#define ADBC_STATUS_INTERNAL 9
#define ADBC_STATUS_IO 10
#define ADBC_STATUS_CANCELLED 11
#define ADBC_STATUS_TIMEOUT 12
#define ADBC_STATUS_UNAUTHENTICATED 13
#define ADBC_STATUS_UNAUTHORIZED 14

/* ---- Errors ------------------------------------------------------------------------------------------------------------------- */

/* A caller that puts this into `vendor_code` says that its struct has the two members of 1.1.0. */
#define ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA INT32_MIN

struct AdbcDriver;

struct AdbcError {
  char *message;
  int32_t vendor_code;
  char sqlstate[5]; /* not terminated; zeros if there is none */
  void (*release)(struct AdbcError *error);
  /* Since 1.1.0. */
  void *private_data;
  struct AdbcDriver *private_driver;
};

#define ADBC_ERROR_INIT ((struct AdbcError){0, ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA, {0, 0, 0, 0, 0}, 0, 0, 0})
#define ADBC_ERROR_1_0_0_SIZE (offsetof(struct AdbcError, private_data))
#define ADBC_ERROR_1_1_0_SIZE (sizeof(struct AdbcError))

struct AdbcErrorDetail {
  const char *key;
  const uint8_t *value;
  size_t value_length;
};

/* ---- Handles ------------------------------------------------------------------------------------------------------------------ */

/* `private_data` is the driver's and NULL while there is no object; `private_driver` is the driver manager's. */
struct AdbcDatabase {
  void *private_data;
  struct AdbcDriver *private_driver;
};
struct AdbcConnection {
  void *private_data;
  struct AdbcDriver *private_driver;
};
struct AdbcStatement {
  void *private_data;
  struct AdbcDriver *private_driver;
};

struct AdbcPartitions {
  size_t num_partitions;
  const uint8_t **partitions;
  const size_t *partition_lengths;
  void *private_data;
  void (*release)(struct AdbcPartitions *partitions);
};

/* ---- Options ------------------------------------------------------------------------------------------------------------------ */

#define ADBC_OPTION_VALUE_ENABLED "true"
#define ADBC_OPTION_VALUE_DISABLED "false"
#define ADBC_OPTION_URI "uri"
#define ADBC_OPTION_USERNAME "username"
#define ADBC_OPTION_PASSWORD "password"
#define ADBC_CONNECTION_OPTION_AUTOCOMMIT "adbc.connection.autocommit"
#define ADBC_CONNECTION_OPTION_READ_ONLY "adbc.connection.readonly"
#define ADBC_CONNECTION_OPTION_CURRENT_CATALOG "adbc.connection.catalog"
#define ADBC_CONNECTION_OPTION_CURRENT_DB_SCHEMA "adbc.connection.db_schema"

/* ---- The driver's table ------------------------------------------------------------------------------------------------------- */

#define ADBC_VERSION_1_0_0 1000000
#define ADBC_VERSION_1_1_0 1001000

struct AdbcDriver {
  void *private_data;
  void *private_manager;
  AdbcStatusCode (*release)(struct AdbcDriver *driver, struct AdbcError *error);

  AdbcStatusCode (*DatabaseInit)(struct AdbcDatabase *, struct AdbcError *);
  AdbcStatusCode (*DatabaseNew)(struct AdbcDatabase *, struct AdbcError *);
  AdbcStatusCode (*DatabaseSetOption)(struct AdbcDatabase *, const char *key, const char *value, struct AdbcError *);
  AdbcStatusCode (*DatabaseRelease)(struct AdbcDatabase *, struct AdbcError *);

  AdbcStatusCode (*ConnectionCommit)(struct AdbcConnection *, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetInfo)(struct AdbcConnection *, const uint32_t *codes, size_t count, struct ArrowArrayStream *,
                                      struct AdbcError *);
  AdbcStatusCode (*ConnectionGetObjects)(struct AdbcConnection *, int depth, const char *catalog, const char *db_schema,
                                         const char *table_name, const char **table_type, const char *column_name,
                                         struct ArrowArrayStream *, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetTableSchema)(struct AdbcConnection *, const char *catalog, const char *db_schema, const char *table_name,
                                             struct ArrowSchema *, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetTableTypes)(struct AdbcConnection *, struct ArrowArrayStream *, struct AdbcError *);
  AdbcStatusCode (*ConnectionInit)(struct AdbcConnection *, struct AdbcDatabase *, struct AdbcError *);
  AdbcStatusCode (*ConnectionNew)(struct AdbcConnection *, struct AdbcError *);
  AdbcStatusCode (*ConnectionSetOption)(struct AdbcConnection *, const char *key, const char *value, struct AdbcError *);
  AdbcStatusCode (*ConnectionReadPartition)(struct AdbcConnection *, const uint8_t *data, size_t size, struct ArrowArrayStream *,
                                            struct AdbcError *);
  AdbcStatusCode (*ConnectionRelease)(struct AdbcConnection *, struct AdbcError *);
  AdbcStatusCode (*ConnectionRollback)(struct AdbcConnection *, struct AdbcError *);

  AdbcStatusCode (*StatementBind)(struct AdbcStatement *, struct ArrowArray *, struct ArrowSchema *, struct AdbcError *);
  AdbcStatusCode (*StatementBindStream)(struct AdbcStatement *, struct ArrowArrayStream *, struct AdbcError *);
  AdbcStatusCode (*StatementExecuteQuery)(struct AdbcStatement *, struct ArrowArrayStream *, int64_t *rows_affected, struct AdbcError *);
  AdbcStatusCode (*StatementExecutePartitions)(struct AdbcStatement *, struct ArrowSchema *, struct AdbcPartitions *,
                                               int64_t *rows_affected, struct AdbcError *);
  AdbcStatusCode (*StatementGetParameterSchema)(struct AdbcStatement *, struct ArrowSchema *, struct AdbcError *);
  AdbcStatusCode (*StatementNew)(struct AdbcConnection *, struct AdbcStatement *, struct AdbcError *);
  AdbcStatusCode (*StatementPrepare)(struct AdbcStatement *, struct AdbcError *);
  AdbcStatusCode (*StatementRelease)(struct AdbcStatement *, struct AdbcError *);
  AdbcStatusCode (*StatementSetOption)(struct AdbcStatement *, const char *key, const char *value, struct AdbcError *);
  AdbcStatusCode (*StatementSetSqlQuery)(struct AdbcStatement *, const char *query, struct AdbcError *);
  AdbcStatusCode (*StatementSetSubstraitPlan)(struct AdbcStatement *, const uint8_t *plan, size_t size, struct AdbcError *);

  /* Since 1.1.0. */
  int (*ErrorGetDetailCount)(const struct AdbcError *);
  struct AdbcErrorDetail (*ErrorGetDetail)(const struct AdbcError *, int index);
  const struct AdbcError *(*ErrorFromArrayStream)(struct ArrowArrayStream *, AdbcStatusCode *);

  AdbcStatusCode (*DatabaseGetOption)(struct AdbcDatabase *, const char *key, char *value, size_t *size, struct AdbcError *);
  AdbcStatusCode (*DatabaseGetOptionBytes)(struct AdbcDatabase *, const char *key, uint8_t *value, size_t *size, struct AdbcError *);
  AdbcStatusCode (*DatabaseGetOptionDouble)(struct AdbcDatabase *, const char *key, double *value, struct AdbcError *);
  AdbcStatusCode (*DatabaseGetOptionInt)(struct AdbcDatabase *, const char *key, int64_t *value, struct AdbcError *);
  AdbcStatusCode (*DatabaseSetOptionBytes)(struct AdbcDatabase *, const char *key, const uint8_t *value, size_t size, struct AdbcError *);
  AdbcStatusCode (*DatabaseSetOptionDouble)(struct AdbcDatabase *, const char *key, double value, struct AdbcError *);
  AdbcStatusCode (*DatabaseSetOptionInt)(struct AdbcDatabase *, const char *key, int64_t value, struct AdbcError *);

  AdbcStatusCode (*ConnectionCancel)(struct AdbcConnection *, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetOption)(struct AdbcConnection *, const char *key, char *value, size_t *size, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetOptionBytes)(struct AdbcConnection *, const char *key, uint8_t *value, size_t *size, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetOptionDouble)(struct AdbcConnection *, const char *key, double *value, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetOptionInt)(struct AdbcConnection *, const char *key, int64_t *value, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetStatistics)(struct AdbcConnection *, const char *catalog, const char *db_schema, const char *table_name,
                                            char approximate, struct ArrowArrayStream *, struct AdbcError *);
  AdbcStatusCode (*ConnectionGetStatisticNames)(struct AdbcConnection *, struct ArrowArrayStream *, struct AdbcError *);
  AdbcStatusCode (*ConnectionSetOptionBytes)(struct AdbcConnection *, const char *key, const uint8_t *value, size_t size,
                                             struct AdbcError *);
  AdbcStatusCode (*ConnectionSetOptionDouble)(struct AdbcConnection *, const char *key, double value, struct AdbcError *);
  AdbcStatusCode (*ConnectionSetOptionInt)(struct AdbcConnection *, const char *key, int64_t value, struct AdbcError *);

  AdbcStatusCode (*StatementCancel)(struct AdbcStatement *, struct AdbcError *);
  AdbcStatusCode (*StatementExecuteSchema)(struct AdbcStatement *, struct ArrowSchema *, struct AdbcError *);
  AdbcStatusCode (*StatementGetOption)(struct AdbcStatement *, const char *key, char *value, size_t *size, struct AdbcError *);
  AdbcStatusCode (*StatementGetOptionBytes)(struct AdbcStatement *, const char *key, uint8_t *value, size_t *size, struct AdbcError *);
  AdbcStatusCode (*StatementGetOptionDouble)(struct AdbcStatement *, const char *key, double *value, struct AdbcError *);
  AdbcStatusCode (*StatementGetOptionInt)(struct AdbcStatement *, const char *key, int64_t *value, struct AdbcError *);
  AdbcStatusCode (*StatementSetOptionBytes)(struct AdbcStatement *, const char *key, const uint8_t *value, size_t size, struct AdbcError *);
  AdbcStatusCode (*StatementSetOptionDouble)(struct AdbcStatement *, const char *key, double value, struct AdbcError *);
  AdbcStatusCode (*StatementSetOptionInt)(struct AdbcStatement *, const char *key, int64_t value, struct AdbcError *);
};

#define ADBC_DRIVER_1_0_0_SIZE (offsetof(struct AdbcDriver, ErrorGetDetailCount))
#define ADBC_DRIVER_1_1_0_SIZE (sizeof(struct AdbcDriver))

/* The type of a driver's entry point. `driver` is a struct AdbcDriver with room for what `version` promises. */
typedef AdbcStatusCode (*AdbcDriverInitFunc)(int version, void *driver, struct AdbcError *error);

#ifdef __cplusplus
}
#endif

#endif /* ADBC */

/* The ABI is what it is: a definition that came from elsewhere, or a compiler with other ideas of layout, must not pass unnoticed. */
#if defined(__cplusplus)
#define DBSQL_ADBC_CHECK(condition) static_assert(condition, #condition)
#else
#define DBSQL_ADBC_CHECK(condition) _Static_assert(condition, #condition)
#endif
#if UINTPTR_MAX == UINT64_MAX
DBSQL_ADBC_CHECK(offsetof(struct AdbcError, private_data) == 32);
DBSQL_ADBC_CHECK(sizeof(struct AdbcError) == 48);
DBSQL_ADBC_CHECK(sizeof(struct AdbcErrorDetail) == 24);
DBSQL_ADBC_CHECK(sizeof(struct AdbcDatabase) == 16);
DBSQL_ADBC_CHECK(sizeof(struct AdbcConnection) == 16);
DBSQL_ADBC_CHECK(sizeof(struct AdbcStatement) == 16);
DBSQL_ADBC_CHECK(sizeof(struct AdbcPartitions) == 40);
DBSQL_ADBC_CHECK(offsetof(struct AdbcDriver, DatabaseInit) == 24);
DBSQL_ADBC_CHECK(offsetof(struct AdbcDriver, ConnectionInit) == 96);
DBSQL_ADBC_CHECK(offsetof(struct AdbcDriver, StatementBind) == 144);
DBSQL_ADBC_CHECK(offsetof(struct AdbcDriver, StatementExecuteQuery) == 160);
DBSQL_ADBC_CHECK(offsetof(struct AdbcDriver, ErrorGetDetailCount) == 232);
DBSQL_ADBC_CHECK(offsetof(struct AdbcDriver, ConnectionCancel) == 312);
DBSQL_ADBC_CHECK(offsetof(struct AdbcDriver, StatementCancel) == 392);
DBSQL_ADBC_CHECK(sizeof(struct AdbcDriver) == 464);
#endif
#undef DBSQL_ADBC_CHECK

#endif
