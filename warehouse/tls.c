#include "tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static bool add_extension(X509 *certificate, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  bool good = extension && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return good;
}

static char *take_bio(BIO *bio) {
  char *data = NULL;
  long size = BIO_get_mem_data(bio, &data);
  return wh_copy_n(data, size > 0 ? (size_t)size : 0);
}

bool tls_make(const char *host, char **certificate_out, char **key_out, char **message) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  BIO *certificate_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
  uint64_t serial = 0;
  bool good = false;
  char *names = wh_print("IP:127.0.0.1,IP:::1,DNS:localhost,IP:%s", host);
  if (!key || !certificate || !certificate_bio || !key_bio) goto cleanup;
  if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1) goto cleanup;
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 30L * 24 * 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME *name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"dbsql-warehouse", -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  if (!add_extension(certificate, NID_subject_key_identifier, "hash") || !add_extension(certificate, NID_subject_alt_name, names) ||
      !add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") ||
      !add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") ||
      !add_extension(certificate, NID_ext_key_usage, "serverAuth"))
    goto cleanup;
  if (X509_sign(certificate, key, EVP_sha256()) == 0) goto cleanup;
  if (PEM_write_bio_X509(certificate_bio, certificate) != 1) goto cleanup;
  if (PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1) goto cleanup;
  *certificate_out = take_bio(certificate_bio);
  *key_out = take_bio(key_bio);
  good = true;

cleanup:
  if (!good) *message = wh_copy("cannot make a certificate");
  BIO_free(certificate_bio);
  BIO_free(key_bio);
  X509_free(certificate);
  EVP_PKEY_free(key);
  free(names);
  return good;
}

bool tls_read_file(const char *path, char **content, char **message) {
  FILE *file = fopen(path, "rb");
  struct buf text = BUF_INIT;
  char piece[4096];
  size_t got;
  while (file && (got = fread(piece, 1, sizeof piece, file)) > 0 && text.size < (1 << 20)) buf_append(&text, piece, got);
  bool good = file && !ferror(file) && text.size > 0;
  if (!good) *message = wh_print("cannot read %s: %s", path, errno ? strerror(errno) : "it is empty");
  if (file) fclose(file);
  if (good) {
    *content = wh_take(&text);
  } else {
    buf_free(&text);
  }
  return good;
}

bool tls_write_file(const char *path, const char *content, char **message) {
  FILE *file = fopen(path, "wb");
  bool good = file && fputs(content, file) >= 0;
  if (file && fclose(file) != 0) good = false;
  if (!good) *message = wh_print("cannot write %s: %s", path, strerror(errno));
  return good;
}
