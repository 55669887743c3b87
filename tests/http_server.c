#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_connection {
  struct http_server *server;
  struct http_connection *next;
  pthread_t thread;
  int fd; /* -1 once closed; guarded by the server's mutex */
  SSL *tls;
  int number;
  bool close_wanted;
  bool reset_wanted;
  char *buffer;
  size_t filled;
};

struct recorded {
  struct recorded *next;
  struct http_exchange exchange;
};

struct http_server {
  struct http_server_settings settings;
  SSL_CTX *tls;
  int listener;
  int stop_pipe[2];
  int port;
  char url[64];
  pthread_t thread;
  pthread_mutex_t mutex;
  struct http_connection *connections;
  int connection_count;
  int ended_count;
  pthread_cond_t ended;
  struct recorded *recorded;
  int request_count;
};

static void must(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "test server: %s failed (errno %d)\n", what, errno);
  ERR_print_errors_fp(stderr);
  abort();
}
#define MUST(condition) must((condition), #condition)

static void *must_alloc(size_t size) {
  void *block = calloc(1, size ? size : 1);
  MUST(block != NULL);
  return block;
}

static char *copy_text(const char *text, size_t length) {
  char *copy = must_alloc(length + 1);
  if (length) memcpy(copy, text, length);
  return copy;
}

/* ---- Events ------------------------------------------------------------------------------------------------------------- */

void test_event_set(struct test_event *event) {
  pthread_mutex_lock(&event->mutex);
  event->set = true;
  pthread_cond_broadcast(&event->changed);
  pthread_mutex_unlock(&event->mutex);
}

void test_event_wait(struct test_event *event) {
  pthread_mutex_lock(&event->mutex);
  while (!event->set) pthread_cond_wait(&event->changed, &event->mutex);
  pthread_mutex_unlock(&event->mutex);
}

/* ---- Bytes -------------------------------------------------------------------------------------------------------------- */

/* 0 at the end, and at any failure: the client may do what it likes. */
static size_t connection_read(struct http_connection *connection, void *out, size_t size) {
  if (connection->tls) {
    int got = SSL_read(connection->tls, out, (int)size);
    ERR_clear_error();
    return got > 0 ? (size_t)got : 0;
  }
  ssize_t got;
  do got = recv(connection->fd, out, size, 0);
  while (got < 0 && errno == EINTR);
  return got > 0 ? (size_t)got : 0;
}

static bool connection_write(struct http_connection *connection, const void *data, size_t size) {
  const char *at = data;
  while (size > 0) {
    ssize_t sent;
    if (connection->tls) {
      sent = SSL_write(connection->tls, at, size < 1 << 20 ? (int)size : 1 << 20);
      ERR_clear_error();
    } else {
      sent = send(connection->fd, at, size, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
    }
    if (sent <= 0) {
      connection->close_wanted = true;
      return false;
    }
    at += sent;
    size -= (size_t)sent;
  }
  return true;
}

bool exchange_write(struct http_exchange *exchange, const void *bytes, size_t size) {
  return connection_write(exchange->connection, bytes, size);
}

void exchange_write_text(struct http_exchange *exchange, const char *text) {
  exchange_write(exchange, text, strlen(text));
}

void exchange_reply_bytes(struct http_exchange *exchange, int status, const char *headers, const void *body, size_t size) {
  size_t room = (headers ? strlen(headers) : 0) + 128;
  char *head = must_alloc(room + size);
  int length =
      snprintf(head, room, "HTTP/1.1 %d Status of %d\r\n%sContent-Length: %zu\r\n\r\n", status, status, headers ? headers : "", size);
  if (size) memcpy(head + length, body, size);
  exchange_write(exchange, head, (size_t)length + size);
  free(head);
}

void exchange_reply(struct http_exchange *exchange, int status, const char *headers, const char *body) {
  exchange_reply_bytes(exchange, status, headers, body, strlen(body));
}

void exchange_close(struct http_exchange *exchange) {
  exchange->connection->close_wanted = true;
}

void exchange_reset(struct http_exchange *exchange) {
  exchange->connection->close_wanted = exchange->connection->reset_wanted = true;
}

void exchange_wait_for_client(struct http_exchange *exchange) {
  struct pollfd fd = {exchange->connection->fd, POLLIN, 0};
  while (poll(&fd, 1, -1) < 0 && errno == EINTR) {
  }
}

char *exchange_header(const struct http_exchange *exchange, const char *name) {
  size_t n = strlen(name);
  for (const char *line = exchange->head; *line;) {
    const char *end = strstr(line, "\r\n");
    if (!end) break;
    if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
      const char *value = line + n + 1;
      while (*value == ' ') value++;
      return copy_text(value, (size_t)(end - value));
    }
    line = end + 2;
  }
  return NULL;
}

