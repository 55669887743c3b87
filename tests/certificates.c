#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "test certificates: %s failed\n", what);
  ERR_print_errors_fp(stderr);
  abort();
}
#define MUST(condition) must((condition), #condition)

static EVP_PKEY *make_key(void) {
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
  MUST(context && EVP_PKEY_keygen_init(context) == 1);
  MUST(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1);
  MUST(EVP_PKEY_keygen(context, &key) == 1);
  EVP_PKEY_CTX_free(context);
  return key;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  MUST(extension && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

static char *take_text(BIO *bio) {
  char *data;
  long size = BIO_get_mem_data(bio, &data);
  char *text = calloc(1, (size_t)size + 1);
  MUST(text != NULL);
  memcpy(text, data, (size_t)size);
  BIO_free(bio);
  return text;
}

struct certificate *certificate_make(const struct certificate_settings *settings) {
  X509 *issuer = NULL;
  EVP_PKEY *issuer_key = NULL;
  if (settings->issuer) {
    BIO *bio = BIO_new_mem_buf(settings->issuer->pem, -1);
    issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(settings->issuer->key_pem, -1);
    issuer_key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    MUST(issuer && issuer_key);
  }
  EVP_PKEY *key = make_key();
  X509 *certificate = X509_new();
  MUST(certificate && X509_set_version(certificate, 2) == 1);
  uint64_t serial;
  MUST(RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
  MUST(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1);
  bool usual = settings->valid_from_days == 0 && settings->valid_to_days == 0;
  MUST(X509_gmtime_adj(X509_getm_notBefore(certificate), (usual ? -1 : settings->valid_from_days) * 86400L) != NULL);
  MUST(X509_gmtime_adj(X509_getm_notAfter(certificate), (usual ? 30 : settings->valid_to_days) * 86400L) != NULL);
  X509_NAME *name = X509_get_subject_name(certificate);
  MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)settings->name, -1, -1, 0) == 1);
  MUST(X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name) == 1);
  MUST(X509_set_pubkey(certificate, key) == 1);
  X509 *signer = issuer ? issuer : certificate;
  add_extension(certificate, signer, NID_basic_constraints, settings->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (settings->is_ca) add_extension(certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, signer, NID_subject_key_identifier, "hash");
  if (issuer) add_extension(certificate, signer, NID_authority_key_identifier, "keyid:always");
  if (settings->names) add_extension(certificate, signer, NID_subject_alt_name, settings->names);
  MUST(X509_sign(certificate, issuer_key ? issuer_key : key, EVP_sha256()) > 0);

  struct certificate *made = calloc(1, sizeof *made);
  MUST(made != NULL);
  BIO *bio = BIO_new(BIO_s_mem());
  MUST(PEM_write_bio_X509(bio, certificate) == 1);
  made->pem = take_text(bio);
  bio = BIO_new(BIO_s_mem());
  const EVP_CIPHER *cipher = settings->key_password ? EVP_aes_256_cbc() : NULL;
  MUST(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, settings->key_password,
                                     settings->key_password ? (int)strlen(settings->key_password) : 0, NULL, NULL) == 1);
  made->key_pem = take_text(bio);
  X509_free(certificate);
  X509_free(issuer);
  EVP_PKEY_free(key);
  EVP_PKEY_free(issuer_key);
  return made;
}

void certificate_free(struct certificate *certificate) {
  if (!certificate) return;
  free(certificate->pem);
  free(certificate->key_pem);
  free(certificate);
}

enum { most_files = 64 };
static char directory[128];
static char *files[most_files];
static int file_count;

char *test_file_write(const char *first, ...) {
  if (!directory[0]) {
    const char *parent = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/dbsql-test-XXXXXX", parent && strlen(parent) < 100 ? parent : "/tmp");
    MUST(mkdtemp(directory) != NULL);
  }
  MUST(file_count < most_files);
  char path[160];
  snprintf(path, sizeof path, "%s/%d.pem", directory, file_count);
  FILE *file = fopen(path, "wb");
  MUST(file != NULL);
  va_list args;
  va_start(args, first);
  for (const char *text = first; text; text = va_arg(args, const char *)) fputs(text, file);
  va_end(args);
  MUST(fclose(file) == 0);
  files[file_count++] = strdup(path);
  return strdup(path);
}

void test_files_remove(void) {
  for (int i = 0; i < file_count; i++) {
    unlink(files[i]);
    free(files[i]);
  }
  file_count = 0;
  if (directory[0]) rmdir(directory);
  directory[0] = 0;
}
