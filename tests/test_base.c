#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/chunk.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"

static void error_keeps_what_it_is_given(void **state) {
  (void)state;
  dbsql_error *error = NULL;
  assert_int_equal(error_set(&error, DBSQL_ERROR_REQUEST, "08001", "no host %s", "h"), DBSQL_ERROR_REQUEST);
  error_prefix(&error, "connecting");
  error_set_query_id(&error, "q");
  assert_string_equal(dbsql_error_message(error), "connecting: no host h");
  assert_string_equal(dbsql_error_sqlstate(error), "08001");
  assert_string_equal(dbsql_error_query_id(error), "q");
  assert_int_equal(dbsql_error_retry_after_ms(error), -1);
  /* a second error takes the place of the first, without a leak */
  error_set(&error, DBSQL_ERROR_DRIVER, NULL, "second");
  assert_string_equal(dbsql_error_message(error), "second");
  assert_string_equal(dbsql_error_sqlstate(error), "HY000");
  error_clear(&error);
  assert_null(error);
  assert_int_equal(error_set(NULL, DBSQL_ERROR_DRIVER, NULL, "nobody listens"), DBSQL_ERROR_DRIVER);
}

static void error_without_memory_is_static(void **state) {
  (void)state;
  dbsql_error *error = NULL;
  mem_test_fail_at(1);
  assert_int_equal(error_set(&error, DBSQL_ERROR_DRIVER, NULL, "x"), DBSQL_ERROR_NO_MEMORY);
  assert_true(mem_test_failed());
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_NO_MEMORY);
  assert_string_equal(dbsql_error_sqlstate(error), "HY001");
  error_prefix(&error, "must not change it");
  assert_string_equal(dbsql_error_message(error), "out of memory");
  error_clear(&error);
}

static void buf_grows_and_remembers_failure(void **state) {
  (void)state;
  struct buf buf = BUF_INIT;
  for (int i = 0; i < 1000; i++) buf_printf(&buf, "%d,", i);
  assert_false(buf_failed(&buf));
  assert_int_equal(buf.size, 10 * 2 + 90 * 3 + 900 * 4);
  mem_test_fail_at(1);
  buf_reserve(&buf, 1 << 20);
  mem_test_fail_at(0);
  assert_true(buf_failed(&buf));
  buf_append_text(&buf, "ignored");
  assert_null(buf_text(&buf));
  buf_free(&buf);
}

static void arena_gives_zeroed_aligned_blocks(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  for (size_t i = 1; i < 3000; i += 7) {
    uint8_t *block = arena_alloc(&arena, i, 3);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 16, 0);
    for (size_t k = 0; k < 3 * i; k++) assert_int_equal(block[k], 0);
    memset(block, 0xAA, 3 * i);
  }
  assert_null(arena_alloc(&arena, SIZE_MAX, 2));
  arena_free(&arena);
}

static void chunk_is_aligned_and_counted(void **state) {
  (void)state;
  struct chunk *chunk = chunk_new(10);
  assert_int_equal((uintptr_t)chunk->data % 64, 0);
  memcpy(chunk->data, "0123456789", 10);
  chunk->size = 10;
  assert_true(chunk_grow(chunk, 1000));
  assert_memory_equal(chunk->data, "0123456789", 10);
  chunk_ref(chunk);
  chunk_unref(chunk);
  chunk_unref(chunk);
}

static void deadline_and_cancel_end_a_sleep(void **state) {
  (void)state;
  dbsql_error *error = NULL;
  clock_test_begin(1000, 2000);
  dbsql_call user = DBSQL_CALL_INIT;
  user.timeout_ms = 50;
  user.correlation_id = "c1";
  struct call call;
  call_begin(&call, &user, 0);
  assert_int_equal(call_sleep(&call, 20, "testing", &error), DBSQL_OK);
  assert_int_equal(call_remaining_ms(&call), 30);
  assert_int_equal(call_sleep(&call, 100, "testing", &error), DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(error), "HYT00");
  assert_string_equal(dbsql_error_correlation_id(error), "c1");
  assert_int_equal(dbsql_error_elapsed_ms(error), 50);
  error_clear(&error);
  clock_test_end();

  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  user.timeout_ms = -1;
  user.cancel = cancel;
  call_begin(&call, &user, 10);
  assert_int_equal(call_remaining_ms(&call), INT32_MAX);
  dbsql_cancel_trigger(cancel);
  dbsql_cancel_trigger(cancel);
  assert_int_equal(call_sleep(&call, 3600 * 1000, "testing", &error), DBSQL_ERROR_CANCELLED);
  assert_string_equal(dbsql_error_message(error), "cancelled while testing");
  error_clear(&error);
  dbsql_cancel_reset(cancel);
  assert_int_equal(call_check(&call, "testing", NULL), DBSQL_OK);
  dbsql_cancel_free(cancel);
}

static dbsql_cancel *signal_cancel;
static void on_signal(int number) {
  (void)number;
  dbsql_cancel_trigger(signal_cancel);
}

