/* OAuth: the documents that clients find their way with (RFC 8414, auth.md 2.2), and control. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "oidc_internal.h"

static json_t *texts(const char *const *list) {
  json_t *out = json_array();
  for (; *list; list++) json_array_append_new(out, json_string(*list));
  return out;
}

static void set_text(json_t *json, const char *name, char *text) {
  json_object_set_new(json, name, json_string(text));
  free(text);
}

static json_t *config_document(const char *base, const struct fault *fault) {
  json_t *json = json_object();
  if (fault->kind != FAULT_OIDC_ENDPOINT) {
    set_text(json, "oidc_endpoint", wh_print("%s/oidc", base));
  } else if (fault->message[0]) {
    json_object_set_new(json, "oidc_endpoint", json_string(fault->message));
  }
  json_object_set_new(json, "account_id", json_string(OIDC_ACCOUNT));
  json_object_set_new(json, "workspace_id", json_string(OIDC_WORKSPACE));
  json_object_set_new(json, "cloud", json_string("AWS"));
  json_object_set_new(json, "host_type", json_string("workspace"));
  json_t *audiences = json_array();
  json_array_append_new(audiences, json_string(OIDC_ACCOUNT));
  json_object_set_new(json, "token_federation_default_oidc_audiences", audiences);
  return json;
}

/* `root`: the issuer, "http://127.0.0.1:8123/oidc". */
static json_t *metadata_document(const char *root, const struct fault *fault) {
  static const char *const scopes[] = {"all-apis", "sql",      "offline_access", "openid", "profile",
                                       "email",    "clusters", "unity-catalog",  NULL};
  static const char *const grants[] = {"client_credentials",
                                       "authorization_code",
                                       "refresh_token",
                                       "urn:ietf:params:oauth:grant-type:token-exchange",
                                       "urn:ietf:params:oauth:grant-type:jwt-bearer",
                                       NULL};
  static const char *const ways[] = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none", NULL};
  static const char *const algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", NULL};
  static const char *const own[] = {"RS256", NULL}, *const code[] = {"code", NULL}, *const s256[] = {"S256", NULL},
                           *const query[] = {"query", NULL}, *const public[] = {"public", NULL};
  json_t *json = json_object();
  json_object_set_new(json, "issuer", json_string(fault->kind == FAULT_OIDC_ISSUER ? fault->message : root));
  if (fault->kind != FAULT_OIDC_MISSING) {
    set_text(json, "authorization_endpoint", wh_print("%s/v1/authorize", root));
    set_text(json, "token_endpoint", fault->kind == FAULT_OIDC_TOKEN_URL ? wh_copy(fault->message) : wh_print("%s/v1/token", root));
  }
  set_text(json, "jwks_uri", wh_print("%s/jwks.json", root));
  json_object_set_new(json, "scopes_supported", texts(scopes));
  json_object_set_new(json, "response_types_supported", texts(code));
  json_object_set_new(json, "response_modes_supported", texts(query));
  json_object_set_new(json, "grant_types_supported", texts(grants));
  json_object_set_new(json, "code_challenge_methods_supported", texts(s256));
  json_object_set_new(json, "token_endpoint_auth_methods_supported", texts(ways));
  json_object_set_new(json, "token_endpoint_auth_signing_alg_values_supported", texts(algorithms));
  json_object_set_new(json, "subject_types_supported", texts(public));
  json_object_set_new(json, "id_token_signing_alg_values_supported", texts(own));
  json_object_set_new(json, "authorization_response_iss_parameter_supported", json_true());
  return json;
}

void oidc_answer_metadata(struct oidc *oidc, const struct oidc_request *request, const char *endpoint, struct oidc_reply *reply) {
  oidc_count(oidc, OIDC_COUNT_METADATA);
  if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
    oidc_reply_header(reply, "Allow", "GET");
    oidc_reply_json(reply, 405, json_pack("{s:s}", "error", "invalid_request"));
    return;
  }
  char *base = oidc_base(oidc, request);
  if (strcmp(endpoint, "oidc-config") == 0) {
    oidc_reply_json(reply, 200, config_document(base, request->fault));
  } else if (strcmp(endpoint, "oidc-jwks") == 0) {
    oidc_reply_json(reply, 200, jwks_to_json(&oidc->keys));
  } else {
    bool account = strncmp(request->path, "/oidc/accounts/", 15) == 0;
    char *root = wh_print("%s/oidc%s", base, account ? "/accounts/" OIDC_ACCOUNT : "");
    oidc_reply_json(reply, 200, metadata_document(root, request->fault));
    free(root);
  }
  free(base);
}
