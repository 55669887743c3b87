/* The prompt, with libedit. */
#include <errno.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
  el_set(repl->editor, EL_SIGNAL, 1); /* so that Ctrl-Z and a resized window are looked after */
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
  const char *line = signals_interrupted() ? NULL : el_gets(repl->editor, &count);
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
