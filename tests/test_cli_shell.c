/* The whole shell as a program, on a stand-in for the library (fake_dbsql.c says what its statements do). */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { MOST_WORDS = 24, MOST_TEXT = 1 << 16 };

static char folder[] = "/tmp/dbsql-test.XXXXXX";

static char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void write_file(const char *name, const void *data, size_t size) {
  int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, data, size), size);
  close(fd);
}

static char *read_file(const char *name) {
  static char content[MOST_TEXT];
  int fd = open(path_of(name), O_RDONLY);
  assert_true(fd >= 0);
  ssize_t got = read(fd, content, sizeof content - 1);
  assert_true(got >= 0);
  content[got] = '\0';
  close(fd);
  return content;
}

/* What a run left. */
static char out[MOST_TEXT];
static char err[MOST_TEXT];

static pid_t start(const char *const *words, int in, int out_fd, int err_fd) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid > 0) return pid;
  dup2(in, STDIN_FILENO);
  dup2(out_fd, STDOUT_FILENO);
  dup2(err_fd, STDERR_FILENO);
  for (int fd = 3; fd < 64; fd++) close(fd);
  execv(SHELL, (char *const *)(uintptr_t)words);
  _exit(99);
}

static void read_back(int fd, char *text) {
  ssize_t got = pread(fd, text, MOST_TEXT - 1, 0);
  assert_true(got >= 0);
  text[got] = '\0';
  close(fd);
}

static int temporary(void) {
  char path[256];
  snprintf(path, sizeof path, "%s/t.XXXXXX", folder);
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  unlink(path);
  return fd;
}

static int exit_code(pid_t pid) {
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/* Runs the shell with the words of a line, cut at '|'; standard output goes to `out_path` if that is not NULL. */
static int run_to(const char *line, const void *input, size_t input_size, const char *out_path) {
  char copy[2048];
  const char *words[MOST_WORDS] = {"dbsql"};
  size_t count = 1;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *word = copy; word != NULL && *word != '\0' && count < MOST_WORDS - 1;) {
    words[count++] = word;
    word = strchr(word, '|');
    if (word != NULL) *word++ = '\0';
  }
  int in = temporary();
  assert_int_equal(write(in, input, input_size), input_size);
  lseek(in, 0, SEEK_SET);
  int out_fd = out_path == NULL ? temporary() : open(out_path, O_WRONLY);
  int err_fd = temporary();
  int code = exit_code(start(words, in, out_fd, err_fd));
  close(in);
  if (out_path == NULL) {
    read_back(out_fd, out);
  } else {
    close(out_fd);
  }
  read_back(err_fd, err);
  return code;
}

static int run(const char *line) {
  return run_to(line, "", 0, NULL);
}

static void has(const char *text, const char *part) {
  if (strstr(text, part) == NULL) fail_msg("'%s' is not in: %s", part, text);
}

/* ---- Statements and formats ---- */

static void statements_run_in_order(void **state) {
  (void)state;
  write_file("a.sql", "rows 1; -- one\nnothing 3;", 25);
  char line[512];
  snprintf(line, sizeof line, "-d|h|-c|rows 2; echo 'a;b'|-f|%s|-c|nothing", path_of("a.sql"));
  assert_int_equal(run(line), 0);
  assert_string_equal(out,
                      " id | name\n----+--------\n  1 | name-1\n  2 | name-2\n(2 rows)\n\n"
                      " text\n------------\n echo 'a;b'\n(1 row)\n\n"
                      " id | name\n----+--------\n  1 | name-1\n(1 row)\n\n"
                      "OK, 3 rows\n\nOK\n");
  assert_string_equal(err, "");
}