static void cancel_works_from_a_signal_handler(void **state) {
  (void)state;
  assert_int_equal(dbsql_cancel_new(&signal_cancel, NULL), DBSQL_OK);
  struct sigaction action = {.sa_handler = on_signal}, old;
  sigaction(SIGALRM, &action, &old);
  alarm(1);
  dbsql_call user = DBSQL_CALL_INIT;
  user.cancel = signal_cancel;
  struct call call;
  call_begin(&call, &user, 0);
  assert_int_equal(call_sleep(&call, 3600 * 1000, "waiting", NULL), DBSQL_ERROR_CANCELLED);
  sigaction(SIGALRM, &old, NULL);
  dbsql_cancel_free(signal_cancel);
}

static void texts(void **state) {
  (void)state;
  int64_t value;
  assert_true(text_parse_int64("-9223372036854775808", 20, &value));
  assert_true(value == INT64_MIN);
  assert_false(text_parse_int64("9223372036854775808", 19, &value));
  assert_false(text_parse_int64("", 0, &value));
  assert_false(text_parse_int64("1 ", 2, &value));
  assert_int_equal(text_distance("catalog", "catlaog", 3), 1);
  assert_int_equal(text_distance("maxRows", "maxRow", 3), 1);
  assert_int_equal(text_distance("abc", "xyzuvw", 2), 3);
  assert_true(utf8_is_valid("a\xC3\xA9\xF0\x9F\x98\x80", 7, NULL));
  size_t bad;
  assert_false(utf8_is_valid("12345678\xC0\x80", 10, &bad));
  assert_int_equal(bad, 8);
  assert_false(utf8_is_valid("\xED\xA0\x80", 3, NULL)); /* a surrogate */
  char guid[37];
  static const uint8_t bytes[16] = {0xe5, 0x3c, 0x9a, 0x75, 0x41, 0xe2, 0x45, 0x04, 0x86, 0xe1, 0x57, 0xdd, 0xf4, 0xdc, 0x5b, 0x70};
  guid_format(bytes, 16, guid);
  assert_string_equal(guid, "e53c9a75-41e2-4504-86e1-57ddf4dc5b70"); /* thrift.md 4.1 */
}

static void assert_redacted(const char *text, const char *expected) {
  struct buf out = BUF_INIT;
  redact_append(&out, text, strlen(text));
  assert_string_equal(buf_text(&out), expected);
  buf_free(&out);
}

static void secrets_are_redacted(void **state) {
  (void)state;
  assert_redacted("Authorization: Bearer abcd1234 x", "Authorization: Bearer *** x");
  assert_redacted("token dapi0123456789abcdef0123456789abcdef-2.", "token ***");
  assert_redacted("https://u:p@host/x?X-Amz-Signature=abc&y=1", "https://***@host/x?X-Amz-Signature=***&y=1");
  assert_redacted("Host=h;PWD=s3cret;Port=1", "Host=h;PWD=***;Port=1");
  assert_redacted("{\"access_token\": \"a\\\"b\", \"x\":1}", "{\"access_token\": ***, \"x\":1}");
  assert_redacted("token:abc@host:443/p", "token:***@host:443/p");
  assert_redacted("jwt eyJhbGciOi.eyJzdWIiOi.c2ln end", "jwt *** end");
  assert_redacted("tokens are fine; code: 7, a\nb", "tokens are fine; code: 7, a b");
}

static int records;
static void on_record(void *user, const dbsql_log_record *record) {
  (void)user;
  records++;
  assert_string_equal(record->module, "m");
  assert_int_equal(record->field_count, 1);
  assert_string_equal(record->fields[0].value, "Bearer ***");
}

static void log_is_silent_above_its_level(void **state) {
  (void)state;
  struct log log = {DBSQL_LOG_INFO, on_record, NULL};
  log_write(&log, DBSQL_LOG_DEBUG, "m", "no", (char *)NULL);
  log_write(NULL, DBSQL_LOG_ERROR, "m", "no", (char *)NULL);
  assert_int_equal(records, 0);
  log_write(&log, DBSQL_LOG_INFO, "m", "yes", "header", "Bearer secret", "absent", NULL, (char *)NULL);
  assert_int_equal(records, 1);
}

static void secret_keeps_its_text(void **state) {
  (void)state;
  struct secret *secret = secret_new("t0ken", 5);
  assert_string_equal(secret_text(secret), "t0ken");
  assert_int_equal(secret_length(secret), 5);
  secret_free(secret);
  assert_string_equal(secret_text(NULL), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(error_keeps_what_it_is_given),
      cmocka_unit_test(error_without_memory_is_static),
      cmocka_unit_test(buf_grows_and_remembers_failure),
      cmocka_unit_test(arena_gives_zeroed_aligned_blocks),
      cmocka_unit_test(chunk_is_aligned_and_counted),
      cmocka_unit_test(deadline_and_cancel_end_a_sleep),
      cmocka_unit_test(cancel_works_from_a_signal_handler),
      cmocka_unit_test(texts),
      cmocka_unit_test(secrets_are_redacted),
      cmocka_unit_test(log_is_silent_above_its_level),
      cmocka_unit_test(secret_keeps_its_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
