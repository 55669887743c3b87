/*
 * Numbers as text, independent of the locale, exact or shortest.
 *
 * Each writer puts its text (no terminator) at `out` and returns the length, at most what the constant beside it says.
 */
#ifndef DBSQL_ARROW_NUMBER_H
#define DBSQL_ARROW_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  number_int_size = 20,      /* -9223372036854775808 */
  number_float_size = 32,    /* -1.7976931348623157E308 */
  number_decimal_size = 176, /* sign, 39 digits, 128 more zeros for the scale, point, "0" */
};

size_t number_write_uint64(char *out, uint64_t value);
size_t number_write_int64(char *out, int64_t value);
/* `value` with `digits` digits, zeros in front. */
void number_write_padded(char *out, uint64_t value, int digits);

/* The unscaled value high * 2^64 + low with `scale` digits behind the point (-128 to 128), at least one before it. A negative scale
 * appends zeros. */
size_t number_write_decimal(char *out, int64_t high, uint64_t low, int32_t scale);

/* The shortest digits that read back as the same value of that width, and of those the closest; 0.001 to 9999999.9 plain, anything
 * else as 1.0E20; "NaN", "Infinity", "-Infinity". That is the server's CAST to STRING. */
size_t number_write_double(char *out, double value);
size_t number_write_float(char *out, float value);
size_t number_write_half(char *out, uint16_t bits);
double number_from_half(uint16_t bits);

#endif
