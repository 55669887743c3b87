#!/bin/sh
# A result of mixed types that comes as files (20 million rows, over 1 GiB decoded), through the library and by the floor. Called by
# ./dev bench fetch [ROWS] [ROUNDS].
set -eu
cd "$(dirname "$0")/.."
build=build/bench
rows=${1:-20000000}
cmake --preset release -B "$build" -DDBSQL_BUILD_BENCH=ON >/dev/null
ninja -C "$build" bench_fetch >/dev/null
files=$(mktemp -d)
"$DBSQL_BUILD/dbsql-warehouse" --port 0 --prepared-dir "$files" >"$build/ready" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true; rm -rf "$files"' EXIT INT TERM
tries=0
until grep -q ready "$build/ready"; do
  kill -0 $server
  tries=$((tries + 1))
  [ $tries -lt 300 ] || { echo "the warehouse did not start" >&2; exit 1; }
  sleep 0.1
done
sql="SELECT i, CAST(i % 1000 AS INTEGER) AS k, i / 7.0 AS d, concat('customer#', CAST(i % 100000 AS VARCHAR)) AS s,
  CAST(i AS DECIMAL(18, 2)) / 4 AS m, TIMESTAMP '2024-01-01 00:00:00' + INTERVAL 1 SECOND * CAST(i % 10000000 AS INTEGER) AS t
  FROM range($rows) AS r(i)"
find "$build" -name bench_fetch -type f -exec {} "$(sed 's/^dbsql-warehouse ready: //' "$build/ready")" "$sql" "${2:-3}" \;
