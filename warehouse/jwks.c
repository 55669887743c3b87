#include "jwks.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "tls.h"

enum { smallest_rsa_bits = 2048 };

static const struct curve {
  const char *name;  /* of JOSE */
  const char *group; /* of OpenSSL */
  size_t bytes;      /* of a coordinate */
} curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

void jwks_encode(struct buf *out, const void *data, size_t size) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const uint8_t *bytes = data;
  for (size_t at = 0; at < size; at += 3) {
    size_t have = size - at < 3 ? size - at : 3;
    uint32_t bits = (uint32_t)bytes[at] << 16;
    if (have > 1) bits |= (uint32_t)bytes[at + 1] << 8;
    if (have > 2) bits |= bytes[at + 2];
    for (size_t i = 0; i <= have; i++) buf_append_byte(out, (uint8_t)letters[bits >> (18 - 6 * i) & 63]);
  }
}

static int six_bits(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

bool jwks_decode(struct slice text, struct buf *out) {
  uint32_t bits = 0;
  int have = 0;
  if (text.size % 4 == 1) return false;
  for (size_t i = 0; i < text.size; i++) {
    int six = six_bits(text.data[i]);
    if (six < 0) return false;
    bits = (bits << 6 | (uint32_t)six) & 0xFFFFFF;
    have += 6;
    if (have >= 8) buf_append_byte(out, (uint8_t)(bits >> (have -= 8)));
  }
  return true;
}

/* ---- Sets ------------------------------------------------------------------------------------------------------------------------- */

void jwks_free(struct jwks *keys) {
  for (size_t i = 0; i < keys->count; i++) {
    free(keys->keys[i].kid);
    EVP_PKEY_free(keys->keys[i].key);
  }
  free(keys->keys);
  *keys = (struct jwks){0};
}

void jwks_add(struct jwks *keys, const char *kid, EVP_PKEY *key) {
  keys->keys = wh_grow(keys->keys, keys->count + 1, sizeof *keys->keys);
  keys->keys[keys->count++] = (struct jwk){wh_copy(kid), key};
}

bool jwks_add_pem(struct jwks *keys, const char *path, char **message) {
  char *text = NULL;
  if (!tls_read_file(path, &text, message)) return false;
  EVP_PKEY *key = NULL;
  BIO *bio = BIO_new_mem_buf(text, -1);
  if (strstr(text, "-----BEGIN CERTIFICATE-----")) {
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    key = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
  } else if (strstr(text, "PRIVATE KEY-----")) {
    key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) ""); /* "": nobody is asked for a passphrase */
  } else {
    key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
  }
  BIO_free(bio);
  OPENSSL_cleanse(text, strlen(text));
  free(text);
  ERR_clear_error();
  int kind = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
  bool good = kind == EVP_PKEY_EC || (kind == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= smallest_rsa_bits);
  if (good) {
    jwks_add(keys, NULL, key);
  } else {
    *message =
        wh_print("%s holds no RSA key (of at least %d bits) and no EC key in PEM, or one with a passphrase", path, smallest_rsa_bits);
    EVP_PKEY_free(key);
  }
  return good;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------------- */

/* The bytes of a member; false if it is no base64url. */
static bool read_bytes(const json_t *json, const char *name, struct buf *out) {
  const char *text = json_string_value(json_object_get(json, name));
  return text && *text && jwks_decode(slice_text(text), out);
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *builder) {
  EVP_PKEY *key = NULL;
  OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    key = NULL;
  }
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  return key;
}

