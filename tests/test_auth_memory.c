/* Secrets are gone from the process's memory when their connection is closed (auth.md 3.5, 6 T43): what a core dump would hold is searched,
 * wherever in it libraries may have put copies. */
#include "test.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "warehouse_process.h"

/* Needs a /proc to look into oneself, and memory that is not used again: parts of libcurl's copies would look like anybody's. */
#if defined(__linux__) && defined(__SANITIZE_ADDRESS__)
#define CAN_TELL 1
#elif defined(__linux__) && defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAN_TELL 1
#endif
#endif
#if !defined(CAN_TELL)
#define CAN_TELL 0
#endif

/* What is looked for is longer than a register: those are saved on the stack at any time, and are nobody's to wipe. */
enum { canary_size = 160, skipped = 8, part = 72, most_region = 512 * 1024 * 1024, mask = 0x55 };

/* The secret, each byte masked, so that the search does not find itself. */
static unsigned char masked[canary_size];

static void make_canary(void) {
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  assert_int_equal(read(fd, masked, sizeof masked), (ssize_t)sizeof masked);
  close(fd);
  for (int i = 0; i < canary_size; i++) masked[i] = (unsigned char)(('a' + masked[i] % 26) ^ mask);
}

static void unmask(char *out) {
  for (int i = 0; i < canary_size; i++) out[i] = (char)(masked[i] ^ mask);
  out[canary_size] = 0;
}

static void wipe(void *memory, size_t size) {
  volatile char *at = memory;
  for (size_t i = 0; i < size; i++) at[i] = 0;
}

/* libcurl's own copies of a request's head stay behind in memory that it has freed: it offers no way to wipe them that would leave the
 * libcurl of the host alone (docs/security.md). */
static bool is_of_libcurl(const unsigned char *block, size_t at) {
  static const char before[] = "\r\nAuthorization: Bearer ";
  return at >= sizeof before - 1 + skipped && memcmp(block + at - (sizeof before - 1) - skipped, before, sizeof before - 1) == 0;
}

struct found {
  int of_libcurl, others;
};

/* From `first` on: what is before it has been seen, and is here to tell what it belongs to. */
static void search(const unsigned char *block, size_t first, size_t size, struct found *found) {
  for (const unsigned char *at = block + first; first + part <= size; at++) {
    at = memchr(at, masked[skipped] ^ mask, size - (size_t)(at - block) - (part - 1));
    if (!at) return;
    size_t i = (size_t)(at - block), k = 0;
    while (k < part && (block[i + k] ^ mask) == masked[skipped + k]) k++;
    if (k < part) continue;
    if (is_of_libcurl(block, i)) {
      found->of_libcurl++;
    } else {
      found->others++;
    }
  }
}

/* How often a part of the secret is in memory that can be written to. */
static struct found search_memory(void) {
  static unsigned char block[1 << 20];
  enum { overlap = 256 };
  char line[512];
  struct found found = {0, 0};
  FILE *maps = fopen("/proc/self/maps", "r");
  int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  assert_true(maps && memory >= 0);
  unsigned long own = (unsigned long)(uintptr_t)block;
  while (fgets(line, sizeof line, maps)) {
    unsigned long start, end;
    char rights[8];
    if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3 || strncmp(rights, "rw", 2) != 0) continue;
    if (end - start > most_region) continue; /* the shadow of a sanitizer */
    bool overlaps = false;
    for (unsigned long at = start, next; at < end; at = next) {
      size_t size = end - at < sizeof block ? end - at : sizeof block;
      if (at < own && at + size > own) size = own - at; /* not what is read into */
      next = at + size == end || at + size == own ? at + size : at + size - overlap;
      if (at >= own && at < own + sizeof block) {
        next = own + sizeof block;
        overlaps = false;
        continue;
      }
      ssize_t got = pread(memory, block, size, (off_t)at);
      if (got > 0) search(block, overlaps ? overlap - part + 1 : 0, (size_t)got, &found);
      overlaps = next < at + size;
    }
  }
  fclose(maps);
  close(memory);
  wipe(block, sizeof block);
  return found;
}

static void set(dbsql_config *config, const char *name, const char *value) {
  dbsql_error *error = NULL;
  if (dbsql_config_set(config, name, value, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
}

static void use_and_close(dbsql_config *config) {
  dbsql_error *error = NULL;
  dbsql_connection *connection = warehouse_connect(config);
  assert_true(search_memory().others > 0); /* it is found where it is */
  dbsql_result *result = NULL;
  if (dbsql_execute(connection, "SELECT 1", SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
}

static void an_access_token_is_gone_after_close(void **state) {
  (void)state;
  if (!CAN_TELL || !warehouse_is_there()) skip();
  static const char *const arguments[] = {"--no-token", NULL};
  struct warehouse_process *warehouse = warehouse_start(arguments);
  dbsql_config *config = warehouse_config(warehouse);
  char token[canary_size + 1];
  make_canary();
  unmask(token);
  set(config, "access_token", token);
  wipe(token, sizeof token);
  use_and_close(config);
  assert_int_equal(search_memory().others, 0);
  warehouse_stop(warehouse);
}

static void a_client_secret_is_gone_after_close(void **state) {
  (void)state;
  if (!CAN_TELL || !warehouse_is_there()) skip();
  char secret[canary_size + 1], client[canary_size + 8];
  make_canary();
  unmask(secret);
  snprintf(client, sizeof client, "robot:%s", secret);
  const char *const arguments[] = {"--oauth", "--no-token", "--oauth-client", client, NULL};
  struct warehouse_process *warehouse = warehouse_start(arguments);
  dbsql_config *config = warehouse_config(warehouse);
  set(config, "client_id", "robot");
  set(config, "client_secret", secret);
  wipe(secret, sizeof secret);
  wipe(client, sizeof client);
  use_and_close(config);
  struct found found = search_memory();
  assert_int_equal(found.others, 0);
  assert_int_equal(found.of_libcurl, 0);
  warehouse_stop(warehouse);
}

/* Also when it is refused, and when the configuration is freed without a connection. */
static void what_is_refused_is_gone_too(void **state) {
  (void)state;
  if (!CAN_TELL || !warehouse_is_there()) skip();
  static const char *const arguments[] = {"--token", "another", NULL};
  struct warehouse_process *warehouse = warehouse_start(arguments);
  make_canary();
  for (int connects = 0; connects < 2; connects++) {
    dbsql_config *config = NULL;
    char text[512], token[canary_size + 1];
    unmask(token);
    int size = snprintf(text, sizeof text, "token:%s@127.0.0.1:%d/sql/1.0/warehouses/local?tls=0", token, warehouse_port(warehouse));
    assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
    dbsql_error *error = NULL;
    if (dbsql_config_parse(config, text, (size_t)size, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    wipe(text, sizeof text);
    wipe(token, sizeof token);
    dbsql_connection *connection = NULL;
    if (connects) assert_int_not_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_OK);
    assert_true(search_memory().others > 0);
    dbsql_error_free(error);
    dbsql_config_free(config);
    assert_int_equal(search_memory().others, 0);
  }
  warehouse_stop(warehouse);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_access_token_is_gone_after_close),
      cmocka_unit_test(a_client_secret_is_gone_after_close),
      cmocka_unit_test(what_is_refused_is_gone_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
