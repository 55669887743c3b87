/*
 * The seam between what a connection does and how a server is spoken to. The session layer above knows sessions, operations and
 * pages; what travels is the business of an implementation below (thrift_backend.c).
 */
#ifndef DBSQL_BACKEND_BACKEND_H
#define DBSQL_BACKEND_BACKEND_H

#include "auth/auth.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/log.h"
#include "http/http.h"
#include "result/page.h"
#include "result/result_schema.h"

enum {
  guid_text_size = 40,
  last_hive_protocol = 10 /* HIVE V11; every Databricks version is above (thrift.md 3.1) */
};

struct text_pair {
  const char *key;
  const char *value;
};

/* How to speak to the server and open the session. Everything is copied. */
struct backend_settings {
  const char *url; /* of the endpoint */
  const struct http_settings *http;
  struct authenticator *authenticator; /* borrowed: outlives the backend */
  const struct http_header *headers;   /* sent with every request */
  size_t header_count;
  const char *catalog; /* "" or NULL: the server's default */
  const char *schema;
  const struct text_pair *parameters; /* of the session */
  size_t parameter_count;
  bool plain; /* begin as with a plain HiveServer2; otherwise only when the server turns out to be one */
  bool direct_results;
  int64_t direct_max_rows;
  int64_t direct_max_bytes;
  int64_t page_max_rows;
  int64_t page_max_bytes;
  bool arrow;
  bool lz4;
  bool cloudfetch; /* large results may come as links to files */
  int64_t max_bytes_per_file;
  bool native_timestamp, native_decimal, native_complex, native_interval, native_null;
  int64_t poll_min_ms;
  int64_t poll_max_ms;
  const struct log *log;
};

/* A value for a marker of a statement, as the text that is sent (results.md 6.1). */
struct backend_parameter {
  const char *name; /* NULL: by its place in the list */
  const char *type; /* the SQL type */
  struct slice value;
  bool is_null;
  /* ARRAY: elements; MAP: key, value, key, value ... Then there is no `value`. */
  bool has_parts;
  size_t part_count;
  const struct backend_parameter *parts;
};

/* One statement. */
struct backend_statement {
  struct slice sql;
  int64_t query_timeout_s;      /* 0: none */
  int64_t max_rows;             /* 0: all */
  const char *query_tags;       /* NULL: none */
  const struct text_pair *conf; /* settings for this statement only */
  size_t conf_count;
  const struct backend_parameter *parameters;
  size_t parameter_count;
};

enum metadata_kind {
  METADATA_CATALOGS,
  METADATA_SCHEMAS,
  METADATA_TABLES,
  METADATA_TABLE_TYPES,
  METADATA_COLUMNS,
  METADATA_FUNCTIONS,
  METADATA_TYPE_INFO,
  METADATA_PRIMARY_KEYS,
  METADATA_CROSS_REFERENCE
};

/* NULL members do not filter. */
struct backend_metadata {
  enum metadata_kind kind;
  const char *catalog, *schema, *name, *column;
  const char *const *table_types;
  size_t table_type_count;
  const char *foreign_catalog, *foreign_schema, *foreign_name;
};

struct backend;
/* What names an operation on the server: can be copied, and used by another thread while the operation itself goes away. */
struct operation_key {
  char id[guid_text_size]; /* the query id; "" while none is known */
  uint8_t guid[16];
  uint8_t secret[16]; /* a credential: never print it */
  int32_t type;       /* TOperationType, and the next: sent back as they came, since a plain HiveServer2 compares them */
  bool has_result_set;
};
/* A statement that the server has accepted. */
struct backend_operation {
  struct backend *backend;
  struct operation_key key;
  int32_t polls; /* questions whether it has ended, and how long they took */
  int64_t poll_ns;
  int32_t retries; /* requests that were sent again */
  bool compressed; /* its results come compressed; known after describe() */
  bool has_ended;  /* the server has said so, well or badly: there is nothing left to cancel */
};

struct backend_ops {
  dbsql_status (*open_session)(struct backend *backend, const struct call *call, dbsql_error **error);
  dbsql_status (*close_session)(struct backend *backend, const struct call *call, dbsql_error **error);
  /* Sends the statement or metadata call. As soon as the operation is known it is in `*operation`, also if the function then fails. */
  dbsql_status (*execute)(struct backend *backend, const struct backend_statement *statement, const struct call *call,
                          struct backend_operation **operation, dbsql_error **error);
  dbsql_status (*metadata)(struct backend *backend, const struct backend_metadata *request, const struct call *call,
                           struct backend_operation **operation, dbsql_error **error);
  /* Waits until the operation has finished. */
  dbsql_status (*wait)(struct backend_operation *operation, const struct call *call, dbsql_error **error);
  /* After wait(): what the result looks like. `schema` gets a reference. */
  dbsql_status (*describe)(struct backend_operation *operation, const struct call *call, struct result_schema **schema,
                           int64_t *affected_rows, dbsql_error **error);
  /* Another connection's operation, which has finished; the key is all that is known of it. */
  dbsql_status (*adopt)(struct backend *backend, const struct operation_key *key, struct backend_operation **operation,
                        dbsql_error **error);
  /* Whether it is open on the server, and its pages can be asked for by their first row. */
  bool (*is_resumable)(const struct backend_operation *operation);
  /* After describe(): moves out the page that came with the answer to the statement; false if there is none. Asks nobody. */
  bool (*first_page)(struct backend_operation *operation, struct page *page);
  /* The page that begins at `next_row` (or before it, or says so). */
  dbsql_status (*fetch)(struct backend_operation *operation, int64_t next_row, const struct call *call, struct page *page,
                        dbsql_error **error);
  /* Closes on the server what is still open there and frees. The server's answer is ignored. `call` NULL: frees only. */
  void (*close_operation)(struct backend_operation *operation, const struct call *call);
  /* The next three may be called from another thread than the one that works with the backend. */
  dbsql_status (*cancel)(struct backend *backend, const struct operation_key *key, const struct call *call, dbsql_error **error);
  /* Asks for the operation's state, so that the server does not take it for abandoned. */
  dbsql_status (*touch)(struct backend *backend, const struct operation_key *key, const struct call *call, dbsql_error **error);
  dbsql_status (*get_info)(struct backend *backend, int32_t info_type, const struct call *call, char **value, dbsql_error **error);
  void (*free)(struct backend *backend);
};

struct backend {
  const struct backend_ops *ops;
  char session_id[guid_text_size];
  int32_t protocol_version;
  /* Where the session began, as far as the server said or took it; NULL: not known. The backend's. */
  const char *initial_catalog, *initial_schema;
};

dbsql_status thrift_backend_new(const struct backend_settings *settings, struct backend **backend, dbsql_error **error);

#endif
