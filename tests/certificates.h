/* Certificates for tests, made when they are needed: nothing of the kind lies in the tree or can expire there. */
#ifndef DBSQL_TESTS_CERTIFICATES_H
#define DBSQL_TESTS_CERTIFICATES_H

#include <stdbool.h>

struct certificate {
  char *pem;
  char *key_pem;
};
struct certificate_settings {
  const char *name;  /* common name */
  const char *names; /* such as "DNS:localhost,IP:127.0.0.1", or NULL */
  bool is_ca;
  const struct certificate *issuer;   /* NULL: self-signed */
  int valid_from_days, valid_to_days; /* from now; 0 and 0 mean -1 and 30 */
  const char *key_password;           /* encrypts key_pem */
};
struct certificate *certificate_make(const struct certificate_settings *settings);
void certificate_free(struct certificate *certificate);
/* Writes texts, one after the other, NULL at the end, to a new file in a directory of the test's own; free() the path. */
char *test_file_write(const char *first, ...);
/* Removes what test_file_write() made. */
void test_files_remove(void);

#endif
