/* A program that runs with more rights than who started it obeys nothing of that one's environment (auth.md 6, T24): with the library
 * told so, and in a copy of this program that really has the set-user-id bit. */
#include "config_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/browser.h"
#include "auth/token_store.h"
#include "base/environment.h"
#include "base/mem.h"
#include "http/proxy.h"
#include "session/user_agent.h"

static void set_hostile_environment(const char *home) {
  static const char *const variables[][2] = {{"DATABRICKS_HOST", "hostile.com"},
                                             {"DATABRICKS_TOKEN", "CANARY"},
                                             {"DATABRICKS_OIDC_TOKEN", "a.b.c"},
                                             {"ACTIONS_ID_TOKEN_REQUEST_URL", "https://hostile.com"},
                                             {"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"},
                                             {"HTTPS_PROXY", "http://hostile.com:1"},
                                             {"DISPLAY", ":99"},
                                             {"CURSOR_AGENT", "1"}};
  static const char *const others[] = {"ANTIGRAVITY_AGENT", "CLAUDECODE", "CLINE_ACTIVE", "CODEX_CI", "GEMINI_CLI", "OPENCODE"};
  char cache[128];
  snprintf(cache, sizeof cache, "%s/cache", home);
  setenv("DBSQL_CACHE_DIR", cache, 1);
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) unsetenv(others[i]); /* of several none is told */
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) setenv(variables[i][0], variables[i][1], 1);
  setenv("HOME", home, 1);
}

/* A bit for each part of the library that obeys the environment all the same. `home` has a profile in it. */
static int what_is_obeyed(void) {
  int obeyed = 0;
  dbsql_config *config = NULL;
  dbsql_error *error = NULL;
  /* options */
  if (dbsql_config_new(&config, NULL) != DBSQL_OK || dbsql_config_load_environment(config, NULL) != DBSQL_OK) return 0x80;
  if (config_is_set(config, OPTION_host) || config_is_set(config, OPTION_access_token)) obeyed |= 1;
  dbsql_config_free(config);
  /* the profile of HOME and the identity of the place */
  if (dbsql_config_new(&config, NULL) != DBSQL_OK || dbsql_config_set(config, "host", "h.com", NULL) != DBSQL_OK ||
      dbsql_config_set(config, "http_path", "/x", NULL) != DBSQL_OK || dbsql_config_set(config, "auth_type", "default", NULL) != DBSQL_OK)
    return 0x80;
  if (config_resolve(config, &error) == DBSQL_OK || !strstr(dbsql_error_message(error), "finds no credentials")) obeyed |= 2;
  dbsql_error_free(error);
  error = NULL;
  dbsql_config_free(config);
  /* the proxy */
  struct http_settings settings = {.use_proxy = true};
  struct http_proxy_rules *rules = NULL;
  struct http_target target;
  if (http_proxy_rules_new(&settings, &rules, NULL) != DBSQL_OK || http_target_parse("https://h.com/", &target, NULL) != DBSQL_OK)
    return 0x80;
  if (http_proxy_choose(rules, &target)) obeyed |= 4;
  http_proxy_rules_free(rules);
  /* tokens on disk */
  struct token_identity identity = {"https://h.com", "id", "sql", "", "", ""};
  struct call call;
  const char *why = "";
  call_begin_internal(&call, 1000);
  struct token_store *store = token_store_open(NULL, &identity, &call, &why);
  if (store) obeyed |= 8;
  token_store_close(store);
  /* the browser: nothing is started */
  if (browser_open("https://h.com", &error) == DBSQL_OK || !strstr(dbsql_error_message(error), "more rights")) obeyed |= 16;
  dbsql_error_free(error);
  /* what goes to the server about the place */
  struct buf agent = BUF_INIT, plain = BUF_INIT;
  user_agent_append(&agent, "", true);
  user_agent_append(&plain, "", false);
  if (agent.size != plain.size) obeyed |= 32;
  buf_free(&agent);
  buf_free(&plain);
  return obeyed;
}

