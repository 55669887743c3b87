/* How values are written for the wire: the SQL type's name, and a text that reads back as the same value (results.md 6.3). */
#ifndef DBSQL_SESSION_PARAMETER_VALUE_H
#define DBSQL_SESSION_PARAMETER_VALUE_H

#include "arrow/calendar.h"
#include "arrow/number.h"
#include "base/buf.h"

/* Room for any text of a number, a date, a time or an interval, and for the names of their types. */
enum { parameter_text_size = number_decimal_size + 1, parameter_type_size = 32 };

struct parameter_text {
  char type[parameter_type_size];
  char text[parameter_text_size]; /* no terminator */
  size_t length;
};

void parameter_write_bool(struct parameter_text *out, bool value);
/* INT where the value's own type has at most 32 bits, otherwise BIGINT: LIMIT and OFFSET take no smaller types. */
void parameter_write_int(struct parameter_text *out, int64_t value, bool is_wide);
/* BIGINT, or DECIMAL(20,0) if asked for. */
void parameter_write_uint64(struct parameter_text *out, uint64_t value, bool as_decimal);
/* The shortest digits that read back; plain below 10^16, with an exponent beyond. */
void parameter_write_double(struct parameter_text *out, double value);
void parameter_write_float(struct parameter_text *out, float value);
/* DECIMAL(p,s): `precision` 0 stands for as many digits as the value has. Fails if 38 are too few. */
dbsql_status parameter_write_decimal(struct parameter_text *out, int64_t high, uint64_t low, int32_t precision, int32_t scale,
                                     dbsql_error **error);
/* The next two refuse years outside of 0001 to 9999. */
dbsql_status parameter_write_date(struct parameter_text *out, int64_t days, dbsql_error **error);
/* TIMESTAMP (`value` since 1970 UTC, written with a Z) or TIMESTAMP_NTZ; what microseconds cannot tell is refused. */
dbsql_status parameter_write_timestamp(struct parameter_text *out, int64_t value, int32_t units, bool is_instant, dbsql_error **error);
void parameter_write_months(struct parameter_text *out, int64_t months);
void parameter_write_micros(struct parameter_text *out, int64_t micros);

/* The type of a decimal that is given as text: digits with at most one point, no exponent. */
dbsql_status parameter_decimal_type(struct slice text, char type[parameter_type_size], dbsql_error **error);

#endif
