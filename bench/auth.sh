#!/bin/sh
# What a cached token costs per request, with 1, 2 and 100 threads on one provider. Called by ./dev bench auth.
set -eu
cd "$(dirname "$0")/.."
. bench/warehouse.sh
bench_build auth
"$program" "${1:-10000000}"
