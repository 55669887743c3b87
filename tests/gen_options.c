/*
 * Makes docs/options.md from the tables of options.
 *
 *    gen_options                 prints the page
 *    gen_options --check FILE    fails if FILE is not that page
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/config_internal.h"

/* Appends a text with what Markdown takes for the end of a cell escaped. */
static void append_cell(struct buf *out, const char *text) {
  for (; *text; text++) {
    if (*text == '|') buf_append_byte(out, '\\');
    buf_append_byte(out, (uint8_t)*text);
  }
}

static void append_names(struct buf *out, const char *names) {
  struct slice name;
  bool first = true;
  for (size_t at = 0; text_next_piece(names, ',', &at, &name); first = false) {
    if (!first) buf_append_text(out, ", ");
    buf_append_byte(out, '`');
    buf_append_slice(out, name);
    buf_append_byte(out, '`');
  }
}

static void append_option(struct buf *out, size_t index) {
  dbsql_option_info info;
  dbsql_option_describe(index, &info);
  buf_printf(out, "| `%s` | %s", info.name, info.secret ? "secret" : info.type);
  if (*info.unit) buf_printf(out, ", %s", info.unit);
  if (*info.bounds) {
    buf_append_text(out, "<br>");
    append_cell(out, info.bounds);
  }
  buf_append_text(out, " | ");
  append_cell(out, info.default_value);
  buf_append_text(out, " | ");
  append_cell(out, info.documentation);
  if (*info.aliases) {
    buf_append_text(out, "<br>Also: ");
    append_names(out, info.aliases);
    buf_append_byte(out, '.');
  }
  if (*option_table[index].environment) {
    buf_append_text(out, "<br>Environment: ");
    append_names(out, option_table[index].environment);
    buf_append_byte(out, '.');
  }
  buf_append_text(out, " |\n");
}

static void append_foreign(struct buf *out, enum foreign_rule rule, const char *heading, const char *columns) {
  buf_printf(out, "\n%s\n", heading);
  if (*columns) buf_printf(out, "\n%s\n", columns);
  bool first = true;
  for (size_t i = 0; i < foreign_count; i++) {
    const struct foreign *foreign = &foreign_table[i];
    if (foreign->rule != rule) continue;
    if (!*columns) {
      buf_printf(out, "%s`%s`", first ? "\n" : ", ", foreign->name);
    } else {
      buf_printf(out, "| `%s` | ", foreign->name);
      if (foreign->option != OPTION_COUNT) buf_printf(out, "`%s`", option_table[foreign->option].name);
      if (foreign->option != OPTION_COUNT && *foreign->values) buf_append_text(out, " | ");
      append_cell(out, foreign->values);
      buf_append_text(out, " |\n");
    }
    first = false;
  }
  if (!*columns) buf_append_text(out, ".\n");
}

static void make_page(struct buf *out) {
  buf_append_text(
      out,
      "# Options\n\n"
      "This page is made from the tables that the library itself uses (`src/session/options.def`, `src/session/foreign.def`) by\n"
      "`gen_options`. How connection strings are written: [connecting.md](connecting.md).\n\n"
      "Names are the same in every way of writing them; upper and lower case, `_` and `-` do not matter, and the prefixes of the\n"
      "ADBC drivers (`databricks.`, `adbc.spark.` ...) may stand before them. An empty value means that the option is not set. A\n"
      "bool is one of `true`, `false`, `1`, `0`, `t`, `f`, `yes`, `no`. Secrets cannot be read back.\n\n"
      "The shell knows the same table:\n\n"
      "```sh\n"
      "$ dbsql --options -F ndjson | grep '\"name\":\"port\"'\n"
      "{\"name\":\"port\",\"aliases\":\"\",\"type\":\"int\",\"unit\":\"\",\"default\":\"443\",\"bounds\":\"1..65535\",…}\n"
      "$ dbsql --local -o retry_max=1001 -c \"SELECT 1\"\n"
      "error: retry_max must be from 0 to 1000\n"
      "  SQLSTATE HY024\n"
      "```\n\n"
      "| Option | Type | Default | Meaning |\n|---|---|---|---|\n");
  for (size_t i = 0; i < OPTION_COUNT; i++) append_option(out, i);
  buf_append_text(
      out,
      "\n## Names with a variable part\n\n"
      "| Name | Meaning |\n|---|---|\n"
      "| `session.NAME`, `SSP_NAME` | The session parameter NAME (letters, digits, `_`, `.`, `:`), such as `session.ANSI_MODE`. |\n"
      "| `http_header.NAME`, `http.header.NAME` | A header that is sent with every request. Those that the library sets itself are "
      "refused. Write-only. |\n");
  buf_append_text(out, "\n## Names of other drivers\n\nThese mean something else here than their value says, or nothing:\n");
  append_foreign(out, FOREIGN_NOT, "The opposite of an option:", "| Name | Opposite of |\n|---|---|");
  append_foreign(out, FOREIGN_SECONDS, "An option in milliseconds, given in seconds:", "| Name | Option |\n|---|---|");
  append_foreign(out, FOREIGN_DURATION,
                 "An option in milliseconds, given as `30s`, `500ms` or milliseconds:", "| Name | Option |\n|---|---|");
  append_foreign(out, FOREIGN_MAP, "Another spelling; any other value is refused, and one with nothing behind `=` leaves the option alone:",
                 "| Name | Option | Values |\n|---|---|---|");
  append_foreign(out, FOREIGN_USER, "User names, of which there is one, `token`; the password is then the access token:", "");
  append_foreign(out, FOREIGN_ONLY, "Accepted with a value that asks for what is done anyway, and refused with any other:",
                 "| Name | Accepted values |\n|---|---|");
  append_foreign(out, FOREIGN_IGNORED, "Ignored, because they say nothing to this library:", "");
  append_foreign(out, FOREIGN_UNSUPPORTED, "Known, and refused by name, because this version does not do what they ask for:", "");
}

static int check(const struct buf *page, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "gen_options: cannot read %s\n", path);
    return 1;
  }
  char *content = malloc(page->size + 1);
  size_t size = content ? fread(content, 1, page->size + 1, file) : 0;
  fclose(file);
  bool same = content && size == page->size && memcmp(content, page->data, size) == 0;
  free(content);
  if (!same) fprintf(stderr, "gen_options: %s is not what the tables give: run `gen_options > docs/options.md`\n", path);
  return same ? 0 : 1;
}

int main(int argc, char **argv) {
  struct buf page = BUF_INIT;
  make_page(&page);
  int result = buf_failed(&page) ? 1 : 0;
  if (result == 0 && argc == 3 && strcmp(argv[1], "--check") == 0) {
    result = check(&page, argv[2]);
  } else if (result == 0 && argc == 1) {
    result = fwrite(page.data, 1, page.size, stdout) == page.size && fflush(stdout) == 0 ? 0 : 1;
  } else {
    fprintf(stderr, "usage: gen_options [--check FILE]\n");
    result = 2;
  }
  buf_free(&page);
  return result;
}
