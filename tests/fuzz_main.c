/*
 * Runs a fuzz target on files, without libFuzzer: so that inputs that once broke something are tried by every compiler and in
 * every run of the tests.
 *
 *    fuzz_replay_NAME FILE-OR-FOLDER...
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t files_run;

static int run_file(const char *path) {
  int result = 1;
  uint8_t *data = NULL;
  size_t size = 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL) goto cleanup;
  if (fseek(file, 0, SEEK_END) != 0) goto cleanup;
  long end = ftell(file);
  if (end < 0 || fseek(file, 0, SEEK_SET) != 0) goto cleanup;
  size = (size_t)end;
  data = malloc(size); /* exactly as large, so that a read behind the end is seen */
  if ((data == NULL && size > 0) || fread(data, 1, size, file) != size) goto cleanup;
  printf("%s: %zu bytes\n", path, size);
  fflush(stdout);
  LLVMFuzzerTestOneInput(data, size);
  files_run++;
  result = 0;
cleanup:
  if (result != 0) fprintf(stderr, "%s: %s\n", path, strerror(errno));
  free(data);
  if (file != NULL) fclose(file);
  return result;
}

static int run(const char *path) {
  struct stat info;
  if (stat(path, &info) != 0) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
  }
  if (!S_ISDIR(info.st_mode)) return run_file(path);

  struct dirent **entries;
  int count = scandir(path, &entries, NULL, alphasort);
  if (count < 0) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
  }
  int result = 0;
  for (int i = 0; i < count; i++) {
    if (entries[i]->d_name[0] != '.') {
      char child[4096];
      int length = snprintf(child, sizeof child, "%s/%s", path, entries[i]->d_name);
      if (length < 0 || (size_t)length >= sizeof child || run(child) != 0) result = 1;
    }
    free(entries[i]);
  }
  free(entries);
  return result;
}

int main(int argc, char **argv) {
  int result = 0;
  /* Nothing at all is an input too. */
  LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
  for (int i = 1; i < argc; i++) {
    if (run(argv[i]) != 0) result = 1;
  }
  printf("%zu files\n", files_run);
  return result;
}
