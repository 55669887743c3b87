#include "http/retry.h"

#include <curl/curl.h>
#include <string.h>

#include "base/text.h"

bool retry_allows_status(enum http_retry rule, int status) {
  if (status == 429 || status == 503) return true;
  if (rule != HTTP_RETRY_IDEMPOTENT) return false;
  return status == 408 || (status >= 500 && status <= 599 && status != 501);
}

bool retry_allows_network(enum http_retry rule, bool sent) {
  return rule == HTTP_RETRY_IDEMPOTENT || !sent;
}

/* xorshift64*: waits need no better. */
static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * UINT64_C(2685821657736338717);
}

int64_t retry_wait_ms(const struct retry_policy *policy, int failures, uint64_t *random) {
  int64_t wait = policy->min_wait_ms > 0 ? policy->min_wait_ms : 0;
  int64_t most = policy->max_wait_ms > wait ? policy->max_wait_ms : wait;
  for (int i = 1; i < failures && wait < most && wait != 0; i++) wait = wait > most / 2 ? most : wait * 2;
  int64_t half = wait / 2;
  return wait - half + (half > 0 ? (int64_t)((next_random(random) >> 11) % (uint64_t)(half + 1)) : 0);
}

int64_t http_date_s(const char *value) {
  if (!text_is_alpha(value[0])) return -1; /* an HTTP date begins with the name of a day; curl_getdate() takes much else */
  time_t when = curl_getdate(value, NULL);
  return when < 0 ? -1 : (int64_t)when;
}

int64_t retry_after_ms(const char *value, int64_t now_unix_us) {
  while (*value == ' ' || *value == '\t') value++;
  size_t length = strlen(value);
  while (length > 0 && text_is_space(value[length - 1])) length--;
  if (length == 0) return -1;
  bool digits = true;
  for (size_t i = 0; i < length; i++) digits = digits && text_is_digit(value[i]);
  if (digits) {
    int64_t seconds;
    if (!text_parse_int64(value, length, &seconds) || seconds > INT32_MAX) seconds = INT32_MAX;
    return seconds * 1000;
  }
  int64_t when = http_date_s(value);
  if (when < 0) return -1;
  int64_t left_ms = when * 1000 - now_unix_us / 1000;
  if (left_ms < 0) return 0;
  return left_ms < (int64_t)INT32_MAX * 1000 ? left_ms : (int64_t)INT32_MAX * 1000;
}
