#include "auth/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

enum { longest_key_file = 64 * 1024 };

bool crypto_sha256(const void *data, size_t size, uint8_t out[sha256_size]) {
  unsigned length = 0;
  return EVP_Digest(data ? data : "", size, out, &length, EVP_sha256(), NULL) == 1 && length == sha256_size;
}

bool crypto_random(void *out, size_t size) {
  return RAND_bytes(out, (int)size) == 1;
}

bool crypto_equal(const void *a, const void *b, size_t size) {
  return CRYPTO_memcmp(a, b, size) == 0;
}

/* ---- Text forms of bytes ------------------------------------------------------------------------------------------------- */

static void base64_with(struct buf *out, const uint8_t *data, size_t size, const char *last_two, bool pad) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (size_t at = 0; at < size; at += 3) {
    size_t have = size - at < 3 ? size - at : 3;
    uint32_t bits = (uint32_t)data[at] << 16;
    if (have > 1) bits |= (uint32_t)data[at + 1] << 8;
    if (have > 2) bits |= data[at + 2];
    for (size_t i = 0; i < 4; i++) {
      uint32_t six = (bits >> (18 - 6 * i)) & 63;
      if (i <= have) {
        buf_append_byte(out, (uint8_t)(six < 62 ? letters[six] : last_two[six - 62]));
      } else if (pad) {
        buf_append_byte(out, '=');
      }
    }
  }
}

void base64url_append(struct buf *out, const void *data, size_t size) {
  base64_with(out, data, size, "-_", false);
}

void base64_append(struct buf *out, const void *data, size_t size) {
  base64_with(out, data, size, "+/", true);
}

static int six_bits(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

bool base64url_decode(struct slice text, struct buf *out) {
  if (text.size % 4 == 1) return false;
  uint32_t bits = 0;
  int have = 0;
  for (size_t i = 0; i < text.size; i++) {
    int six = six_bits(text.data[i]);
    if (six < 0) return false;
    bits = (bits << 6 | (uint32_t)six) & 0xFFFFFF;
    have += 6;
    if (have >= 8) {
      have -= 8;
      buf_append_byte(out, (uint8_t)(bits >> have));
    }
  }
  return true;
}

void hex_append(struct buf *out, const uint8_t *data, size_t size) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    buf_append_byte(out, (uint8_t)digits[data[i] >> 4]);
    buf_append_byte(out, (uint8_t)digits[data[i] & 15]);
  }
}

/* ---- Keys and signatures ------------------------------------------------------------------------------------------------- */

struct crypto_key {
  EVP_PKEY *pkey;
};

static int give_passphrase(char *out, int size, int writing, void *user) {
  (void)writing;
  const char *passphrase = user;
  size_t length = passphrase ? strlen(passphrase) : 0;
  if (length == 0 || length > (size_t)size) return 0;
  memcpy(out, passphrase, length);
  return (int)length;
}

/* Not through stdio, whose buffer nobody wipes. One block that does not grow. */
static dbsql_status read_key_file(const char *path, struct buf *out, dbsql_error **error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) {
    int reason = errno;
    if (fd >= 0) close(fd);
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "the key file %s cannot be read: %s", path, strerror(reason));
  }
  ssize_t got = S_ISREG(info.st_mode) ? 1 : -1;
  bool ok = buf_reserve(out, longest_key_file + 1);
  while (ok && got > 0 && out->size <= longest_key_file) {
    got = read(fd, out->data + out->size, longest_key_file + 1 - out->size);
    if (got > 0) out->size += (size_t)got;
  }
  close(fd);
  if (!ok) return error_no_memory(error);
  return got == 0 ? DBSQL_OK : error_set(error, DBSQL_ERROR_DRIVER, "HY024", "the key file %s is no file with a private key", path);
}

