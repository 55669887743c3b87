/*
 * What a small statement costs: `SELECT 1` through the library, against a floor: bare libcurl that posts the same bytes to the same
 * server and reads the answer, without looking into it.
 *
 *    bench_roundtrip DSN [STATEMENTS]
 *
 * Both run in turns, so that what the machine does besides falls on both. CPU is this process's own.
 */
#include <curl/curl.h>
#include <dbsql/dbsql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/buf.h"
#include "session/config.h"
#include "thrift/tcli.h"

enum { rounds = 20 };

struct cost {
  double cpu;
  double wall;
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "bench_roundtrip: %s: %s\n", what, why);
  exit(1);
}

static struct cost now(void) {
  struct rusage usage;
  struct timespec wall;
  getrusage(RUSAGE_SELF, &usage);
  clock_gettime(CLOCK_MONOTONIC, &wall);
  return (struct cost){
      .cpu =
          (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
      .wall = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9,
  };
}

static void add_since(struct cost *total, struct cost start) {
  struct cost end = now();
  total->cpu += end.cpu - start.cpu;
  total->wall += end.wall - start.wall;
}

/* ---- the library ---- */

static void one_statement(dbsql_connection *connection) {
  dbsql_error *error = NULL;
  dbsql_result *result = NULL;
  bool has_row = false;
  int64_t value = 0;
  if (dbsql_execute(connection, "SELECT 1", 8, NULL, &result, &error) != DBSQL_OK ||
      dbsql_row_next(result, NULL, &has_row, &error) != DBSQL_OK || dbsql_get_int64(result, 0, &value, &error) != DBSQL_OK || value != 1) {
    fail("SELECT 1", error ? dbsql_error_message(error) : "not 1");
  }
  dbsql_result_free(result);
}

/* ---- the floor ---- */

struct floor {
  CURL *curl;
  struct curl_slist *headers;
  struct buf answer;
};

static size_t receive(char *data, size_t size, size_t count, void *user) {
  buf_append(user, data, size * count);
  return size * count;
}

static void post(struct floor *floor, struct slice body) {
  buf_reset(&floor->answer);
  curl_easy_setopt(floor->curl, CURLOPT_POSTFIELDS, body.data);
  curl_easy_setopt(floor->curl, CURLOPT_POSTFIELDSIZE, (long)body.size);
  CURLcode code = curl_easy_perform(floor->curl);
  long status = 0;
  curl_easy_getinfo(floor->curl, CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK || status != 200) fail("floor", code != CURLE_OK ? curl_easy_strerror(code) : "not 200");
}

static void floor_begin(struct floor *floor, const dbsql_config *config) {
  dbsql_error *error = NULL;
  dbsql_config *own;
  char *url;
  char header[512];
  if (config_copy(config, &own, &error) != DBSQL_OK || config_resolve(own, &error) != DBSQL_OK ||
      config_endpoint(own, &url, &error) != DBSQL_OK) {
    fail("configuration", dbsql_error_message(error));
  }
  *floor = (struct floor){.curl = curl_easy_init()};
  floor->headers = curl_slist_append(NULL, "Content-Type: application/x-thrift");
  floor->headers = curl_slist_append(floor->headers, "Accept: application/x-thrift");
  floor->headers = curl_slist_append(floor->headers, "Accept-Encoding: identity");
  floor->headers = curl_slist_append(floor->headers, "User-Agent: dbsql/" DBSQL_VERSION);
  snprintf(header, sizeof header, "Authorization: Bearer %s", secret_text(config_secret(own, OPTION_access_token)));
  floor->headers = curl_slist_append(floor->headers, header);
  curl_easy_setopt(floor->curl, CURLOPT_URL, url);
  curl_easy_setopt(floor->curl, CURLOPT_HTTPHEADER, floor->headers);
  curl_easy_setopt(floor->curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(floor->curl, CURLOPT_WRITEDATA, &floor->answer);
  curl_easy_setopt(floor->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(floor->curl, CURLOPT_PROXY, "");
  dbsql_free(url);
  dbsql_config_free(own);
}

/* A session for the floor, and the request for SELECT 1 as the library sends it. */
static void floor_request(struct floor *floor, struct buf *request) {
  struct arena arena = ARENA_INIT;
  struct TOpenSessionReq open = {0};
  TCLI_SET(&open, client_protocol, -7);
  TCLI_SET(&open, client_protocol_i64, TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V8);
  struct buf bytes = BUF_INIT;
  tcli_encode_call(TCLI_OpenSession, 1, &open, &bytes);
  post(floor, buf_slice(&bytes));
  struct TOpenSessionResp session = {0};
  if (tcli_decode_reply(TCLI_OpenSession, 1, buf_slice(&floor->answer), &arena, &session, NULL) != DBSQL_OK || !session.sessionHandle) {
    fail("floor", "no session");
  }
  struct TSparkGetDirectResults direct = {.has_maxRows = true, .maxRows = 100000, .has_maxBytes = true, .maxBytes = 104857600};
  struct TSparkArrowTypes native = {.has_timestampAsArrow = true,
                                    .timestampAsArrow = true,
                                    .has_decimalAsArrow = true,
                                    .decimalAsArrow = true,
                                    .has_complexTypesAsArrow = true,
                                    .complexTypesAsArrow = true,
                                    .has_intervalTypesAsArrow = true,
                                    .intervalTypesAsArrow = true,
                                    .has_nullTypeAsArrow = true,
                                    .nullTypeAsArrow = true};
  struct TExecuteStatementReq execute = {0};
  TCLI_SET(&execute, sessionHandle, session.sessionHandle);
  TCLI_SET(&execute, statement, slice_text("SELECT 1"));
  TCLI_SET(&execute, runAsync, true);
  TCLI_SET(&execute, getDirectResults, &direct);
  TCLI_SET(&execute, canReadArrowResult, true);
  TCLI_SET(&execute, canDownloadResult, false);
  TCLI_SET(&execute, canDecompressLZ4Result, true);
  TCLI_SET(&execute, useArrowNativeTypes, &native);
  tcli_encode_call(TCLI_ExecuteStatement, 2, &execute, request);
  buf_free(&bytes);
  arena_free(&arena);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: bench_roundtrip DSN [STATEMENTS]\n");
    return 2;
  }
  int statements = argc > 2 ? atoi(argv[2]) : 2000;
  int each = statements / rounds;
  dbsql_error *error = NULL;
  dbsql_config *config;
  dbsql_connection *connection;
  struct floor floor;
  struct buf request = BUF_INIT;
  if (dbsql_config_new(&config, &error) != DBSQL_OK || dbsql_config_parse(config, argv[1], strlen(argv[1]), &error) != DBSQL_OK ||
      dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) {
    fail("connecting", dbsql_error_message(error));
  }
  floor_begin(&floor, config);
  floor_request(&floor, &request);
  struct cost ours = {0, 0}, floors = {0, 0};
  for (int i = 0; i < each; i++) { /* both are warm before anything is measured */
    one_statement(connection);
    post(&floor, buf_slice(&request));
  }
  for (int round = 0; round < rounds; round++) {
    struct cost start = now();
    for (int i = 0; i < each; i++) one_statement(connection);
    add_since(&ours, start);
    start = now();
    for (int i = 0; i < each; i++) post(&floor, buf_slice(&request));
    add_since(&floors, start);
  }
  printf("bench\troundtrip.statements\t%d\tcount\n", rounds * each);
  printf("bench\troundtrip.cpu\t%.6f\ts\n", ours.cpu);
  printf("bench\troundtrip.wall\t%.6f\ts\n", ours.wall);
  printf("bench\troundtrip.floor_cpu\t%.6f\ts\n", floors.cpu);
  printf("bench\troundtrip.floor_wall\t%.6f\ts\n", floors.wall);
  printf("bench\troundtrip.cpu_ratio_to_floor\t%.3f\tratio\n", ours.cpu / floors.cpu);
  printf("bench\troundtrip.wall_ratio_to_floor\t%.3f\tratio\n", ours.wall / floors.wall);
  dbsql_connection_close(connection, NULL, NULL);
  dbsql_config_free(config);
  curl_slist_free_all(floor.headers);
  curl_easy_cleanup(floor.curl);
  buf_free(&floor.answer);
  buf_free(&request);
  return 0;
}
