#!/bin/sh
# What telemetry costs the driver's thread and what a batch takes, and the same of databricks-sql-go where go and its module are there.
# Called by ./dev bench telemetry.
set -eu
cd "$(dirname "$0")/.."
. bench/warehouse.sh
bench_build telemetry
start_warehouse --port 0 --token bench
port=$(sed -n 's/.*@[^:]*:\([0-9]*\).*/\1/p' "$build/ready" | head -n 1)
"$program" "http://127.0.0.1:$port" | tee "$build/telemetry.txt"

# Instructions of one pair: the difference of two runs, so that starting and ending fall out.
if command -v valgrind >/dev/null 2>&1; then
  few=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" --count 10000 2>&1 | sed -n 's/.*Collected : //p')
  many=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" --count 110000 2>&1 | sed -n 's/.*Collected : //p')
  printf 'bench\ttelemetry.pair_enabled_instructions\t%s\tinstructions\n' $(((many - few) / 100000))
fi

# The original's own benchmarks, on the same machine in the same run.
command -v go >/dev/null 2>&1 || exit 0
module=github.com/databricks/databricks-sql-go
folder=$build/go-telemetry
mkdir -p "$folder"
[ -f "$folder/go.mod" ] || (cd "$folder" && go mod init bench >/dev/null 2>&1 && go get "$module@v1.13.1" >/dev/null 2>&1) || exit 0
(cd "$folder" && go test -run '^$' -bench 'Interceptor|CircuitBreaker|PerHostSharing|Exporter_Export|RecordMetric' -benchmem "$module/telemetry" 2>/dev/null) |
  awk -v ours="$(awk -F '\t' '$2 == "telemetry.pair_enabled" {print $3}' "$build/telemetry.txt")" '
    /^Benchmark/ {
      name = $1
      sub(/-[0-9]+$/, "", name)
      printf "bench\tgo.%s\t%s\tns\n", name, $3
      if (name ~ /Overhead_Enabled/ && ours > 0) printf "bench\ttelemetry.pair_enabled_times_faster\t%.1f\tratio\n", $3 / ours
    }'
