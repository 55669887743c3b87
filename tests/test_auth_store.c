/* Tokens of people on disk (auth.md 2.5). */
#include "auth_person.h"

#include <dirent.h>
#include <sys/stat.h>

#include "auth/token_store.h"

static struct identity_provider idp;
#define TOKEN_PATH "/oidc/v1/token"

static int begin(void **state) {
  UNUSED(state);
  identity_provider_start(&idp);
  on_path(&idp, TOKEN_PATH, 200, NULL, "{\"access_token\":\"token-%d\",\"expires_in\":3600,\"refresh_token\":\"refresh-A\"}");
  return 0;
}
static int end(void **state) {
  UNUSED(state);
  clock_test_end();
  identity_provider_stop(&idp);
  return 0;
}

static void *ask_once(void *user) {
  token_drop(token_of(user, idp.context));
  return NULL;
}

static struct token *token_or_none(dbsql_token_provider *provider) {
  struct token *token = NULL;
  ask_for_token(provider, idp.context, &token, NULL);
  return token;
}

struct folder {
  char path[64];
  char cache[96];
};
static void folder_make(struct folder *folder) {
  snprintf(folder->path, sizeof folder->path, "/tmp/dbsql-cache-XXXXXX");
  assert_non_null(mkdtemp(folder->path));
  snprintf(folder->cache, sizeof folder->cache, "%s/a/b", folder->path);
}
/* The one file ending in .json, as a path. */
static bool folder_file(const struct folder *folder, char out[512]) {
  DIR *dir = opendir(folder->cache);
  bool found = false;
  for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
    size_t length = strlen(entry->d_name);
    assert_null(strstr(entry->d_name, ".tmp"));
    if (length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0) {
      snprintf(out, 512, "%s/%s", folder->cache, entry->d_name);
      found = true;
    }
  }
  if (dir) closedir(dir);
  return found;
}
static void folder_remove(struct folder *folder) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder->path);
  assert_int_equal(system(command), 0);
}

static struct user_sign_in stored_in(const struct folder *folder) {
  return (struct user_sign_in){.interactive = true, .store = true, .store_folder = folder->cache};
}