static void formats_of_the_whole(void **state) {
  (void)state;
  assert_int_equal(run("-d|h|-F|csv|-c|types"), 0);
  assert_string_equal(
      out, "number,wide,control,null,empty,\"q\"\"uote\"\r\n12.50,\xE6\x97\xA5\xE6\x9C\xAC,\"a\nb\x1B[31m\xFF\",,\"\",\"a,\"\"b\"\"\"\r\n");
  assert_int_equal(run("-d|h|-F|table|-c|types"), 0);
  has(out, " | a\\nb\\x1B[31m\\xFF | NULL | ");
  assert_int_equal(run("-d|h|-F|json|-c|rows 2"), 0);
  assert_string_equal(out, "[\n{\"id\":1,\"name\":\"name-1\"},\n{\"id\":2,\"name\":\"name-2\"}\n]\n");
  assert_int_equal(run("-d|h|-F|ndjson|-c|rows 2"), 0);
  assert_string_equal(out, "{\"id\":1,\"name\":\"name-1\"}\n{\"id\":2,\"name\":\"name-2\"}\n");
  assert_int_equal(run("-d|h|-F|arrow|-c|rows 2; nothing"), 0);
  assert_string_equal(out, "schema;batch 2;end");
  assert_int_equal(run("-d|h|-F|vertical|--no-header|-c|rows 1"), 0);
  assert_string_equal(out, "id   | 1\nname | name-1\n");
}

static void no_columns_and_no_rows(void **state) {
  (void)state;
  assert_int_equal(run("-d|h|-c|empty; nothing"), 0);
  assert_string_equal(out, " c0 | c1\n----+----\n(0 rows)\n\nOK\n");
  assert_int_equal(run("-d|h|-F|csv|-c|empty; nothing"), 0);
  assert_string_equal(out, "c0,c1\r\n");
  assert_int_equal(run("-d|h|-F|json|-c|empty; nothing"), 0);
  assert_string_equal(out, "[]\n");
  assert_int_equal(run("-d|h|-F|json|-c|zero 2"), 0);
  assert_string_equal(out, "[\n{},\n{}\n]\n");
  assert_int_equal(run("-d|h|-F|json|-c|columns 3000"), 0);
  has(out, ",\"c2999\":\"v\"}\n]\n");
}

static void errors_stop_or_go_on(void **state) {
  (void)state;
  assert_int_equal(run("-d|h|-F|csv|--no-header|-c|rows 1; fail; rows 2"), 1);
  assert_string_equal(out, "1,name-1\r\n");
  assert_string_equal(err,
                      "error: [TABLE_OR_VIEW_NOT_FOUND] no such table\\x1B[31m\n  SQLSTATE 42P01, query id query-1\n"
                      "  hint: \\dt lists the tables of the current schema, \\dt catalog.schema.* those of another\n");
  assert_int_equal(run("-d|h|-F|csv|--no-header|--keep-going|-c|fail; rows 1|-c|rows 1"), 1);
  assert_string_equal(out, "1,name-1\r\n1,name-1\r\n");
  assert_int_equal(run("-d|h|-c|fail|-c|rows 1"), 1);
  assert_string_equal(out, "");
  assert_int_equal(run("-d|h|--keep-going|-c|lost; rows 1; rows 1"), 1); /* there is nothing to go on with */
  assert_null(strstr(err + 1, "error:"));
  assert_int_equal(run("-d|h|-F|json|-c|breaks 1"), 1); /* not a whole array */
  assert_string_equal(out, "[\n{\"id\":1,\"name\":\"name-1\"}\n");
  assert_int_equal(run("-d|h|-c|breaks 1"), 1);
  assert_null(strstr(out, "(1 row)"));
  assert_int_equal(run("-d|h|-c|select 'open"), 2);
  has(err, "ends within a '...' string");
  assert_int_equal(run("-d|h|--timeout|20|-c|sleep 60000"), 1);
  has(err, "HYT00");
}

static void scripts_come_from_standard_input(void **state) {
  (void)state;
  static const char script[] = "rows 1;\n\\f csv\nrows\n1";
  assert_int_equal(run_to("-d|h|--no-header", script, sizeof script - 1, NULL), 0);
  assert_string_equal(out, " 1 | name-1\n1,name-1\r\n");
  assert_int_equal(run_to("-d|h|-f|-|--echo", "rows 1;\nfail", 12, NULL), 1);
  has(err, "rows 1;\nfail;\nstandard input:2: error:");
}

