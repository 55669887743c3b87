#include "oidc_http.h"

#if MHD_VERSION < 0x00097002
typedef int mhd_result;
#else
typedef enum MHD_Result mhd_result;
#endif

struct query {
  struct form form;
  bool bad;
};

static mhd_result add_to_query(void *user, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value,
                               size_t value_size) {
  (void)kind;
  struct query *query = user;
  if (!form_add(&query->form, slice_of(name, name_size), slice_of(value, value ? value_size : 0))) query->bad = true;
  return MHD_YES;
}

void oidc_http_answer(struct oidc *oidc, struct MHD_Connection *connection, const char *method, const char *path, struct slice body,
                      bool local, const struct fault *fault, struct oidc_reply *reply) {
  struct query query = {.bad = false};
  MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, add_to_query, &query);
  struct oidc_request request = {.method = method,
                                 .path = path,
                                 .host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"),
                                 .authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"),
                                 .content_type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type"),
                                 .query = query.bad ? NULL : &query.form,
                                 .body = body,
                                 .local = local,
                                 .fault = fault};
  *reply = (struct oidc_reply){0};
  oidc_answer(oidc, &request, reply);
  form_free(&query.form);
}
