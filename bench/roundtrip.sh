#!/bin/sh
# 2,000 times SELECT 1 over the local warehouse, against bare libcurl with the same bytes. Called by ./dev bench roundtrip.
set -eu
cd "$(dirname "$0")/.."
. bench/warehouse.sh
bench_build roundtrip
start_warehouse --port 0
"$program" "$dsn" "${1:-2000}"
