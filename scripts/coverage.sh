#!/bin/sh
# ./dev coverage: lines that ran, by module, from what gcov counted in the build folder given:
# `coverage<TAB>MODULE<TAB>PERCENT<TAB>%`, and before it the files with most left to run.
set -eu
build=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
gcov=${GCOV:-gcov}

# -t writes annotated sources: COUNT:LINE:TEXT, where COUNT is '-' for what is no code and '#####' for what did not run. A source may be
# compiled into several programs: a line ran if it ran in one of them. Headers are left out.
find "$build" -name '*.gcno' | sort | while IFS= read -r notes; do
  "$gcov" -t -o "$(dirname "$notes")" "$notes" 2>/dev/null
done | awk -F: -v prefix="$top/src/" '
  $2 + 0 == 0 && $3 == "Source" {
    name = index($4, prefix) == 1 && $4 ~ /\.c$/ ? substr($4, length(prefix) + 1) : ""
    next
  }
  name != "" && $1 !~ /-$/ {
    key = name ":" $2 + 0
    if (!(key in state)) {state[key] = 0; total[name]++}
    if ($1 ~ /[0-9]/ && state[key] == 0) {state[key] = 1; ran[name]++}
  }
  END {
    for (name in total) {
      module = name
      sub(/\/.*/, "", module)
      lines[module] += total[name]
      done[module] += ran[name]
      all += total[name]
      all_done += ran[name]
      if (total[name] > ran[name]) printf "%5d of %5d lines did not run  %s\n", total[name] - ran[name], total[name], name | "sort -rn | head -n 20"
    }
    close("sort -rn | head -n 20")
    if (!all) {print "coverage: nothing was counted" > "/dev/stderr"; exit 1}
    for (module in lines) printf "coverage\t%s\t%.1f\t%%\n", module, 100 * done[module] / lines[module] | "sort"
    close("sort")
    printf "coverage\tall\t%.1f\t%%\n", 100 * all_done / all
  }'
