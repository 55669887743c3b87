#!/bin/sh
# Runs the examples of the documentation: docs_examples.sh FOLDER-WITH-THE-PROGRAMS [PAGE...], all pages unless some are named.
#
# The first word behind ``` says what a block is, and the word `no-run` behind it that it needs what a test does not have (a
# workspace, the network, other software). What runs, each block in an empty folder:
#
#   sh     Lines that begin with `$ ` are commands, of one shell for the block, and such with `> ` right behind them go on with them; what
#          follows is all that the command prints, on both outputs.
#          There `…` stands for any text, and alone on a line for any lines. Without such lines: a script that must succeed.
#   sql    Statements for `dbsql --local`, which must succeed.
#   c      A program (it has a main) or a piece of one: then functions that begin with `static` stand outside, and all else within a
#          function that has what scripts/docs_example.h declares. Compiled and run on a local warehouse; must succeed in silence.
#
# Other words (text, json, ini, cmake ...) are not run, and a block without one must not look like commands. Exit code 77: no SQL engine.
#
# CC, DOCS_CFLAGS (for compiling and linking) and DOCS_LIBRARY say how C is built; without CC, C is not run.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
bin=$(cd "$1" && pwd) || exit 1
shift
[ $# -gt 0 ] || set -- "$top/README.md" "$top"/docs/*.md

work=$(mktemp -d) || exit 1
# shellcheck disable=SC2317 # called by the trap
cleanup() {
  rc=$?
  trap - EXIT
  rm -rf "$work"
  exit "$rc"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Nothing of the user's own counts: no connection, no profile, no history, no proxy.
for name in $(env | sed -nE 's/^(DATABRICKS_[A-Z_]*|ARM_[A-Z_]*|DBSQL_DSN|[A-Z]*_PROXY|[a-z]*_proxy)=.*/\1/p'); do
  unset "$name"
done
PATH=$bin:$PATH HOME=$work/home
unset XDG_STATE_HOME XDG_CACHE_HOME XDG_CONFIG_HOME DBSQL_CACHE_DIR
export PATH HOME
mkdir "$HOME" "$work/blocks"

# The warehouse of each block of C; also tells whether there is an engine.
mkfifo "$work/ready"
dbsql-warehouse --port 0 --exit-with-parent >"$work/ready" 2>"$work/warehouse.err" </dev/null &
read -r line <"$work/ready"
dsn=${line#*ready: }
if [ -z "$dsn" ]; then
  cat "$work/warehouse.err" >&2
  grep -q 'cannot load the SQL engine' "$work/warehouse.err" && exit 77
  exit 1
fi

# Blocks become files LINE.KIND of a page's folder; what cannot be taken for one is told at once.
split() {
  awk -v folder="$2" -v name="$3" '
    function wrong(line, text) {print name ":" line ": " text; bad = 1}
    !inside && /^ *```/ {
      inside = 1; start = NR; indent = match($0, /[^ ]/) - 1
      words = $0; sub(/^ *```+ */, "", words); count = split(words, word, / +/)
      kind = count ? word[1] : ""
      if (count > 2 || (count == 2 && word[2] != "no-run")) wrong(NR, "what stands behind ``` is not known: " words)
      if (kind ~ /^(bash|shell|console|C|SQL)$/) wrong(NR, "write sh, sql or c instead of " kind)
      file = folder "/" sprintf("%05d", NR) "." (count == 2 ? "skipped" : kind)
      runs = count == 1 && kind ~ /^(sh|sql|c)$/
      if (runs || count == 2) printf "" > file
      next
    }
    inside && /^ *``` *$/ {inside = 0; if (runs) close(file); next}
    inside && runs {print substr($0, indent + 1) > file; next}
    inside && kind == "" && /^ *(\$ |dbsql |dbsql-warehouse |curl |\.\/dev )/ {wrong(NR, "commands in a block that does not say `sh`"); kind = "text"}
    END {if (inside) wrong(start, "this block does not end"); exit bad}' "$1"
}

# compare WANTED GOT: says nothing if they are the same.
compare() {
  awk -v dots='…' '
    function same(pattern, text, piece, count, i, at) {
      if (index(pattern, dots) == 0) return pattern == text
      count = split(pattern, piece, dots)
      if (substr(text, 1, length(piece[1])) != piece[1]) return 0
      text = substr(text, length(piece[1]) + 1)
      for (i = 2; i < count; i++) {
        at = index(text, piece[i])
        if (piece[i] != "" && at == 0) return 0
        if (piece[i] != "") text = substr(text, at + length(piece[i]))
      }
      return length(text) >= length(piece[count]) && substr(text, length(text) - length(piece[count]) + 1) == piece[count]
    }
    function all_same(i, j) {
      for (; i <= wanted; i++) {
        if (want[i] == dots) {
          for (; j <= got + 1; j++) if (all_same(i + 1, j)) return 1
          return 0
        }
        if (j > got || !same(want[i], have[j])) return 0
        j++
      }
      return j > got
    }
    {sub(/[ \r]+$/, "")}
    FILENAME == ARGV[1] {want[++wanted] = $0; next}
    {have[++got] = $0}
    END {
      while (wanted && want[wanted] == "") wanted--
      while (got && have[got] == "") got--
      if (all_same(1, 1)) exit
      for (i = 1; i <= wanted; i++) print "    wanted: " want[i]
      for (i = 1; i <= got; i++) print "    got:    " have[i]
    }' "$1" "$2"
}

failed=0
ran=0
# fail LINE TEXT [FILE]
fail() {
  printf '%s:%s: %s\n' "$name" "$1" "$2" >&2
  [ $# -lt 3 ] || sed 's/^/    /' "$3" >&2
  failed=$((failed + 1))
}

# A session: the shell writes what each command prints into a file of its own, named by the line that it stands in.
run_session() {
  rm -rf "$work/session"
  mkdir "$work/session"
  awk -v folder="$work/session" -v first="$2" '
    /^\$ / {
      number = first + NR; wanted = folder "/" number ".want"; printf "" > wanted
      printf "exec >\"%s/%d.got\" 2>&1\n%s\n", folder, number, substr($0, 3); command = 1; next
    }
    command && /^> / {print substr($0, 3); next}
    {command = 0}
    {print > wanted}' "$1" >"$work/script"
  (cd "$work/place" && sh "$work/script" </dev/null)
  for wanted in "$work"/session/*.want; do
    number=$(basename "$wanted" .want)
    [ -f "$work/session/$number.got" ] || { fail "$number" "this was not reached"; continue; }
    compare "$wanted" "$work/session/$number.got" >"$work/difference"
    [ ! -s "$work/difference" ] || fail "$number" "this prints something else" "$work/difference"
  done
}

run_c() {
  if grep -q '^int main(' "$1"; then
    cp "$1" "$work/example.c"
  else
    awk -v page="$name" -v first="$2" '
      /^#include|^static .*\) \{$/ || outside {
        outside = !/^#include|^}/
        top = top "#line " first + NR " \"" page "\"\n" $0 "\n"; next
      }
      {body = body "#line " first + NR " \"" page "\"\n" $0 "\n"}
      END {printf "#include \"docs_example.h\"\n%s#line 1 \"example\"\nstatic void example(void) {\n%s#line 2 \"example\"\n}\n", top, body}' "$1" >"$work/example.c"
  fi
  # shellcheck disable=SC2086 # flags are words
  if ! "$CC" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-variable -I"$top/include" -I"$top/scripts" ${DOCS_CFLAGS:-} \
    -o "$work/example" "$work/example.c" "$DOCS_LIBRARY" "-Wl,-rpath,$(dirname "$DOCS_LIBRARY")" >"$work/output" 2>&1; then
    fail "$2" "this does not compile" "$work/output"
    return
  fi
  # Pieces of programs do not clean up.
  if ! (cd "$work/place" && ASAN_OPTIONS=detect_leaks=0 "$work/example" "$dsn" >"$work/output" 2>"$work/errors" </dev/null) || [ -s "$work/errors" ]; then
    cat "$work/errors" >>"$work/output"
    fail "$2" "this fails" "$work/output"
  fi
}

for page; do
  name=${page#"$top"/}
  rm -rf "$work/blocks"
  mkdir "$work/blocks"
  if ! split "$page" "$work/blocks" "$name" >&2; then failed=$((failed + 1)); fi
  for block in "$work"/blocks/*; do
    [ -f "$block" ] || continue
    kind=${block##*.}
    number=$(basename "$block" ".$kind" | sed 's/^0*//')
    rm -rf "$work/place"
    mkdir "$work/place"
    case $kind in
      sh)
        if grep -q '^\$ ' "$block"; then
          run_session "$block" "$number"
        elif ! (cd "$work/place" && sh -eu "$block" >"$work/output" 2>&1 </dev/null); then
          fail "$number" "this fails" "$work/output"
        fi
        ;;
      sql)
        if ! dbsql --local -f "$block" >"$work/output" 2>&1 </dev/null; then fail "$number" "this fails" "$work/output"; fi
        ;;
      c) if [ -n "${CC:-}" ]; then run_c "$block" "$number"; else continue; fi ;;
      *) continue ;;
    esac
    ran=$((ran + 1))
  done
done

if [ "$failed" -ne 0 ]; then
  echo "docs: $failed examples are wrong" >&2
  exit 1
fi
[ "$ran" -gt 0 ] || { echo "docs: no examples" >&2; exit 1; }
echo "docs: $ran examples, all right"
