/* OpenSession and GetInfo. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "service_internal.h"

static struct TNamespace *namespace_of(struct service *service, const struct session *session) {
  struct TNamespace *out = answer_new(service->answer, sizeof *out);
  TCLI_SET(out, catalogName, answer_text(service->answer, session->catalog));
  TCLI_SET(out, schemaName, answer_text(service->answer, session->schema));
  return out;
}

/* The version that both speak. What plain HiveServer2 clients send is below all of Databricks'. */
static int64_t negotiate(const struct warehouse *warehouse, const struct TOpenSessionReq *request) {
  int64_t asked = TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V8;
  if (warehouse->plain_hive)
    return request->client_protocol < TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V10 ? request->client_protocol
                                                                                     : TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V10;
  if (request->has_client_protocol_i64) {
    asked = request->client_protocol_i64;
  } else if (request->has_client_protocol && request->client_protocol >= 0) {
    asked = request->client_protocol;
  }
  if (asked < TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V1) asked = TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V1;
  return asked < TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V8 ? asked : TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V8;
}

void service_open_session(struct service *service, const struct TOpenSessionReq *request, struct TOpenSessionResp *response) {
  struct warehouse *warehouse = service->warehouse;
  struct failure failure = {0};
  struct session_request open = {.protocol = negotiate(warehouse, request)};
  struct setting *settings = NULL;
  char *catalog = NULL, *schema = NULL;
  bool hive = warehouse->plain_hive;
  if (request->has_configuration && request->configuration.count) {
    open.setting_count = request->configuration.count;
    open.settings = settings = wh_new(open.setting_count, sizeof *settings);
    for (size_t i = 0; i < open.setting_count; i++)
      settings[i] =
          (struct setting){wh_copy_slice(request->configuration.items[i].key), wh_copy_slice(request->configuration.items[i].value)};
  }
  const struct TNamespace *initial = request->has_initialNamespace && !hive ? request->initialNamespace : NULL;
  if (initial && initial->has_catalogName) open.catalog = catalog = wh_copy_slice(initial->catalogName);
  if (initial && initial->has_schemaName) open.schema = schema = wh_copy_slice(initial->schemaName);

  struct session *session = session_open(warehouse, &open, &failure);
  TCLI_SET(response, serverProtocolVersion, (int32_t)open.protocol);
  if (!session) {
    TCLI_SET(response, status, service_error(service, &failure, ""));
    failure_clear(&failure);
  } else {
    TCLI_SET(response, status, answer_success(service->answer));
    struct TSessionHandle *handle = answer_new(service->answer, sizeof *handle);
    TCLI_SET(handle, sessionId, service_identifier(service, &session->handle));
    if (service->faults->extra_fields) {
      uint8_t version[4] = {0, 0, (uint8_t)(open.protocol >> 8), (uint8_t)open.protocol};
      service_extra(service, &handle->unknown, 0xD01, THRIFT_I32, version, 4);
    }
    TCLI_SET(response, sessionHandle, handle);
    response->has_configuration = true;
    if (!hive) {
      TCLI_SET(response, initialNamespace, namespace_of(service, session));
      TCLI_SET(response, canUseMultipleCatalogs, true);
      if (request->has_getInfos && request->getInfos.count) {
        response->has_getInfos = true;
        response->getInfos.count = request->getInfos.count;
        response->getInfos.items = answer_array(service->answer, request->getInfos.count, sizeof *response->getInfos.items);
        for (uint32_t i = 0; i < request->getInfos.count; i++)
          service_info(service, request->getInfos.items[i], &response->getInfos.items[i]);
      }
    }
    session_unref(session);
  }
  for (size_t i = 0; i < open.setting_count; i++) {
    free(settings[i].key);
    free(settings[i].value);
  }
  free(settings);
  free(catalog);
  free(schema);
}

/* ---- GetInfo --------------------------------------------------------------------------------------------------------------------------
 */

bool service_info(struct service *service, int32_t type, struct TGetInfoValue *value) {
  static const struct {
    int32_t type;
    const char *text;
  } texts[] = {{TGetInfoType_CLI_SERVER_NAME, "Spark SQL"},
               {TGetInfoType_CLI_DBMS_NAME, "Spark SQL"},
               {TGetInfoType_CLI_DBMS_VER, "3.1.0"},
               {TGetInfoType_CLI_DATA_SOURCE_NAME, "dbsql-warehouse"},
               {TGetInfoType_CLI_IDENTIFIER_QUOTE_CHAR, "`"},
               {TGetInfoType_CLI_SEARCH_PATTERN_ESCAPE, "\\"},
               {TGetInfoType_CLI_CATALOG_NAME, "Y"},
               {TGetInfoType_CLI_ACCESSIBLE_TABLES, "Y"},
               {TGetInfoType_CLI_ACCESSIBLE_PROCEDURES, "N"},
               {TGetInfoType_CLI_DATA_SOURCE_READ_ONLY, "N"},
               {TGetInfoType_CLI_DESCRIBE_PARAMETER, "N"},
               {TGetInfoType_CLI_INTEGRITY, "N"},
               {TGetInfoType_CLI_ORDER_BY_COLUMNS_IN_SELECT, "N"},
               {TGetInfoType_CLI_SPECIAL_CHARACTERS, ""},
               {TGetInfoType_CLI_USER_NAME, "token"},
               {TGetInfoType_CLI_XOPEN_CLI_YEAR, "1995"},
               {TGetInfoType_CLI_COLLATION_SEQ, "UTF-8"}};
  static const struct {
    int32_t type;
    int16_t number;
  } numbers[] = {{TGetInfoType_CLI_MAX_COLUMN_NAME_LEN, 255},     {TGetInfoType_CLI_MAX_SCHEMA_NAME_LEN, 255},
                 {TGetInfoType_CLI_MAX_CATALOG_NAME_LEN, 255},    {TGetInfoType_CLI_MAX_TABLE_NAME_LEN, 255},
                 {TGetInfoType_CLI_MAX_IDENTIFIER_LEN, 255},      {TGetInfoType_CLI_MAX_DRIVER_CONNECTIONS, 0},
                 {TGetInfoType_CLI_MAX_CONCURRENT_ACTIVITIES, 0}, {TGetInfoType_CLI_TXN_CAPABLE, 2}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (texts[i].type != type) continue;
    TCLI_SET(value, stringValue, answer_text(service->answer, texts[i].text));
    return true;
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (numbers[i].type != type) continue;
    TCLI_SET(value, smallIntValue, numbers[i].number);
    return true;
  }
  return false;
}

void service_get_info(struct service *service, const struct TGetInfoReq *request, struct TGetInfoResp *response) {
  struct failure failure = {0};
  struct session *session = service_session(service, request->has_sessionHandle ? request->sessionHandle : NULL);
  struct TGetInfoValue *value = answer_new(service->answer, sizeof *value);
  TCLI_SET(response, infoValue, value);
  if (!session) {
    TCLI_SET(response, status, service_bad_session(service, request->has_sessionHandle ? request->sessionHandle : NULL));
    return;
  }
  if (service_info(service, request->has_infoType ? request->infoType : -1, value)) {
    TCLI_SET(response, status, answer_success(service->answer));
  } else {
    failure_set(&failure, NULL, "HYC00", "Unrecognized GetInfoType value: %d", (int)request->infoType);
    TCLI_SET(response, status, service_error(service, &failure, ""));
    failure_clear(&failure);
  }
  session_unref(session);
}
