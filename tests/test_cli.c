/* The parts of the shell that are pure: splitter, width, layout, formats, arguments, names, history. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "format.h"
#include "history.h"
#include "layout.h"
#include "memory.h"
#include "names.h"
#include "output.h"
#include "splitter.h"
#include "width.h"

/* ---- Splitter ---- */

/* All pieces of a text, fed in steps of `step` bytes, joined as "[piece]" or "{command}"; an open end as "<what". */
static char *split(const char *text, size_t step) {
  struct splitter splitter = SPLITTER_INIT;
  struct text out = TEXT_INIT;
  struct piece piece;
  const char *open = NULL;
  text_append_text(&out, "");
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i += step) {
    splitter_feed(&splitter, text + i, length - i < step ? length - i : step);
    while (splitter_next(&splitter, &piece)) {
      text_print(&out, piece.is_command ? "{%.*s}" : "[%.*s]", (int)piece.length, piece.text);
    }
  }
  while (splitter_finish(&splitter, &piece, &open)) {
    text_print(&out, piece.is_command ? "{%.*s}" : "[%.*s]", (int)piece.length, piece.text);
    if (open != NULL) text_print(&out, "<%s", open);
  }
  if (open != NULL && out.size == 0) text_print(&out, "<%s", open);
  splitter_free(&splitter);
  return out.data;
}

static void splits(const char *text, const char *expected) {
  for (size_t step = 1; step <= 7; step += 2) {
    char *got = split(text, step);
    assert_string_equal(got, expected);
    free(got);
  }
}

static void splitter_cuts_at_semicolons(void **state) {
  (void)state;
  splits("select 1; select 2", "[select 1][select 2]");
  splits("", "");
  splits(" ;; \n ; ", "");
  splits("select 1;\n\n  select\n2 ;", "[select 1][select\n2]");
  splits("a;b;c;", "[a][b][c]");
}

static void splitter_knows_quotes(void **state) {
  (void)state;
  splits("select ';', 'it''s;', 'a\\';b'; x", "[select ';', 'it''s;', 'a\\';b'][x]");
  splits("select \"a;\\\";\"; x", "[select \"a;\\\";\"][x]");
  splits("select `a;``;b`; x", "[select `a;``;b`][x]");
  splits("select '\\\\'; x", "[select '\\\\'][x]");
  splits("select r'\\'; x", "[select r'\\'][x]");
  splits("select R\"\\\"; x", "[select R\"\\\"][x]");
  splits("select car'\\';'; x", "[select car'\\';'][x]"); /* not a raw string: the r belongs to a word */
  splits("as $$ return ';' $$; x", "[as $$ return ';' $$][x]");
  splits("as $f$ a;$$;$ $f$; x", "[as $f$ a;$$;$ $f$][x]");
  splits("select a$b; x$y", "[select a$b][x$y]");
  splits("select $1; x", "[select $1][x]");
  splits("select 'open; x", "[select 'open; x]<a '...' string");
  splits("select `open;", "[select `open;]<a `...` name");
  splits("select /* open;", "[select /* open;]<a /* comment");
}

static void splitter_knows_comments(void **state) {
  (void)state;
  splits("-- only; a comment\n", "");
  splits("/* only; */ -- another", "");
  splits("select 1 -- a;b\n+ 1; x", "[select 1 -- a;b\n+ 1][x]");
  splits("select 1 -- goes on \\\n ; here\n; x", "[select 1 -- goes on \\\n ; here][x]");
  splits("select /* a; /* b; */ c; */ 1; x", "[select /* a; /* b; */ c; */ 1][x]");
  splits("select 1 - 2 / 3; x", "[select 1 - 2 / 3][x]");
  splits("select '--', '/*'; x", "[select '--', '/*'][x]");
  splits("select 1 /**/; x", "[select 1 /**/][x]");
  splits("select 1 /***/; x", "[select 1 /***/][x]");
  splits("a-", "[a-]");
  splits("/* open", "<a /* comment");
}

