#include "faulty.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

void faulty_sleep(const atomic_bool *stopping, int64_t ms) {
  for (; ms > 0 && !*stopping; ms -= 10) nanosleep(&(struct timespec){0, (ms < 10 ? ms : 10) * 1000000}, NULL);
}

/* The socket is put in the place of another one that is not connected, and closed that way. */
void faulty_reset(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (!info) return;
  struct linger at_once = {1, 0};
  setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  int other = socket(AF_UNIX, SOCK_STREAM, 0);
  if (other >= 0) {
    dup2(other, info->connect_fd);
    close(other);
  }
}

bool faulty_is_body(enum fault_kind kind) {
  return kind == FAULT_TRUNCATED_BODY || kind == FAULT_SLOW_BODY || kind == FAULT_OVERSIZED_BODY || kind == FAULT_RESET_BODY;
}

/* A body that is sent in a way of its own. */
struct faulty_body {
  const atomic_bool *stopping;
  struct MHD_Connection *connection;
  struct buf bytes;
  enum fault_kind kind;
  uint64_t end; /* from here on the connection breaks */
  int64_t piece;
  int64_t delay_ms;
};

static ssize_t read_faulty(void *user, uint64_t position, char *out, size_t room) {
  struct faulty_body *body = user;
  if (body->kind == FAULT_TRUNCATED_BODY && position >= body->end) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (*body->stopping) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (body->kind == FAULT_RESET_BODY) {
    faulty_reset(body->connection);
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  if (body->kind == FAULT_SLOW_BODY) {
    if (position > 0) faulty_sleep(body->stopping, body->delay_ms);
    if (room > (size_t)body->piece) room = (size_t)body->piece;
  }
  if (position >= body->end) return MHD_CONTENT_READER_END_OF_STREAM;
  if (room > body->end - position) room = (size_t)(body->end - position);
  if (position < body->bytes.size) {
    if (room > body->bytes.size - position) room = (size_t)(body->bytes.size - position);
    memcpy(out, body->bytes.data + position, room);
  } else {
    memset(out, 0, room);
  }
  return (ssize_t)room;
}

static void free_faulty(void *user) {
  struct faulty_body *body = user;
  buf_free(&body->bytes);
  free(body);
}

struct MHD_Response *faulty_response(const atomic_bool *stopping, struct MHD_Connection *connection, const struct fault *fault,
                                     struct buf *bytes) {
  struct faulty_body *body = wh_new(1, sizeof *body);
  *body = (struct faulty_body){stopping, connection, *bytes, fault->kind, bytes->size, fault->bytes, fault->delay_ms};
  memset(bytes, 0, sizeof *bytes);
  uint64_t size = body->bytes.size;
  if (fault->kind == FAULT_TRUNCATED_BODY) body->end = size / 2;
  if (fault->kind == FAULT_OVERSIZED_BODY && (uint64_t)fault->bytes > size) size = body->end = (uint64_t)fault->bytes;
  struct MHD_Response *response = MHD_create_response_from_callback(size, 32768, read_faulty, body, free_faulty);
  if (!response) free_faulty(body);
  return response;
}
