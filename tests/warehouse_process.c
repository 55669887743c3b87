#include "warehouse_process.h"

#include "test.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct warehouse_process {
  pid_t pid;
  int output;
  int port;
  bool tls;
  char dsn[640];
};

static int start(const char *const *arguments, int *output) {
  const char *argv[64] = {WAREHOUSE, "--port", "0", "--exit-with-parent", "--control"};
  int count = 5;
  for (; arguments && *arguments && count < 62; arguments++) argv[count++] = *arguments;
  int fds[2];
  if (pipe(fds) != 0) fail_msg("pipe: %s", strerror(errno));
  pid_t pid = fork();
  if (pid == 0) {
    dup2(fds[1], 1);
    close(fds[0]);
    close(fds[1]);
    execv(WAREHOUSE, (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  close(fds[1]);
  *output = fds[0];
  return (int)pid;
}

static bool read_line(int fd, char *line, size_t size) {
  size_t at = 0;
  while (at + 1 < size) {
    ssize_t got = read(fd, line + at, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    if (line[at] == '\n') {
      line[at] = 0;
      return true;
    }
    at++;
  }
  return false;
}

struct warehouse_process *warehouse_start(const char *const *arguments) {
  static const char ready[] = "dbsql-warehouse ready: ";
  struct warehouse_process *warehouse = calloc(1, sizeof *warehouse);
  char line[640];
  warehouse->pid = start(arguments, &warehouse->output);
  if (!read_line(warehouse->output, line, sizeof line) || strncmp(line, ready, sizeof ready - 1) != 0) {
    fail_msg("the warehouse did not become ready");
  }
  snprintf(warehouse->dsn, sizeof warehouse->dsn, "%s", line + sizeof ready - 1);
  warehouse->tls = strncmp(warehouse->dsn, "https://", 8) == 0;
  const char *host = strchr(warehouse->dsn, '@');
  if (!host) host = strstr(warehouse->dsn, "//"); /* there is no token in it */
  const char *port = host ? strchr(host, ':') : NULL;
  if (!port) fail_msg("no port in \"%s\"", line);
  warehouse->port = atoi(port + 1);
  return warehouse;
}

const char *warehouse_dsn(const struct warehouse_process *warehouse) {
  return warehouse->dsn;
}

int warehouse_port(const struct warehouse_process *warehouse) {
  return warehouse->port;
}

struct answer {
  char *text;
  size_t size;
};

static size_t keep(char *data, size_t size, size_t count, void *user) {
  struct answer *answer = user;
  answer->text = realloc(answer->text, answer->size + size * count + 1);
  memcpy(answer->text + answer->size, data, size * count);
  answer->size += size * count;
  answer->text[answer->size] = 0;
  return size * count;
}

static char *control(struct warehouse_process *warehouse, const char *method, const char *path, const char *json) {
  struct answer answer = {calloc(1, 1), 0};
  char url[128];
  snprintf(url, sizeof url, "%s://127.0.0.1:%d%s", warehouse->tls ? "https" : "http", warehouse->port, path);
  CURL *curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  if (json) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
  CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup(curl);
  if (code != CURLE_OK || status / 100 != 2) fail_msg("%s %s: %s, HTTP %ld", method, json ? json : path, curl_easy_strerror(code), status);
  return answer.text;
}

void warehouse_fault(struct warehouse_process *warehouse, const char *json) {
  free(control(warehouse, "POST", "/control/faults", json));
}

void warehouse_clear_faults(struct warehouse_process *warehouse) {
  free(control(warehouse, "DELETE", "/control/faults", NULL));
}

char *warehouse_get(struct warehouse_process *warehouse, const char *path) {
  return control(warehouse, "GET", path, NULL);
}

int warehouse_stop(struct warehouse_process *warehouse) {
  int status = 0;
  kill(warehouse->pid, SIGTERM);
  while (waitpid(warehouse->pid, &status, 0) < 0 && errno == EINTR) {
  }
  close(warehouse->output);
  free(warehouse);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

dbsql_config *warehouse_config(const struct warehouse_process *warehouse) {
  dbsql_config *config = NULL;
  dbsql_error *error = NULL;
  if (dbsql_config_new(&config, &error) != DBSQL_OK ||
      dbsql_config_parse(config, warehouse->dsn, strlen(warehouse->dsn), &error) != DBSQL_OK ||
      dbsql_config_set(config, "retry_min_wait_ms", "1", &error) != DBSQL_OK) {
    fail_msg("%s", dbsql_error_message(error));
  }
  return config;
}

dbsql_connection *warehouse_connect(dbsql_config *config) {
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  if (dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  dbsql_config_free(config);
  return connection;
}

bool warehouse_is_there(void) {
  static int known = -1;
  if (known < 0) {
    int output;
    pid_t pid = start(NULL, &output);
    char line[640];
    known = read_line(output, line, sizeof line);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    close(output);
    if (!known) print_message("skipped: no engine for the warehouse (./dev deps engine installs it)\n");
  }
  return known == 1;
}
