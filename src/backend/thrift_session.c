/* Opening and closing a session; what the server says of itself (thrift.md 2.1, 2.2, 2.5, 3, 8). */
#include "backend/thrift_backend.h"
#include "backend/thrift_status.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

/* What a plain HiveServer2 may know, newest first: it refuses a number that it has never heard of (thrift.md 8). */
static const int32_t hive_versions[] = {9 /* V10 */, 7 /* V8 */, 5 /* V6 */};

/* How long a session that is of no use is closed for, while the caller waits for its error. */
enum { closing_ms = 700 };

static void set_text(bool *has, struct slice *field, const char *text) {
  *has = true;
  *field = slice_text(text);
}

/* The session's parameters as the server wants them. A plain server takes the schema, and names its settings with a prefix. */
static dbsql_status fill_configuration(const struct thrift_backend *backend, bool plain, struct arena *arena,
                                       struct TOpenSessionReq *request, dbsql_error **error) {
  const struct backend_settings *settings = &backend->settings;
  request->has_configuration = true;
  request->configuration.items = arena_alloc(arena, settings->parameter_count + 1, sizeof *request->configuration.items);
  if (!request->configuration.items) return error_no_memory(error);
  uint32_t count = 0;
  for (size_t i = 0; i < settings->parameter_count; i++) {
    const char *key = settings->parameters[i].key;
    if (plain && !strchr(key, ':')) {
      size_t size = strlen(key) + sizeof "set:hiveconf:";
      char *prefixed = arena_alloc(arena, size, 1);
      if (!prefixed) return error_no_memory(error);
      memcpy(prefixed, "set:hiveconf:", sizeof "set:hiveconf:" - 1);
      memcpy(prefixed + sizeof "set:hiveconf:" - 1, key, strlen(key));
      key = prefixed;
    }
    request->configuration.items[count].key = slice_text(key);
    request->configuration.items[count].value = slice_text(settings->parameters[i].value);
    count++;
  }
  if (plain && *settings->schema && !*settings->catalog) {
    request->configuration.items[count].key = slice_text("use:database");
    request->configuration.items[count].value = slice_text(settings->schema);
    count++;
  }
  request->configuration.count = count;
  return DBSQL_OK;
}

/* One OpenSession. `hive_version` -1 asks as a Databricks client does. */
static dbsql_status open_with(struct thrift_backend *backend, int32_t hive_version, const struct call *call, struct thrift_answer *answer,
                              struct TOpenSessionResp *response, dbsql_error **error) {
  const struct backend_settings *settings = &backend->settings;
  struct arena arena = ARENA_INIT;
  struct TOpenSessionReq request = {0};
  struct TNamespace initial = {0};
  bool plain = hive_version >= 0;
  dbsql_status status = fill_configuration(backend, plain, &arena, &request, error);
  if (status == DBSQL_OK) {
    request.has_client_protocol = true;
    request.client_protocol = plain ? hive_version : -7;
    if (!plain) {
      request.has_client_protocol_i64 = true;
      request.client_protocol_i64 = SPARK_V8;
      request.has_canUseMultipleCatalogs = true;
      request.canUseMultipleCatalogs = true;
      if (*settings->catalog) set_text(&initial.has_catalogName, &initial.catalogName, settings->catalog);
      if (*settings->schema) set_text(&initial.has_schemaName, &initial.schemaName, settings->schema);
      request.has_initialNamespace = true;
      request.initialNamespace = &initial;
    }
    /* Repeating it leaves at most an idle session behind. */
    status = thrift_call(backend->client, TCLI_OpenSession, &request, HTTP_RETRY_IDEMPOTENT, NULL, call, answer, response, error);
  }
  arena_free(&arena);
  return status;
}

/* Runs a statement whose rows nobody wants. */
static dbsql_status run(struct thrift_backend *backend, const char *sql, const struct call *call, dbsql_error **error) {
  struct backend_statement statement = {.sql = slice_text(sql)};
  struct backend_operation *operation = NULL;
  dbsql_status status = thrift_execute(&backend->base, &statement, call, &operation, error);
  if (status == DBSQL_OK) status = thrift_wait(operation, call, error);
  if (operation) thrift_close_operation(operation, call);
  return status;
}

