/*
 * Memory for the shell: the same as malloc() and friends, but they end the program with a message when there is none left. A shell
 * has no better answer; a library would.
 */
#ifndef DBSQL_CLI_MEMORY_H
#define DBSQL_CLI_MEMORY_H

#include <stddef.h>

void *memory_new(size_t size);                               /* zeroed; freed with free() */
void *memory_resize(void *block, size_t count, size_t size); /* room for `count` things of `size` bytes */
char *memory_copy(const char *text);
char *memory_copy_n(const char *text, size_t length);
/* A text made like printf() does it. */
char *memory_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Overwrites, in a way that a compiler does not drop. NULL is allowed. */
void memory_wipe(void *block, size_t size);
/* Wipes a zero-terminated text and frees it. NULL is allowed. */
void memory_wipe_free(char *text);

/* A text that grows. Always zero-terminated once something was appended. */
struct text {
  char *data;
  size_t size;
  size_t capacity;
};
#define TEXT_INIT \
  { NULL, 0, 0 }
void text_append(struct text *text, const void *data, size_t size);
void text_append_text(struct text *text, const char *data);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_fill(struct text *text, char byte, size_t count);
void text_clear(struct text *text); /* keeps the memory */
void text_free(struct text *text);

#endif
