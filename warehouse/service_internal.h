/* Shared by the parts of the service. */
#ifndef DBSQL_WAREHOUSE_SERVICE_INTERNAL_H
#define DBSQL_WAREHOUSE_SERVICE_INTERNAL_H

#include "service.h"

struct service {
  struct warehouse *warehouse;
  const struct service_faults *faults;
  struct answer *answer;
  struct service_call *call;
};

/* ERROR with the failure's text. `prefix` goes before the long form: "Error running query: ". */
struct TStatus *service_error(struct service *service, const struct failure *failure, const char *prefix);
struct TStatus *service_bad_session(struct service *service, const struct TSessionHandle *handle);
struct TStatus *service_bad_operation(struct service *service, const struct TOperationHandle *handle);
/* One reference, or NULL. */
struct session *service_session(struct service *service, const struct TSessionHandle *handle);
struct operation *service_operation(struct service *service, const struct TOperationHandle *handle);
struct TOperationHandle *service_handle(struct service *service, const struct operation *operation);
struct THandleIdentifier *service_identifier(struct service *service, const struct handle *handle);
/* A field that is in no public interface. `bytes` is its value on the wire. */
void service_extra(struct service *service, struct thrift_unknown **list, int16_t id, uint8_t type, const void *bytes, size_t size);

/* Starts the operation, waits as it should, and fills in the three fields that all these answers have. `request` is moved. */
void service_run(struct service *service, struct session *session, struct operation_request *request, struct TStatus **status,
                 struct TOperationHandle **handle, struct TSparkDirectResults **direct);
struct TGetOperationStatusResp *service_status(struct service *service, struct operation *operation);
struct TFetchResultsResp *service_fetch(struct service *service, struct operation *operation, int64_t first, int64_t max_rows,
                                        int64_t max_bytes, struct page_sizes *sizes);

/* Rewrites a message with the fields of its structs in descending order of id. */
void service_reverse_fields(struct buf *message);

void service_execute_statement(struct service *service, const struct TExecuteStatementReq *request, struct TExecuteStatementResp *response);
/* All answers to metadata calls have the same fields at the same places as this one. */
void service_metadata_call(struct service *service, enum tcli_method method, const void *request, struct TExecuteStatementResp *response);
void service_open_session(struct service *service, const struct TOpenSessionReq *request, struct TOpenSessionResp *response);
/* False for a type that is not answered. */
bool service_info(struct service *service, int32_t type, struct TGetInfoValue *value);
void service_get_info(struct service *service, const struct TGetInfoReq *request, struct TGetInfoResp *response);

#endif
