/* The ways to get a token from somewhere: each makes a provider out of what the user has set. Texts may be NULL or "" where nothing is
 * set; everything is copied. */
#ifndef DBSQL_AUTH_METHODS_H
#define DBSQL_AUTH_METHODS_H

#include "auth/discovery.h"

/* Scopes as the wire has them, separated by one space, out of a list with spaces or commas; `usual` if it is empty. For mem_free(). */
char *oauth_scopes(const char *list, const char *usual);
enum { oauth_unknown_lifetime_ms = 3600 * 1000 }; /* of a token whose end nobody knows */

/* oauth-m2m with a secret, oauth-jwt with a private key. */
struct client_credentials {
  struct discovery_settings endpoints;
  const char *client_id;
  const char *scopes;          /* usually "all-apis" */
  const struct secret *secret; /* NULL: the key */
  const char *key_file;
  const struct secret *passphrase;
  const char *algorithm; /* usually "RS256" */
  const char *key_id;
};
dbsql_status provider_client_credentials(const struct client_credentials *settings, dbsql_token_provider **provider, dbsql_error **error);

/* oauth-u2m: a person signs in with a browser (2.4); and refresh-token: one that the user has from elsewhere (2.9). */
struct user_sign_in {
  struct discovery_settings endpoints;
  const char *client_id;
  const struct secret *client_secret; /* NULL for a public client */
  const char *scopes;
  const char *ports;                  /* where the browser comes back to */
  const struct secret *refresh_token; /* to begin with; may be NULL */
  bool interactive;                   /* a browser may be opened */
  bool store;                         /* keep tokens on disk */
  const char *store_folder;           /* NULL: the usual one */
  const char *profile;                /* part of the stored tokens' identity */
  dbsql_browser_function open;        /* NULL: the system's browser */
  void *open_user;
};
dbsql_status provider_user_sign_in(const struct user_sign_in *settings, dbsql_token_provider **provider, dbsql_error **error);
/* Removes what is kept on disk for these settings; `origin` as in the context. */
dbsql_status user_sign_in_forget(const struct user_sign_in *settings, const char *origin, const struct call *call, bool *was_there,
                                 dbsql_error **error);

/* azure-client-secret: a service principal of Entra ID (2.6). azure-msi: the machine's managed identity (2.7). */
struct azure_settings {
  const char *tenant_id;              /* of the service principal; the workspace is asked for it otherwise */
  const char *client_id;              /* of it, or of a user-assigned identity */
  const struct secret *client_secret; /* NULL: the managed identity */
  const char *resource_id;            /* of the workspace: then a second token goes along, for principals that it does not know */
  const char *token_endpoint;         /* instead of Entra's own */
  const char *identity_url;           /* instead of the machine's own service: for tests */
};
/* The tenant in where a workspace sends those who sign in, "https://LOGIN/TENANT/...". False unless it is a login host of Entra ID for
 * workspaces of `host`, over TLS, and the tenant an id or a domain (T6). */
bool azure_tenant_of(const char *location, const char *host, char *tenant, size_t size);
dbsql_status provider_azure(const struct azure_settings *settings, dbsql_token_provider **provider, dbsql_error **error);

/* Workload identity: a token that this place is given anyway, exchanged for one of the workspace (2.12). */
enum workload_source { WORKLOAD_ENVIRONMENT, WORKLOAD_FILE, WORKLOAD_GITHUB };
struct workload_settings {
  struct discovery_settings endpoints;
  enum workload_source source;
  const char *variable; /* of the environment; usually DATABRICKS_OIDC_TOKEN */
  const char *file;
  const char *audience; /* that GitHub is asked for; usually what the host wants */
  const char *client_id;
  const char *scopes; /* usually "all-apis" */
};
dbsql_status provider_workload(const struct workload_settings *settings, dbsql_token_provider **provider, dbsql_error **error);

#endif
