#include "http/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/proxy.h"

enum { largest_pem = 16 << 20 };

/* ---- Files -------------------------------------------------------------------------------------------------------------- */

static const char *file_trouble(int number) {
  switch (number) {
    case ENOENT: return "there is no such file";
    case EACCES:
    case EPERM: return "it may not be read";
    case EISDIR: return "it is a directory";
    case ENOTDIR: return "a part of its path is no directory";
    default: return "it cannot be read";
  }
}

static dbsql_status read_file(const char *option, const char *path, struct buf *out, dbsql_error **error) {
  FILE *file = fopen(path, "rbe");
  if (!file) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: %s: %s", option, path, file_trouble(errno));
  char part[8192];
  size_t got;
  errno = 0;
  while (out->size <= largest_pem && (got = fread(part, 1, sizeof part, file)) > 0) buf_append(out, part, got);
  int reason = ferror(file) ? errno : 0;
  mem_wipe(part, sizeof part); /* it may be a key */
  fclose(file);
  if (reason != 0) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: %s: %s", option, path, file_trouble(reason));
  if (buf_failed(out)) return error_no_memory(error);
  if (out->size > largest_pem) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: %s: larger than %d bytes, which no such file is", option, path, largest_pem);
  }
  if (out->size == 0) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: %s: the file is empty", option, path);
  return DBSQL_OK;
}

/* Every certificate of the file must be readable, and there must be one. */
static dbsql_status check_ca(const char *path, const struct buf *pem, dbsql_error **error) {
  BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
  if (!bio) return error_no_memory(error);
  int count = 0;
  X509 *certificate;
  while ((certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
    X509_free(certificate);
    count++;
  }
  unsigned long reason = ERR_peek_last_error();
  bool at_end = ERR_GET_LIB(reason) == ERR_LIB_PEM && ERR_GET_REASON(reason) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  BIO_free(bio);
  if (count == 0 && at_end) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_ca_file: %s: the file holds no certificate in PEM form", path);
  }
  if (!at_end) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_ca_file: %s: certificate %d is damaged", path, count + 1);
  return DBSQL_OK;
}

/* Instead of OpenSSL's own, which would ask at the terminal. */
static int give_password(char *out, int size, int for_writing, void *user) {
  (void)for_writing;
  const struct secret *password = user;
  size_t length = secret_length(password);
  if (length == 0 || length > (size_t)size) return 0;
  memcpy(out, secret_text(password), length);
  return (int)length;
}

static dbsql_status check_pair(const struct http_settings *settings, const struct buf *cert, const struct buf *key, dbsql_error **error) {
  X509 *certificate = NULL;
  EVP_PKEY *private_key = NULL;
  dbsql_status status = DBSQL_OK;
  BIO *cert_bio = BIO_new_mem_buf(cert->data, (int)cert->size);
  BIO *key_bio = BIO_new_mem_buf(key->data, (int)key->size);
  if (!cert_bio || !key_bio) {
    status = error_no_memory(error);
    goto cleanup;
  }
  certificate = PEM_read_bio_X509(cert_bio, NULL, give_password, NULL);
  if (!certificate) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_client_cert: %s: the file holds no certificate in PEM form",
                       settings->tls_client_cert);
    goto cleanup;
  }
  private_key = PEM_read_bio_PrivateKey(key_bio, NULL, give_password, (void *)settings->tls_client_key_password);
  if (!private_key) {
    bool encrypted = text_find((const char *)key->data, key->size, "ENCRYPTED") >= 0;
    bool has_password = secret_length(settings->tls_client_key_password) != 0;
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_client_key: %s: %s", settings->tls_client_key,
                       !encrypted     ? "the file holds no private key in PEM form"
                       : has_password ? "the key cannot be decrypted with tls_client_key_password"
                                      : "the key is encrypted and tls_client_key_password is not set");
    goto cleanup;
  }
  if (X509_check_private_key(certificate, private_key) != 1) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_client_key: %s: the key does not belong to the certificate in %s",
                       settings->tls_client_key, settings->tls_client_cert);
  }

cleanup:
  ERR_clear_error();
  X509_free(certificate);
  EVP_PKEY_free(private_key);
  BIO_free(cert_bio);
  BIO_free(key_bio);
  return status;
}

/* ---- The trusted certificates ------------------------------------------------------------------------------------------- */