static void splitter_knows_commands(void **state) {
  (void)state;
  splits("\\dt a.b; c\nselect 1; \\q", "{\\dt a.b; c}[select 1]{\\q}");
  splits("-- comment\n\\l\n", "{\\l}");
  splits("select \\d; x", "[select \\d][x]");
}

static void splitter_tells_lines_and_marks(void **state) {
  (void)state;
  struct splitter splitter = SPLITTER_INIT;
  struct piece piece;
  static const char text[] = "-- first\n\nselect\n1;\n  -- c\n x 'a\n";
  assert_int_equal(splitter_mark(&splitter), '=');
  splitter_feed(&splitter, text, sizeof text - 1);
  assert_true(splitter_next(&splitter, &piece));
  assert_int_equal(piece.line, 3);
  assert_false(splitter_next(&splitter, &piece));
  assert_int_equal(splitter_mark(&splitter), '\'');
  assert_false(splitter_is_idle(&splitter));
  splitter_feed(&splitter, "'", 1);
  assert_false(splitter_next(&splitter, &piece));
  assert_int_equal(splitter_mark(&splitter), '-');
  assert_true(splitter_finish(&splitter, &piece, NULL));
  assert_int_equal(piece.line, 6);
  splitter_reset(&splitter);
  assert_true(splitter_is_idle(&splitter));
  splitter_free(&splitter);
}

static void splitter_is_linear(void **state) {
  (void)state;
  struct splitter splitter = SPLITTER_INIT;
  struct piece piece;
  size_t size = 10u << 20;
  char *text = memory_new(size + 1);
  memset(text, 'x', size);
  text[0] = '\'';
  text[size - 1] = '\'';
  for (size_t i = 0; i < size; i += 4096) {
    splitter_feed(&splitter, text + i, size - i < 4096 ? size - i : 4096);
    assert_false(splitter_next(&splitter, &piece));
  }
  splitter_feed(&splitter, ";", 1);
  assert_true(splitter_next(&splitter, &piece));
  assert_int_equal(piece.length, size);
  assert_memory_equal(piece.text, text, size);
  free(text);
  splitter_free(&splitter);
}

/* ---- Width ---- */

static void shows(const char *text, size_t length, size_t limit, const char *expected, size_t width) {
  struct text out = TEXT_INIT;
  text_append_text(&out, "");
  assert_int_equal(display_append(&out, text, length, limit), width);
  assert_string_equal(out.data, expected);
  if (limit == 0) assert_int_equal(display_width(text, length), width);
  text_free(&out);
}

static void width_counts_columns(void **state) {
  (void)state;
  shows("abc", 3, 0, "abc", 3);
  shows("\xC3\xA9", 2, 0, "\xC3\xA9", 1);
  shows("e\xCC\x81", 3, 0, "e\xCC\x81", 1);                               /* a combining accent */
  shows("\xE6\x97\xA5\xE6\x9C\xAC", 6, 0, "\xE6\x97\xA5\xE6\x9C\xAC", 4); /* wide */
  shows("\xF0\x9F\x98\x80", 4, 0, "\xF0\x9F\x98\x80", 2);                 /* emoji */
  shows("\xE2\x80\x8B", 3, 0, "\xE2\x80\x8B", 0);                         /* zero width space */
  shows("\xEF\xBD\xB1", 3, 0, "\xEF\xBD\xB1", 1);                         /* half width */
  shows("", 0, 0, "", 0);
}

static void width_shows_no_controls(void **state) {
  (void)state;
  shows("a\nb\tc\r", 6, 0, "a\\nb\\tc\\r", 9);
  shows("\x1B[31m", 5, 0, "\\x1B[31m", 8);
  shows("a\0b", 3, 0, "a\\x00b", 6);
  shows("\xC2\x9B", 2, 0, "\\u009B", 6);
  shows("\xE2\x80\xAE", 3, 0, "\\u202E", 6); /* would turn the text around */
  shows("\xFF\xC0\x80", 3, 0, "\\xFF\\xC0\\x80", 12);
  shows("\xE6\x97", 2, 0, "\\xE6\\x97", 8);
  shows("\xED\xA0\x80", 3, 0, "\\xED\\xA0\\x80", 12); /* a surrogate */
}

