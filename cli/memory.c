#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void) {
  static const char message[] = "dbsql: out of memory\n";
  if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(1);
  _exit(1);
}

void *memory_new(size_t size) {
  void *block = calloc(1, size == 0 ? 1 : size);
  if (block == NULL) out_of_memory();
  return block;
}

void *memory_resize(void *block, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) out_of_memory();
  size_t bytes = count * size;
  void *grown = realloc(block, bytes == 0 ? 1 : bytes);
  if (grown == NULL) out_of_memory();
  return grown;
}

char *memory_copy_n(const char *text, size_t length) {
  char *copy = memory_new(length + 1);
  memcpy(copy, text, length);
  return copy;
}

char *memory_copy(const char *text) {
  return memory_copy_n(text, strlen(text));
}

static int print_length(const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  return length < 0 ? 0 : length;
}

char *memory_print(const char *format, ...) {
  va_list args;
  va_start(args, format);
  size_t size = (size_t)print_length(format, args) + 1;
  char *text = memory_new(size);
  vsnprintf(text, size, format, args);
  va_end(args);
  return text;
}

void memory_wipe(void *block, size_t size) {
  volatile unsigned char *bytes = block;
  for (size_t i = 0; bytes != NULL && i < size; i++) bytes[i] = 0;
}

void memory_wipe_free(char *text) {
  if (text != NULL) memory_wipe(text, strlen(text));
  free(text);
}

static void text_reserve(struct text *text, size_t more) {
  if (more > SIZE_MAX / 2 - text->size) out_of_memory();
  size_t need = text->size + more + 1;
  if (need <= text->capacity) return;
  size_t capacity = text->capacity < 64 ? 64 : text->capacity;
  while (capacity < need) capacity *= 2;
  text->data = memory_resize(text->data, capacity, 1);
  text->capacity = capacity;
}

void text_append(struct text *text, const void *data, size_t size) {
  text_reserve(text, size);
  if (size != 0) memcpy(text->data + text->size, data, size);
  text->size += size;
  text->data[text->size] = '\0';
}

void text_append_text(struct text *text, const char *data) {
  text_append(text, data, strlen(data));
}

void text_print(struct text *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  size_t length = (size_t)print_length(format, args);
  text_reserve(text, length);
  vsnprintf(text->data + text->size, length + 1, format, args);
  text->size += length;
  va_end(args);
}

void text_fill(struct text *text, char byte, size_t count) {
  text_reserve(text, count);
  memset(text->data + text->size, byte, count);
  text->size += count;
  text->data[text->size] = '\0';
}

void text_clear(struct text *text) {
  text->size = 0;
  if (text->data != NULL) text->data[0] = '\0';
}

void text_free(struct text *text) {
  free(text->data);
  *text = (struct text)TEXT_INIT;
}
