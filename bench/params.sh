#!/bin/sh
# Rows inserted by Arrow batches, many in a statement, against one statement for each row, into the local warehouse. Called by ./dev bench params.
set -eu
cd "$(dirname "$0")/.."
build=build/bench
cmake --preset release -B "$build" -DDBSQL_BUILD_BENCH=ON >/dev/null
ninja -C "$build" bench_params >/dev/null
: >"$build/ready"
"$DBSQL_BUILD/dbsql-warehouse" --port 0 >"$build/ready" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT INT TERM
tries=0
until grep -q ready "$build/ready"; do
  kill -0 $server
  tries=$((tries + 1))
  [ $tries -lt 300 ] || { echo "the warehouse did not start" >&2; exit 1; }
  sleep 0.1
done
find "$build" -name bench_params -type f -exec {} "$(sed 's/^dbsql-warehouse ready: //' "$build/ready")" "${1:-5000}" \;
