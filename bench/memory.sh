#!/bin/sh
# What a result of 8 GiB (decoded) that comes as files takes in memory under a ceiling of 64 MiB, read by a fast and by a slow consumer, each
# in a process of its own. Called by ./dev bench memory [GIB [CEILING_MIB]].
#
# The rows repeat themselves batch by batch, so that the warehouse needs little room for them: it keeps equal batches once.
set -eu
cd "$(dirname "$0")/.."
. bench/warehouse.sh
gib=${1:-8}
ceiling=${2:-64}
bench_build memory
files=$(mktemp -d)
on_exit="rm -rf $files"
start_warehouse --port 0 --spool-dir "$files" --max-result-mb 65536 --link-life-ms 3600000
# 256 bytes a row: 8 + 8 for the numbers, 4 for the offset, 236 for the text.
rows=$((gib * 1024 * 1024 * 4))
period=122880
sql="SELECT i % $period AS i, (i % $period) / 7.0 AS d,
  CAST(rpad(concat(md5(CAST(i % $period AS VARCHAR)), '/', CAST(i % $period AS VARCHAR)), 236, md5(CAST(i % 1024 AS VARCHAR))) AS STRING) AS s
  FROM range($rows) AS r(i)"
for consumer in fast slow; do
  "$program" "$dsn" "$sql" $consumer "$ceiling" $((gib * 1024))
done >"$build/memory"
cat "$build/memory"
awk -F '\t' '$2 ~ /_(peak|high_water)_mib$/ {sub(/memory\.(fast|slow)_/, "", $2); if ($3 > most[$2]) most[$2] = $3}
  END {for (name in most) printf "bench\tmemory.%s\t%s\tMiB\n", name, most[name]}' "$build/memory"
printf 'bench\tmemory.ceiling_mib\t%s\tMiB\n' "$ceiling"