static void bad_text_is_named(void **state) {
  (void)state;
  char line[512];
  write_file("nul.sql", "rows 1;\0rows 2;", 15);
  snprintf(line, sizeof line, "-d|h|-f|%s", path_of("nul.sql"));
  assert_int_equal(run(line), 2);
  has(err, "nul.sql: byte 8 is a NUL");
  assert_string_equal(out, ""); /* nothing of it ran */
  write_file("bad.sql", "rows 1; '\xC3'", 11);
  snprintf(line, sizeof line, "-d|h|-f|%s", path_of("bad.sql"));
  assert_int_equal(run(line), 2);
  has(err, "bad.sql: byte 10 is not valid UTF-8");
  assert_int_equal(run("-d|h|-c|'\xFF'"), 2);
  has(err, "byte 2 is not valid UTF-8");
  write_file("bom.sql", "\xEF\xBB\xBFnothing;", 11);
  snprintf(line, sizeof line, "-d|h|-f|%s", path_of("bom.sql"));
  assert_int_equal(run(line), 0);
  assert_int_equal(run("-d|h|-f|/nonexistent/file"), 2);
  has(err, "cannot open '/nonexistent/file'");
  snprintf(line, sizeof line, "-d|h|-f|%s", folder);
  assert_int_equal(run(line), 2);
  has(err, "Is a directory");
}

static void large_statements_pass(void **state) {
  (void)state;
  size_t size = 10u << 20;
  char *text = malloc(size + 1);
  assert_non_null(text);
  memset(text, 'x', size);
  memcpy(text, "length '", 8);
  memcpy(text + size - 2, "';", 2);
  assert_int_equal(run_to("-d|h|-F|csv|--no-header", text, size, NULL), 0);
  assert_string_equal(out, "10485759\r\n");
  free(text);
}

static void many_rows_stream(void **state) {
  (void)state;
  static const char *const kinds[] = {"table", "csv", "json", "ndjson", "vertical"};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    char line[128];
    snprintf(line, sizeof line, "-d|h|-F|%s|--output|%s|-c|rows 100000", kinds[i], path_of("many"));
    assert_int_equal(run(line), 0);
    struct stat status;
    assert_int_equal(stat(path_of("many"), &status), 0);
    assert_true(status.st_size > 1500000);
  }
}

/* ---- Output that cannot be written ---- */

static void full_disk_is_told(void **state) {
  (void)state;
  static const char *const lines[] = {
      "-d|h|-c|rows 1", "-d|h|-F|csv|-c|rows 100000", "-d|h|-F|arrow|-c|rows 1", "-d|h|-c|\\conninfo", "--help", "--version", "--options",
      "-d|h|-c|nothing"};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    if (run_to(lines[i], "", 0, "/dev/full") != 4) fail_msg("not 4: %s", lines[i]);
    has(err, "cannot write to standard output: No space left on device");
    assert_null(strstr(strstr(err, "error:") + 1, "error:")); /* once is enough */
  }
  assert_int_equal(run("-d|h|--output|/dev/full|-c|rows 1"), 4);
  has(err, "cannot write to /dev/full");
  assert_int_equal(run("-d|h|--output|/nonexistent/x|-c|rows 1"), 4);
  assert_int_equal(run("-d|h|-c|\\o /dev/full|-c|rows 1"), 4);
  assert_int_equal(run("-d|h|-c|\\o /nonexistent/x"), 4);
}

