#include "base/secret.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

/* A mapping of its own, so that its pages can be left out of core dumps as a whole. */
struct secret {
  size_t mapped;
  size_t length;
  char text[];
};

struct secret *secret_new(const char *text, size_t length) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (length > SIZE_MAX / 2) return NULL;
  size_t mapped = (sizeof(struct secret) + length + 1 + page - 1) / page * page;
  struct secret *secret = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (secret == MAP_FAILED) return NULL;
#if defined(MADV_DONTDUMP)
  madvise(secret, mapped, MADV_DONTDUMP);
#endif
  secret->mapped = mapped;
  secret->length = length;
  if (length != 0) memcpy(secret->text, text, length);
  secret->text[length] = 0;
  return secret;
}

void secret_free(struct secret *secret) {
  if (!secret) return;
  size_t mapped = secret->mapped;
  mem_wipe(secret, mapped);
  munmap(secret, mapped);
}

const char *secret_text(const struct secret *secret) {
  return secret ? secret->text : "";
}

size_t secret_length(const struct secret *secret) {
  return secret ? secret->length : 0;
}