/* The system's file of trusted certificates: SSL_CERT_FILE, else what libcurl was built with, else where distributions put it. */
static const char *system_bundle(const struct http_settings *settings) {
  static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                      "/etc/ssl/cert.pem"};
  const char *named = settings->ignore_environment ? NULL : environment_get("SSL_CERT_FILE");
  if (named) return named;
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  struct stat file;
  if (info->age >= CURLVERSION_SEVENTH && info->cainfo && stat(info->cainfo, &file) == 0) return info->cainfo;
  for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
    if (stat(usual[i], &file) == 0) return usual[i];
  }
  return NULL;
}

static dbsql_status copy_text(char **out, const char *text, dbsql_error **error) {
  *out = mem_strdup(text);
  return *out ? DBSQL_OK : error_no_memory(error);
}

static dbsql_status init_trust(struct http_tls *tls, const struct http_settings *settings, dbsql_error **error) {
  struct buf own = BUF_INIT, all = BUF_INIT;
  dbsql_status status = DBSQL_OK;
  const char *named_file = settings->ignore_environment ? NULL : environment_get("SSL_CERT_FILE");
  const char *named_directory = settings->ignore_environment ? NULL : environment_get("SSL_CERT_DIR");
  if (!settings->tls_system_store && !settings->tls_ca_file && settings->tls_verify) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_system_store is off and tls_ca_file is not set: no server could be trusted");
  }
  if (settings->tls_ca_file) {
    status = read_file("tls_ca_file", settings->tls_ca_file, &own, error);
    if (status == DBSQL_OK) status = check_ca(settings->tls_ca_file, &own, error);
    if (status != DBSQL_OK) goto cleanup;
  }
  if (!settings->tls_system_store) {
    tls->replace_directory = true; /* by none */
  } else {
    if (named_directory) {
      tls->replace_directory = true;
      status = copy_text(&tls->directory, named_directory, error);
      if (status != DBSQL_OK) goto cleanup;
    }
    /* libcurl's own file is left to libcurl unless something must be added to it. */
    const char *bundle = settings->tls_ca_file || named_file ? system_bundle(settings) : NULL;
    if (bundle) {
      status = read_file(bundle == named_file ? "SSL_CERT_FILE" : "the system's certificates", bundle, &all, error);
      if (status != DBSQL_OK) goto cleanup;
      buf_append_byte(&all, '\n');
    }
    if (named_file && !settings->tls_ca_file) {
      status = copy_text(&tls->file, named_file, error); /* it can be read: that is enough, as for libcurl's own */
      goto cleanup;
    }
  }
  buf_append_slice(&all, buf_slice(&own));
  if (buf_failed(&all)) {
    status = error_no_memory(error);
  } else if (all.size != 0) {
    status = tls_bundle_share(&all, &tls->bundle, error);
  }

cleanup:
  buf_free(&all);
  buf_free(&own);
  return status;
}

static dbsql_status init_client_certificate(struct http_tls *tls, const struct http_settings *settings, dbsql_error **error) {
  if (!settings->tls_client_cert && !settings->tls_client_key) return DBSQL_OK;
  if (!settings->tls_client_key) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_client_cert is set without tls_client_key");
  }
  if (!settings->tls_client_cert) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_client_key is set without tls_client_cert");
  }
  struct buf cert = BUF_INIT, key = BUF_INIT;
  dbsql_status status = read_file("tls_client_cert", settings->tls_client_cert, &cert, error);
  if (status == DBSQL_OK) status = read_file("tls_client_key", settings->tls_client_key, &key, error);
  if (status == DBSQL_OK) status = check_pair(settings, &cert, &key, error);
  if (status == DBSQL_OK) status = copy_text(&tls->client_cert, settings->tls_client_cert, error);
  if (status == DBSQL_OK) status = copy_text(&tls->client_key, settings->tls_client_key, error);
  if (status == DBSQL_OK && secret_length(settings->tls_client_key_password) != 0) {
    tls->client_key_password = secret_new(secret_text(settings->tls_client_key_password), secret_length(settings->tls_client_key_password));
    if (!tls->client_key_password) status = error_no_memory(error);
  }
  buf_free(&cert);
  buf_free_secret(&key);
  return status;
}

