#include "base/host.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"

static bool ends_with(const char *host, const char *suffix) {
  size_t length = strlen(host), end = strlen(suffix);
  return length > end && text_equal_nocase(host + length - end, suffix);
}

bool host_is_azure(const char *host) {
  static const char *const suffixes[] = {".azuredatabricks.net", ".databricks.azure.us", ".databricks.azure.cn"};
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    if (ends_with(host, suffixes[i])) return true;
  }
  return false;
}

bool host_is_databricks(const char *host) {
  return host_is_azure(host) || ends_with(host, ".databricks.com") || ends_with(host, ".cloud.databricks.us");
}
