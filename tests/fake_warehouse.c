/*
 * A stand-in for dbsql-warehouse that answers with a ready line and no server: what --local does with its child is tested with it. The
 * database's name tells how to behave: "dies", "lies", or anything else. It ends with its standard input or a SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *mark;

static void on_term(int number) {
  (void)number;
  if (mark != NULL) unlink(mark);
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc < 4 || strcmp(argv[1], "--port") != 0 || strcmp(argv[2], "0") != 0 || strcmp(argv[3], "--exit-with-parent") != 0) {
    fputs("wrong arguments\n", stderr);
    return 1;
  }
  const char *database = argc > 5 && strcmp(argv[4], "--database") == 0 ? argv[5] : "";
  if (strcmp(database, "dies") == 0) {
    fputs("the database file is broken\n", stderr);
    return 1;
  }
  if (strcmp(database, "lies") == 0) {
    puts("hello");
    return 0;
  }
  mark = getenv("FAKE_MARK"); /* a file that exists as long as we run */
  signal(SIGTERM, on_term);
  if (mark != NULL) fclose(fopen(mark, "w"));
  printf("dbsql-warehouse ready: %s\n", getenv("DATABRICKS_TOKEN") == NULL ? "local-host" : "leaked-token");
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  on_term(0);
}
