#!/bin/sh
# ./dev demo: a local warehouse, the shell and the examples, end to end. The folder with the programs is the argument.
set -eu
bin=$1

work=$(mktemp -d)
server=
# Ends the warehouse and returns what it returned. A signal may be lost between fork and exec, so it is sent until it is heard.
stop_server() {
  tries=0
  while kill "$server" 2>/dev/null && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  kill -9 "$server" 2>/dev/null || true
  wait "$server"
}
# shellcheck disable=SC2317 # called by the trap
cleanup() {
  rc=$?
  trap - EXIT
  if [ -n "$server" ]; then stop_server 2>/dev/null || true; fi
  if [ "$rc" -ne 0 ]; then
    echo "demo: failed" >&2
    if [ -s "$work/warehouse.err" ]; then
      echo "what the warehouse said:" >&2
      tail -n 20 "$work/warehouse.err" >&2
    fi
  fi
  rm -rf "$work"
  exit "$rc"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

title() {
  printf '\n== %s\n\n' "$*"
}

# Shows a command's SQL and runs it through the shell.
sql() {
  printf 'sql> %s\n' "$1"
  query=$1
  shift
  "$bin/dbsql" --dsn "$dsn" "$@" --command "$query"
}

title "Starting a local warehouse: an HTTP server that speaks Databricks' Thrift protocol, with an embedded SQL engine"
: >"$work/warehouse.out"
"$bin/dbsql-warehouse" --port 0 >"$work/warehouse.out" 2>"$work/warehouse.err" </dev/null &
server=$!
dsn=
tries=0
while [ -z "$dsn" ]; do
  dsn=$(sed -n 's/^dbsql-warehouse ready: //p' "$work/warehouse.out")
  if [ -z "$dsn" ]; then
    kill -0 "$server" 2>/dev/null || { echo "demo: the warehouse ended before it was ready" >&2; exit 1; }
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || { echo "demo: the warehouse was not ready after 30 seconds" >&2; exit 1; }
    sleep 0.1
  fi
done
echo "Any client can connect to it: $dsn"

title "Types: each value keeps its exact SQL type on the way"
sql "SELECT CAST(1 AS TINYINT) AS tiny, 9223372036854775807 AS big, CAST(12345678901234567890.123456789 AS DECIMAL(38,9)) AS exact, 0.1 + 0.2 AS sum, DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:34:56.789012' AS moment, CAST(NULL AS STRING) AS nothing"

title "Nesting: arrays, structs and maps arrive as such, here shown as JSON"
sql "SELECT ARRAY[1, NULL, 3] AS numbers, {'name': 'Ada', 'born': DATE '1815-12-10'} AS person, MAP {'a': 1, 'b': 2} AS pairs" --format ndjson

title "A table of one's own, and what happened to it"
sql "CREATE TABLE fruit (name STRING, price DECIMAL(10,2)); INSERT INTO fruit VALUES ('Äpfel', 2.50), ('梨', 3.75), ('fig', NULL); SELECT name, price, price * 3 AS three FROM fruit ORDER BY name"

title "An error, on purpose: the statement names a table that is not there"
rc=0
sql "SELECT * FROM no_such_table" || rc=$?
if [ "$rc" -ne 1 ]; then
  echo "demo: the shell should have returned 1 for a statement that failed, and returned $rc" >&2
  exit 1
fi
echo "(the shell said so and returned 1, as it should)"

title "A million rows through the shell, counted by another program"
printf 'sql> %s\n' "SELECT * FROM range(1000000)"
"$bin/dbsql" --dsn "$dsn" --timing --no-header --format csv --output "$work/rows.csv" --command "SELECT * FROM range(1000000)"
lines=$(wc -l <"$work/rows.csv" | tr -d ' ')
echo "$lines lines of CSV"
[ "$lines" -eq 1000000 ]

title "The C example examples/quickstart.c: connect, run, print rows"
"$bin/examples/quickstart" "$dsn"

title "The C example examples/million.c: a million rows as Arrow batches, added up"
"$bin/examples/million" "$dsn"

title "Stopping the warehouse"
rc=0
stop_server || rc=$?
server=
if [ "$rc" -ne 0 ]; then
  echo "demo: the warehouse returned $rc" >&2
  exit 1
fi
echo "It went without complaint."
echo
echo "demo: ok"