static void width_cuts_with_an_ellipsis(void **state) {
  (void)state;
  shows("abcdef", 6, 6, "abcdef", 6);
  shows("abcdef", 6, 4, "abc\xE2\x80\xA6", 4);
  shows("a\xE6\x97\xA5\xE6\x9C\xAC", 7, 4, "a\xE6\x97\xA5\xE2\x80\xA6", 4);
  shows("\xE6\x97\xA5\xE6\x9C\xAC", 6, 3, "\xE6\x97\xA5\xE2\x80\xA6", 3);
  shows("\xE6\x97\xA5\xE6\x9C\xAC", 6, 2, "\xE2\x80\xA6", 1); /* half of a wide one is none */
  shows("ab\ncd", 5, 4, "ab\xE2\x80\xA6", 3);                 /* nor half of an escape */
}

static void utf8_is_checked_in_pieces(void **state) {
  (void)state;
  static const char good[] = "a\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80z";
  for (size_t step = 1; step < sizeof good; step++) {
    struct utf8_check check = {{0}, 0, 0};
    for (size_t i = 0; i < sizeof good - 1; i += step) {
      size_t size = sizeof good - 1 - i < step ? sizeof good - 1 - i : step;
      assert_int_equal(utf8_check_piece(&check, good + i, size), UTF8_RIGHT);
    }
    assert_int_equal(utf8_check_end(&check), UTF8_RIGHT);
    assert_int_equal(check.position, sizeof good - 1);
  }
  struct utf8_check check = {{0}, 0, 0};
  assert_int_equal(utf8_check_piece(&check, "abc\0d", 5), UTF8_NUL);
  assert_int_equal(check.position, 3);
  check = (struct utf8_check){{0}, 0, 0};
  assert_int_equal(utf8_check_piece(&check, "ab\xC3", 3), UTF8_RIGHT);
  assert_int_equal(utf8_check_end(&check), UTF8_WRONG);
  assert_int_equal(utf8_check_piece(&check, "x", 1), UTF8_WRONG);
  assert_int_equal(check.position, 2);
}

/* ---- Layout ---- */

static void layout_cuts_the_widest(void **state) {
  (void)state;
  size_t natural[] = {3, 50, 100};
  size_t widths[3];
  layout_fit(natural, widths, 3, 0);
  assert_memory_equal(widths, natural, sizeof natural);
  layout_fit(natural, widths, 3, 160); /* 153 and 7 for the frame */
  assert_memory_equal(widths, natural, sizeof natural);
  layout_fit(natural, widths, 3, 159);
  assert_int_equal(widths[0], 3);
  assert_int_equal(widths[1], 50);
  assert_int_equal(widths[2], 99);
  layout_fit(natural, widths, 3, 51);
  assert_int_equal(widths[0], 3);
  assert_int_equal(widths[1] + widths[2], 51 - 7 - 3);
  assert_true(widths[1] == 21 && widths[2] == 20);
  layout_fit(natural, widths, 3, 5); /* too narrow for anything */
  assert_true(widths[0] == 3 && widths[1] == LAYOUT_NARROWEST && widths[2] == LAYOUT_NARROWEST);
}

/* ---- Formats ---- */

static struct format_cell cell(const char *text) {
  return (struct format_cell){text, text == NULL ? 0 : strlen(text)};
}

