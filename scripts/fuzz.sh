#!/bin/sh
# ./dev fuzz TARGET SECONDS, once the target is built. `list` names the targets.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-list}" = list ]; then
  for source in fuzz/fuzz_*.c; do
    [ -e "$source" ] && basename "$source" .c | sed 's/^fuzz_//'
  done
  exit 0
fi
target=$1
seconds=$2
program=build/fuzz/fuzz/fuzz_$target
corpus=build/fuzz/corpus/$target
found=build/fuzz/found/$target
mkdir -p "$corpus" "$found"

# The first inputs: what the project brings for the target, and the recordings.
seeds=build/fuzz/seeds/$target
rm -rf "$seeds"
mkdir -p "$seeds"
if [ -d "fuzz/seeds/$target" ]; then cp "fuzz/seeds/$target"/* "$seeds"/; fi
if [ -f "fuzz/seeds/$target.txt" ]; then
  # One input a line.
  awk -v folder="$seeds" '{file = folder "/line-" NR; printf "%s", $0 > file; close(file)}' "fuzz/seeds/$target.txt"
fi
if [ -n "${DBSQL_RECORDED:-}" ] && [ -d "$DBSQL_RECORDED" ]; then
  case $target in
    thrift | ipc | lz4 | columnar) find "$DBSQL_RECORDED" -type f | sort | build/fuzz/fuzz/fuzz_seeds "$target" "$seeds" ;;
  esac
fi
echo "fuzz: $target: $(find "$seeds" -type f | wc -l | tr -d ' ') seeds, $(find "$corpus" -type f | wc -l | tr -d ' ') inputs kept from before"

# What once broke it comes first.
if [ -d "fuzz/regressions/$target" ]; then
  "$program" fuzz/regressions/"$target"/* >"build/fuzz/$target.log" 2>&1 || {
    tail -n 60 "build/fuzz/$target.log" >&2
    echo "fuzz: $target: an input of fuzz/regressions/$target breaks it again" >&2
    exit 1
  }
fi

rc=0
"$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
  -artifact_prefix="$found/" "$corpus" "$seeds" >"build/fuzz/$target.log" 2>&1 || rc=$?
if [ "$rc" -ne 0 ]; then
  tail -n 60 "build/fuzz/$target.log" >&2
  echo "fuzz: $target: broken by $(find "$found" -type f -newer "$seeds" | tr '\n' ' ')" >&2
  echo "fuzz: after the fix keep it: cp FILE fuzz/regressions/$target/" >&2
  exit 1
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$target.log")
coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "build/fuzz/$target.log" | tail -n 1)
printf 'fuzz\t%s.runs\t%s\tinputs\n' "$target" "${runs:-0}"
printf 'fuzz\t%s.coverage\t%s\tedges\n' "$target" "${coverage:-0}"
