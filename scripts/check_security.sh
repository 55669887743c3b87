#!/bin/sh
# Every line of the tables in docs/security.md has a test that exists and runs, or says why it does not apply; no threat is missing. Prints
# what is wrong, and says so with its exit code.
set -u
cd "$(dirname "$0")/.." || exit 1
page=docs/security.md
wrong() {
  printf '%s: %s\n' "$page" "$*"
}

# "| LABEL | LINE | TESTS |" as "LABEL, LINE<tab>TESTS", of both tables.
rows() {
  sed -n 's/^| \([^|]*\) | \([^|]*\) | \(.*\) |$/\1, \2\t\3/p' "$page" | grep -vE '^(No\.|Part), '
}

found=$(
  number=1
  while [ "$number" -le 45 ]; do
    [ "$(grep -c "^| T$number | " "$page")" -eq 1 ] || wrong "T$number must be there once"
    number=$((number + 1))
  done
  count=$(grep -cE '^\| (Token|Static|External|Authenticator|Cached|Federation|Exchange|Options) \| ' "$page")
  [ "$count" -ge 65 ] || wrong "only $count lines of tokens and token providers are left"
  rows | while IFS='	' read -r line tests; do
    names=$(printf '%s\n' "$tests" | grep -oE '[a-z0-9_]+:[a-z0-9_]+')
    case $tests in
      'Does not apply: '*) [ -z "$names" ] || wrong "$line: either it does not apply, or it has a test" ;;
      *) [ -n "$names" ] || wrong "$line: has no test" ;;
    esac
    for name in $names; do
      file=tests/test_${name%%:*}.c
      if [ ! -f "$file" ]; then
        wrong "$line: there is no $file"
      elif [ "$(grep -cw "${name#*:}" "$file")" -lt 2 ]; then
        wrong "$line: $file has no test ${name#*:}, or does not run it"
      fi
    done
  done
)
[ -z "$found" ] && exit 0
printf '%s\n' "$found"
exit 1
