/*
 * Where results go: standard output or a file, buffered, with the first failure kept. After a failure nothing more is written, and
 * whoever fills it looks at output_failed() now and then.
 */
#ifndef DBSQL_CLI_OUTPUT_H
#define DBSQL_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
  int fd;
  bool owned; /* closed at the end */
  bool is_terminal;
  char *name; /* for messages */
  char *buffer;
  size_t used;
  int failure;                      /* an errno value; 0 if all went well so far */
  bool (*interrupted)(void);        /* asked when a signal ended a write; may be NULL */
  void (*before_write)(void *user); /* called before bytes go out; may be NULL */
  void *user;
};

void output_open_stdout(struct output *output);
/* False if the file cannot be made: `output->failure` says why. A file that exists is overwritten. */
bool output_open_file(struct output *output, const char *path);
void output_write(struct output *output, const void *data, size_t size);
void output_text(struct output *output, const char *text);
void output_print(struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool output_flush(struct output *output); /* false after any failure */
bool output_failed(const struct output *output);
/* Flushes, closes and frees. Answers the failure, 0 if there was none: a full disk may show itself as late as here. */
int output_close(struct output *output);
/* The columns of the terminal; 0 if it is none or does not say (80 is assumed then by nobody: nothing is cut). */
size_t output_terminal_columns(const struct output *output);

#endif