/* What a format makes of two columns and some rows ("a\0b" pairs, NULL ends). */
static char *formatted(struct format_settings settings, const struct format_column *columns, size_t column_count,
                       const struct format_cell *cells, size_t row_count, bool complete) {
  char path[] = "/tmp/dbsql-test.XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  unlink(path);
  struct output output;
  output_open_stdout(&output);
  output.fd = fd;
  struct format *format = format_new(&settings, &output, columns, column_count);
  for (size_t i = 0; i < row_count; i++) format_row(format, cells + i * column_count);
  format_end(format, complete);
  assert_int_equal(output_close(&output), 0);
  off_t size = lseek(fd, 0, SEEK_END);
  char *text = memory_new((size_t)size + 1);
  assert_int_equal(pread(fd, text, (size_t)size, 0), size);
  close(fd);
  return text;
}

static const struct format_column two_columns[] = {{"id", true}, {"na,me", false}};

static void formats(enum format_kind kind, bool header, const char *null_text, size_t terminal_columns, bool complete,
                    const char *expected) {
  const struct format_cell cells[] = {cell("1"), cell("\xE6\x97\xA5 x"), cell("100"), cell(NULL), cell(NULL), cell(""),
                                      cell("7"), cell("a\"b\nc")};
  char *got = formatted((struct format_settings){kind, header, null_text, terminal_columns}, two_columns, 2, cells, 4, complete);
  assert_string_equal(got, expected);
  free(got);
}

static void format_table_looks_right(void **state) {
  (void)state;
  formats(FORMAT_TABLE, true, NULL, 0, true,
          "   id | na,me\n"
          "------+--------\n"
          "    1 | \xE6\x97\xA5 x\n"
          "  100 | NULL\n"
          " NULL |\n"
          "    7 | a\"b\\nc\n"
          "(4 rows)\n");
  formats(FORMAT_TABLE, false, "-", 0, true, "   1 | \xE6\x97\xA5 x\n 100 | -\n   - |\n   7 | a\"b\\nc\n");
  formats(FORMAT_TABLE, true, "-", 12, false,
          "  id | na,me\n"
          "-----+-------\n"
          "   1 | \xE6\x97\xA5 x\n"
          " 100 | -\n"
          "   - |\n"
          "   7 | a\"b\xE2\x80\xA6\n");
}

static void format_vertical_looks_right(void **state) {
  (void)state;
  const struct format_cell cells[] = {cell("1"), cell("x"), cell("2"), cell(NULL)};
  char *got = formatted((struct format_settings){FORMAT_VERTICAL, true, NULL, 0}, two_columns, 2, cells, 2, true);
  assert_string_equal(got,
                      "-[ row 1 ]------------------------------\n"
                      "id    | 1\n"
                      "na,me | x\n"
                      "-[ row 2 ]------------------------------\n"
                      "id    | 2\n"
                      "na,me | NULL\n"
                      "(2 rows)\n");
  free(got);
}

static void format_csv_is_rfc_4180(void **state) {
  (void)state;
  formats(FORMAT_CSV, true, NULL, 0, true, "id,\"na,me\"\r\n1,\xE6\x97\xA5 x\r\n100,\r\n,\"\"\r\n7,\"a\"\"b\nc\"\r\n");
  formats(FORMAT_CSV, false, "7", 0, true, "1,\xE6\x97\xA5 x\r\n100,7\r\n7,\"\"\r\n\"7\",\"a\"\"b\nc\"\r\n");
}

static void format_json_is_an_array(void **state) {
  (void)state;
  static const struct format_column columns[] = {{"a", true}, {"a", false}, {"q\"\\\n\xFF", false}};
  const struct format_cell cells[] = {cell("1"), cell("\"x\""), cell(NULL), cell("2"), cell("[1]"), cell("true")};
  struct format_settings settings = {FORMAT_JSON, true, NULL, 0};
  char *got = formatted(settings, columns, 3, cells, 2, true);
  assert_string_equal(
      got,
      "[\n{\"a\":1,\"a\":\"x\",\"q\\\"\\\\\\u000a\xEF\xBF\xBD\":null},\n{\"a\":2,\"a\":[1],\"q\\\"\\\\\\u000a\xEF\xBF\xBD\":true}\n]\n");
  free(got);
  got = formatted(settings, columns, 1, cells, 1, false); /* broken off: not a whole array */
  assert_string_equal(got, "[\n{\"a\":1}\n");
  free(got);
  got = formatted(settings, columns, 3, cells, 0, true);
  assert_string_equal(got, "[]\n");
  free(got);
  settings.kind = FORMAT_NDJSON;
  got = formatted(settings, columns, 2, cells, 1, true);
  assert_string_equal(got, "{\"a\":1,\"a\":\"x\"}\n");
  free(got);
}

