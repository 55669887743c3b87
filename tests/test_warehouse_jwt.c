/* The warehouse's JWTs, keys and forms: the examples of RFC 7515, all algorithms there and back, and what must be refused. */
#include "test.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "warehouse/form.h"
#include "warehouse/jwt.h"

#define CLAIMS "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RS_N                                                                                                                              \
  "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b3" \
  "2690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"     \
  "I5IhlJ"                                                                                                                                \
  "H7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RS_SIGNATURE                                                                                                                       \
  "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynR"  \
  "FdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6" \
  "IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define RSA_KEY "{\"kty\":\"RSA\",\"kid\":\"a\",\"e\":\"AQAB\",\"n\":\"" RS_N "\"}"
#define EC_KEY                                                                               \
  "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define ES_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static bool read_keys(struct jwks *keys, const char *text, char **message) {
  char path[] = "/tmp/dbsql-jwks-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
  bool good = jwks_read_file(keys, path, message);
  unlink(path);
  return good;
}

static void expect_joe(const struct jwks *keys, const char *token) {
  const char *reason;
  json_t *claims = jwt_verify(keys, token, &reason);
  if (!claims) fail_msg("refused: %s", reason);
  assert_string_equal(json_string_value(json_object_get(claims, "iss")), "joe");
  json_decref(claims);
}

static void expect_refused(const struct jwks *keys, const char *token, const char *words) {
  const char *reason;
  json_t *claims = jwt_verify(keys, token, &reason);
  if (claims) fail_msg("accepted: %s", token);
  if (!strstr(reason, words)) fail_msg("refused, but with: %s", reason);
}

/* RFC 7515 A.2 and A.3, of another's making. */
static void examples(void **state) {
  (void)state;
  struct jwks keys = {0};
  char *message = NULL;
  assert_true(read_keys(&keys, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}," RSA_KEY "," EC_KEY "]}", &message));
  assert_int_equal(keys.count, 2);
  expect_joe(&keys, "eyJhbGciOiJSUzI1NiJ9." CLAIMS "." RS_SIGNATURE);
  expect_joe(&keys, "eyJhbGciOiJFUzI1NiJ9." CLAIMS "." ES_SIGNATURE);
  expect_refused(&keys, "eyJhbGciOiJSUzI1NiJ9." CLAIMS "." ES_SIGNATURE, "signed");
  expect_refused(&keys, "eyJhbGciOiJFUzI1NiJ9." CLAIMS "." RS_SIGNATURE, "signed");
  expect_refused(&keys, "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UifQ." ES_SIGNATURE, "signed");
  expect_refused(&keys, "eyJhbGciOiJub25lIn0." CLAIMS ".", "algorithm");
  expect_refused(&keys, "eyJhbGciOiJIUzI1NiJ9." CLAIMS "." ES_SIGNATURE, "algorithm");
  expect_refused(&keys, "eyJhbGciOiJFUzI1NiJ9." CLAIMS ".", "signed");
  jwks_free(&keys);
}

static void no_jwts(void **state) {
  (void)state;
  static const char *const bad[] = {
      "", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30.e30", "W10.e30.AAAA", "e30=.e30.AAAA", "!.e30.x"};
  struct jwks keys = {0};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *reason;
    assert_null(jwt_verify(&keys, bad[i], &reason));
    assert_non_null(reason);
  }
  char *deep = calloc(jwt_longest + 100, 1);
  memset(deep, 'A', jwt_longest + 50);
  deep[10] = deep[20] = '.';
  expect_refused(&keys, deep, "no JWT");
  assert_null(jwt_peek(deep));
  free(deep);
}