static void closed_pipe_is_quiet(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  int err_fd = temporary();
  int in = open("/dev/null", O_RDONLY);
  const char *const words[] = {"dbsql", "-d", "h", "-F", "csv", "-c", "rows 1000000000", NULL};
  pid_t pid = start(words, in, ends[1], err_fd);
  close(ends[1]);
  char byte;
  assert_int_equal(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  close(in);
  assert_int_equal(exit_code(pid), 4);
  read_back(err_fd, err);
  assert_string_equal(err, "");
}

static void closed_output_is_an_error(void **state) {
  (void)state;
  int err_fd = temporary();
  int in = open("/dev/null", O_RDONLY);
  int nowhere = open("/dev/null", O_RDONLY);
  const char *const words[] = {"dbsql", "-d", "h", "-c", "rows 1", NULL};
  assert_int_equal(exit_code(start(words, in, nowhere, err_fd)), 4);
  close(nowhere);
  close(in);
  close(err_fd);
}

/* ---- Connecting ---- */

static void connections_fail_with_3(void **state) {
  (void)state;
  assert_int_equal(run("-d|refused|-c|rows 1"), 3);
  has(err, "connection refused");
  has(err, "hint:");
  assert_int_equal(run("-d|secure|-c|rows 1"), 3);
  has(err, "28000");
  assert_int_equal(run("-d|bad string|-c|rows 1"), 2);
  assert_int_equal(run("-d|h|-o|wrong=1|-c|rows 1"), 2);
  has(err, "there is no option 'wrong'");
  assert_int_equal(run("-c|rows 1"), 2);
  has(err, "no server is named");
  assert_int_equal(run("--what"), 2);
}

static void tokens_come_from_safe_places(void **state) {
  (void)state;
  char line[256];
  write_file("token", "right\n", 6);
  snprintf(line, sizeof line, "-d|secure|--token-file|%s|-c|rows 1", path_of("token"));
  assert_int_equal(run(line), 0);
  assert_int_equal(run_to("-d|secure|--token-stdin|--no-header", "right\r\nrows 1;", 14, NULL), 0);
  assert_string_equal(out, " 1 | name-1\n");
  assert_int_equal(run("-d|right@secure|-c|rows 1"), 0);
  write_file("token", "\n", 1);
  snprintf(line, sizeof line, "-d|secure|--token-file|%s|-c|rows 1", path_of("token"));
  assert_int_equal(run(line), 2);
  has(err, "is empty");
  assert_int_equal(run("-d|secure|--token-file|/nonexistent|-c|rows 1"), 2);
}

static void environment_names_the_server(void **state) {
  (void)state;
  setenv("DATABRICKS_HOST", "https://secure/", 1);
  setenv("DATABRICKS_TOKEN", "right", 1);
  assert_int_equal(run("-F|csv|--no-header|-c|token"), 0);
  assert_string_equal(out, "right\r\n");
  assert_int_equal(run("-d|SECURE|-F|csv|--no-header|-c|token"), 0); /* the same host: the same token */
  assert_string_equal(out, "right\r\n");
  assert_int_equal(run("-d|other|-F|csv|--no-header|-c|token"), 0); /* another host never gets it */
  assert_string_equal(out, "\"\"\r\n");
  has(err, "names another host");
  unsetenv("DATABRICKS_HOST");
  setenv("DBSQL_DSN", "from-variable", 1);
  assert_int_equal(run("-F|csv|--no-header|-c|host"), 0);
  assert_string_equal(out, "from-variable\r\n");
  assert_int_equal(run("-d|given|-o|session.a=b=c|-F|csv|--no-header|-c|host; options"), 0);
  assert_string_equal(out, "given\r\nsession.a=b=c;\r\n");
  unsetenv("DBSQL_DSN");
  unsetenv("DATABRICKS_TOKEN");
}

static void secrets_leave_the_command_line(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  int null = open("/dev/null", O_RDWR);
  const char *const words[] = {"dbsql", "-d", "right@secure", "-F", "csv", "-c", "echo up; ;", "-c", "sleep 60000", NULL};
  pid_t pid = start(words, null, ends[1], null);
  close(ends[1]);
  char text[4096];
  assert_true(read(ends[0], text, sizeof text) > 0); /* it is connected */
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
  int fd = open(path, O_RDONLY);
  if (fd >= 0) {
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    assert_true(got > 0);
    for (ssize_t i = 0; i + 5 <= got; i++) assert_memory_not_equal(text + i, "right", 5);
  }
  kill(pid, SIGINT);
  assert_int_equal(exit_code(pid), 130);
  close(ends[0]);
  close(null);
}

static void local_warehouse_lives_as_long(void **state) {
  (void)state;
  char mark[256];
  snprintf(mark, sizeof mark, "%s", path_of("mark"));
  setenv("FAKE_MARK", mark, 1);
  setenv("DATABRICKS_TOKEN", "x", 1);
  assert_int_equal(run("--local|-F|csv|--no-header|-c|host; token"), 0);
  assert_string_equal(out, "local-host\r\n\"\"\r\n"); /* and neither side learned the token of the environment */
  assert_int_not_equal(access(mark, F_OK), 0);
  assert_int_equal(run("--local=dies|-c|rows 1"), 3);
  has(err, "it ended before it was ready");
  has(err, "the database file is broken");
  assert_int_equal(run("--local=lies|-c|rows 1"), 3);
  has(err, "its first line is not the one");
  /* Killed without a chance to say goodbye: the warehouse ends too. */
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  int null = open("/dev/null", O_RDWR);
  const char *const words[] = {"dbsql", "--local", "-c", "rows 1", "-c", "sleep 60000", NULL};
  pid_t pid = start(words, null, ends[1], null);
  close(ends[1]);
  char byte;
  assert_int_equal(read(ends[0], &byte, 1), 1);
  assert_int_equal(access(mark, F_OK), 0);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  for (int i = 0; i < 2000 && access(mark, F_OK) == 0; i++) poll(NULL, 0, 5);
  assert_int_not_equal(access(mark, F_OK), 0);
  close(ends[0]);
  close(null);
  unsetenv("FAKE_MARK");
  unsetenv("DATABRICKS_TOKEN");
}

/* ---- Commands ---- */

static void commands_look_into_the_catalog(void **state) {
  (void)state;
  assert_int_equal(run("-d|h|-F|csv|--no-header|-c|\\l|-c|\\dn|-c|\\dn c.s*|-c|\\dn *.*"), 0);
  assert_string_equal(out, "main\r\nmain,(null)\r\nc,s%\r\n(null),%\r\n");
  assert_int_equal(run("-d|h|-F|csv|--no-header|-c|\\dt|-c|\\dt t_*|-c|\\dv c.s.v|-c|\\df f;"), 0);
  assert_string_equal(out,
                      "main,my\\_schema,(null),TABLE,\"\"\r\nmain,my\\_schema,t\\_%,TABLE,\"\"\r\nc,s,v,VIEW,\"\"\r\n"
                      "main,my\\_schema,f,\"\"\r\n");
  assert_int_equal(run("-d|h|-F|csv|-c|\\d `my t`|-c|\\d a*"), 0);
  assert_string_equal(out,
                      "column,type,nullable,comment\r\nid,BIGINT,YES,\"\"\r\n"
                      "schema,table,column,type,nullable,comment\r\nmy\\_schema,a%,id,BIGINT,YES,\"\"\r\n");
  assert_int_equal(run("-d|h|-c|\\d missing"), 1);
  has(err, "there is no table or view 'missing'");
  assert_int_equal(run("-d|h|-F|csv|-c|\\dT"), 0);
  assert_string_equal(out, "type,code,precision,parameters\r\nBIGINT,-5,19,(null)\r\n");
  assert_int_equal(run("-d|h|-c|\\dt a..b"), 2);
  assert_int_equal(run("-d|h|-c|\\dn a.b.c"), 2);
}

static void commands_change_settings(void **state) {
  (void)state;
  assert_int_equal(run("-d|h|--no-header|-c|\\x|-c|rows 1|-c|\\x off|-c|rows 1"), 0);
  assert_string_equal(out, "id   | 1\nname | name-1\n\n 1 | name-1\n");
  assert_int_equal(run("-d|h|-F|csv|-c|\\set null 'N/A'|-c|\\set header off|-c|types"), 0);
  has(out, ",N/A,");
  assert_null(strstr(out, "number"));
  assert_int_equal(run("-d|h|-c|\\set timeout 20|-c|sleep 60000"), 1);
  assert_int_equal(run("-d|h|-c|\\set"), 0);
  has(out, "format         table\n");
  assert_int_equal(run("-d|h|-c|\\timing on|-c|rows 3"), 0);
  has(err, " ms, 3 rows\n");
  assert_int_equal(run("-d|h|-c|\\conninfo"), 0);
  has(out, "session    session-1\n");
  assert_int_equal(run("-d|h|-c|\\?"), 0);
  has(out, "\\dt [PATTERN]");
  assert_int_equal(run("-d|h|-c|\\q|-c|rows 1"), 0);
  assert_string_equal(out, "");
  static const char *const bad[] = {"\\nonsense",      "\\",  "\\f xml", "\\timing maybe", "\\set nonsense 1",
                                    "\\set timeout x", "\\i", "\\l x",   "\\d a b"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char line[64];
    snprintf(line, sizeof line, "-d|h|-c|%s", bad[i]);
    if (run(line) != 2) fail_msg("not 2: %s", bad[i]);
  }
}

static void commands_redirect_and_include(void **state) {
  (void)state;
  char line[512];
  snprintf(line, sizeof line, "-d|h|-F|csv|--no-header|-c|\\o %s|-c|rows 1|-c|\\o|-c|rows 2", path_of("redirected"));
  assert_int_equal(run(line), 0);
  assert_string_equal(out, "1,name-1\r\n2,name-2\r\n");
  assert_string_equal(read_file("redirected"), "1,name-1\r\n");
  char script[256];
  int size = snprintf(script, sizeof script, "\\i %s", path_of("loop.sql"));
  write_file("loop.sql", script, (size_t)size);
  snprintf(line, sizeof line, "-d|h|-f|%s", path_of("loop.sql"));
  assert_int_equal(run(line), 2);
  has(err, "include each other");
}

static void auth_signs_in(void **state) {
  (void)state;
  assert_int_equal(run("auth|login|-d|person|--no-browser"), 0);
  has(err, "open this page to sign in: https://page\n");
  assert_string_equal(out, "signed in to person (oauth-u2m), with a token that is good until 2023-11-14T22:13:20Z\n");
  assert_int_equal(run("auth|token|-d|secret@h"), 0);
  assert_string_equal(out, "secret\n");
  assert_string_equal(err, "");
  /* Only login shows a page. */
  assert_int_equal(run("auth|token|-d|person|--no-browser"), 3);
  assert_string_equal(out, "");
  has(err, "run dbsql auth login");
  assert_int_equal(run("auth|token|-d|secure"), 3);
  has(err, "not let in");
  assert_int_equal(run("auth|env|-d|h"), 0);
  assert_string_equal(
      out, "export DATABRICKS_HOST='https://h'\nexport DATABRICKS_AUTH_TYPE='pat'\nexport DATABRICKS_TOKEN='it'\\''s a token'\n");
  assert_int_equal(run("auth|logout|-d|person"), 0);
  assert_string_equal(out, "the tokens are removed\n");
  assert_int_equal(run("auth|logout|-d|h"), 0);
  assert_string_equal(out, "there were no tokens\n");
}

static void auth_describes(void **state) {
  (void)state;
  assert_int_equal(run("auth|describe|-d|secret@h"), 0);
  assert_string_equal(
      out, "auth_type: pat\nbecause: access_token is set (environment)\nhost: h (option)\naccess_token: (hidden) (environment)\n");
  assert_int_equal(run("auth|describe|-d|h"), 0);
  has(out, "because: nothing is set to sign in with");
  assert_int_equal(run("auth|describe|-d|refused"), 2);
  has(err, "invalid configuration");
}

static void auth_is_checked(void **state) {
  (void)state;
  assert_int_equal(run("auth"), 2);
  has(err, "needs a command: login");
  assert_int_equal(run("auth|logon|-d|h"), 2);
  has(err, "no dbsql auth logon");
  /* options may stand before the words, and between them */
  assert_int_equal(run("-d|secret@h|auth|describe"), 0);
  has(out, "auth_type: pat\n");
  assert_int_equal(run("auth|-d|secret@h|token"), 0);
  assert_string_equal(out, "secret\n");
  assert_int_equal(run("-d|h|auth|logon"), 2);
  has(err, "no dbsql auth logon");
  assert_int_equal(run("-d|h|auth|token|SELECT 1"), 2);
  has(err, "'SELECT 1' is no option of dbsql auth");
  assert_int_equal(run("-d|h|SELECT 1"), 2);
  has(err, "SQL is given with -c");
  assert_int_equal(run("auth|token|-d|h|-c|SELECT 1"), 2);
  has(err, "takes no");
  assert_int_equal(run("auth|token|--local"), 2);
  assert_int_equal(run("auth|--help"), 0);
  has(out, "Usage: dbsql auth");
  assert_int_equal(run("auth|token"), 2);
  has(err, "no server is named");
  assert_int_equal(run_to("auth|token|-d|h", "", 0, "/dev/full"), 4);
}

static void help_and_options(void **state) {
  (void)state;
  assert_int_equal(run("--help"), 0);
  has(out, "Exit codes:");
  assert_int_equal(run("--version"), 0);
  has(out, "0.0.0-fake");
  assert_int_equal(run("--options|-F|csv"), 0);
  has(out, "access_token,\"token,pwd\",string,\"\",\"\",\"\",yes,Token.\r\n");
  assert_int_equal(run("--options|-F|json"), 0);
  has(out, "\"documentation\":\"Name of the \\\"host\\\".\"");
  assert_int_equal(run("--options|-F|arrow"), 2);
}

/* ---- At a terminal ---- */

struct terminal {
  int fd;
  pid_t pid;
  char seen[MOST_TEXT];
  size_t size;
};

static void terminal_start(struct terminal *terminal, const char *const *words) {
  terminal->size = 0;
  terminal->seen[0] = '\0';
  terminal->fd = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(terminal->fd >= 0);
  assert_int_equal(grantpt(terminal->fd), 0);
  assert_int_equal(unlockpt(terminal->fd), 0);
  struct winsize size = {24, 40, 0, 0};
  assert_int_equal(ioctl(terminal->fd, TIOCSWINSZ, &size), 0);
  const char *name = ptsname(terminal->fd);
  assert_non_null(name);
  terminal->pid = fork();
  assert_true(terminal->pid >= 0);
  if (terminal->pid > 0) return;
  setsid();
  int fd = open(name, O_RDWR); /* becomes the controlling terminal */
  ioctl(fd, TIOCSCTTY, 0);
  dup2(fd, 0);
  dup2(fd, 1);
  dup2(fd, 2);
  for (int i = 3; i < 64; i++) close(i);
  execv(SHELL, (char *const *)(uintptr_t)words);
  _exit(99);
}

static void terminal_type(struct terminal *terminal, const char *text) {
  assert_int_equal(write(terminal->fd, text, strlen(text)), strlen(text));
}

/* Waits until `text` was shown, and forgets everything up to it. */
static void terminal_wait(struct terminal *terminal, const char *text) {
  for (;;) {
    char *found = strstr(terminal->seen, text);
    if (found != NULL) {
      size_t used = (size_t)(found - terminal->seen) + strlen(text);
      memmove(terminal->seen, terminal->seen + used, terminal->size - used + 1);
      terminal->size -= used;
      return;
    }
    struct pollfd wait = {terminal->fd, POLLIN, 0};
    if (poll(&wait, 1, 30000) <= 0) fail_msg("'%s' was not shown, only: %s", text, terminal->seen);
    ssize_t got = read(terminal->fd, terminal->seen + terminal->size, sizeof terminal->seen - 1 - terminal->size);
    if (got <= 0) fail_msg("'%s' was not shown before the end, only: %s", text, terminal->seen);
    terminal->size += (size_t)got;
    terminal->seen[terminal->size] = '\0';
  }
}

static int terminal_end(struct terminal *terminal) {
  char rest[256];
  while (read(terminal->fd, rest, sizeof rest) > 0) continue;
  int code = exit_code(terminal->pid);
  close(terminal->fd);
  return code;
}

static struct terminal terminal;
static const char *const interactive[] = {"dbsql", "-d", "h", NULL};

static void prompt_runs_statements(void **state) {
  (void)state;
  terminal_start(&terminal, interactive);
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "echo 'a\n");
  terminal_wait(&terminal, "'> ");
  terminal_type(&terminal, "b'; rows 1;\n");
  terminal_wait(&terminal, " echo 'a\\nb'");
  terminal_wait(&terminal, "name-1");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "fail;\n"); /* does not end the shell */
  terminal_wait(&terminal, "SQLSTATE 42P01");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "lost;\n");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "rows 1;\n");
  terminal_wait(&terminal, "opening a new one");
  terminal_wait(&terminal, "name-1");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "echo 0123456789012345678901234567890123456789;\n"); /* wider than the terminal */
  terminal_wait(&terminal, "\xE2\x80\xA6");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "\\f arrow\nrows 1;\n");
  terminal_wait(&terminal, "not for a terminal");
  terminal_type(&terminal, "set password = 'sesame';\n\\q\n");
  assert_int_equal(terminal_end(&terminal), 0);
  const char *kept = read_file("dbsql/history");
  has(kept, "echo 'a\\nb'; rows 1;\n");
  has(kept, "\\\\f arrow\n");
  assert_null(strstr(kept, "sesame"));
}