static void format_table_streams_after_a_while(void **state) {
  (void)state;
  enum { ROWS = 3000 };
  struct format_cell *cells = memory_new(ROWS * 2 * sizeof *cells);
  for (size_t i = 0; i < ROWS; i++) {
    cells[2 * i] = cell("1");
    cells[2 * i + 1] = cell(i == 2000 ? "a much longer value" : "x");
  }
  char *got = formatted((struct format_settings){FORMAT_TABLE, true, NULL, 0}, two_columns, 2, cells, ROWS, true);
  assert_non_null(strstr(got, "\n  1 | a much longer value\n"));
  assert_non_null(strstr(got, "(3000 rows)\n"));
  size_t lines = 0;
  for (const char *c = got; *c != '\0'; c++) lines += *c == '\n';
  assert_int_equal(lines, ROWS + 3);
  free(got);
  free(cells);
}

static void format_takes_many_columns(void **state) {
  (void)state;
  enum { COLUMNS = 10000 };
  struct format_column *columns = memory_new(COLUMNS * sizeof *columns);
  struct format_cell *cells = memory_new(COLUMNS * sizeof *cells);
  for (size_t i = 0; i < COLUMNS; i++) {
    columns[i].name = "c";
    cells[i] = cell("v");
  }
  for (int kind = FORMAT_TABLE; kind < FORMAT_ARROW; kind++) {
    char *got = formatted((struct format_settings){(enum format_kind)kind, true, NULL, 80}, columns, COLUMNS, cells, 1, true);
    size_t values = 0;
    for (const char *c = got; *c != '\0'; c++) values += *c == 'v';
    assert_int_equal(values, COLUMNS);
    free(got);
  }
  free(columns);
  free(cells);
}

/* ---- Arguments ---- */

static char *parse_failure(struct args *args, const char *line, char *wiped_check) {
  char *words[32];
  int count = 0;
  char *copy = memory_copy(line);
  for (char *word = strtok(copy, " "); word != NULL && count < 31; word = strtok(NULL, " ")) words[count++] = word;
  words[count] = NULL;
  char *message = NULL;
  bool good = args_parse(args, count, words, &message);
  assert_true(good == (message == NULL));
  if (wiped_check != NULL) { /* the secret is nowhere in the words any more */
    for (size_t i = 0; i + strlen(wiped_check) <= strlen(line); i++) assert_memory_not_equal(copy + i, wiped_check, strlen(wiped_check));
  }
  free(copy);
  return message;
}

static void accepts(struct args *args, const char *line, char *secret) {
  char *message = parse_failure(args, line, secret);
  assert_null(message);
}

static void refuses(const char *line, const char *expected, char *secret) {
  struct args args;
  char *message = parse_failure(&args, line, secret);
  assert_non_null(message);
  assert_non_null(strstr(message, expected));
  if (secret != NULL) assert_null(strstr(message, secret));
  free(message);
  args_free(&args);
}

