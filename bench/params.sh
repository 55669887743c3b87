#!/bin/sh
# Rows inserted by Arrow batches, many in a statement, against one statement for each row, into the local warehouse. Called by ./dev bench params.
set -eu
cd "$(dirname "$0")/.."
. bench/warehouse.sh
bench_build params
start_warehouse --port 0
"$program" "$dsn" "${1:-5000}"