static void interrupt_ends_the_statement_only(void **state) {
  (void)state;
  terminal_start(&terminal, interactive);
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "sleep 600000;\n");
  terminal_wait(&terminal, "1 s (Ctrl-C cancels)"); /* the progress line */
  terminal_type(&terminal, "\x03");
  terminal_wait(&terminal, "\r\033[K"); /* erased */
  terminal_wait(&terminal, "HY008");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "rows 7 oops");
  terminal_wait(&terminal, "oops");
  terminal_type(&terminal, "\x03");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "rows 2\n");
  terminal_wait(&terminal, "-> ");
  terminal_type(&terminal, "\x03");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "rows 1;\n");
  terminal_wait(&terminal, "name-1");
  terminal_wait(&terminal, "(1 row)");
  terminal_wait(&terminal, "dbsql> ");
  terminal_type(&terminal, "\x04");
  assert_int_equal(terminal_end(&terminal), 0);
}

static void terminate_ends_the_shell(void **state) {
  (void)state;
  terminal_start(&terminal, interactive);
  terminal_wait(&terminal, "dbsql> ");
  kill(terminal.pid, SIGTERM);
  assert_int_equal(terminal_end(&terminal), 128 + SIGTERM);
  const char *const words[] = {"dbsql", "-d", "h", "-c", "rows 1", "-c", "sleep 600000", "-c", "rows 1", NULL};
  terminal_start(&terminal, words);
  terminal_wait(&terminal, "(1 row)");
  terminal_type(&terminal, "\x03");
  assert_int_equal(terminal_end(&terminal), 130);
  assert_null(strstr(terminal.seen, "(1 row)"));
}

