/* Connection strings of every grammar, and what is done with them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "session/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  dbsql_config *config = NULL;
  dbsql_error *error = NULL;
  char *url = NULL;
  /* Not zero-terminated, so that a read past the end is seen. */
  char *text = malloc(size ? size : 1);
  if (!text || dbsql_config_new(&config, NULL) != DBSQL_OK) abort();
  memcpy(text, data, size);
  dbsql_status status = dbsql_config_parse(config, text, size, &error);
  if ((status == DBSQL_OK) != (error == NULL)) abort();
  if (status != DBSQL_OK) goto done;
  for (size_t i = 0; i < dbsql_option_count(); i++) {
    dbsql_option_info info;
    char *value = NULL;
    dbsql_option_describe(i, &info);
    status = dbsql_config_get(config, info.name, &value, NULL);
    if ((status != DBSQL_OK) != info.secret) abort();
    /* What was accepted once is accepted again. */
    if (value && dbsql_config_set(config, info.name, value, NULL) != DBSQL_OK) abort();
    mem_free(value);
  }
  dbsql_config *copy = NULL;
  if (config_copy(config, &copy, NULL) != DBSQL_OK) abort();
  if (config_resolve(copy, &error) == DBSQL_OK) {
    if (config_endpoint(copy, &url, NULL) != DBSQL_OK) abort();
    /* The request line and the Host header are made of it. */
    for (const char *at = url; *at; at++) {
      if (*at <= ' ' || *at > '~') abort();
    }
    if (!text_has_prefix_nocase(url, "http")) abort();
  }
  dbsql_config_free(copy);

done:
  mem_free(url);
  dbsql_error_free(error);
  dbsql_config_free(config);
  free(text);
  return 0;
}
