#!/bin/sh
# What a cached token costs per request, with 1, 2 and 100 threads on one provider. Called by ./dev bench auth.
set -eu
cd "$(dirname "$0")/.."
build=build/bench
cmake --preset release -B "$build" -DDBSQL_BUILD_BENCH=ON >/dev/null
ninja -C "$build" bench_auth >/dev/null
find "$build" -name bench_auth -type f -exec {} "${1:-10000000}" \;