static void args_are_read(void **state) {
  (void)state;
  struct args args;
  accepts(&args, "dbsql -c a -f b --command=c -F csv --null X --timeout 50 --no-header --timing --echo --keep-going --output o -o k=v=w",
          NULL);
  assert_int_equal(args.action_count, 3);
  assert_false(args.actions[0].is_file);
  assert_string_equal(args.actions[0].text, "a");
  assert_true(args.actions[1].is_file);
  assert_string_equal(args.actions[2].text, "c");
  assert_int_equal(args.format, FORMAT_CSV);
  assert_string_equal(args.null_text, "X");
  assert_int_equal(args.timeout_ms, 50);
  assert_true(args.no_header && args.timing && args.echo);
  assert_int_equal(args.on_error, ON_ERROR_KEEP_GOING);
  assert_string_equal(args.output, "o");
  assert_string_equal(args.options[0].name, "k");
  assert_string_equal(args.options[0].value, "v=w");
  args_free(&args);
  accepts(&args, "dbsql --local=file", NULL);
  assert_true(args.local);
  assert_string_equal(args.local_database, "file");
  args_free(&args);
  accepts(&args, "dbsql -d token:sesame@host", "sesame");
  assert_string_equal(args.dsn, "token:sesame@host");
  args_free(&args);
  accepts(&args, "dbsql -o session.x=sesame", "sesame");
  args_free(&args);
}

static void args_are_checked(void **state) {
  (void)state;
  refuses("dbsql --nonsense=sesame", "--nonsense;", "sesame");
  refuses("dbsql --token=sesame", "--token-file", "sesame");
  refuses("dbsql --token sesame", "--token-file", "sesame");
  refuses("dbsql --password=sesame -d token:sesame@host", "--token-file", "sesame");
  refuses("dbsql -o PWD=sesame", "PWD is a secret", "sesame");
  refuses("dbsql -o Access-Token=sesame", "secret", "sesame");
  refuses("dbsql -o sesame", "KEY=VALUE", "sesame");
  refuses("dbsql -q", "unknown option -q", NULL);
  refuses("dbsql -c", "option -c needs a value", NULL);
  refuses("dbsql --format", "option --format needs a value", NULL);
  refuses("dbsql --format=xml", "unknown format 'xml'", NULL);
  refuses("dbsql --echo=yes", "--echo takes no value", NULL);
  refuses("dbsql --timeout 0", "milliseconds", NULL);
  refuses("dbsql --timeout 5s", "milliseconds", NULL);
  refuses("dbsql --timeout 99999999999999999999", "milliseconds", NULL);
  refuses("dbsql SELECT", "'SELECT' is no option", NULL);
  refuses("dbsql --local -d x", "exclude", NULL);
  refuses("dbsql --token-stdin --token-prompt", "exclude", NULL);
  refuses("dbsql -f - -f -", "only once", NULL);
}

/* ---- Names ---- */

static void names_to(const char *text, const char *catalog, const char *schema, const char *name) {
  struct names names;
  assert_true(names_parse(&names, text));
  const char *expected[] = {name, schema, catalog};
  for (size_t i = 0; i < NAME_PARTS; i++) {
    char *pattern = names_pattern(&names, i);
    if (expected[i] == NULL) {
      assert_null(pattern);
    } else {
      assert_string_equal(pattern, expected[i]);
    }
    free(pattern);
  }
  names_free(&names);
}

static void names_become_patterns(void **state) {
  (void)state;
  names_to("t", NULL, NULL, "t");
  names_to("s.t", NULL, "s", "t");
  names_to("c.s.t*", "c", "s", "t%");
  names_to("my_t?ble", NULL, NULL, "my\\_t_ble");
  names_to("`a.b*``_`.t", NULL, "a.b*`\\_", "t");
  static const char *const bad[] = {"", ".", "a..b", "a.b.c.d", "`open", "`a`b", "a`b`", "``"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct names names;
    assert_false(names_parse(&names, bad[i]));
    names_free(&names);
  }
  const char *line = "  a 'b c' \"d\" `e f`.g 'it' ";
  static const char *const words[] = {"a", "b c", "d", "`e f`.g", "it"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    char *word = names_next_word(&line);
    assert_string_equal(word, words[i]);
    free(word);
  }
  assert_null(names_next_word(&line));
}