/* the next program start needs no sign-in; modes; the name is the hash of whose they are; another identity has another file */
static void tokens_stay_on_disk(void **state) {
  UNUSED(state);
  struct folder folder;
  folder_make(&folder);
  struct person person = PERSON_INIT;
  dbsql_token_provider *provider = sign_in_of(&person, stored_in(&folder));
  assert_gives(provider, idp.context, "Bearer token-1");
  provider_drop(provider);
  char path[512];
  struct stat info;
  assert_true(folder_file(&folder, path));
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  assert_int_equal(stat(folder.cache, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0700);
  assert_int_equal(strlen(strrchr(path, '/') + 1), 64 + 5);

  provider = sign_in_of(&person, stored_in(&folder));
  assert_gives(provider, idp.context, "Bearer token-1");
  assert_int_equal(person.opened, 1);
  assert_int_equal(requests_to(&idp, TOKEN_PATH), 1);
  /* refused by the server: not taken from the disk again, but refreshed, and that is stored */
  struct token *token = token_of(provider, idp.context);
  provider_reject(provider, token);
  token_drop(token);
  assert_gives(provider, idp.context, "Bearer token-2");
  assert_contains(last_request(&idp, TOKEN_PATH)->body, "refresh_token=refresh-A");
  provider_drop(provider);
  struct user_sign_in other = stored_in(&folder);
  other.client_id = "other";
  provider = sign_in_of(&person, other);
  assert_gives(provider, idp.context, "Bearer token-3");
  assert_int_equal(person.opened, 2);
  provider_drop(provider);
  person_end(&person);
  folder_remove(&folder);
}

/* T16: symlink, hard link, wrong mode, wrong content, other identity, too large: as if there was no file, and it is replaced safely */
static void files_that_are_not_trusted(void **state) {
  UNUSED(state);
  for (int what = 0; what < 7; what++) {
    struct folder folder;
    folder_make(&folder);
    struct token_identity identity = {"https://h.example", "id", "sql", "", "", ""};
    struct call call;
    const char *why;
    call_begin_internal(&call, 60000);
    struct oauth_answer answer = {.access_token = (char *)(uintptr_t) "one",
                                  .refresh_token = (char *)(uintptr_t) "r",
                                  .expires_unix_ms = 5},
                        loaded;
    struct token_store *store = token_store_open(folder.cache, &identity, &call, &why);
    assert_non_null(store);
    assert_true(token_store_save(store, &answer));
    assert_true(token_store_load(store, &loaded));
    assert_string_equal(loaded.access_token, "one");
    assert_string_equal(loaded.refresh_token, "r");
    assert_int_equal(loaded.expires_unix_ms, 5);
    oauth_answer_free(&loaded);
    char path[512], other[96];
    assert_true(folder_file(&folder, path));
    snprintf(other, sizeof other, "%.63s/elsewhere", folder.path);
    FILE *file = NULL;
    switch (what) {
      case 0: assert_int_equal(rename(path, other) | symlink(other, path), 0); break;
      case 1: assert_int_equal(link(path, other), 0); break;
      case 2: assert_int_equal(chmod(path, 0640), 0); break;
      case 3:
        file = fopen(path, "w");
        fprintf(file, "{\"version\":2}");
        break;
      case 4:
        file = fopen(path, "w");
        fprintf(file, "nonsense");
        break;
      case 5:
        file = fopen(path, "a");
        for (int i = 0; i < 70000; i++) fputc(' ', file);
        break;
      default: {
        /* another identity's file under this name */
        struct token_identity foreign = identity;
        foreign.origin = "https://evil.example";
        struct token_store *second = token_store_open(other, &foreign, &call, &why);
        assert_true(second && token_store_save(second, &answer));
        token_store_close(second);
        struct folder place = {.path = ""};
        memcpy(place.cache, other, sizeof place.cache);
        char theirs[512];
        assert_true(folder_file(&place, theirs));
        assert_int_equal(rename(theirs, path), 0);
      }
    }
    if (file) fclose(file);
    assert_false(token_store_load(store, &loaded));
    answer.access_token = (char *)(uintptr_t) "two";
    assert_true(token_store_save(store, &answer));
    assert_true(token_store_load(store, &loaded));
    assert_string_equal(loaded.access_token, "two");
    oauth_answer_free(&loaded);
    if (what == 0) { /* the link was replaced, what it pointed to was not written */
      struct stat info;
      assert_int_equal(lstat(path, &info), 0);
      assert_true(S_ISREG(info.st_mode));
      char text[512] = "";
      file = fopen(other, "r");
      assert_true(fread(text, 1, sizeof text - 1, file) > 0);
      fclose(file);
      assert_contains(text, "one");
    }
    token_store_remove(store);
    assert_false(token_store_load(store, &loaded));
    token_store_close(store);
    folder_remove(&folder);
  }
}

/* T16: whose owner is somebody else; only root can make such a file */
static void files_of_others(void **state) {
  UNUSED(state);
  if (geteuid() != 0) skip();
  struct folder folder;
  folder_make(&folder);
  struct token_identity identity = {"https://h.example", "id", "sql", "", "", ""};
  struct call call;
  const char *why;
  char path[512];
  call_begin_internal(&call, 60000);
  struct oauth_answer answer = {.access_token = (char *)(uintptr_t) "one", .expires_unix_ms = 5}, loaded;
  struct token_store *store = token_store_open(folder.cache, &identity, &call, &why);
  assert_non_null(store);
  assert_true(token_store_save(store, &answer));
  assert_true(folder_file(&folder, path));
  assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
  assert_false(token_store_load(store, &loaded));
  token_store_close(store);
  assert_int_equal(chown(folder.cache, 12345, (gid_t)-1), 0);
  assert_null(token_store_open(folder.cache, &identity, &call, &why));
  assert_contains(why, "somebody else's");
  folder_remove(&folder);
}

/* a folder that is open to others or a link is not used, and the sign-in works without */
static void folders_that_are_not_trusted(void **state) {
  UNUSED(state);
  struct folder folder;
  struct token_identity identity = {"https://h.example", "id", "sql", "", "", ""};
  struct call call;
  const char *why;
  char other[128];
  call_begin_internal(&call, 60000);
  folder_make(&folder);
  snprintf(other, sizeof other, "%s/link", folder.path);
  assert_int_equal(chmod(folder.path, 0755), 0);
  assert_null(token_store_open(folder.path, &identity, &call, &why));
  assert_contains(why, "open to others");
  assert_int_equal(chmod(folder.path, 0700), 0);
  assert_int_equal(symlink(folder.path, other), 0);
  assert_null(token_store_open(other, &identity, &call, &why));
  assert_contains(why, "cannot be opened");
  assert_null(token_store_open("relative", &identity, &call, &why));
  struct person person = PERSON_INIT;
  struct user_sign_in settings = stored_in(&folder);
  settings.store_folder = other;
  dbsql_token_provider *provider = sign_in_of(&person, settings);
  assert_gives(provider, idp.context, "Bearer token-1");
  provider_drop(provider);
  person_end(&person);
  folder_remove(&folder);
}

/* T3: what is stored for one token endpoint goes to no other, whoever writes the configuration */
static void tokens_of_another_endpoint(void **state) {
  UNUSED(state);
  struct folder folder;
  folder_make(&folder);
  struct person person = PERSON_INIT;
  on_path(&idp, TOKEN_PATH, 200, NULL, "{\"access_token\":\"token-%d\",\"expires_in\":1,\"refresh_token\":\"refresh-A\"}");
  on_path(&idp, "/elsewhere", 200, NULL, "{\"access_token\":\"token-%d\",\"expires_in\":3600}");
  dbsql_token_provider *provider = sign_in_of(&person, stored_in(&folder));
  token_drop(token_or_none(provider));
  provider_drop(provider);
  assert_int_equal(requests_to(&idp, TOKEN_PATH), 1);
  struct user_sign_in settings = stored_in(&folder);
  char *authorize = strdup(own_url(&idp, 0, "/authorize"));
  settings.endpoints.token_endpoint = own_url(&idp, 1, "/elsewhere");
  settings.endpoints.authorization_endpoint = authorize;
  provider = sign_in_of(&person, settings);
  token_drop(token_or_none(provider));
  provider_drop(provider);
  assert_int_equal(person.opened, 2); /* a person is asked again */
  assert_int_equal(requests_to(&idp, "/elsewhere"), 1);
  assert_lacks(last_request(&idp, "/elsewhere")->body, "refresh-A");
  free(authorize);
  person_end(&person);
  folder_remove(&folder);
}

/* T18: a refresh token is for one at a time: who waits for the lock then finds the other's newer tokens */
static void one_refresh_at_a_time(void **state) {
  UNUSED(state);
  struct folder folder;
  folder_make(&folder);
  struct person person = PERSON_INIT;
  dbsql_token_provider *first = sign_in_of(&person, stored_in(&folder)), *second = sign_in_of(&person, stored_in(&folder));
  pthread_t threads[2];
  assert_int_equal(pthread_create(&threads[0], NULL, ask_once, first), 0);
  assert_int_equal(pthread_create(&threads[1], NULL, ask_once, second), 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  assert_int_equal(person.opened, 1);
  assert_int_equal(requests_to(&idp, TOKEN_PATH), 1);
  provider_drop(first);
  provider_drop(second);
  person_end(&person);
  folder_remove(&folder);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(tokens_stay_on_disk),          TEST(files_that_are_not_trusted), TEST(files_of_others),
      TEST(folders_that_are_not_trusted), TEST(tokens_of_another_endpoint), TEST(one_refresh_at_a_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
