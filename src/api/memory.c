/* What results hold and have taken; and going on with them elsewhere. */
#include "api/api.h"
#include "base/budget.h"
#include "result/cloudfetch.h"
#include "session/result.h"

dbsql_status dbsql_set_memory_limit(int64_t bytes) {
  if (bytes < 0) return DBSQL_ERROR_DRIVER;
  budget_process_set_limit(bytes);
  return DBSQL_OK;
}

int64_t dbsql_memory_used(void) {
  return budget_process_used();
}

int64_t dbsql_memory_high(void) {
  return budget_process_high();
}

bool dbsql_result_statistics(const dbsql_result *result, dbsql_statistics *statistics) {
  if (!result || !statistics || statistics->struct_size < sizeof statistics->struct_size) return false;
  dbsql_statistics now = {.struct_size = statistics->struct_size, .memory_limit = result->reader.max_memory};
  if (result->reader.budget) {
    now.memory_used = budget_used(result->reader.budget);
    now.memory_high = budget_high(result->reader.budget);
  }
  if (result->reader.cloudfetch) {
    const struct cloudfetch_counts *counts = cloudfetch_counts(result->reader.cloudfetch);
    now.files_known = counts->files_known;
    now.files_read = counts->files_delivered;
    now.bytes_received = counts->bytes_received;
    now.bytes_decoded = counts->bytes_decoded;
    now.retries = counts->retries;
    now.renewals = counts->renewals;
    now.restarts = counts->restarts;
    now.redownloads = counts->redownloads;
    now.first_file_us = counts->first_file_ns / 1000;
    now.slowest_file_us = counts->slowest_file_ns / 1000;
    now.all_files_us = counts->all_files_ns / 1000;
    now.waited_us = counts->waited_ns / 1000;
  }
  memcpy(statistics, &now, now.struct_size < sizeof now ? now.struct_size : sizeof now);
  return true;
}

dbsql_status dbsql_result_resume_token(dbsql_result *result, char **token, dbsql_error **error) {
  API_REQUIRE(token, error);
  *token = NULL;
  API_REQUIRE(result, error);
  return result_resume_token(result, token, error);
}

dbsql_status dbsql_resume(dbsql_connection *connection, const char *token, const dbsql_call *call, dbsql_result **result,
                          dbsql_error **error) {
  API_REQUIRE(result, error);
  *result = NULL;
  API_REQUIRE(connection, error);
  API_REQUIRE(token, error);
  API_BEGIN(error);
  API_END(connection_resume(connection, token, call, result, error));
}
