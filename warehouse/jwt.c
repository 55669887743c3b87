#include "jwt.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static const struct algorithm {
  const char *name;
  int kind; /* of the key */
  int bits; /* of an EC key; 0: any */
  bool pss;
  const char *digest;
  int half; /* bytes of r, and of s */
} algorithms[] = {
    {"RS256", EVP_PKEY_RSA, 0, false, "SHA256", 0},   {"RS384", EVP_PKEY_RSA, 0, false, "SHA384", 0},
    {"RS512", EVP_PKEY_RSA, 0, false, "SHA512", 0},   {"PS256", EVP_PKEY_RSA, 0, true, "SHA256", 0},
    {"PS384", EVP_PKEY_RSA, 0, true, "SHA384", 0},    {"PS512", EVP_PKEY_RSA, 0, true, "SHA512", 0},
    {"ES256", EVP_PKEY_EC, 256, false, "SHA256", 32}, {"ES384", EVP_PKEY_EC, 384, false, "SHA384", 48},
    {"ES512", EVP_PKEY_EC, 521, false, "SHA512", 66},
};

static const struct algorithm *algorithm_find(const char *name) {
  for (size_t i = 0; name && i < sizeof algorithms / sizeof *algorithms; i++) {
    if (strcmp(algorithms[i].name, name) == 0) return &algorithms[i];
  }
  return NULL;
}

static bool algorithm_fits(const struct algorithm *algorithm, const EVP_PKEY *key) {
  return EVP_PKEY_get_base_id(key) == algorithm->kind && (algorithm->bits == 0 || EVP_PKEY_get_bits(key) == algorithm->bits);
}

static bool set_padding(const struct algorithm *algorithm, EVP_PKEY_CTX *context) {
  return !algorithm->pss || (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* ---- Signing ---------------------------------------------------------------------------------------------------------------------- */

/* DER to r and s side by side (RFC 7518 3.4). */
static bool append_raw(struct buf *out, const uint8_t *der, size_t size, int half) {
  uint8_t raw[2 * 66];
  ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
  bool good = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, half) == half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + half, half) == half;
  if (good) jwks_encode(out, raw, 2 * (size_t)half);
  ECDSA_SIG_free(signature);
  return good;
}

static bool append_signature(struct buf *out, const struct algorithm *algorithm, EVP_PKEY *key) {
  uint8_t signature[1024];
  size_t size = sizeof signature, length = out->size;
  EVP_PKEY_CTX *parameters = NULL;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  buf_append_byte(out, '.');
  wh_check(out);
  bool good = context && EVP_DigestSignInit_ex(context, &parameters, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
              set_padding(algorithm, parameters) && EVP_DigestSign(context, signature, &size, out->data, length) == 1;
  EVP_MD_CTX_free(context);
  if (!good) return false;
  if (algorithm->half) return append_raw(out, signature, size, algorithm->half);
  jwks_encode(out, signature, size);
  return true;
}

static void append_json(struct buf *out, const json_t *json) {
  char *text = json_dumps(json, JSON_COMPACT);
  jwks_encode(out, text ? text : "{}", text ? strlen(text) : 2);
  free(text);
}

char *jwt_sign(const struct jwk *key, const char *algorithm, const json_t *header, const json_t *claims) {
  const struct algorithm *how = algorithm_find(algorithm);
  bool unsigned_token = strcmp(algorithm, "none") == 0;
  if (!unsigned_token && (!how || !algorithm_fits(how, key->key))) return NULL;
  struct buf out = BUF_INIT;
  json_t *head = json_object();
  json_object_set_new(head, "alg", json_string(algorithm));
  json_object_set_new(head, "typ", json_string("JWT"));
  if (key->kid && !unsigned_token) json_object_set_new(head, "kid", json_string(key->kid));
  if (header) json_object_update(head, (json_t *)(uintptr_t)header);
  append_json(&out, head);
  json_decref(head);
  buf_append_byte(&out, '.');
  append_json(&out, claims);
  bool good = true;
  if (unsigned_token) {
    buf_append_byte(&out, '.');
  } else {
    good = append_signature(&out, how, key->key);
  }
  if (good) return wh_take(&out);
  buf_free(&out);
  ERR_clear_error();
  return NULL;
}

/* ---- Checking --------------------------------------------------------------------------------------------------------------------- */

static json_t *read_part(struct slice text) {
  struct buf bytes = BUF_INIT;
  json_error_t error;
  json_t *json = NULL;
  if (jwks_decode(text, &bytes) && bytes.size > 0) {
    wh_check(&bytes);
    json = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &error);
  }
  buf_free(&bytes);
  if (json_is_object(json)) return json;
  json_decref(json);
  return NULL;
}

