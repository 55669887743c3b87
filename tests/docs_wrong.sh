#!/bin/sh
# That scripts/docs_examples.sh finds what is wrong in docs_wrong.md, line by line, and nothing else.
set -u
here=$(cd "$(dirname "$0")" && pwd)
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
sh "$here/../scripts/docs_examples.sh" "$1" "$here/docs_wrong.md" >"$output" 2>&1
rc=$?
[ "$rc" -ne 77 ] || exit 77
found=$(sed -n 's/^[^ ]*docs_wrong\.md:\([0-9]*\): .*/\1/p' "$output" | sort -n | tr '\n' ' ')
wanted=$(awk '/# WRONG$/ {print NR} /^WRONG -/ {print NR + $2}' "$here/docs_wrong.md" | sort -n | tr '\n' ' ')
if [ "$rc" -ne 1 ] || [ "$found" != "$wanted" ]; then
  cat "$output" >&2
  printf 'exit code %s; wrong lines: %s; found: %s\n' "$rc" "$wanted" "$found" >&2
  exit 1
fi
