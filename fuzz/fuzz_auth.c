/* What others say of tokens: JWTs, answers of token endpoints, issuers, profiles. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>

#include "auth/oauth.h"
#include "base/mem.h"
#include "session/config_internal.h"

static void read_jwt(struct slice text) {
  char *issuer = NULL;
  (void)jwt_expiry_ms(text);
  if (jwt_issuer(text, &issuer)) {
    (void)federation_is_foreign(issuer, "workspace.example");
    (void)federation_is_foreign("https://workspace.example", issuer);
  } else if (issuer) {
    abort();
  }
  mem_free(issuer);
}

static void read_answer(struct slice text) {
  struct oauth_answer answer = {0};
  struct token *token = NULL;
  json_t *json = json_read(text, oauth_longest_answer);
  if (json && oauth_answer_from(json, "fuzz", &answer, NULL) == DBSQL_OK) {
    if (!answer.access_token || !*answer.access_token || answer.expires_unix_ms < 0) abort();
    if (oauth_make_token(&answer, "fuzz", 0, 1000, &token, NULL) == DBSQL_OK) {
      (void)token_state_now(token);
      /* what goes into a header has no byte that ends one */
      struct slice value = token_value(token);
      for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] <= 0x20 || value.data[i] >= 0x7F) abort();
      }
      token_drop(token);
    }
  }
  oauth_answer_free(&answer);
  json_drop_secret(json);
}

static void read_profile(struct slice text, const char *profile) {
  dbsql_config *config = NULL;
  if (dbsql_config_new(&config, NULL) != DBSQL_OK) return;
  dbsql_error *error = NULL;
  if (config_parse_profile(config, text, "FILE", profile, &error) == DBSQL_OK) (void)config_resolve_auth(config, NULL);
  dbsql_error_free(error);
  dbsql_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct slice rest = slice_of(data + 1, size - 1);
  switch (data[0] & 3) {
    case 0: read_jwt(rest); break;
    case 1: read_answer(rest); break;
    case 2: read_profile(rest, NULL); break;
    default: read_profile(rest, "dev");
  }
  return 0;
}