static void token_is_asked_for_without_echo(void **state) {
  (void)state;
  const char *const words[] = {"dbsql", "-d", "secure", "-c", "rows 1", NULL};
  terminal_start(&terminal, words);
  terminal_wait(&terminal, "Access token: ");
  terminal_type(&terminal, "right\n");
  terminal_wait(&terminal, "\n");
  terminal_wait(&terminal, "(1 row)");
  assert_null(strstr(terminal.seen, "right"));
  assert_int_equal(terminal_end(&terminal), 0);
  terminal_start(&terminal, words);
  terminal_wait(&terminal, "Access token: ");
  terminal_type(&terminal, "\x03");
  assert_int_equal(terminal_end(&terminal), 130);
}

static int set_up(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL) return -1;
  static const char *const unset[] = {"DBSQL_DSN", "DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_SERVER_HOSTNAME", "NO_COLOR"};
  for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++) unsetenv(unset[i]);
  return setenv("XDG_STATE_HOME", folder, 1) | setenv("HOME", folder, 1) | setenv("TERM", "xterm", 1) | setenv("LC_ALL", "C.UTF-8", 1);
}

static int tear_down(void **state) {
  (void)state;
  static const char *const files[] = {"a.sql", "nul.sql", "bad.sql", "bom.sql", "many", "token", "redirected", "loop.sql", "dbsql/history"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) unlink(path_of(files[i]));
  rmdir(path_of("dbsql"));
  return rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statements_run_in_order),
      cmocka_unit_test(formats_of_the_whole),
      cmocka_unit_test(no_columns_and_no_rows),
      cmocka_unit_test(errors_stop_or_go_on),
      cmocka_unit_test(scripts_come_from_standard_input),
      cmocka_unit_test(bad_text_is_named),
      cmocka_unit_test(large_statements_pass),
      cmocka_unit_test(many_rows_stream),
      cmocka_unit_test(full_disk_is_told),
      cmocka_unit_test(closed_pipe_is_quiet),
      cmocka_unit_test(closed_output_is_an_error),
      cmocka_unit_test(connections_fail_with_3),
      cmocka_unit_test(tokens_come_from_safe_places),
      cmocka_unit_test(environment_names_the_server),
      cmocka_unit_test(secrets_leave_the_command_line),
      cmocka_unit_test(local_warehouse_lives_as_long),
      cmocka_unit_test(commands_look_into_the_catalog),
      cmocka_unit_test(commands_change_settings),
      cmocka_unit_test(commands_redirect_and_include),
      cmocka_unit_test(auth_signs_in),
      cmocka_unit_test(auth_describes),
      cmocka_unit_test(auth_is_checked),
      cmocka_unit_test(help_and_options),
      cmocka_unit_test(prompt_runs_statements),
      cmocka_unit_test(interrupt_ends_the_statement_only),
      cmocka_unit_test(terminate_ends_the_shell),
      cmocka_unit_test(token_is_asked_for_without_echo),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
