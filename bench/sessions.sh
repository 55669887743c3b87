#!/bin/sh
# What 1,000 connections in one process take. Called by ./dev bench sessions [CONNECTIONS [WORKERS]].
set -eu
cd "$(dirname "$0")/.."
. bench/warehouse.sh
count=${1:-1000}
most=$((count + 100))
bench_build sessions
# Sockets of the program and of the warehouse, which has two for a connection that downloads.
# shellcheck disable=SC3045 # not in POSIX, but in every shell
ulimit -n $((count * 8 + 1000))
start_warehouse --port 0 --max-sessions $most --max-connections $most --cloudfetch-threshold 65536
"$program" "$dsn" "$count" "${2:-8}"
