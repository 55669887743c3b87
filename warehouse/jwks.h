/* Keys, as PEM and as JSON Web Key Sets (RFC 7517), with base64url beneath. */
#ifndef DBSQL_WAREHOUSE_JWKS_H
#define DBSQL_WAREHOUSE_JWKS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/buf.h"

struct jwk {
  char *kid; /* NULL: none */
  EVP_PKEY *key;
};

struct jwks {
  struct jwk *keys;
  size_t count;
};

void jwks_free(struct jwks *keys);
/* Takes the key over; copies the name, which may be NULL. */
void jwks_add(struct jwks *keys, const char *kid, EVP_PKEY *key);
/* A public key, a certificate, or the public half of a private key, from a PEM file. On failure `*message` is the caller's. */
bool jwks_add_pem(struct jwks *keys, const char *path, char **message);
/* A file {"keys": [...]}; keys of kinds other than RSA (2048 bits at least) and EC are passed over, as RFC 7517 5 asks. */
bool jwks_read_file(struct jwks *keys, const char *path, char **message);
/* The public halves, as a new {"keys": [...]}. */
json_t *jwks_to_json(const struct jwks *keys);

void jwks_encode(struct buf *out, const void *data, size_t size);
/* Appends what the text stands for; false if it is no base64url. Padding is refused. */
bool jwks_decode(struct slice text, struct buf *out);

#endif
