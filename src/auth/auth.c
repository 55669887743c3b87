#include "auth/auth.h"

#include "base/error.h"
#include "base/mem.h"

struct token_authenticator {
  struct authenticator base;
  struct secret *token;
};

static dbsql_status no_header(const struct authenticator *self, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)self;
  (void)call;
  (void)value;
  (void)error;
  return DBSQL_OK;
}

static dbsql_status anonymous_header(const struct authenticator *self, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)self;
  (void)call;
  buf_append_text(value, "Basic YW5vbnltb3VzOmFub255bW91cw=="); /* anonymous:anonymous */
  return buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
}

static dbsql_status token_header(const struct authenticator *self, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)call;
  const struct token_authenticator *token = (const struct token_authenticator *)(const void *)self;
  buf_append_text(value, "Bearer ");
  buf_append(value, secret_text(token->token), secret_length(token->token));
  return buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
}

static void plain_destroy(struct authenticator *self) {
  mem_free(self);
}

static void token_destroy(struct authenticator *self) {
  struct token_authenticator *token = (struct token_authenticator *)(void *)self;
  secret_free(token->token);
  mem_free(token);
}

static dbsql_status make_plain(dbsql_status (*header)(const struct authenticator *, const struct call *, struct buf *, dbsql_error **),
                               struct authenticator **out, dbsql_error **error) {
  struct authenticator *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  made->header = header;
  made->destroy = plain_destroy;
  *out = made;
  return DBSQL_OK;
}

dbsql_status authenticator_none(struct authenticator **out, dbsql_error **error) {
  return make_plain(no_header, out, error);
}

dbsql_status authenticator_anonymous(struct authenticator **out, dbsql_error **error) {
  return make_plain(anonymous_header, out, error);
}

dbsql_status authenticator_token(const struct secret *token, struct authenticator **out, dbsql_error **error) {
  const char *text = secret_text(token);
  size_t length = secret_length(token);
  if (length == 0) return error_set(error, DBSQL_ERROR_DRIVER, "28000", "the access token is empty");
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte <= 0x20 || byte >= 0x7F) {
      return error_set(error, DBSQL_ERROR_DRIVER, "28000", "the access token has a character at position %zu that a token cannot have", i);
    }
  }
  struct token_authenticator *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  made->base.header = token_header;
  made->base.destroy = token_destroy;
  made->token = secret_new(text, length);
  if (!made->token) {
    mem_free(made);
    return error_no_memory(error);
  }
  *out = &made->base;
  return DBSQL_OK;
}

void authenticator_free(struct authenticator *authenticator) {
  if (authenticator) authenticator->destroy(authenticator);
}
