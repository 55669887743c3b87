#include "storage.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "faulty.h"
#include "memory.h"
#include "server.h"

#if MHD_VERSION < 0x00097002
typedef int mhd_result;
#else
typedef enum MHD_Result mhd_result;
#endif

enum { SLOW_PIECE = 16384, BLOCK_SIZE = 65536 };

struct storage {
  struct storage_options options;
  struct links *links;
  struct faults *faults;
  struct MHD_Daemon *daemon;
  uint16_t port;
  atomic_bool stopping;
  atomic_int_fast64_t requests;
  atomic_int_fast64_t downloads; /* whole files, or all of a range, sent to the end */
  atomic_int_fast64_t bytes;
  atomic_int_fast64_t ranges;
  atomic_int_fast64_t authorizations; /* requests with credentials: a client must not send them here */
  atomic_int_fast64_t refused;
};

struct request {
  int64_t started_ns;
  char id[guid_text_size];
  const char *fault;
  char fault_name[32];
  bool download;
  uint64_t size;
};

/* ---- Answers ---------------------------------------------------------------------------------------------------------------------- */

/* The path alone: a link's query is as good as a password. */
static void log_access(struct storage *storage, const struct request *request, const char *method, const char *url, int status,
                       uint64_t bytes) {
  if (!storage->options.access_log) return;
  char when[32];
  int64_t now = clock_unix_us();
  time_t seconds = (time_t)(now / 1000000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
  fprintf(storage->options.access_log, "%s.%03dZ storage %s %s %d %" PRIu64 " %.1fms %s%s%s\n", when, (int)(now / 1000 % 1000), method, url,
          status, bytes, (double)(clock_now_ns() - request->started_ns) / 1e6, request->id, request->fault ? " fault=" : "",
          request->fault ? request->fault : "");
  fflush(storage->options.access_log);
}

static mhd_result send_response(struct storage *storage, struct MHD_Connection *connection, struct request *request, const char *method,
                                const char *url, int status, const char *content_type, struct MHD_Response *response, uint64_t bytes) {
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "Content-Type", content_type);
  MHD_add_response_header(response, "x-amz-request-id", request->id);
  MHD_add_response_header(response, "Server", "AmazonS3");
  request->size = bytes;
  mhd_result result = MHD_queue_response(connection, (unsigned)status, response);
  MHD_destroy_response(response);
  log_access(storage, request, method, url, status, bytes);
  return result;
}

/* As S3 says it. */
static mhd_result refuse(struct storage *storage, struct MHD_Connection *connection, struct request *request, const char *method,
                         const char *url, int status, const char *code, const char *message, const char *retry_after) {
  char *text =
      wh_print("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>",
               code, message, request->id);
  size_t size = strlen(text);
  struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
  if (!response) free(text);
  if (response && retry_after && *retry_after) MHD_add_response_header(response, "Retry-After", retry_after);
  storage->refused++;
  return send_response(storage, connection, request, method, url, status, "application/xml", response, size);
}

static mhd_result refuse_status(struct storage *storage, struct MHD_Connection *connection, struct request *request, const char *method,
                                const char *url, int status, const char *retry_after) {
  const char *code = "InternalError", *message = "We encountered an internal error. Please try again.";
  if (status == 403) code = "AccessDenied", message = "Access Denied";
  if (status == 404) code = "NoSuchKey", message = "The specified key does not exist.";
  if (status == 429 || status == 503) code = "SlowDown", message = "Please reduce your request rate.";
  return refuse(storage, connection, request, method, url, status, code, message, retry_after);
}

/* ---- Bodies ----------------------------------------------------------------------------------------------------------------------- */

/* A file in memory, or a part of it, that perhaps goes wrong on its way. */
struct body {
  struct storage *storage;
  struct MHD_Connection *connection;
  struct buf bytes;
  uint64_t start;
  uint64_t size;
  struct fault fault;
  uint64_t breaks_at; /* counted from the start; UINT64_MAX: never */
};