dbsql_status http_tls_init(struct http_tls *tls, const struct http_settings *settings, dbsql_error **error) {
  *tls = (struct http_tls){0};
  tls->verify = settings->tls_verify;
  tls->verify_hostname = settings->tls_verify && settings->tls_verify_hostname;
  const char *minimum = settings->tls_min_version ? settings->tls_min_version : "1.2";
  tls->tls13_only = strcmp(minimum, "1.3") == 0;
  if (!tls->tls13_only && strcmp(minimum, "1.2") != 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "tls_min_version must be 1.2 or 1.3");
  }
  dbsql_status status = init_trust(tls, settings, error);
  if (status == DBSQL_OK) status = init_client_certificate(tls, settings, error);
  if (status != DBSQL_OK) http_tls_free(tls);
  return status;
}

void http_tls_free(struct http_tls *tls) {
  mem_free(tls->file);
  tls_bundle_free(tls->bundle);
  mem_free(tls->directory);
  mem_free(tls->client_cert);
  mem_free(tls->client_key);
  secret_free(tls->client_key_password);
  *tls = (struct http_tls){0};
}

/* Preferably as a path, since a connection of libcurl copies certificates in memory, for each request anew, and libcurl before 7.77 knows
 * none there. A pool tells its connections apart by such values, though, and the number in the path of a file without a name may come again
 * with other content. */
static CURLcode apply_bundle(const struct tls_bundle *bundle, bool pooled, CURL *easy) {
  CURLcode code = CURLE_UNKNOWN_OPTION;
  const char *path = tls_bundle_path(bundle);
#if LIBCURL_VERSION_NUM >= 0x074D00
  if (pooled || !path) {
    struct slice pem = tls_bundle_pem(bundle);
    struct curl_blob blob = {(void *)(uintptr_t)pem.data, pem.size, CURL_BLOB_NOCOPY};
    code = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
  }
#else
  (void)pooled;
#endif
  if (code == CURLE_UNKNOWN_OPTION && path) {
    code = curl_easy_setopt(easy, CURLOPT_CAINFO, path);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, path);
  }
  return code;
}

dbsql_status http_tls_apply(const struct http_tls *tls, bool pooled, CURL *easy, dbsql_error **error) {
  CURLcode code = CURLE_OK;
  const char *failed = "";
#define TRY(option, value)                                                                \
  do {                                                                                    \
    if (code == CURLE_OK && (code = curl_easy_setopt(easy, option, value)) != CURLE_OK) { \
      failed = #option;                                                                   \
    }                                                                                     \
  } while (0)
  long version = tls->tls13_only ? (long)CURL_SSLVERSION_TLSv1_3 : (long)CURL_SSLVERSION_TLSv1_2;
  TRY(CURLOPT_SSLVERSION, version);
  TRY(CURLOPT_PROXY_SSLVERSION, version);
  TRY(CURLOPT_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
  TRY(CURLOPT_SSL_VERIFYHOST, tls->verify_hostname ? 2L : 0L);
  TRY(CURLOPT_PROXY_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
  TRY(CURLOPT_PROXY_SSL_VERIFYHOST, tls->verify_hostname ? 2L : 0L);
  TRY(CURLOPT_CERTINFO, 1L); /* to name a wrong certificate's names */
  if (tls->replace_directory) {
    TRY(CURLOPT_CAPATH, tls->directory);
    TRY(CURLOPT_PROXY_CAPATH, tls->directory);
  }
  if (tls->file) {
    TRY(CURLOPT_CAINFO, tls->file);
    TRY(CURLOPT_PROXY_CAINFO, tls->file);
  }
  if (tls->bundle) {
    if (code == CURLE_OK) code = apply_bundle(tls->bundle, pooled, easy);
    if (code != CURLE_OK && !*failed) failed = "the certificates of tls_ca_file beside the system's (that needs 7.77)";
  }
  if (tls->client_cert) {
    TRY(CURLOPT_SSLCERT, tls->client_cert);
    TRY(CURLOPT_SSLKEY, tls->client_key);
    if (tls->client_key_password) TRY(CURLOPT_KEYPASSWD, secret_text(tls->client_key_password));
  }
#undef TRY
  if (code == CURLE_OK) return DBSQL_OK;
  if (code == CURLE_OUT_OF_MEMORY) return error_no_memory(error);
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "libcurl %s does not support %s", curl_version_info(CURLVERSION_NOW)->version,
                   failed);
}
