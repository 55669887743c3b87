#!/bin/sh
# A result of mixed types that comes as files, through the library and by the floor; then pages without files, the row cursor, and
# instructions as callgrind counts them, on less. Called by ./dev bench fetch [ROWS] [ROUNDS]: 20000000 rows are over 1 GiB decoded.
set -eu
cd "$(dirname "$0")/.."
. bench/warehouse.sh
rows=${1:-20000000}
rounds=${2:-5}
few=400000 # two files or three: callgrind is slow
for number in "$rows" "$rounds"; do
  case $number in '' | *[!0-9]*) echo "fetch: '$number' is not a number" >&2; exit 2 ;; esac
done
bench_build fetch
files=$(mktemp -d)
on_exit="rm -rf $files"
start_warehouse --port 0 --prepared-dir "$files" --keep-links-mb 1

# statement ROWS [TEXT]: integers, doubles, decimals and timestamps, and strings if there is a TEXT.
statement() {
  echo "SELECT i, CAST(i % 1000 AS INTEGER) AS k, i / 7.0 AS d, ${2:-}
    CAST(i AS DECIMAL(18, 2)) / 4 AS m, TIMESTAMP '2024-01-01 00:00:00' + INTERVAL 1 SECOND * CAST(i % 10000000 AS INTEGER) AS t
    FROM range($1) AS r(i)"
}
text="concat('customer#', CAST(i % 100000 AS VARCHAR)) AS s,"

# instructions MODE: of one round, for each MiB decoded. What starting and ending take is in both runs, and so in neither.
instructions() {
  for n in 1 3; do
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$dsn" "$(statement $few "$text")" $n \
      >"$build/callgrind.$n" 2>"$build/callgrind.log.$n" || { cat "$build/callgrind.log.$n" >&2; return 1; }
  done
  cat "$build/callgrind.log.1" "$build/callgrind.log.3" "$build/callgrind.1" |
    awk '/Collected :/ {count[++n] = $NF} $1 == "decoded" {mib = $2 / 1048576} END {printf "%.0f\n", (count[2] - count[1]) / 2 / mib}'
}

"$program" compare "$dsn" "$(statement "$rows" "$text")" "$rounds"
# No page comes with the answer to the statement: the clock begins after that.
"$program" pages inline_arrow "$dsn?cloudfetch=false&direct_results=false" "$(statement $((rows / 10)) "$text")" "$rounds"
"$program" pages columnar "$dsn?arrow=false&direct_results=false" "$(statement $((rows / 20)) "$text")" "$rounds"
"$program" cursor "$dsn" "$(statement $((rows / 10)))" "$rounds"
if command -v valgrind >/dev/null; then
  library=$(instructions library)
  floor=$(instructions floor)
  printf 'bench\tfetch.instructions_per_mib\t%s\tinstructions\n' "$library"
  printf 'bench\tfetch.floor_instructions_per_mib\t%s\tinstructions\n' "$floor"
  awk -v a="$library" -v b="$floor" 'BEGIN {printf "bench\tfetch.instructions_ratio_to_floor\t%.3f\tratio\n", a / b}'
else
  echo "note: instructions are not counted, for lack of valgrind" >&2
fi
