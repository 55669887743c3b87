#include "telemetry_http.h"

#include <string.h>
#if defined(DBSQL_HAVE_ZLIB)
#include <zlib.h>
#endif

#include "base/text.h"
#include "memory.h"
#include "otlp.h"

#if MHD_VERSION < 0x00097002
typedef int mhd_result;
#else
typedef enum MHD_Result mhd_result;
#endif

static bool is_secret(const char *name) {
  static const char *const names[] = {"authorization", "proxy-authorization", "cookie"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(names[i], name) == 0) return true;
  }
  return false;
}

/* A header that comes twice is kept as "first, second". */
static mhd_result keep_header(void *user, enum MHD_ValueKind kind, const char *name, const char *value) {
  json_t *headers = user;
  char lower[128];
  size_t i = 0;
  (void)kind;
  for (; name[i] && i + 1 < sizeof lower; i++) lower[i] = text_lower(name[i]);
  lower[i] = '\0';
  const char *before = json_string_value(json_object_get(headers, lower));
  json_t *text = before ? json_sprintf("%s, %s", before, value ? value : "")
                        : json_string(is_secret(lower) ? "(not shown)"
                                      : value          ? value
                                                       : "");
  json_object_set_new(headers, lower, text ? text : json_string("(not UTF-8)"));
  return MHD_YES;
}

#if defined(DBSQL_HAVE_ZLIB)
static bool unzip(struct slice body, struct buf *plain) {
  z_stream stream = {0};
  bool good = false;
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return false;
  stream.next_in = (Bytef *)(uintptr_t)body.data;
  stream.avail_in = (uInt)body.size;
  int code = Z_OK;
  while (code == Z_OK && plain->size <= otlp_request_limit) {
    unsigned char piece[16384];
    stream.next_out = piece;
    stream.avail_out = sizeof piece;
    code = inflate(&stream, Z_NO_FLUSH);
    buf_append(plain, piece, sizeof piece - stream.avail_out);
    wh_check(plain);
  }
  good = (code == Z_STREAM_END && stream.avail_in == 0) || plain->size > otlp_request_limit; /* that is refused later */
  inflateEnd(&stream);
  return good;
}
#endif

/* OTLP may be compressed; whether the telemetry endpoints take that is not known (telemetry.md, appendix B), so here they do not. */
static void read_body(struct telemetry_request *request, struct slice body, struct buf *plain) {
  const char *encoding = json_string_value(json_object_get(request->headers, "content-encoding"));
  request->body = body;
  if (!encoding || text_equal_nocase(encoding, "identity")) return;
#if defined(DBSQL_HAVE_ZLIB)
  if (text_equal_nocase(encoding, "gzip") && request->endpoint >= TELEMETRY_TRACES) {
    if (body.size <= otlp_request_limit && unzip(body, plain)) {
      request->body = buf_slice(plain);
    } else {
      request->body_status = 400;
      request->body_error = "Content-Encoding: the body is no gzip";
    }
    return;
  }
#endif
  (void)plain;
  request->body_status = 415;
  request->body_error = "Content-Encoding: must be absent, or (for OTLP) gzip";
}

void telemetry_http_read(struct MHD_Connection *connection, enum telemetry_endpoint endpoint, const char *method, const char *path,
                         struct slice body, struct telemetry_request *request, struct buf *plain) {
  *request = (struct telemetry_request){.endpoint = endpoint, .method = method, .path = path, .headers = json_object()};
  MHD_get_connection_values(connection, MHD_HEADER_KIND, keep_header, request->headers);
  request->has_authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization") != NULL;
  read_body(request, body, plain);
}