static ssize_t read_body(void *user, uint64_t position, char *out, size_t room) {
  struct body *body = user;
  const struct fault *fault = &body->fault;
  if (body->storage->stopping) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (position >= body->breaks_at) {
    if (fault->kind == FAULT_FILE_STALL) faulty_sleep(&body->storage->stopping, fault->delay_ms);
    if (fault->kind == FAULT_FILE_STALL || fault->kind == FAULT_FILE_RESET) faulty_reset(body->connection);
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  if (fault->kind == FAULT_FILE_SLOW) {
    size_t piece = fault->bytes > 0 ? (size_t)fault->bytes : SLOW_PIECE;
    if (position > 0) faulty_sleep(&body->storage->stopping, fault->delay_ms);
    if (room > piece) room = piece;
  }
  if (position >= body->size) return MHD_CONTENT_READER_END_OF_STREAM;
  uint64_t left = (body->breaks_at < body->size ? body->breaks_at : body->size) - position;
  if (room > left) room = (size_t)left;
  memcpy(out, body->bytes.data + body->start + position, room);
  return (ssize_t)room;
}

static void free_body(void *user) {
  struct body *body = user;
  buf_free(&body->bytes);
  free(body);
}

static bool breaks(enum fault_kind kind) {
  return kind == FAULT_LINK_EXPIRED_AFTER || kind == FAULT_FILE_RESET || kind == FAULT_FILE_TRUNCATED || kind == FAULT_FILE_STALL;
}

/* Takes over the bytes. */
static struct MHD_Response *body_response(struct storage *storage, struct MHD_Connection *connection, const struct fault *fault,
                                          struct buf *bytes, uint64_t start, uint64_t size) {
  struct body *body = wh_new(1, sizeof *body);
  *body = (struct body){storage, connection, *bytes, start, size, *fault, UINT64_MAX};
  memset(bytes, 0, sizeof *bytes);
  if (breaks(fault->kind)) body->breaks_at = fault->bytes >= 0 && (uint64_t)fault->bytes < size ? (uint64_t)fault->bytes : size / 2;
  struct MHD_Response *response = MHD_create_response_from_callback(size, BLOCK_SIZE, read_body, body, free_body);
  if (!response) free_body(body);
  return response;
}

/* ---- Ranges ----------------------------------------------------------------------------------------------------------------------- */

enum range { RANGE_WHOLE, RANGE_PART, RANGE_IMPOSSIBLE };

/* One range of bytes (RFC 9110, 14.1.2). What is not understood, several ranges too, is not there. */
static enum range read_range(const char *text, uint64_t size, uint64_t *start, uint64_t *length) {
  *start = 0;
  *length = size;
  if (!text || strncmp(text, "bytes=", 6) != 0) return RANGE_WHOLE;
  const char *at = text + 6, *dash = strchr(at, '-');
  int64_t from = 0, to = 0;
  if (!dash || (dash > at && !text_parse_int64(at, (size_t)(dash - at), &from)) || from < 0) return RANGE_WHOLE;
  bool has_end = dash[1] != '\0';
  if ((has_end && (!text_parse_int64(dash + 1, strlen(dash + 1), &to) || to < 0)) || (dash == at && !has_end)) return RANGE_WHOLE;
  if (dash == at) { /* so many at the end */
    if (to == 0 || size == 0) return RANGE_IMPOSSIBLE;
    *length = (uint64_t)to < size ? (uint64_t)to : size;
    *start = size - *length;
    return RANGE_PART;
  }
  if (has_end && to < from) return RANGE_WHOLE;
  if ((uint64_t)from >= size) return RANGE_IMPOSSIBLE;
  *start = (uint64_t)from;
  *length = has_end && (uint64_t)to < size ? (uint64_t)to - *start + 1 : size - *start;
  return RANGE_PART;
}

/* ---- Requests --------------------------------------------------------------------------------------------------------------------- */

static const char *query_argument(void *user, const char *name) {
  return MHD_lookup_connection_value(user, MHD_GET_ARGUMENT_KIND, name);
}

static bool spoils_content(enum fault_kind kind) {
  return kind == FAULT_CORRUPT_FRAME || kind == FAULT_CORRUPT_BATCH || kind == FAULT_SHORT_ROWS || kind == FAULT_PADDING_ROWS ||
         kind == FAULT_STALE_NAMES || kind == FAULT_STALE_METADATA || kind == FAULT_WRONG_SCHEMA || kind == FAULT_SHORT_FILE;
}

/* Sends the file, or the range of it that is asked for. */
static mhd_result send_file(struct storage *storage, struct MHD_Connection *connection, struct request *request, const char *method,
                            const char *url, struct link_target *target, const struct fault *fault) {
  struct buf bytes = BUF_INIT;
  struct failure failure = {0};
  struct stat file;
  uint64_t size = 0, start = 0, length = 0;
  bool prepared = target->prepared >= 0 && fault->kind == FAULT_NONE && fstat(target->prepared, &file) == 0;
  if (prepared) {
    size = (uint64_t)file.st_size;
  } else if (storage_file_write(&target->result, links_options_of(storage->links)->writer, target->first, target->count,
                                spoils_content(fault->kind) ? fault : NULL, &bytes, &failure)) {
    size = bytes.size;
  } else {
    failure_clear(&failure);
    buf_free(&bytes);
    return refuse_status(storage, connection, request, method, url, 500, NULL);
  }
  enum range range = read_range(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range"), size, &start, &length);
  if (range == RANGE_IMPOSSIBLE) {
    buf_free(&bytes);
    return refuse(storage, connection, request, method, url, 416, "InvalidRange", "The requested range is not satisfiable", NULL);
  }
  struct MHD_Response *response;
  if (prepared) {
    response = MHD_create_response_from_fd_at_offset64(length, target->prepared, start);
    if (response) target->prepared = -1; /* it is the response's now */
  } else if (range == RANGE_WHOLE && fault->kind == FAULT_NONE) {
    response = MHD_create_response_from_buffer_with_free_callback(bytes.size, bytes.data, mem_free);
    if (!response) buf_free(&bytes);
  } else {
    response = body_response(storage, connection, fault, &bytes, start, length);
  }
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "Accept-Ranges", "bytes");
  if (range == RANGE_PART) {
    char text[96];
    snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, start, start + length - 1, size);
    MHD_add_response_header(response, "Content-Range", text);
    storage->ranges++;
  }
  request->download = true;
  return send_response(storage, connection, request, method, url, range == RANGE_PART ? 206 : 200, "binary/octet-stream", response, length);
}