static int connect_to(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  MUST(fd >= 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

void exchange_tunnel(struct http_exchange *exchange, int port) {
  struct http_connection *connection = exchange->connection;
  int other = connect_to(port);
  connection->close_wanted = true;
  if (other < 0) {
    exchange_reply(exchange, 502, NULL, "");
    return;
  }
  exchange_write_text(exchange, "HTTP/1.1 200 Connection established\r\n\r\n");
  char *part = must_alloc(16384);
  for (;;) {
    struct pollfd fds[2] = {{connection->fd, POLLIN, 0}, {other, POLLIN, 0}};
    bool buffered = connection->tls && SSL_pending(connection->tls) > 0;
    if (!buffered && poll(fds, 2, -1) < 0 && errno != EINTR) break;
    if (buffered || fds[0].revents) {
      size_t got = connection_read(connection, part, 16384);
      if (got == 0 || send(other, part, got, MSG_NOSIGNAL) != (ssize_t)got) break;
    } else if (fds[1].revents) {
      ssize_t got = recv(other, part, 16384, 0);
      if (got <= 0 || !connection_write(connection, part, (size_t)got)) break;
    }
  }
  free(part);
  close(other);
}

/* ---- A connection ------------------------------------------------------------------------------------------------------- */

static const struct http_exchange *record(struct http_server *server, const struct http_exchange *exchange) {
  struct recorded *made = must_alloc(sizeof *made);
  made->exchange = *exchange;
  made->exchange.method = copy_text(exchange->method, strlen(exchange->method));
  made->exchange.target = copy_text(exchange->target, strlen(exchange->target));
  made->exchange.head = copy_text(exchange->head, strlen(exchange->head));
  made->exchange.body = copy_text(exchange->body, exchange->body_size);
  pthread_mutex_lock(&server->mutex);
  made->exchange.number = server->request_count++;
  made->next = server->recorded;
  server->recorded = made;
  pthread_mutex_unlock(&server->mutex);
  return &made->exchange;
}

/* Reads until the buffer holds `size` bytes. */
static bool fill_to(struct http_connection *connection, size_t size) {
  while (connection->filled < size) {
    connection->buffer = realloc(connection->buffer, size + 16385);
    MUST(connection->buffer != NULL);
    size_t got = connection_read(connection, connection->buffer + connection->filled, 16384);
    if (got == 0) return false;
    connection->filled += got;
    connection->buffer[connection->filled] = 0;
  }
  return true;
}

static bool serve_one(struct http_connection *connection) {
  char *end = NULL;
  while (!connection->buffer || connection->filled == 0 || !(end = strstr(connection->buffer, "\r\n\r\n"))) {
    if (!fill_to(connection, connection->filled + 1)) return false;
    if (connection->buffer[0] == 0x16) { /* TLS on a plain port */
      connection_write(connection, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
      return false;
    }
  }
  size_t head_size = (size_t)(end - connection->buffer) + 4;
  char *head = copy_text(connection->buffer, head_size - 2);
  char *line_end = strstr(head, "\r\n");
  *line_end = 0;
  char *target = strchr(head, ' ');
  char *version = target ? strchr(target + 1, ' ') : NULL;
  bool good = version != NULL;
  if (good) {
    *target++ = 0;
    *version = 0;
    struct http_exchange exchange = {head, target, line_end + 2, NULL, 0, 0, connection->number, connection};
    char *length_text = exchange_header(&exchange, "Content-Length");
    size_t length = length_text ? (size_t)strtoul(length_text, NULL, 10) : 0;
    free(length_text);
    good = fill_to(connection, head_size + length);
    if (good) {
      exchange.body = copy_text(connection->buffer + head_size, length);
      exchange.body_size = length;
      connection->filled -= head_size + length;
      memmove(connection->buffer, connection->buffer + head_size + length, connection->filled + 1);
      struct http_exchange kept = *record(connection->server, &exchange);
      kept.connection = connection;
      connection->server->settings.handler(&kept, connection->server->settings.user);
      free((char *)exchange.body);
    }
  }
  free(head);
  return good && !connection->close_wanted;
}

static void block_sigpipe(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *serve_connection(void *user) {
  struct http_connection *connection = user;
  struct http_server *server = connection->server;
  block_sigpipe();
  bool ready = true;
  if (server->tls) {
    connection->tls = SSL_new(server->tls);
    MUST(connection->tls != NULL);
    MUST(SSL_set_fd(connection->tls, connection->fd) == 1);
    ready = SSL_accept(connection->tls) == 1;
    ERR_clear_error();
    if (!ready) {
      /* Lets the client read the alert: closing now could reset the connection and lose it. */
      char rest[512];
      shutdown(connection->fd, SHUT_WR);
      while (recv(connection->fd, rest, sizeof rest, 0) > 0) {
      }
    }
    if (ready && server->settings.close_after_handshake) {
      ready = false; /* and no close_notify */
    }
  }
  while (ready && serve_one(connection)) {
  }
  if (connection->tls) {
    if (!connection->reset_wanted && ready) SSL_shutdown(connection->tls);
    ERR_clear_error();
    SSL_free(connection->tls);
  }
  pthread_mutex_lock(&server->mutex);
  if (connection->reset_wanted) {
    struct linger at_once = {1, 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  close(connection->fd);
  connection->fd = -1;
  server->ended_count++;
  pthread_cond_broadcast(&server->ended);
  pthread_mutex_unlock(&server->mutex);
  free(connection->buffer);
  return NULL;
}

static void *accept_connections(void *user) {
  struct http_server *server = user;
  block_sigpipe();
  for (;;) {
    struct pollfd fds[2] = {{server->listener, POLLIN, 0}, {server->stop_pipe[0], POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents) return NULL;
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) continue;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct http_connection *connection = must_alloc(sizeof *connection);
    connection->server = server;
    connection->fd = fd;
    pthread_mutex_lock(&server->mutex);
    connection->number = server->connection_count++;
    connection->next = server->connections;
    server->connections = connection;
    MUST(pthread_create(&connection->thread, NULL, serve_connection, connection) == 0);
    pthread_mutex_unlock(&server->mutex);
  }
}

/* ---- The server --------------------------------------------------------------------------------------------------------- */

static void setup_tls(struct http_server *server) {
  const struct http_server_settings *settings = &server->settings;
  server->tls = SSL_CTX_new(TLS_server_method());
  MUST(server->tls != NULL);
  SSL_CTX_set_mode(server->tls, SSL_MODE_AUTO_RETRY);
  if (settings->only_tls12) SSL_CTX_set_max_proto_version(server->tls, TLS1_2_VERSION);
  BIO *bio = BIO_new_mem_buf(settings->certificate, -1);
  X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  MUST(certificate && SSL_CTX_use_certificate(server->tls, certificate) == 1);
  X509_free(certificate);
  while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
    MUST(SSL_CTX_add_extra_chain_cert(server->tls, certificate) == 1);
  }
  ERR_clear_error();
  BIO_free(bio);
  bio = BIO_new_mem_buf(settings->key, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  MUST(key && SSL_CTX_use_PrivateKey(server->tls, key) == 1);
  EVP_PKEY_free(key);
  BIO_free(bio);
  if (settings->client_ca) {
    bio = BIO_new_mem_buf(settings->client_ca, -1);
    certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    MUST(certificate && X509_STORE_add_cert(SSL_CTX_get_cert_store(server->tls), certificate) == 1);
    X509_free(certificate);
    BIO_free(bio);
    SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
}

struct http_server *http_server_start(const struct http_server_settings *settings) {
  struct http_server *server = must_alloc(sizeof *server);
  server->settings = *settings;
  MUST(pthread_mutex_init(&server->mutex, NULL) == 0);
  MUST(pthread_cond_init(&server->ended, NULL) == 0);
  if (settings->certificate) setup_tls(server);
  server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  MUST(server->listener >= 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  MUST(bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0);
  MUST(listen(server->listener, 64) == 0);
  MUST(getsockname(server->listener, (struct sockaddr *)&address, &length) == 0);
  MUST(pipe2(server->stop_pipe, O_CLOEXEC) == 0);
  server->port = ntohs(address.sin_port);
  snprintf(server->url, sizeof server->url, "%s://127.0.0.1:%d", settings->certificate ? "https" : "http", server->port);
  MUST(pthread_create(&server->thread, NULL, accept_connections, server) == 0);
  return server;
}

int http_server_port(const struct http_server *server) {
  return server->port;
}
const char *http_server_url(const struct http_server *server) {
  return server->url;
}

int http_server_requests(struct http_server *server) {
  pthread_mutex_lock(&server->mutex);
  int count = server->request_count;
  pthread_mutex_unlock(&server->mutex);
  return count;
}

int http_server_connections(struct http_server *server) {
  pthread_mutex_lock(&server->mutex);
  int count = server->connection_count;
  pthread_mutex_unlock(&server->mutex);
  return count;
}

void http_server_wait_ended(struct http_server *server, int count) {
  pthread_mutex_lock(&server->mutex);
  while (server->ended_count < count) pthread_cond_wait(&server->ended, &server->mutex);
  pthread_mutex_unlock(&server->mutex);
}

const struct http_exchange *http_server_request(struct http_server *server, int number) {
  pthread_mutex_lock(&server->mutex);
  struct recorded *recorded = server->recorded;
  while (recorded && recorded->exchange.number != number) recorded = recorded->next;
  pthread_mutex_unlock(&server->mutex);
  MUST(recorded != NULL);
  return &recorded->exchange;
}

void http_server_stop(struct http_server *server) {
  MUST(write(server->stop_pipe[1], "x", 1) == 1);
  pthread_join(server->thread, NULL);
  close(server->listener);
  pthread_mutex_lock(&server->mutex);
  for (struct http_connection *connection = server->connections; connection; connection = connection->next) {
    if (connection->fd >= 0) shutdown(connection->fd, SHUT_RDWR);
  }
  pthread_mutex_unlock(&server->mutex);
  while (server->connections) {
    struct http_connection *connection = server->connections;
    server->connections = connection->next;
    pthread_join(connection->thread, NULL);
    free(connection);
  }
  while (server->recorded) {
    struct recorded *recorded = server->recorded;
    server->recorded = recorded->next;
    free((char *)recorded->exchange.method);
    free((char *)recorded->exchange.target);
    free((char *)recorded->exchange.head);
    free((char *)recorded->exchange.body);
    free(recorded);
  }
  close(server->stop_pipe[0]);
  close(server->stop_pipe[1]);
  SSL_CTX_free(server->tls);
  pthread_cond_destroy(&server->ended);
  pthread_mutex_destroy(&server->mutex);
  free(server);
}

/* ---- Scripts ------------------------------------------------------------------------------------------------------------ */

void http_script_handler(struct http_exchange *exchange, void *user) {
  const struct http_script *script = user;
  const struct http_step *step = &script->steps[exchange->number < script->count ? exchange->number : script->count - 1];
  const char *body = step->body ? step->body : "";
  char head[128];
  switch (step->action) {
    case HTTP_STEP_REPLY: exchange_reply(exchange, step->status, step->headers, body); return;
    case HTTP_STEP_CLOSE: exchange_close(exchange); return;
    case HTTP_STEP_RESET: exchange_reset(exchange); return;
    case HTTP_STEP_TRUNCATE:
      snprintf(head, sizeof head, "HTTP/1.1 %d OK\r\nContent-Length: %zu\r\n\r\n", step->status, strlen(body) + 100);
      exchange_write_text(exchange, head);
      exchange_write_text(exchange, body);
      exchange_close(exchange);
      return;
    case HTTP_STEP_RAW:
      exchange_write_text(exchange, body);
      exchange_close(exchange);
      return;
  }
}
