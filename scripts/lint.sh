#!/bin/sh
# ./dev lint: what can be told without running anything. Each check prints what it found; the exit code is 1 if any found something.
# An argument names a single check.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
# report NAME FINDINGS
report() {
  if [ -n "$2" ]; then
    printf 'lint: %s:\n%s\n' "$1" "$2" >&2
    failed=1
  fi
}

# Files of the project by pattern: those that git knows or would take.
files() {
  git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
    [ -f "$file" ] && printf '%s\n' "$file"
  done
}

# Formatting differs between versions of clang-format: one counts, that of Debian 12.
check_format() {
  tool=
  for candidate in ${CLANG_FORMAT:-} clang-format-14 clang-format; do
    case $("$candidate" --version 2>/dev/null) in
      *"version 14."*)
        tool=$candidate
        break
        ;;
    esac
  done
  if [ -z "$tool" ]; then
    report format "needs clang-format 14 (package clang-format of Debian 12, or clang-format==14.0.6 by pip); CLANG_FORMAT may name it"
    return
  fi
  report format "$(files '*.c' '*.h' | xargs "$tool" --dry-run -Werror 2>&1)"
}

check_layers() {
  report "an include points up or out of its layer (docs/design.md)" "$(files '*.c' '*.h' '*.def' | xargs awk -f scripts/layers.awk)"
}

# Brackets keep the words from finding themselves; one of them means something only in a comment.
check_words() {
  report "a word that speaks of unfinished work" "$(files '*.c' '*.h' '*.def' '*.sh' '*.cmake' 'CMakeLists.txt' dev |
    xargs grep -nE '(^|[^A-Za-z_])(TO[D]O|FIX[M]E|HAC[K])([^A-Za-z_]|$)|(/[/*]|#|^ \*).*[^A-Za-z"]XX[X]([^A-Za-z"]|$)' /dev/null)"
}

check_paths() {
  report "a path of somebody's machine" "$(files | xargs grep -nIE '(^|[^A-Za-z0-9_.-])/(wor[k]|roo[t]|far[m]|home/[a-z]+|Users/[A-Za-z]+)/' /dev/null)"
}

check_scripts() {
  shells=$(files '*.sh' | xargs grep -lE '^#!/bin/sh|shellcheck shell=sh' /dev/null)
  report "syntax of a script" "$(for script in dev $shells; do sh -n "$script" 2>&1; done)"
  if ! command -v shellcheck >/dev/null 2>&1; then
    report scripts "shellcheck is missing: ./dev deps lint"
    return
  fi
  report shellcheck "$(files dev .ci/run '*.sh' | xargs shellcheck -x -f gcc 2>&1)"
}

# Links to files in the documentation; an anchor is not looked at.
check_links() {
  report "a link leads nowhere" "$(files '*.md' | while IFS= read -r page; do
    folder=$(dirname "$page")
    awk '/^```/ {code = !code; next}
         !code {gsub(/`[^`]*`/, ""); while (match($0, /\]\([^)]*\)/)) {print substr($0, RSTART + 2, RLENGTH - 3); $0 = substr($0, RSTART + RLENGTH)}}' "$page" |
      while IFS= read -r link; do
        case $link in *://* | mailto:* | '#'* | '') continue ;; esac
        target=${link%%#*}
        [ -e "$folder/$target" ] || printf '%s: %s\n' "$page" "$link"
      done
  done)"
}

# Who begins at README.md finds every page.
check_pages() {
  report "a page that README.md does not link to" "$(files 'docs/*.md' | while IFS= read -r page; do
    grep -qF "]($page)" README.md || printf '%s\n' "$page"
  done)"
}

# Functions that the header promises, one a line.
public_functions() {
  awk '/^DBSQL_API/ {if (match($0, /dbsql_[a-z0-9_]+\(/)) print substr($0, RSTART, RLENGTH - 1)}' include/dbsql/dbsql.h
}

# Definitions begin in the first column, and so do no calls.
check_api() {
  report "a public function without a definition in src" "$(public_functions | while IFS= read -r name; do
    files 'src/*.c' | xargs grep -qE "^[A-Za-z_].*[ *]$name\(" /dev/null || printf '%s\n' "$name"
  done)"
}

# Every line that telemetry must keep has its test.
check_telemetry() {
  report "telemetry" "$(sh scripts/check_telemetry.sh 2>&1)"
}

# Every scenario of CloudFetch has its test.
check_faults() {
  report "scenarios of CloudFetch" "$(sh scripts/check_faults.sh 2>&1)"
}

# Every threat has its test.
check_security() {
  report "security" "$(sh scripts/check_security.sh 2>&1)"
}

# What is done in one place only, because elsewhere it would go wrong: reading the environment of a privileged program, and waiting by a clock
# that somebody may set.
check_places() {
  report "getenv() outside of src/base/environment.c (use environment_get)" "$(files 'src/*.c' 'src/*.h' | grep -vxF src/base/environment.c |
    xargs grep -nE '(^|[^_a-z])(secure_)?getenv\(' /dev/null | grep -vF DATABRICKS_TELEMETRY_DISABLED)"
  report "a timed wait outside of src/base/wait.c (use wait_for_ms)" "$(files 'src/*.c' | grep -vxF src/base/wait.c |
    xargs grep -nE 'pthread_cond_(timedwait|clockwait)' /dev/null)"
  report "CLOCK_REALTIME outside of src/base/clock.c" "$(files 'src/*.c' | grep -vxF src/base/clock.c | xargs grep -n CLOCK_REALTIME /dev/null)"
}

# Versions stand in the header and in CMakeLists.txt.
check_version() {
  header=$(sed -n 's/^#define DBSQL_VERSION "\(.*\)"/\1/p' include/dbsql/dbsql.h)
  cmake=$(sed -n 's/^project(dbsql VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
  parts=$(awk '/^#define DBSQL_VERSION_(MAJOR|MINOR|PATCH) / {printf "%s%s", dot, $3; dot = "."}' include/dbsql/dbsql.h)
  if [ "$header" != "$cmake" ] || [ "$header" != "$parts" ]; then
    report "versions differ" "dbsql.h: $header, its parts: $parts, CMakeLists.txt: $cmake"
  fi
}

for check in ${1:-format layers words paths scripts links pages api version telemetry faults security places}; do
  case $check in
    format) check_format ;;
    layers) check_layers ;;
    words) check_words ;;
    paths) check_paths ;;
    scripts) check_scripts ;;
    links) check_links ;;
    pages) check_pages ;;
    api) check_api ;;
    version) check_version ;;
    telemetry) check_telemetry ;;
    security) check_security ;;
    places) check_places ;;
    faults) check_faults ;;
    *) report usage "no check '$check'" ;;
  esac
done
[ "$failed" -eq 0 ] && echo "lint: ok"
exit "$failed"
