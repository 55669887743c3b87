#include "base/environment.h"

#include <stdatomic.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/auxv.h>
#else
#include <unistd.h>
#endif

static atomic_bool test_distrust;

/* The system's own answer, from the start of the process: giving rights up afterwards does not make the environment better. */
static bool is_privileged(void) {
#if defined(__linux__)
  return getauxval(AT_SECURE) != 0;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
  return issetugid() != 0;
#else
  return getuid() != geteuid() || getgid() != getegid();
#endif
}

bool environment_is_trusted(void) {
  return !is_privileged() && !atomic_load_explicit(&test_distrust, memory_order_relaxed);
}

const char *environment_get(const char *name) {
  const char *value = environment_is_trusted() ? getenv(name) : NULL;
  return value && *value ? value : NULL;
}

void environment_test_distrust(bool on) {
  atomic_store(&test_distrust, on);
}
