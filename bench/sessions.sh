#!/bin/sh
# What 1,000 connections in one process take. Called by ./dev bench sessions [CONNECTIONS [WORKERS]].
set -eu
cd "$(dirname "$0")/.."
build=build/bench
count=${1:-1000}
most=$((count + 100))
cmake --preset release -B "$build" -DDBSQL_BUILD_BENCH=ON >/dev/null
ninja -C "$build" bench_sessions >/dev/null
# Sockets of the program and of the warehouse, which has two for a connection that downloads.
# shellcheck disable=SC3045 # not in POSIX, but in every shell
ulimit -n $((count * 8 + 1000))
rm -f "$build/ready"
"$DBSQL_BUILD/dbsql-warehouse" --port 0 --max-sessions $most --max-connections $most --cloudfetch-threshold 65536 >"$build/ready" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
trap 'exit 1' INT TERM
tries=0
until grep -qs ready "$build/ready"; do
  kill -0 $server
  tries=$((tries + 1))
  [ $tries -lt 300 ] || { echo "the warehouse did not start" >&2; exit 1; }
  sleep 0.1
done
find "$build" -name bench_sessions -type f -exec {} "$(sed 's/^dbsql-warehouse ready: //' "$build/ready")" "$count" "${2:-8}" \;
