#!/bin/sh
# ./dev size: what the libraries weigh and what they show. The folder with them is the argument. Prints one line a figure,
# `size<TAB>NAME<TAB>VALUE<TAB>UNIT`, and returns 1 if a promise is broken.
set -eu
build=$1
top=$(cd "$(dirname "$0")/.." && pwd)
limit=1048576

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

figure() {
  printf 'size\t%s\t%s\t%s\n' "$1" "$2" "$3"
}
broken() {
  printf 'size: %s\n' "$*" >&2
  failed=1
}
bytes() {
  wc -c <"$1" | tr -d ' '
}
lines() {
  wc -l <"$1" | tr -d ' '
}

strip -o "$work/libdbsql.so" "$build/libdbsql.so"
size=$(bytes "$work/libdbsql.so")
figure libdbsql.so "$size" bytes
[ "$size" -lt "$limit" ] || broken "libdbsql.so has $size bytes stripped, and the limit is $limit"

# The header and the library name the same functions.
awk '/^DBSQL_API/ {if (match($0, /dbsql_[a-z0-9_]+\(/)) print substr($0, RSTART, RLENGTH - 1)}' "$top/include/dbsql/dbsql.h" | sort >"$work/header"
nm -D --defined-only "$build/libdbsql.so" | awk '{print $NF}' | sed 's/@.*//' | sort >"$work/shared"
figure libdbsql.so.exports "$(lines "$work/shared")" symbols
if ! diff "$work/header" "$work/shared" >"$work/diff"; then
  broken "dbsql.h and the exports of libdbsql.so differ (< only in the header, > only in the library):"
  grep '^[<>]' "$work/diff" >&2
fi

# The archive: one object, and the same symbols.
figure libdbsql.a "$(bytes "$build/libdbsql.a")" bytes
members=$(ar t "$build/libdbsql.a" | wc -l | tr -d ' ')
figure libdbsql.a.members "$members" objects
[ "$members" -eq 1 ] || broken "libdbsql.a holds $members objects instead of one"
nm -g --defined-only "$build/libdbsql.a" | awk 'NF == 3 {print $3}' | sort >"$work/static"
figure libdbsql.a.globals "$(lines "$work/static")" symbols
if ! diff "$work/header" "$work/static" >"$work/diff"; then
  broken "dbsql.h and the globals of libdbsql.a differ (< only in the header, > only in the archive):"
  grep '^[<>]' "$work/diff" >&2
fi

# Nothing that prints, ends the process or is run at its end: a library is a guest. What opens a browser may end and reset the child
# that it has made for that, and nobody else may.
in_child=
for name in _exit sigaction; do
  users=$(grep -rlE "(^|[^a-z_])$name\\(" src | tr '\n' ' ')
  [ "$users" = "src/auth/browser.c " ] && in_child="$in_child|$name"
done
nm -D --undefined-only "$build/libdbsql.so" | awk '{print $NF}' | sed 's/@.*//' |
  grep -vxE "none$in_child" | grep -xE '_?exit|abort|printf|puts|putchar|perror|signal|sigaction|atexit|__assert_fail|__printf_chk|system|setenv|putenv' >"$work/bad" || true
[ ! -s "$work/bad" ] || broken "libdbsql.so calls what a guest does not: $(tr '\n' ' ' <"$work/bad")"

needed=$(objdump -p "$build/libdbsql.so" | awk '$1 == "NEEDED" {printf "%s%s", sep, $2; sep = " "}')
printf 'size\t%s\t%s\t%s\n' libdbsql.so.needs "$needed" libraries

# Both can be linked, and run.
cat >"$work/hello.c" <<'C'
#include <dbsql/dbsql.h>
#include <stdio.h>
#include <string.h>

/* Names that the library uses inside: a host may have its own. */
int buf_append(void);
int buf_append(void) {
  return 0;
}
int mem_alloc(void);
int mem_alloc(void) {
  return 0;
}

int main(void) {
  dbsql_error *error = NULL;
  dbsql_config *config = NULL;
  if (dbsql_config_new(&config, &error) != DBSQL_OK) return 1;
  if (dbsql_config_set(config, "no such option", "1", &error) == DBSQL_OK) return 1;
  printf("%s\n", dbsql_version());
  dbsql_error_free(error);
  dbsql_config_free(config);
  return mem_alloc() + buf_append() + strcmp(dbsql_version(), DBSQL_VERSION);
}
C
cc=${CC:-cc}
# shellcheck disable=SC2046 # words
"$cc" -I"$top/include" -o "$work/hello-static" "$work/hello.c" "$build/libdbsql.a" -Wl,--gc-sections \
  $(pkg-config --libs libcurl libcrypto liblz4 libzstd jansson) -pthread -lm
"$cc" -I"$top/include" -o "$work/hello-shared" "$work/hello.c" -L"$build" -ldbsql
"$work/hello-static" >"$work/out" || broken "the program with libdbsql.a does not run"
LD_LIBRARY_PATH=$build${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$work/hello-shared" >"$work/out" || broken "the program with libdbsql.so does not run"
strip "$work/hello-static"
figure program.with.libdbsql.a "$(bytes "$work/hello-static")" bytes

[ "$failed" -eq 0 ] && echo "size: ok"
exit "$failed"
