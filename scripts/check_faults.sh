#!/bin/sh
# Every scenario that docs/cloudfetch-faults.md names is armed by the end-to-end test.
set -eu
cd "$(dirname "$0")/.."
page=docs/cloudfetch-faults.md
test=tests/test_e2e_cloudfetch.c
# The names and options in the first column of the tables.
# shellcheck disable=SC2016 # back-ticks of Markdown
names=$(sed -n 's/^| \(`[^|]*\) |.*/\1/p' "$page" | grep -o '`[^`]*`' | tr -d '`' | sed 's/ .*//' | grep -v '^"' | sort -u)
[ "$(printf '%s\n' "$names" | wc -l)" -gt 30 ] || {
  printf '%s: no table of scenarios\n' "$page" >&2
  exit 1
}
result=0
for name in $names; do
  if ! grep -q "\"$name\"\|\\\\\"$name\\\\\"" "$test"; then
    printf '%s: %s has no test in %s\n' "$page" "$name" "$test" >&2
    result=1
  fi
done
exit "$result"