static void make_home(char *home) {
  char path[128];
  assert_non_null(mkdtemp(home));
  assert_int_equal(chmod(home, 0755), 0);
  snprintf(path, sizeof path, "%s/.databrickscfg", home);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  static const char profile[] = "host = h.com\ntoken = CANARY\n";
  assert_int_equal(write(fd, profile, sizeof profile - 1), (ssize_t)(sizeof profile - 1));
  close(fd);
  snprintf(path, sizeof path, "%s/cache", home);
  assert_int_equal(mkdir(path, 0700), 0);
}

static void remove_home(const char *home) {
  char command[160];
  snprintf(command, sizeof command, "rm -rf '%s'", home);
  assert_int_equal(system(command), 0);
}

static void the_decision(void **state) {
  (void)state;
  setenv("DBSQL_TEST_VARIABLE", "x", 1);
  assert_true(environment_is_trusted());
  assert_string_equal(environment_get("DBSQL_TEST_VARIABLE"), "x");
  environment_test_distrust(true);
  assert_false(environment_is_trusted());
  assert_null(environment_get("DBSQL_TEST_VARIABLE"));
  environment_test_distrust(false);
  setenv("DBSQL_TEST_VARIABLE", "", 1);
  assert_null(environment_get("DBSQL_TEST_VARIABLE"));
  unsetenv("DBSQL_TEST_VARIABLE");
  assert_null(environment_get("DBSQL_TEST_VARIABLE"));
}

/* In children, whose environment is their own. */
static int in_child(const char *home, bool distrust) {
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    set_hostile_environment(home);
    environment_test_distrust(distrust);
    _exit(what_is_obeyed());
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void nothing_is_obeyed(void **state) {
  (void)state;
  char home[] = "/tmp/dbsql-privileged-XXXXXX";
  make_home(home);
  assert_int_equal(in_child(home, true), 0);
  /* The test can tell: without that, each part obeys (the browser is not there, which is another error). */
  assert_int_equal(in_child(home, false), 1 | 2 | 4 | 8 | 16 | 32);
  remove_home(home);
}

static void copy_file(const char *from, const char *to) {
  static char block[65536];
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  assert_true(in >= 0 && out >= 0);
  ssize_t got;
  while ((got = read(in, block, sizeof block)) > 0) assert_int_equal(write(out, block, (size_t)got), got);
  assert_int_equal(got, 0);
  close(in);
  assert_int_equal(close(out), 0);
}

enum { owner = 1, caller = 65534, not_privileged = 0x7E };

static void in_a_privileged_program(void **state) {
  (void)state;
#if defined(__linux__)
  if (geteuid() != 0) {
    print_message("skipped: only root can make a program with the set-user-id bit of somebody else\n");
    skip();
  }
  char home[] = "/tmp/dbsql-privileged-XXXXXX", program[128];
  make_home(home);
  snprintf(program, sizeof program, "%s/program", home);
  copy_file("/proc/self/exe", program);
  assert_int_equal(chown(program, owner, owner), 0);
  assert_int_equal(chmod(program, 04755), 0);
  snprintf(program, sizeof program, "%s/cache", home);
  assert_int_equal(chown(program, owner, owner), 0);
  snprintf(program, sizeof program, "%s/program", home);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    set_hostile_environment(home);
    if (setgid(caller) != 0 || setuid(caller) != 0) _exit(0x7D);
    execl(program, program, "inside", (char *)NULL);
    _exit(0x7C);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  remove_home(home);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == not_privileged) {
    print_message("skipped: the system takes no notice of set-user-id bits in /tmp\n");
    skip();
  }
  assert_int_equal(WEXITSTATUS(status), 0);
#else
  print_message("skipped: there is no /proc to find this program in\n");
  skip();
#endif
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "inside") == 0) _exit(geteuid() == getuid() ? not_privileged : what_is_obeyed());
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_decision),
      cmocka_unit_test(nothing_is_obeyed),
      cmocka_unit_test(in_a_privileged_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
