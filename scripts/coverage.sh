#!/bin/sh
# ./dev coverage: lines that ran, by module, from what gcov counted in the build folder given:
# `coverage<TAB>MODULE<TAB>PERCENT<TAB>%`, the worst files first above it.
set -eu
build=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
gcov=${GCOV:-gcov}

# -n: no files; for each source two lines, "File 'NAME'" and "Lines executed:P% of N". Headers are left out: they are counted with each
# of their users.
find "$build" -name '*.gcno' -path '*/dbsql_*' | sort | while IFS= read -r notes; do
  "$gcov" -n -o "$(dirname "$notes")" "$notes" 2>/dev/null
done | awk -v prefix="$top/src/" '
  /^File / {file = substr($0, 7); sub(/.$/, "", file); next}
  /^Lines executed:/ {
    if (index(file, prefix) == 1 && file ~ /\.c$/) {
      name = substr(file, length(prefix) + 1)
      percent = $0; sub(/^Lines executed:/, "", percent); sub(/%.*/, "", percent)
      total = $NF
      ran = percent * total / 100
      module = name; sub(/\/.*/, "", module)
      printf "%6.1f %% of %5d lines  %s\n", percent, total, name | "sort -n | head -n 20"
      lines[module] += total; done[module] += ran
      all += total; all_done += ran
    }
    file = ""
  }
  END {
    close("sort -n | head -n 20")
    if (!all) {print "coverage: nothing was counted" > "/dev/stderr"; exit 1}
    for (module in lines) printf "coverage\t%s\t%.1f\t%%\n", module, 100 * done[module] / lines[module] | "sort"
    close("sort")
    printf "coverage\tall\t%.1f\t%%\n", 100 * all_done / all
  }'
