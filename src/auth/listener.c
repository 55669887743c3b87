#include "auth/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/crypto.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

enum { most_guests = 16, longest_request = 8192, guest_ms = 5000, farewell_ms = 1000 };
#define NS_PER_MS INT64_C(1000000)

/* One connection. */
struct guest {
  int fd; /* -1: free */
  int64_t until_ns;
  size_t size;
  bool answered; /* only waits for the other side to close */
  char request[longest_request];
};

struct listener {
  int fds[2]; /* IPv4, IPv6; -1: none */
  int port;
  struct guest guests[most_guests];
};

/* ---- Ports --------------------------------------------------------------------------------------------------------------- */

/* The next port of the list; false at its end. Begin with *at = 0, *last = -1. */
static bool next_port(const char *ports, size_t *at, int *port, int *last) {
  if (*last > *port) {
    (*port)++;
    return true;
  }
  size_t length = strcspn(ports + *at, ",");
  if (length == 0) return false;
  int first = 0, end = 0;
  int read = sscanf(ports + *at, "%5d-%5d", &first, &end);
  *port = first;
  *last = read == 2 ? end : first;
  *at += length + (ports[*at + length] == ',');
  return read >= 1;
}

/* ---- Sockets ------------------------------------------------------------------------------------------------------------- */