/* ---- History ---- */

static void history_leaves_secrets_out(void **state) {
  (void)state;
  static const char *const secrets[] = {"SET x.token = 'abc'",
                                        "create user a PASSWORD 'x'",
                                        "select 'dapi0123456789abcdef'",
                                        "CREATE CONNECTION c OPTIONS (client_secret \"x\")",
                                        "copy into t credential (aws_secret_key = 'x')",
                                        "select 'eyJhbGciOiJIUzI1NiJ9.e30.x'",
                                        "select 'AKIAIOSFODNN7EXAMPLE'",
                                        "select 'https://h/c?sig=abcd'",
                                        "-- Authorization: x"};
  static const char *const harmless[] = {"select 1",         "select tokenize(a) from t", "select secret(a, b)", "select * from passwords",
                                         "drop table token", "select dapi from t",        "select keyJ from t"};
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
    if (!history_is_secret(secrets[i])) fail_msg("kept: %s", secrets[i]);
  }
  for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
    if (history_is_secret(harmless[i])) fail_msg("not kept: %s", harmless[i]);
  }
}

static void collect(void *user, const char *entry) {
  text_print(user, "<%s>", entry);
}

static void history_is_kept_privately(void **state) {
  (void)state;
  char folder[] = "/tmp/dbsql-test.XXXXXX";
  assert_non_null(mkdtemp(folder));
  assert_int_equal(setenv("XDG_STATE_HOME", folder, 1), 0);
  char *path = history_path();
  assert_non_null(path);
  mode_t before = umask(0);
  assert_true(history_append(path, "select\n'\\n'"));
  umask(before);
  assert_true(history_append(path, "select 2"));
  assert_false(history_append(path, "set token = 'x'"));
  struct stat status;
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
  struct text got = TEXT_INIT;
  history_load(path, collect, &got);
  assert_string_equal(got.data, "<select\n'\\n'><select 2>");
  assert_int_equal(chmod(path, 0644), 0);
  for (int i = 0; i < 2 * HISTORY_KEPT; i++) {
    char entry[32];
    snprintf(entry, sizeof entry, "select %d", i);
    assert_true(history_append(path, entry));
  }
  text_clear(&got);
  history_load(path, collect, &got); /* also shortens the file */
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
  struct text again = TEXT_INIT;
  history_load(path, collect, &again);
  assert_string_equal(got.data, again.data);
  assert_memory_equal(got.data, "<select 2000>", 13);
  assert_null(strstr(got.data, "<select 1999>"));
  text_free(&got);
  text_free(&again);
  unlink(path);
  *strrchr(path, '/') = '\0';
  rmdir(path);
  rmdir(folder);
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splitter_cuts_at_semicolons),
      cmocka_unit_test(splitter_knows_quotes),
      cmocka_unit_test(splitter_knows_comments),
      cmocka_unit_test(splitter_knows_commands),
      cmocka_unit_test(splitter_tells_lines_and_marks),
      cmocka_unit_test(splitter_is_linear),
      cmocka_unit_test(width_counts_columns),
      cmocka_unit_test(width_shows_no_controls),
      cmocka_unit_test(width_cuts_with_an_ellipsis),
      cmocka_unit_test(utf8_is_checked_in_pieces),
      cmocka_unit_test(layout_cuts_the_widest),
      cmocka_unit_test(format_table_looks_right),
      cmocka_unit_test(format_vertical_looks_right),
      cmocka_unit_test(format_csv_is_rfc_4180),
      cmocka_unit_test(format_json_is_an_array),
      cmocka_unit_test(format_table_streams_after_a_while),
      cmocka_unit_test(format_takes_many_columns),
      cmocka_unit_test(args_are_read),
      cmocka_unit_test(args_are_checked),
      cmocka_unit_test(names_become_patterns),
      cmocka_unit_test(history_leaves_secrets_out),
      cmocka_unit_test(history_is_kept_privately),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