/* Three parts between two dots. */
static bool split(const char *token, struct slice parts[3]) {
  size_t length = strlen(token);
  if (length > jwt_longest) return false;
  const char *first = strchr(token, '.');
  const char *second = first ? strchr(first + 1, '.') : NULL;
  if (!second || strchr(second + 1, '.')) return false;
  parts[0] = slice_of(token, (size_t)(first - token));
  parts[1] = slice_of(first + 1, (size_t)(second - first - 1));
  parts[2] = slice_text(second + 1);
  return true;
}

json_t *jwt_peek(const char *token) {
  struct slice parts[3];
  return split(token, parts) ? read_part(parts[1]) : NULL;
}

static bool has_signed(const struct algorithm *algorithm, EVP_PKEY *key, struct slice text, struct slice signature) {
  uint8_t *der = NULL;
  if (algorithm->half) {
    if (signature.size != 2 * (size_t)algorithm->half) return false;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature.data, algorithm->half, NULL), *s = BN_bin2bn(signature.data + algorithm->half, algorithm->half, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
      BN_free(r);
      BN_free(s);
      ECDSA_SIG_free(pair);
      return false;
    }
    int size = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair);
    if (size <= 0) return false;
    signature = slice_of(der, (size_t)size);
  }
  EVP_PKEY_CTX *parameters = NULL;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool good = context && EVP_DigestVerifyInit_ex(context, &parameters, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
              set_padding(algorithm, parameters) && EVP_DigestVerify(context, signature.data, signature.size, text.data, text.size) == 1;
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  ERR_clear_error();
  return good;
}

json_t *jwt_verify(const struct jwks *keys, const char *token, const char **reason) {
  struct slice parts[3];
  struct buf signature = BUF_INIT;
  json_t *header = NULL, *claims = NULL;
  *reason = "it is no JWT";
  if (!split(token, parts)) return NULL;
  header = read_part(parts[0]);
  if (!header || !jwks_decode(parts[2], &signature)) goto cleanup;
  wh_check(&signature);
  const struct algorithm *algorithm = algorithm_find(json_string_value(json_object_get(header, "alg")));
  const char *kid = json_string_value(json_object_get(header, "kid"));
  *reason = "its algorithm is not accepted";
  if (!algorithm) goto cleanup;
  *reason = "it has critical headers that are not understood";
  if (json_object_get(header, "crit")) goto cleanup;
  *reason = "no registered key has signed it";
  struct slice text = slice_of(parts[0].data, parts[0].size + 1 + parts[1].size);
  bool good = false;
  for (size_t i = 0; i < keys->count && !good; i++) {
    const struct jwk *key = &keys->keys[i];
    if (kid && key->kid && strcmp(kid, key->kid) != 0) continue;
    good = algorithm_fits(algorithm, key->key) && has_signed(algorithm, key->key, text, buf_slice(&signature));
  }
  if (!good) goto cleanup;
  *reason = "its claims are no JSON object";
  claims = read_part(parts[1]);

cleanup:
  json_decref(header);
  buf_free(&signature);
  return claims;
}

bool jwt_claim_is(const json_t *claims, const char *name, const char *text) {
  const json_t *value = json_object_get(claims, name), *item;
  const char *one = json_string_value(value);
  if (one) return strcmp(one, text) == 0;
  size_t index;
  json_array_foreach(value, index, item) {
    one = json_string_value(item);
    if (one && strcmp(one, text) == 0) return true;
  }
  return false;
}
