#!/bin/sh
# Every line of the table in docs/telemetry.md has a test that exists and runs. Prints what is wrong, and says so with its exit code.
set -u
cd "$(dirname "$0")/.." || exit 1
found=$(
  sed -n 's/^| \(10\.[0-9][^|]*\) | \([^|]*\) | \(.*\) |$/\1\t\2\t\3/p' docs/telemetry.md | tr -d '\140' |
    while IFS='	' read -r section line test; do
      part=${test%%:*}
      name=${test#*:}
      case $part in
        bench) file=bench/telemetry.c ;;
        config | config_*) file=tests/test_$part.c ;;
        *) file=tests/test_telemetry_$part.c ;;
      esac
      if [ ! -f "$file" ]; then
        printf 'docs/telemetry.md: %s, %s: there is no %s\n' "$section" "$line" "$file"
      elif [ "$(grep -cw "$name" "$file")" -lt 2 ]; then
        printf 'docs/telemetry.md: %s, %s: %s has no test %s, or does not run it\n' "$section" "$line" "$file" "$name"
      fi
    done
)
count=$(grep -c '^| 10\.' docs/telemetry.md)
[ "$count" -ge 150 ] || found="$found
docs/telemetry.md: only $count lines are left"
[ -z "$found" ] && exit 0
printf '%s\n' "$found"
exit 1
