/* Secrets are wiped before their memory is given back, so that neither a core dump nor whoever gets the memory next has them (auth.md 6,
 * T43): every way to sign in, with an allocator that looks into what it is given. */
#include "auth_person.h"

/* ---- The allocator: the size is in front of each block */

enum { in_front = 16 };
static atomic_int unwiped;

static void look(const uint8_t *block, size_t size) {
  for (size_t i = 0; i + 6 <= size; i++) {
    if (memcmp(block + i, "CANARY", 6) == 0) {
      atomic_fetch_add(&unwiped, 1);
      return;
    }
  }
}
static void *allocate(void *user, size_t size) {
  UNUSED(user);
  uint8_t *block = calloc(1, size + in_front); /* what others left there is not ours */
  if (!block) return NULL;
  memcpy(block, &size, sizeof size);
  return block + in_front;
}
static void release(void *user, void *block) {
  UNUSED(user);
  uint8_t *start = (uint8_t *)block - in_front;
  size_t size;
  memcpy(&size, start, sizeof size);
  look(block, size);
  memset(start, 0, size + in_front);
  free(start);
}
static void *reallocate(void *user, void *block, size_t size) {
  size_t old;
  memcpy(&old, (uint8_t *)block - in_front, sizeof old);
  void *made = allocate(user, size);
  if (!made) return NULL;
  memcpy(made, block, old < size ? old : size);
  release(user, block); /* a copy stays behind with the system's, too */
  return made;
}

/* ---- The server: everything is an answer with tokens, unless it is asked to refuse */

static void give_tokens(struct http_exchange *exchange, void *user) {
  atomic_int *refuses = user;
  bool none = strstr(exchange->target, ".well-known") || strcmp(exchange->target, "/x") == 0, refused = atomic_load(refuses);
  exchange_reply(exchange,
                 none      ? 404
                 : refused ? 400
                           : 200,
                 "Content-Type: application/json\r\n",
                 none      ? "{}"
                 : refused ? "{\"error\":\"invalid_grant\",\"error_description\":\"no\"}"
                           : "{\"access_token\":\"CANARY-access\",\"refresh_token\":\"CANARY-again\",\"expires_in\":3600}");
}

static int give_canary(void *user, const dbsql_token_request *request, dbsql_token *token) {
  UNUSED(user), (void)request;
  token->access_token = "CANARY-of-the-application";
  return 0;
}

static void nothing_is_left(void **state) {
  UNUSED(state);
  atomic_int refuses = 0;
  struct http_server *server = http_server_start(&(struct http_server_settings){.handler = give_tokens, .user = &refuses});
  const char *url = http_server_url(server);
  char ways[8][512], *jwt = jwt_of("{\"iss\":\"https://accounts.google.com\"}"), foreign[256], file[] = "/tmp/dbsql-oidc-XXXXXX";
  snprintf(foreign, sizeof foreign, "%.*s.CANARY", (int)(strrchr(jwt, '.') - jwt), jwt);
  mem_free(jwt);
  int fd = mkstemp(file);
  assert_int_equal(write(fd, foreign, strlen(foreign)), (ssize_t)strlen(foreign));
  close(fd);
  snprintf(ways[0], 512, "access_token=CANARY-pat");
  snprintf(ways[1], 512, "client_id=robot;client_secret=CANARY-secret");
  snprintf(ways[2], 512, "client_id=robot;client_secret=CANARY-secret;token_endpoint=%s/t", url);
  snprintf(ways[3], 512, "client_id=robot;refresh_token=CANARY-refresh;token_endpoint=%s/t", url);
  snprintf(ways[4], 512,
           "azure_client_id=r;azure_client_secret=CANARY-azure;azure_tenant_id=t;azure_workspace_resource_id=/x;token_endpoint=%s/t", url);
  snprintf(ways[5], 512, "access_token=%s;federation=1", foreign);
  snprintf(ways[6], 512, "catalog=c"); /* the application's own token */
  snprintf(ways[7], 512, "auth_type=file-oidc;oidc_token_file=%s;token_endpoint=%s/t", file, url);
  for (int way = 0; way < 8; way++) {
    for (int refused = 0; refused < 2; refused++) {
      atomic_store(&refuses, refused);
      atomic_store(&unwiped, 0);
      char text[1024];
      snprintf(text, sizeof text, "host=127.0.0.1;port=%d;tls=0;http_path=/x;ignore_environment=1;retry_max=0;%s", http_server_port(server),
               ways[way]);
      dbsql_config *config;
      dbsql_connection *connection = NULL;
      dbsql_error *error = NULL;
      assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
      if (dbsql_config_parse(config, text, SIZE_MAX, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
      if (way == 6) {
        dbsql_token_source source = {.struct_size = sizeof source, .get_token = give_canary};
        dbsql_token_provider *provider;
        assert_int_equal(dbsql_token_provider_external(&source, &provider, NULL), DBSQL_OK);
        assert_int_equal(dbsql_config_set_token_provider(config, provider, NULL), DBSQL_OK);
        dbsql_token_provider_free(provider);
      }
      assert_int_not_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_OK); /* there is no warehouse */
      error_clear(&error);
      dbsql_config_free(config);
      if (atomic_load(&unwiped) != 0) fail_msg("%s%s: %d blocks", ways[way], refused ? ", refused" : "", atomic_load(&unwiped));
    }
  }
  unlink(file);
  http_server_stop(server);
}

/* a person: code, verifier and state, refresh tokens, and what is written to the disk and read from there */
static void nothing_of_a_person_is_left(void **state) {
  UNUSED(state);
  atomic_int refuses = 0;
  struct http_server *server = http_server_start(&(struct http_server_settings){.handler = give_tokens, .user = &refuses});
  struct auth_context *context = new_context(http_server_url(server), "127.0.0.1");
  char folder[] = "/tmp/dbsql-cache-XXXXXX", command[64];
  assert_non_null(mkdtemp(folder));
  struct person person = PERSON_INIT;
  person.answers = "code=CANARY-code";
  atomic_store(&unwiped, 0);
  for (int start = 0; start < 2; start++) {
    dbsql_token_provider *provider = sign_in_of(&person, (struct user_sign_in){.interactive = true, .store = true, .store_folder = folder});
    for (int i = 0; i < 2; i++) { /* signed in or from the disk; refreshed */
      struct token *token = token_of(provider, context);
      provider_reject(provider, token);
      token_drop(token);
    }
    provider_drop(provider);
  }
  assert_int_equal(person.opened, 1);
  assert_int_equal(atomic_load(&unwiped), 0);
  person_end(&person);
  snprintf(command, sizeof command, "rm -rf %s", folder);
  assert_int_equal(system(command), 0);
  auth_context_drop(context);
  http_server_stop(server);
}

int main(void) {
  static const dbsql_allocator looking = {allocate, reallocate, release, NULL};
  if (dbsql_set_allocator(&looking) != DBSQL_OK) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_left), cmocka_unit_test(nothing_of_a_person_is_left)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