static void set_flags(int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
#if defined(SO_NOSIGPIPE)
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

/* No SO_REUSEADDR and no SO_REUSEPORT: the port is ours alone (T13). */
static int listen_on(int family, int port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(family, SOCK_STREAM, 0), on = 1;
  if (fd < 0) return -1;
  set_flags(fd);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const struct sockaddr *address =
      family == AF_INET ? (const struct sockaddr *)(const void *)&v4 : (const struct sockaddr *)(const void *)&v6;
  if (bind(fd, address, family == AF_INET ? sizeof v4 : sizeof v6) == 0 && listen(fd, most_guests) == 0) return fd;
  int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

static int port_of(int fd) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  return getsockname(fd, (struct sockaddr *)(void *)&address, &size) == 0 ? ntohs(address.sin_port) : -1;
}

static bool try_port(struct listener *listener, int port) {
  for (int tries = 0; tries < (port == 0 ? 20 : 1); tries++) {
    listener->fds[0] = listen_on(AF_INET, port);
    if (listener->fds[0] < 0) return false;
    listener->port = port_of(listener->fds[0]);
    listener->fds[1] = listen_on(AF_INET6, listener->port);
    if (listener->fds[1] >= 0 || (errno != EADDRINUSE && errno != EACCES)) return true;
    close(listener->fds[0]);
    listener->fds[0] = -1;
  }
  return false;
}

dbsql_status listener_open(const char *ports, struct listener **out, dbsql_error **error) {
  struct listener *listener = mem_alloc_zero(1, sizeof *listener);
  if (!listener) return error_no_memory(error);
  listener->fds[0] = listener->fds[1] = -1;
  for (int i = 0; i < most_guests; i++) listener->guests[i].fd = -1;
  size_t at = 0;
  for (int port = 0, last = -1; next_port(ports, &at, &port, &last);) {
    if (!try_port(listener, port)) continue;
    *out = listener;
    return DBSQL_OK;
  }
  listener_close(listener);
  return error_set(error, DBSQL_ERROR_REQUEST, "28000",
                   "cannot wait for the browser: none of the ports %s is free on the loopback addresses (oauth_redirect_port)", ports);
}

int listener_port(const struct listener *listener) {
  return listener->port;
}

static void leave(struct guest *guest) {
  if (guest->fd >= 0) close(guest->fd);
  guest->fd = -1;
  mem_wipe(guest->request, sizeof guest->request);
}

void listener_close(struct listener *listener) {
  if (!listener) return;
  for (int i = 0; i < 2; i++) {
    if (listener->fds[i] >= 0) close(listener->fds[i]);
  }
  for (int i = 0; i < most_guests; i++) leave(&listener->guests[i]);
  mem_free(listener);
}

/* ---- Answers to the browser ---------------------------------------------------------------------------------------------- */

#define STYLE "body{font:18px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32em;padding:0 1em;color:#1b3139}h1{font-size:1.5em}"
/* Nothing of a request is ever in a page (T14). */
#define PAGE(title, text)                                                                                                       \
  "<!doctype html><html lang=en><meta charset=utf-8><title>" title "</title><style>" STYLE "</style><h1>" title "</h1><p>" text \
  "</p></html>"

static void reply(struct guest *guest, int status, const char *reason, const char *page) {
  char head[640];
  int size = snprintf(head, sizeof head,
                      "HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
                      "Content-Security-Policy: default-src 'none'; style-src 'sha256-RnGI1BmI0fb1H8Kid1XJPQBXxQ6+M0b8n4h+INotbFg='; "
                      "frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
                      "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
                      status, reason, strlen(page), status == 405 ? "Allow: GET\r\n" : "");
#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0
#endif
  /* Little enough for the socket's buffer; whoever does not take it gets nothing. */
  if (send(guest->fd, head, (size_t)size, MSG_NOSIGNAL) == size) {
    ssize_t sent = send(guest->fd, page, strlen(page), MSG_NOSIGNAL);
    (void)sent;
  }
  shutdown(guest->fd, SHUT_WR);
  guest->answered = true;
}

static void refuse(struct guest *guest, int status, const char *reason) {
  reply(guest, status, reason, PAGE("Not here", "This address waits for a sign-in, and this was none that it waits for."));
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

static int hex_digit(char c) {
  if (text_is_digit(c)) return c - '0';
  c = text_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A value of a query, decoded. NULL if it is malformed, has a zero byte, or memory is short. */
static char *decode(const char *text, size_t length) {
  struct buf out = BUF_SECRET;
  bool fine = true;
  for (size_t i = 0; i < length && fine; i++) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%') {
      int high = i + 2 < length ? hex_digit(text[i + 1]) : -1, low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
      fine = high >= 0 && low >= 0 && high * 16 + low != 0;
      c = (char)(high * 16 + low);
      i += 2;
    }
    buf_append_byte(&out, (uint8_t)c);
  }
  char *taken = fine ? buf_take_text(&out) : NULL;
  buf_free_secret(&out);
  return taken;
}

enum { PARAM_STATE, PARAM_CODE, PARAM_ERROR, PARAM_DESCRIPTION, PARAM_ISSUER, PARAM_COUNT };

/* False if one of them is there twice or malformed. */
static bool read_query(const char *query, size_t length, char *values[PARAM_COUNT]) {
  static const char *const names[PARAM_COUNT] = {"state", "code", "error", "error_description", "iss"};
  for (size_t at = 0; at < length;) {
    const char *pair = query + at;
    const char *end = memchr(pair, '&', length - at);
    size_t size = end ? (size_t)(end - pair) : length - at;
    const char *equals = memchr(pair, '=', size);
    size_t name = equals ? (size_t)(equals - pair) : size;
    for (int i = 0; i < PARAM_COUNT; i++) {
      if (strlen(names[i]) != name || memcmp(names[i], pair, name) != 0) continue;
      if (values[i]) return false;
      values[i] = equals ? decode(equals + 1, size - name - 1) : mem_strdup("");
      if (!values[i]) return false;
    }
    at += size + 1;
  }
  return true;
}

/* The Host header must be ours: a page of another name that resolves to loopback has no business here (T11). */
static bool host_is_ours(const char *head, int port) {
  char wanted[3][32];
  snprintf(wanted[0], sizeof wanted[0], "localhost:%d", port);
  snprintf(wanted[1], sizeof wanted[1], "127.0.0.1:%d", port);
  snprintf(wanted[2], sizeof wanted[2], "[::1]:%d", port);
  int found = 0;
  bool ours = false;
  for (const char *line = strstr(head, "\r\n"); line && line[2] && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
    if (!text_equal_nocase_n(line + 2, 5, "Host:", 5)) continue;
    const char *value = line + 7 + strspn(line + 7, " \t");
    size_t length = strcspn(value, " \t\r\n");
    found++;
    for (int i = 0; i < 3; i++) ours = ours || text_equal_nocase_n(value, length, wanted[i], strlen(wanted[i]));
  }
  return found == 1 && ours;
}

static bool is_state(const char *given, const char *wanted) {
  size_t length = strlen(wanted);
  return given && strlen(given) == length && crypto_equal(given, wanted, length);
}

/* "CODE: DESCRIPTION" without controls, cut. */
static char *describe(const char *code, const char *description) {
  struct buf whole = BUF_SECRET, clean = BUF_INIT;
  buf_append(&whole, code, strnlen(code, 100));
  if (description && *description) {
    buf_append_text(&whole, ": ");
    buf_append(&whole, description, strnlen(description, 500));
  }
  if (!buf_failed(&whole)) redact_append(&clean, (const char *)whole.data, whole.size);
  buf_free(&whole);
  return buf_take_text(&clean);
}

/* A whole head has come. True if it is what we wait for. */
static bool serve(struct listener *listener, struct guest *guest, const char *state, struct listener_answer *answer) {
  static const char get[] = "GET ";
  const char *head = guest->request;
  const char *target = strchr(head, ' ');
  size_t length = target ? strcspn(target + 1, " \r\n") : 0;
  if (!target || target[1 + length] != ' ' || strncmp(target + 2 + length, "HTTP/1.", 7) != 0) {
    refuse(guest, 400, "Bad Request");
    return false;
  }
  if (strncmp(head, get, sizeof get - 1) != 0) {
    refuse(guest, 405, "Method Not Allowed");
    return false;
  }
  target++;
  const char *query = memchr(target, '?', length);
  size_t path = query ? (size_t)(query - target) : length;
  if (path != 1 || target[0] != '/') {
    refuse(guest, 404, "Not Found");
    return false;
  }
  char *values[PARAM_COUNT] = {NULL};
  bool wanted = host_is_ours(head, listener->port) && query && read_query(query + 1, length - path - 1, values) &&
                is_state(values[PARAM_STATE], state) &&
                ((values[PARAM_CODE] && *values[PARAM_CODE]) != (values[PARAM_ERROR] && *values[PARAM_ERROR]));
  if (!wanted) {
    refuse(guest, 400, "Bad Request");
  } else if (values[PARAM_ERROR] && *values[PARAM_ERROR]) {
    answer->error = describe(values[PARAM_ERROR], values[PARAM_DESCRIPTION]);
    reply(guest, 200, "OK", PAGE("Sign-in failed", "The program that asked for it knows more. You can close this page."));
  } else {
    answer->code = values[PARAM_CODE];
    values[PARAM_CODE] = NULL;
    reply(guest, 200, "OK", PAGE("Signed in", "You can close this page and go back to the program."));
  }
  if (wanted) {
    answer->issuer = values[PARAM_ISSUER];
    values[PARAM_ISSUER] = NULL;
  }
  for (int i = 0; i < PARAM_COUNT; i++) mem_free_secret(values[i]);
  return wanted;
}

/* ---- Waiting ------------------------------------------------------------------------------------------------------------- */

static void welcome(struct listener *listener, int from) {
  int fd = accept(from, NULL, NULL);
  if (fd < 0) return;
  set_flags(fd);
  struct guest *seat = &listener->guests[0];
  for (int i = 0; i < most_guests; i++) {
    struct guest *guest = &listener->guests[i];
    /* The one that has waited longest gives way: nobody can keep the browser out by just staying. */
    if (guest->fd < 0 || (seat->fd >= 0 && guest->until_ns < seat->until_ns)) seat = guest;
  }
  leave(seat);
  *seat = (struct guest){.fd = fd, .until_ns = clock_now_ns() + guest_ms * NS_PER_MS};
}

/* True if the answer has come. */
static bool listen_to(struct listener *listener, struct guest *guest, const char *state, struct listener_answer *answer) {
  char unread[1024];
  for (;;) {
    size_t room = sizeof guest->request - 1 - guest->size;
    ssize_t got = guest->answered ? recv(guest->fd, unread, sizeof unread, 0) : recv(guest->fd, guest->request + guest->size, room, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (got <= 0) {
      leave(guest);
      return false;
    }
    if (guest->answered) continue;
    guest->size += (size_t)got;
    guest->request[guest->size] = 0;
    if (memchr(guest->request, 0, guest->size)) {
      refuse(guest, 400, "Bad Request");
    } else if (strstr(guest->request, "\r\n\r\n")) {
      if (serve(listener, guest, state, answer)) return true;
    } else if (guest->size + 1 == sizeof guest->request) {
      refuse(guest, 431, "Request Header Fields Too Large");
    }
  }
}

/* Gives the browser the time to take the page. */
static void farewell(struct guest *guest) {
  int64_t until_ns = clock_now_ns() + farewell_ms * NS_PER_MS;
  char unread[1024];
  while (guest->fd >= 0 && clock_now_ns() < until_ns) {
    struct pollfd fd = {.fd = guest->fd, .events = POLLIN};
    if (poll(&fd, 1, farewell_ms) <= 0 || recv(guest->fd, unread, sizeof unread, 0) <= 0) break;
  }
  leave(guest);
}

dbsql_status listener_wait(struct listener *listener, const char *state, const struct call *call, struct listener_answer *answer,
                           dbsql_error **error) {
  *answer = (struct listener_answer){NULL, NULL, NULL};
  for (;;) {
    dbsql_status status = call_check(call, "waiting for the sign-in in the browser", error);
    if (status != DBSQL_OK) return status;
    struct pollfd fds[3 + most_guests];
    fds[0] = (struct pollfd){.fd = call_cancel_fd(call), .events = POLLIN};
    for (int i = 0; i < 2; i++) fds[1 + i] = (struct pollfd){.fd = listener->fds[i], .events = POLLIN};
    int64_t wait_ms = call_remaining_ms(call), now_ns = clock_now_ns();
    for (int i = 0; i < most_guests; i++) {
      struct guest *guest = &listener->guests[i];
      if (guest->fd >= 0 && guest->until_ns <= now_ns) leave(guest);
      fds[3 + i] = (struct pollfd){.fd = guest->fd, .events = POLLIN};
      if (guest->fd >= 0 && (guest->until_ns - now_ns) / NS_PER_MS + 1 < wait_ms) wait_ms = (guest->until_ns - now_ns) / NS_PER_MS + 1;
    }
    if (poll(fds, 3 + most_guests, (int)(wait_ms < 1000 ? wait_ms : 1000)) <= 0) continue;
    for (int i = 0; i < most_guests; i++) {
      if (!fds[3 + i].revents || !listen_to(listener, &listener->guests[i], state, answer)) continue;
      farewell(&listener->guests[i]);
      return answer->code || answer->error ? DBSQL_OK : error_no_memory(error);
    }
    for (int i = 0; i < 2; i++) {
      if (fds[1 + i].revents) welcome(listener, listener->fds[i]);
    }
  }
}

void listener_answer_free(struct listener_answer *answer) {
  mem_free_secret(answer->code);
  mem_free(answer->error);
  mem_free(answer->issuer);
  *answer = (struct listener_answer){NULL, NULL, NULL};
}
