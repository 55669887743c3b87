/* The prompt, with libedit. */
#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "history.h"
#include "memory.h"
#include "shell.h"
#include "signals.h"
#include "splitter.h"

struct repl {
  struct shell *shell;
  EditLine *editor;
  History *history;
  char *history_file; /* NULL: none is kept */
  struct splitter splitter;
  struct text entry; /* the lines since the last statement was whole */
  char prompt[16];
};

static char *make_prompt(EditLine *editor) {
  struct repl *repl = NULL;
  el_get(editor, EL_CLIENTDATA, &repl);
  char mark = splitter_mark(&repl->splitter);
  snprintf(repl->prompt, sizeof repl->prompt, mark == '=' ? "dbsql> " : "    %c> ", mark);
  return repl->prompt;
}

static void add_entry(void *user, const char *entry) {
  struct repl *repl = user;
  HistEvent event;
  history(repl->history, &event, H_ENTER, entry);
}

/* Waits for a byte of the terminal, or a signal: libedit's own reading could miss one that comes just before it waits. */
static bool wait_for_input(EditLine *editor) {
  for (;;) {
    struct pollfd wait[] = {{STDIN_FILENO, POLLIN, 0}, {signals_fd(), POLLIN, 0}};
    int ready = signals_interrupted() ? 0 : poll(wait, 2, -1);
    if (signals_interrupted() || (ready < 0 && errno != EINTR)) return false;
    if (signals_drain()) { /* continued after Ctrl-Z, or a new size */
      el_set(editor, EL_PREP_TERM, 0);
      el_set(editor, EL_PREP_TERM, 1);
      el_resize(editor);
      el_set(editor, EL_REFRESH);
    }
    if (ready > 0 && wait[0].revents != 0) return true;
  }
}

/* The next character for libedit: 1, 0 at the end, -1 on failure. Bytes that are no UTF-8 are left out. */
static int read_character(EditLine *editor, wchar_t *character) {
  mbstate_t state;
  memset(&state, 0, sizeof state);
  for (;;) {
    char byte;
    if (!wait_for_input(editor)) return -1;
    ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return (int)got;
    size_t size = mbrtowc(character, &byte, 1, &state);
    if (size == (size_t)-1) memset(&state, 0, sizeof state);
    if (size != (size_t)-1 && size != (size_t)-2) return 1;
  }
}

static bool repl_open(struct repl *repl, struct shell *shell) {
  HistEvent event;
  memset(repl, 0, sizeof *repl);
  repl->shell = shell;
  repl->splitter = (struct splitter)SPLITTER_INIT;
  /* The prompt goes where somebody sees it, also when results go elsewhere. */
  repl->editor = el_init("dbsql", stdin, isatty(STDOUT_FILENO) == 1 ? stdout : stderr, stderr);
  repl->history = history_init();
  if (repl->editor == NULL || repl->history == NULL) return false;
  history(repl->history, &event, H_SETSIZE, HISTORY_KEPT);
  history(repl->history, &event, H_SETUNIQUE, 1);
  repl->history_file = history_path();
  if (repl->history_file != NULL) history_load(repl->history_file, add_entry, repl);
  el_set(repl->editor, EL_CLIENTDATA, repl);
  el_set(repl->editor, EL_PROMPT, make_prompt);
  el_set(repl->editor, EL_EDITOR, "emacs");
  el_set(repl->editor, EL_GETCFN, read_character);
  signals_watch_terminal();
  el_set(repl->editor, EL_HIST, history, repl->history);
  el_source(repl->editor, NULL); /* ~/.editrc */
  return true;
}

static void repl_close(struct repl *repl) {
  if (repl->editor != NULL) el_end(repl->editor);
  if (repl->history != NULL) history_end(repl->history);
  splitter_free(&repl->splitter);
  text_free(&repl->entry);
  free(repl->history_file);
}

/* Keeps what was typed since the last whole statement, unless there is a secret in it. */
static void remember(struct repl *repl) {
  struct text *entry = &repl->entry;
  while (entry->size > 0 && (entry->data[entry->size - 1] == '\n' || entry->data[entry->size - 1] == ' '))
    entry->data[--entry->size] = '\0';
  if (entry->size > 0 && !history_is_secret(entry->data)) {
    add_entry(repl, entry->data);
    if (repl->history_file != NULL) history_append(repl->history_file, entry->data);
  }
  if (entry->data != NULL) memory_wipe(entry->data, entry->size);
  text_clear(entry);
}

static void take_line(struct repl *repl, const char *line) {
  struct shell *shell = repl->shell;
  struct piece piece;
  bool remembered = false;
  text_append_text(&repl->entry, line);
  splitter_feed(&repl->splitter, line, strlen(line));
  while (!shell->quit && splitter_next(&repl->splitter, &piece)) {
    if (!remembered) remember(repl); /* before it runs: it may never come back */
    remembered = true;
    shell->place = (struct place){NULL, 0};
    signals_clear();
    if (piece.is_command) {
      meta_run(shell, piece.text, piece.length);
    } else {
      run_statement(shell, piece.text, piece.length);
    }
  }
  if (splitter_is_idle(&repl->splitter)) {
    if (!remembered) text_clear(&repl->entry);
    splitter_reset(&repl->splitter);
  }
}

/* One line. False at the end. */
static bool repl_step(struct repl *repl, int *code) {
  int count = 0;
  signals_clear();
  el_resize(repl->editor);
  errno = 0;
  /* Before the prompt shows: libedit does it after, and a Ctrl-D that comes in between would be lost. */
  el_set(repl->editor, EL_PREP_TERM, 1);
  const char *line = el_gets(repl->editor, &count);
  el_set(repl->editor, EL_PREP_TERM, 0);
  int number = signals_pending();
  if (number == SIGINT) { /* Ctrl-C: the line is gone, the shell stays */
    report_note("^C");
    splitter_reset(&repl->splitter);
    text_clear(&repl->entry);
    return true;
  }
  if (number != 0) {
    *code = 128 + number;
    return false;
  }
  if (line == NULL || count <= 0) {
    report_note("%s", "");
    return false;
  }
  take_line(repl, line);
  return !repl->shell->quit;
}

int repl_run(struct shell *shell) {
  struct repl repl;
  int code = EXIT_OK;
  if (repl_open(&repl, shell)) {
    report_note("dbsql %s; \\? for help, \\q to leave", dbsql_version());
    while (repl_step(&repl, &code)) continue;
  } else {
    report_message(NULL, "cannot read from this terminal");
    code = EXIT_USAGE;
  }
  repl_close(&repl);
  return output_failed(&shell->output) && code == EXIT_OK ? EXIT_OUTPUT : code;
}