static mhd_result serve(struct storage *storage, struct MHD_Connection *connection, struct request *request, const char *method,
                        const char *url, struct link_target *target) {
  static const int storm[] = {500, 502, 503, 504};
  struct fault fault = faults_take_file(storage->faults, "storage", target->file);
  if (fault.kind != FAULT_NONE) {
    memcpy(request->fault_name, fault.name, sizeof request->fault_name);
    request->fault = request->fault_name;
  }
  switch (fault.kind) {
    case FAULT_FILE_STATUS: return refuse_status(storage, connection, request, method, url, fault.status, fault.retry_after);
    case FAULT_FILE_STORM: return refuse_status(storage, connection, request, method, url, storm[fault.struck % 4], fault.retry_after);
    case FAULT_LINK_EXPIRED:
      links_expire(storage->links, target);
      return refuse(storage, connection, request, method, url, 403, "AccessDenied", "Request has expired", NULL);
    case FAULT_LINK_EXPIRED_AFTER: links_expire(storage->links, target); break;
    default: break;
  }
  return send_file(storage, connection, request, method, url, target, &fault);
}

static mhd_result answer(struct storage *storage, struct MHD_Connection *connection, struct request *request, const char *method,
                         const char *url) {
  const struct links_options *options = links_options_of(storage->links);
  if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization")) {
    storage->authorizations++;
    return refuse(storage, connection, request, method, url, 400, "InvalidArgument",
                  "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the "
                  "Authorization header should be specified",
                  NULL);
  }
  struct link_target target;
  bool get = strcmp(method, "GET") == 0;
  switch (links_open(storage->links, url, query_argument, connection, &target)) {
    case LINK_EXPIRED:
      if (!get) break;
      return refuse(storage, connection, request, method, url, 403, "AccessDenied", "Request has expired", NULL);
    case LINK_UNKNOWN:
      if (!get) break;
      return refuse_status(storage, connection, request, method, url, 404, NULL);
    case LINK_FORGED: get = false; break;
    case LINK_GOOD: break;
  }
  mhd_result result;
  const char *header = options->header_name ? MHD_lookup_connection_value(connection, MHD_HEADER_KIND, options->header_name) : NULL;
  if (!get) { /* a link is signed for GET alone */
    result =
        refuse(storage, connection, request, method, url, 403, "SignatureDoesNotMatch",
               "The request signature we calculated does not match the signature you provided. Check your key and signing method.", NULL);
  } else if (options->header_name && (!header || strcmp(header, options->header_value) != 0)) {
    result = refuse(storage, connection, request, method, url, 400, "InvalidRequest",
                    "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the "
                    "object.",
                    NULL);
  } else {
    result = serve(storage, connection, request, method, url, &target);
  }
  link_target_free(&target);
  return result;
}