static void there_and_back(void **state) {
  (void)state;
  static const struct {
    const char *algorithm, *curve;
  } cases[] = {{"RS256", NULL}, {"RS384", NULL},    {"RS512", NULL},    {"PS256", NULL},   {"PS384", NULL},
               {"PS512", NULL}, {"ES256", "P-256"}, {"ES384", "P-384"}, {"ES512", "P-521"}};
  json_t *claims = json_pack("{s:s, s:i}", "iss", "joe", "exp", 5);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct jwks keys = {0}, others = {0}, read = {0};
    char *message = NULL;
    const char *reason;
    jwks_add(&keys, "k1", cases[i].curve ? EVP_EC_gen(cases[i].curve) : EVP_RSA_gen(2048));
    jwks_add(&others, "k2", cases[i].curve ? EVP_EC_gen(cases[i].curve) : EVP_RSA_gen(2048));
    /* Many times: r and s begin with zeros now and then. */
    for (int round = 0; round < (cases[i].curve ? 300 : 2); round++) {
      char *token = jwt_sign(&keys.keys[0], cases[i].algorithm, NULL, claims);
      assert_non_null(token);
      expect_joe(&keys, token);
      if (round == 0) {
        expect_refused(&others, token, "signed"); /* another name of the key */
        free(others.keys[0].kid);
        others.keys[0].kid = NULL;
        expect_refused(&others, token, "signed"); /* another key */
        json_t *public = jwks_to_json(&keys);
        char *text = json_dumps(public, 0);
        assert_null(strstr(text, "\"d\""));
        if (!read_keys(&read, text, &message)) fail_msg("%s", message);
        expect_joe(&read, token);
        free(text);
        json_decref(public);
        char *header = strchr(token, '.') - 1;
        *header = *header == 'A' ? 'B' : 'A';
        json_decref(jwt_verify(&keys, token, &reason));
      }
      free(token);
    }
    assert_null(jwt_sign(&keys.keys[0], cases[i].curve ? "RS256" : "ES256", NULL, claims));
    if (cases[i].curve) assert_null(jwt_sign(&keys.keys[0], cases[i].curve[2] == '2' ? "ES384" : "ES256", NULL, claims));
    json_t *critical = json_pack("{s:[s]}", "crit", "b64");
    char *token = jwt_sign(&keys.keys[0], cases[i].algorithm, critical, claims);
    expect_refused(&keys, token, "critical");
    free(token);
    json_decref(critical);
    jwks_free(&keys);
    jwks_free(&others);
    jwks_free(&read);
  }
  json_decref(claims);
}

static void bad_key_files(void **state) {
  (void)state;
  static const char *const bad[] = {"no JSON", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
                                    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
                                    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}]}",
                                    /* no point of the curve */
                                    ("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                     "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}"),
                                    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-224\",\"x\":\"AA\",\"y\":\"AA\"}]}", "{\"keys\":7}", "[]"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct jwks keys = {0};
    char *message = NULL;
    if (read_keys(&keys, bad[i], &message)) fail_msg("accepted: %s", bad[i]);
    assert_non_null(strstr(message, "no set of keys"));
    free(message);
    jwks_free(&keys);
  }
  struct jwks keys = {0};
  char *message = NULL;
  assert_false(jwks_read_file(&keys, "/nowhere/keys.json", &message));
  assert_non_null(strstr(message, "/nowhere/keys.json"));
  free(message);
  assert_false(jwks_add_pem(&keys, "/dev/null", &message));
  free(message);
}

static void audiences(void **state) {
  (void)state;
  json_t *one = json_pack("{s:s}", "aud", "a"), *list = json_pack("{s:[s,i,s]}", "aud", "a", 7, "b"), *none = json_object();
  assert_true(jwt_claim_is(one, "aud", "a"));
  assert_false(jwt_claim_is(one, "aud", "b"));
  assert_true(jwt_claim_is(list, "aud", "b"));
  assert_false(jwt_claim_is(list, "aud", "7"));
  assert_false(jwt_claim_is(none, "aud", "a"));
  json_decref(one);
  json_decref(list);
  json_decref(none);
}

static void forms(void **state) {
  (void)state;
  struct form form = {.count = 0};
  assert_true(form_read(&form, slice_text("a=1+2&b=%41%2b%25&&c&d==&%65=")));
  assert_int_equal(form.count, 5);
  assert_string_equal(form_get(&form, "a"), "1 2");
  assert_string_equal(form_get(&form, "b"), "A+%");
  assert_string_equal(form_get(&form, "c"), "");
  assert_string_equal(form_get(&form, "d"), "=");
  assert_string_equal(form_get(&form, "e"), "");
  assert_null(form_get(&form, "f"));
  assert_null(form_duplicate(&form));
  assert_true(form_read(&form, slice_text("a=3")));
  assert_string_equal(form_duplicate(&form), "a");
  form_free(&form);
  static const char *const bad[] = {"a=%", "a=%4", "a=%4g", "%zz=1", "a=%00"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (form_read(&form, slice_text(bad[i]))) fail_msg("accepted: %s", bad[i]);
    form_free(&form);
  }
  assert_false(form_read(&form, slice_of("a=\0b", 4)));
  form_free(&form);
  char many[4 * (form_limit + 1)] = "";
  for (int i = 0; i < form_limit + 1; i++) strcat(many, "a=&");
  assert_false(form_read(&form, slice_text(many)));
  form_free(&form);
  struct buf out = BUF_INIT;
  form_encode(&out, "a b&c=\xc3\xa4~");
  assert_string_equal(buf_text(&out), "a%20b%26c%3D%C3%A4~");
  buf_reset(&out);
  form_escape_html(&out, "<a href='x'>\"&\"</a>");
  assert_string_equal(buf_text(&out), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;");
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples),      cmocka_unit_test(no_jwts),   cmocka_unit_test(there_and_back),
      cmocka_unit_test(bad_key_files), cmocka_unit_test(audiences), cmocka_unit_test(forms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
