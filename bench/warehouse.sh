# Sourced by the benchmarks: bench_build NAME makes bench_NAME, start_warehouse OPTION... starts a local warehouse, whose ready line and
# connection string are then in $build/ready and $dsn. It ends with the script; `on_exit` is run behind that.
# shellcheck shell=sh
build=build/bench
on_exit=:

bench_build() {
  cmake --preset release -B "$build" -DDBSQL_BUILD_BENCH=ON >/dev/null
  ninja -C "$build" "bench_$1" >/dev/null
  # shellcheck disable=SC2034 # for who sources this
  program=$(find "$build" -name "bench_$1" -type f)
}

start_warehouse() {
  : >"$build/ready"
  "$DBSQL_BUILD/dbsql-warehouse" "$@" >"$build/ready" &
  server=$!
  trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true; $on_exit' EXIT
  trap 'exit 1' INT TERM
  tries=0
  until grep -q ready "$build/ready"; do
    kill -0 $server
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { echo "the warehouse did not start" >&2; exit 1; }
    sleep 0.1
  done
  # shellcheck disable=SC2034 # for who sources this
  dsn=$(sed 's/^dbsql-warehouse ready: //' "$build/ready")
}
