/* The Thrift implementation of the seam, as its own files see it. */
#ifndef DBSQL_BACKEND_THRIFT_BACKEND_H
#define DBSQL_BACKEND_THRIFT_BACKEND_H

#include <pthread.h>

#include "backend/backend.h"
#include "backend/thrift_client.h"

/* Versions from which the server knows a feature (thrift.md 3.2). */
enum {
  SPARK_V1 = 0xA501,
  SPARK_V3 = 0xA503,
  SPARK_V4 = 0xA504,
  SPARK_V5 = 0xA505,
  SPARK_V6 = 0xA506,
  SPARK_V8 = 0xA508,
  direct_results_since = SPARK_V1,
  cloudfetch_since = SPARK_V3,
  namespace_since = SPARK_V4,
  row_limit_since = SPARK_V4,
  arrow_since = SPARK_V5,
  lz4_since = SPARK_V6,
  async_metadata_since = SPARK_V6,
  parameters_since = SPARK_V8
};

struct thrift_backend {
  struct backend base;
  struct backend_settings settings; /* our own copies, with their texts in `texts` */
  struct http_settings http;
  struct secret *tls_client_key_password, *proxy_user, *proxy_password; /* owned; `http` points to them */
  struct arena texts;
  struct thrift_client *client;
  /* For calls from other threads; made when first needed, NULL while one of them uses it. */
  pthread_mutex_t side_lock;
  struct thrift_client *side_client;
  struct operation_key session; /* guid and secret of the session */
};

struct thrift_operation {
  struct backend_operation base;
  struct thrift_answer answer; /* the last answer: what the pointers below lie in */
  bool has_result_set;
  bool is_closed;                                   /* the server has closed it by itself, or we have */
  int64_t modified_rows;                            /* -1: not known */
  const struct TGetResultSetMetadataResp *metadata; /* NULL: to be asked for */
  const struct TFetchResultsResp *first_rows;       /* NULL: to be fetched */
  struct page first_page;                           /* moved out by the first fetch; body NULL if there is none */
};

static inline struct thrift_backend *thrift_of(struct backend *backend) {
  return (struct thrift_backend *)(void *)backend;
}

static inline bool thrift_is_plain(const struct thrift_backend *backend) {
  return backend->base.protocol_version <= last_hive_protocol;
}

static inline const struct log *thrift_log(const struct thrift_operation *operation) {
  return thrift_of(operation->base.backend)->settings.log;
}

/* A handle to be sent: three nested structs. */
struct handle_parts {
  struct THandleIdentifier id;
  struct TSessionHandle session;
  struct TOperationHandle operation;
};
struct TSessionHandle *thrift_session_handle(const struct operation_key *key, struct handle_parts *parts);
struct TOperationHandle *thrift_operation_handle(const struct operation_key *key, struct handle_parts *parts);
/* Reads a handle; both parts must have 16 bytes. */
dbsql_status thrift_read_handle(const struct THandleIdentifier *id, const char *what, struct operation_key *key, dbsql_error **error);

/* thrift_session.c */
dbsql_status thrift_open_session(struct backend *backend, const struct call *call, dbsql_error **error);
dbsql_status thrift_close_session(struct backend *backend, const struct call *call, dbsql_error **error);
dbsql_status thrift_get_info(struct backend *backend, int32_t info_type, const struct call *call, char **value, dbsql_error **error);

/* thrift_execute.c */
dbsql_status thrift_execute(struct backend *backend, const struct backend_statement *statement, const struct call *call,
                            struct backend_operation **operation, dbsql_error **error);
dbsql_status thrift_wait(struct backend_operation *operation, const struct call *call, dbsql_error **error);
/* Makes the operation of an answer that carries a handle and perhaps direct results. `answer` is moved into it. */
dbsql_status thrift_accept(struct thrift_backend *backend, const struct TOperationHandle *handle, const struct TSparkDirectResults *direct,
                           struct thrift_answer *answer, struct backend_operation **operation, dbsql_error **error);
/* thrift_parameters.c: add to a request what the statement brings along. The memory is the arena's. */
dbsql_status thrift_add_parameters(int32_t version, const struct backend_statement *statement, struct arena *arena,
                                   struct TExecuteStatementReq *request, dbsql_error **error);
dbsql_status thrift_add_overlay(int32_t version, const struct backend_statement *statement, struct arena *arena,
                                struct TExecuteStatementReq *request, dbsql_error **error);
/* thrift_metadata.c */
dbsql_status thrift_metadata(struct backend *backend, const struct backend_metadata *request, const struct call *call,
                             struct backend_operation **operation, dbsql_error **error);
/* thrift_fetch.c */
dbsql_status thrift_describe(struct backend_operation *operation, const struct call *call, struct result_schema **schema,
                             int64_t *affected_rows, dbsql_error **error);
dbsql_status thrift_adopt(struct backend *backend, const struct operation_key *key, struct backend_operation **operation,
                          dbsql_error **error);
bool thrift_is_resumable(const struct backend_operation *operation);
bool thrift_first_page(struct backend_operation *operation, struct page *page);
dbsql_status thrift_fetch(struct backend_operation *operation, int64_t next_row, const struct call *call, struct page *page,
                          dbsql_error **error);
void thrift_close_operation(struct backend_operation *operation, const struct call *call);
/* thrift_backend.c: a call from any thread, beside what the connection's thread is doing. */
dbsql_status thrift_side_call(struct thrift_backend *backend, enum tcli_method method, const void *request, const char *query_id,
                              const struct call *call, struct thrift_answer *answer, void *response, dbsql_error **error);

#endif