dbsql_status crypto_key_load(const char *path, const char *passphrase, struct crypto_key **key, dbsql_error **error) {
  *key = NULL;
  struct buf text = BUF_INIT;
  dbsql_status status = read_key_file(path, &text, error);
  if (status != DBSQL_OK) {
    buf_free_secret(&text);
    return status;
  }
  BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
  EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, (void *)(uintptr_t)passphrase) : NULL;
  BIO_free(bio);
  buf_free_secret(&text);
  ERR_clear_error();
  if (!pkey) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "the key file %s has no private key in PEM%s", path,
                     passphrase ? ", or the passphrase is not its" : ", or one that needs a passphrase");
  }
  *key = mem_alloc_zero(1, sizeof **key);
  if (!*key) {
    EVP_PKEY_free(pkey);
    return error_no_memory(error);
  }
  (*key)->pkey = pkey;
  return DBSQL_OK;
}

void crypto_key_free(struct crypto_key *key) {
  if (!key) return;
  EVP_PKEY_free(key->pkey);
  mem_free(key);
}

static const EVP_MD *digest_of(const char *algorithm) {
  if (strcmp(algorithm + 2, "256") == 0) return EVP_sha256();
  if (strcmp(algorithm + 2, "384") == 0) return EVP_sha384();
  return strcmp(algorithm + 2, "512") == 0 ? EVP_sha512() : NULL;
}

/* Bytes of r, and of s. */
static size_t half_of(const char *algorithm) {
  if (strcmp(algorithm, "ES256") == 0) return 32;
  return strcmp(algorithm, "ES384") == 0 ? 48 : 66;
}

dbsql_status crypto_key_check(const struct crypto_key *key, const char *algorithm, dbsql_error **error) {
  static const char *const known[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"};
  bool found = false;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) found = found || strcmp(algorithm, known[i]) == 0;
  if (!found) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "there is no signature algorithm %s", algorithm);
  int kind = EVP_PKEY_base_id(key->pkey), bits = EVP_PKEY_bits(key->pkey);
  if (algorithm[0] == 'E') {
    int wanted = strcmp(algorithm, "ES256") == 0 ? 256 : strcmp(algorithm, "ES384") == 0 ? 384 : 521;
    if (kind != EVP_PKEY_EC || bits != wanted) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s needs a key on the curve P-%d, and this is none", algorithm, wanted);
    }
  } else if (kind != EVP_PKEY_RSA || bits < 2048) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s needs an RSA key of at least 2048 bits, and this is none", algorithm);
  }
  return DBSQL_OK;
}

/* DER to r and s of fixed size. */
static bool to_jose(const uint8_t *der, size_t size, size_t half, struct buf *out) {
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
  if (!pair) return false;
  uint8_t *target = buf_extend(out, 2 * half);
  bool ok = target && BN_bn2binpad(ECDSA_SIG_get0_r(pair), target, (int)half) == (int)half &&
            BN_bn2binpad(ECDSA_SIG_get0_s(pair), target + half, (int)half) == (int)half;
  ECDSA_SIG_free(pair);
  return ok;
}

dbsql_status crypto_sign(const struct crypto_key *key, const char *algorithm, struct slice data, struct buf *out, dbsql_error **error) {
  dbsql_status status = crypto_key_check(key, algorithm, error);
  if (status != DBSQL_OK) return status;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *options = NULL;
  size_t size = 0;
  uint8_t *signature = NULL;
  bool ok = context && EVP_DigestSignInit(context, &options, digest_of(algorithm), NULL, key->pkey) == 1;
  if (ok && algorithm[0] == 'P') {
    ok = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  ok = ok && EVP_DigestSign(context, NULL, &size, data.data, data.size) == 1;
  if (ok) signature = mem_alloc(size);
  bool no_memory = ok && !signature;
  ok = ok && signature && EVP_DigestSign(context, signature, &size, data.data, data.size) == 1;
  if (ok && algorithm[0] == 'E') {
    ok = to_jose(signature, size, half_of(algorithm), out);
  } else if (ok) {
    buf_append(out, signature, size);
  }
  mem_free(signature);
  EVP_MD_CTX_free(context);
  ERR_clear_error();
  if (no_memory || buf_failed(out)) return error_no_memory(error);
  return ok ? DBSQL_OK : error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the private key cannot sign by %s", algorithm);
}