static EVP_PKEY *rsa_from_json(const json_t *json) {
  EVP_PKEY *key = NULL;
  struct buf n = BUF_INIT, e = BUF_INIT;
  BIGNUM *modulus = NULL, *exponent = NULL;
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  if (!builder || !read_bytes(json, "n", &n) || !read_bytes(json, "e", &e) || n.size > 2048 || e.size > 8) goto cleanup;
  modulus = BN_bin2bn(n.data, (int)n.size, NULL);
  exponent = BN_bin2bn(e.data, (int)e.size, NULL);
  if (!modulus || !exponent || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
    goto cleanup;
  key = make_key("RSA", builder);
  if (key && EVP_PKEY_get_bits(key) < smallest_rsa_bits) {
    EVP_PKEY_free(key);
    key = NULL;
  }

cleanup:
  OSSL_PARAM_BLD_free(builder);
  BN_free(modulus);
  BN_free(exponent);
  buf_free(&n);
  buf_free(&e);
  return key;
}

static EVP_PKEY *ec_from_json(const json_t *json) {
  const char *name = json_string_value(json_object_get(json, "crv"));
  const struct curve *curve = NULL;
  for (size_t i = 0; name && i < sizeof curves / sizeof *curves; i++) {
    if (strcmp(curves[i].name, name) == 0) curve = &curves[i];
  }
  EVP_PKEY *key = NULL;
  struct buf point = BUF_INIT;
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  buf_append_byte(&point, 4); /* uncompressed */
  if (!builder || !curve || !read_bytes(json, "x", &point) || point.size != 1 + curve->bytes || !read_bytes(json, "y", &point) ||
      point.size != 1 + 2 * curve->bytes)
    goto cleanup;
  if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.size) != 1)
    goto cleanup;
  key = make_key("EC", builder);

cleanup:
  OSSL_PARAM_BLD_free(builder);
  buf_free(&point);
  return key;
}

bool jwks_read_file(struct jwks *keys, const char *path, char **message) {
  char *text = NULL;
  if (!tls_read_file(path, &text, message)) return false;
  json_error_t error;
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error), *item;
  free(text);
  const json_t *list = json_object_get(json, "keys");
  size_t index, before = keys->count;
  json_array_foreach(list, index, item) {
    const char *type = json_string_value(json_object_get(item, "kty"));
    EVP_PKEY *key = !type ? NULL : strcmp(type, "RSA") == 0 ? rsa_from_json(item) : strcmp(type, "EC") == 0 ? ec_from_json(item) : NULL;
    if (key) jwks_add(keys, json_string_value(json_object_get(item, "kid")), key);
  }
  json_decref(json);
  ERR_clear_error();
  if (keys->count > before) return true;
  *message = wh_print("%s is no set of keys that can be used ({\"keys\": [...]} with RSA or EC keys)", path);
  return false;
}

static void set_number(json_t *json, const char *name, const EVP_PKEY *key, const char *parameter, size_t bytes) {
  BIGNUM *number = NULL;
  uint8_t raw[2048];
  struct buf text = BUF_INIT;
  if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1 || (size_t)BN_num_bytes(number) > sizeof raw) goto cleanup;
  if (bytes == 0) bytes = (size_t)BN_num_bytes(number);
  if (BN_bn2binpad(number, raw, (int)bytes) != (int)bytes) goto cleanup;
  jwks_encode(&text, raw, bytes);
  wh_check(&text);
  json_object_set_new(json, name, json_stringn((const char *)text.data, text.size));

cleanup:
  buf_free(&text);
  BN_free(number);
}

json_t *jwks_to_json(const struct jwks *keys) {
  json_t *list = json_array();
  for (size_t i = 0; i < keys->count; i++) {
    const struct jwk *from = &keys->keys[i];
    json_t *item = json_object();
    if (EVP_PKEY_get_base_id(from->key) == EVP_PKEY_RSA) {
      json_object_set_new(item, "kty", json_string("RSA"));
      set_number(item, "n", from->key, OSSL_PKEY_PARAM_RSA_N, 0);
      set_number(item, "e", from->key, OSSL_PKEY_PARAM_RSA_E, 0);
    } else {
      const struct curve *curve = &curves[0];
      for (size_t k = 1; k < sizeof curves / sizeof *curves; k++) {
        if ((EVP_PKEY_get_bits(from->key) + 7) / 8 == (int)curves[k].bytes) curve = &curves[k];
      }
      json_object_set_new(item, "kty", json_string("EC"));
      json_object_set_new(item, "crv", json_string(curve->name));
      set_number(item, "x", from->key, OSSL_PKEY_PARAM_EC_PUB_X, curve->bytes);
      set_number(item, "y", from->key, OSSL_PKEY_PARAM_EC_PUB_Y, curve->bytes);
    }
    json_object_set_new(item, "use", json_string("sig"));
    if (from->kid) json_object_set_new(item, "kid", json_string(from->kid));
    json_array_append_new(list, item);
  }
  json_t *out = json_object();
  json_object_set_new(out, "keys", list);
  return out;
}