/* `name` in backquotes, those inside doubled. */
static void append_quoted(struct buf *out, const char *name) {
  buf_append_byte(out, '`');
  for (; *name; name++) {
    if (*name == '`') buf_append_byte(out, '`');
    buf_append_byte(out, (uint8_t)*name);
  }
  buf_append_byte(out, '`');
}

/* The server did not take the namespace with OpenSession: say it in SQL (thrift.md 2.1). */
static dbsql_status use_namespace(struct thrift_backend *backend, const struct call *call, dbsql_error **error) {
  const struct backend_settings *settings = &backend->settings;
  dbsql_status status = DBSQL_OK;
  struct buf sql = BUF_INIT;
  if (*settings->catalog) {
    buf_append_text(&sql, thrift_is_plain(backend) ? "USE " : "SET CATALOG ");
    append_quoted(&sql, settings->catalog);
    const char *text = buf_text(&sql);
    status = text ? run(backend, text, call, error) : error_no_memory(error);
  }
  if (status == DBSQL_OK && *settings->schema) {
    buf_reset(&sql);
    buf_append_text(&sql, "USE ");
    append_quoted(&sql, settings->schema);
    const char *text = buf_text(&sql);
    status = text ? run(backend, text, call, error) : error_no_memory(error);
  }
  buf_free(&sql);
  return status;
}

static dbsql_status take_session(struct thrift_backend *backend, const struct TOpenSessionResp *response, dbsql_error **error) {
  dbsql_status status = thrift_check_status(response->status, TCLI_OpenSession, backend->settings.log, error);
  if (status != DBSQL_OK) return status;
  if (!response->has_serverProtocolVersion || !response->has_sessionHandle || !response->sessionHandle->has_sessionId) {
    return error_set(error, DBSQL_ERROR_REQUEST, "08S01", "OpenSession: the server's answer has no %s",
                     response->has_serverProtocolVersion ? "session handle" : "protocol version");
  }
  backend->base.protocol_version = response->serverProtocolVersion;
  status = thrift_read_handle(response->sessionHandle->sessionId, "OpenSession", &backend->session, error);
  if (status == DBSQL_OK) memcpy(backend->base.session_id, backend->session.id, sizeof backend->base.session_id);
  return status;
}

static void keep_place(struct thrift_backend *backend, struct slice catalog, struct slice schema) {
  /* The older way of saying that there is none (thrift.md 2.1). Without memory it is not known. */
  bool none = text_equal_nocase_n((const char *)catalog.data, catalog.size, "spark", 5);
  struct backend *base = &backend->base;
  if (catalog.size && !none) base->initial_catalog = arena_strndup(&backend->texts, (const char *)catalog.data, catalog.size);
  if (schema.size) base->initial_schema = arena_strndup(&backend->texts, (const char *)schema.data, schema.size);
}

static bool wants_other_version(dbsql_error *const *error) {
  return error && *error && strstr(dbsql_error_message(*error), "client_protocol");
}

dbsql_status thrift_open_session(struct backend *base, const struct call *call, dbsql_error **error) {
  struct thrift_backend *backend = thrift_of(base);
  const struct backend_settings *settings = &backend->settings;
  struct thrift_answer answer = {0};
  struct TOpenSessionResp response = {0};
  dbsql_error *reason = NULL;
  dbsql_status status = DBSQL_OK;
  bool sent = false;
  if (!settings->plain) {
    status = open_with(backend, -1, call, &answer, &response, &reason);
    sent = true;
  }
  /* A plain server, known or just found out: try what it may understand. */
  for (size_t i = 0; i < sizeof hive_versions / sizeof hive_versions[0] && (!sent || (status != DBSQL_OK && wants_other_version(&reason)));
       i++) {
    thrift_answer_free(&answer);
    error_clear(&reason);
    memset(&response, 0, sizeof response);
    status = open_with(backend, hive_versions[i], call, &answer, &response, &reason);
    sent = true;
  }
  if (status != DBSQL_OK) error_move(&reason, error);
  bool namespace_taken = false;
  if (status == DBSQL_OK) {
    status = take_session(backend, &response, error);
    if (status != DBSQL_OK) thrift_answer_annotate(&answer, error);
    bool said_so = response.has_initialNamespace && base->protocol_version >= namespace_since;
    bool by_setting = thrift_is_plain(backend) && settings->plain && *settings->schema && !*settings->catalog;
    namespace_taken = said_so || by_setting;
    if (status == DBSQL_OK && said_so && response.initialNamespace) {
      keep_place(backend, response.initialNamespace->catalogName, response.initialNamespace->schemaName);
    } else if (status == DBSQL_OK) {
      keep_place(backend, slice_text(settings->catalog), slice_text(settings->schema));
    }
    if (status == DBSQL_OK && thrift_is_plain(backend) && !settings->plain) {
      log_write(settings->log, DBSQL_LOG_WARN, "backend", "the server is a plain HiveServer2: no Arrow, no direct results, no row offsets",
                (char *)NULL);
    }
  }
  thrift_answer_free(&answer);
  error_clear(&reason);
  if (status == DBSQL_OK && !namespace_taken && (*settings->catalog || *settings->schema)) {
    status = use_namespace(backend, call, error);
    if (status != DBSQL_OK) {
      struct call closing;
      call_begin_internal(&closing, closing_ms);
      thrift_close_session(base, &closing, NULL);
    }
  }
  return status;
}

