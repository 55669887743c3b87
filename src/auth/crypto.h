/* What we need of libcrypto, behind one file. */
#ifndef DBSQL_AUTH_CRYPTO_H
#define DBSQL_AUTH_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { sha256_size = 32 };
/* False only if libcrypto cannot. */
bool crypto_sha256(const void *data, size_t size, uint8_t out[sha256_size]);
bool crypto_random(void *out, size_t size);
/* Takes as long whatever the texts are. */
bool crypto_equal(const void *a, const void *b, size_t size);

/* base64 for URLs, without padding (RFC 4648 5), and plain base64 with it. */
void base64url_append(struct buf *out, const void *data, size_t size);
void base64_append(struct buf *out, const void *data, size_t size);
/* False at a byte that does not belong there. */
bool base64url_decode(struct slice text, struct buf *out);
void hex_append(struct buf *out, const uint8_t *data, size_t size);

struct crypto_key;
/* A private key from a PEM file (PKCS#1, PKCS#8, SEC 1; `passphrase` may be NULL). The error never quotes the file's content. */
dbsql_status crypto_key_load(const char *path, const char *passphrase, struct crypto_key **key, dbsql_error **error);
void crypto_key_free(struct crypto_key *key);
/* Whether the key can sign by a JOSE algorithm: RS, PS with 256, 384, 512 for RSA of at least 2048 bits; ES256, ES384, ES512 for their
 * curves. Sets the error otherwise. */
dbsql_status crypto_key_check(const struct crypto_key *key, const char *algorithm, dbsql_error **error);
/* Appends the signature as JOSE has it: ES* as r and s side by side, not DER. */
dbsql_status crypto_sign(const struct crypto_key *key, const char *algorithm, struct slice data, struct buf *out, dbsql_error **error);

#endif