static mhd_result handle(void *user, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                         const char *upload, size_t *upload_size, void **state) {
  (void)version;
  (void)upload;
  struct storage *storage = user;
  struct request *request = *state;
  if (!request) {
    uint8_t id[guid_size];
    request = wh_new(1, sizeof *request);
    request->started_ns = clock_now_ns();
    if (RAND_bytes(id, sizeof id) != 1) memset(id, 0, sizeof id);
    guid_format(id, sizeof id, request->id);
    storage->requests++;
    *state = request;
    return MHD_YES;
  }
  if (*upload_size > 0) {
    *upload_size = 0;
    return MHD_YES;
  }
  return answer(storage, connection, request, method, url);
}

static void completed(void *user, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code) {
  (void)connection;
  struct storage *storage = user;
  struct request *request = *state;
  if (!request) return;
  if (request->download && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
    storage->downloads++;
    storage->bytes += (int64_t)request->size;
  }
  free(request);
  *state = NULL;
}

static void connected(void *user, struct MHD_Connection *connection, void **state, enum MHD_ConnectionNotificationCode code) {
  (void)user;
  (void)state;
  if (code != MHD_CONNECTION_NOTIFY_STARTED) return;
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  int on = 1;
  if (info) setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- Starting and stopping ---------------------------------------------------------------------------------------------------------- */

static void tell_address(const struct storage *storage) {
  const struct storage_options *options = &storage->options;
  bool v6 = strchr(options->host, ':') != NULL;
  char *url = options->url ? wh_copy(options->url)
                           : wh_print("%s://%s%s%s:%u", options->certificate ? "https" : "http", v6 ? "[" : "", options->host,
                                      v6 ? "]" : "", (unsigned)storage->port);
  links_set_base(storage->links, url);
  free(url);
}

struct storage *storage_start(const struct storage_options *options, struct links *links, struct faults *faults, char **message) {
  struct storage *storage = wh_new(1, sizeof *storage);
  storage->options = *options;
  storage->links = links;
  storage->faults = faults;
  storage->port = options->port;
  int fd = server_listen(options->host, &storage->port, message);
  if (fd < 0) goto failed;
  unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
  struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate},
                                 {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key},
                                 {MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
  if (options->certificate) flags |= MHD_USE_TLS;
  tell_address(storage);
  storage->daemon =
      MHD_start_daemon(flags, 0, NULL, NULL, handle, storage, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, completed, storage,
                       MHD_OPTION_NOTIFY_CONNECTION, connected, NULL, MHD_OPTION_CONNECTION_LIMIT, options->connections,
                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 * 1024, MHD_OPTION_THREAD_STACK_SIZE, (size_t)1 << 20,
                       MHD_OPTION_ARRAY, options->certificate ? tls : none, MHD_OPTION_END);
  if (storage->daemon) return storage;
  *message = wh_copy("the HTTP server of the storage does not start");
  close(fd);
failed:
  free(storage);
  return NULL;
}

uint16_t storage_port(const struct storage *storage) {
  return storage->port;
}

json_t *storage_stats(struct storage *storage) {
  struct links_counts counts = links_counts(storage->links);
  return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i}", "requests", (json_int_t)storage->requests, "downloads",
                   (json_int_t)storage->downloads, "bytes", (json_int_t)storage->bytes, "ranges", (json_int_t)storage->ranges, "refused",
                   (json_int_t)storage->refused, "authorizations", (json_int_t)storage->authorizations, "links", (json_int_t)counts.links,
                   "link_pages", (json_int_t)counts.pages, "refreshes", (json_int_t)counts.refreshes, "results", (json_int_t)counts.results,
                   "result_bytes", (json_int_t)counts.result_bytes, "port", (int)storage->port);
}

void storage_stop(struct storage *storage) {
  if (!storage) return;
  storage->stopping = true;
  MHD_stop_daemon(storage->daemon);
  free(storage);
}