dbsql_status thrift_close_session(struct backend *base, const struct call *call, dbsql_error **error) {
  struct thrift_backend *backend = thrift_of(base);
  struct handle_parts parts;
  struct TCloseSessionReq request = {.has_sessionHandle = true, .sessionHandle = thrift_session_handle(&backend->session, &parts)};
  struct TCloseSessionResp response = {0};
  struct thrift_answer answer;
  dbsql_error *reason = NULL;
  dbsql_status status =
      thrift_call(backend->client, TCLI_CloseSession, &request, HTTP_RETRY_IDEMPOTENT, NULL, call, &answer, &response, &reason);
  if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_CloseSession, backend->settings.log, &reason);
  if (status != DBSQL_OK) thrift_answer_annotate(&answer, &reason);
  thrift_answer_free(&answer);
  /* Gone already is as good as closed (thrift.md 5.1). */
  if (status != DBSQL_OK && (dbsql_error_http_status(reason) == 404 || dbsql_error_is_session_lost(reason))) {
    error_clear(&reason);
    status = DBSQL_OK;
  }
  if (status != DBSQL_OK) error_move(&reason, error);
  return status;
}

static dbsql_status info_text(const struct TGetInfoValue *value, struct buf *text) {
  if (value->has_stringValue) buf_append_slice(text, value->stringValue);
  if (value->has_smallIntValue) buf_printf(text, "%d", (int)value->smallIntValue);
  if (value->has_integerBitmask) buf_printf(text, "%d", (int)value->integerBitmask);
  if (value->has_integerFlag) buf_printf(text, "%d", (int)value->integerFlag);
  if (value->has_binaryValue) buf_printf(text, "%d", (int)value->binaryValue);
  if (value->has_lenValue) buf_printf(text, "%lld", (long long)value->lenValue);
  return buf_failed(text) ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK;
}

dbsql_status thrift_get_info(struct backend *base, int32_t info_type, const struct call *call, char **value, dbsql_error **error) {
  struct thrift_backend *backend = thrift_of(base);
  struct handle_parts parts;
  struct TGetInfoReq request = {
      .has_sessionHandle = true,
      .sessionHandle = thrift_session_handle(&backend->session, &parts),
      .has_infoType = true,
      .infoType = info_type,
  };
  struct TGetInfoResp response = {0};
  struct thrift_answer answer;
  struct buf text = BUF_INIT;
  dbsql_status status = thrift_side_call(backend, TCLI_GetInfo, &request, NULL, call, &answer, &response, error);
  if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_GetInfo, backend->settings.log, error);
  if (status != DBSQL_OK) thrift_answer_annotate(&answer, error);
  if (status == DBSQL_OK) {
    if (response.infoValue) status = info_text(response.infoValue, &text);
    if (status == DBSQL_OK && !(*value = buf_take_text(&text))) status = DBSQL_ERROR_NO_MEMORY;
    if (status != DBSQL_OK) error_no_memory(error);
  }
  buf_free(&text);
  thrift_answer_free(&answer);
  return status;
}
