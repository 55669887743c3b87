#!/bin/sh
# Installs into a folder of its own, moves it, and builds examples/outside against it by pkg-config and by find_package(), with the
# shared library and with the archive.
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

./dev install "$work/first" >"$work/install.log" || {
  cat "$work/install.log" >&2
  exit 1
}
# A tree that only works where it was put is not packaged right.
mv "$work/first" "$work/prefix"
prefix=$work/prefix
libdir=$(dirname "$(find "$prefix" -name libdbsql.a)")
version=$(sed -n 's/^#define DBSQL_VERSION "\(.*\)"/\1/p' include/dbsql/dbsql.h)

for file in bin/dbsql bin/dbsql-warehouse include/dbsql/dbsql.h include/dbsql/arrow.h share/man/man1/dbsql.1 share/man/man1/dbsql-warehouse.1 \
  share/man/man3/dbsql.3 share/doc/dbsql/LICENSE; do
  [ -f "$prefix/$file" ] || {
    echo "install: $file is missing" >&2
    exit 1
  }
done
# Nothing from the inside of the project.
find "$prefix" -type f | while IFS= read -r file; do
  if grep -q "$top" "$file"; then echo "$file"; fi
done >"$work/paths"
if [ -s "$work/paths" ]; then
  echo "install: files name the folder that they were built in:" >&2
  cat "$work/paths" >&2
  exit 1
fi

# expect NAME TEXT COMMAND...: the command's last line begins with the text, which holds the version of the library that it runs with.
expect() {
  name=$1
  text=$2
  shift 2
  said=$("$@" | tail -n 1) || {
    echo "install: $name does not run" >&2
    exit 1
  }
  case $said in
    "$text"*) echo "install: $name: ok" ;;
    *)
      echo "install: $name says '$said' instead of '$text'" >&2
      exit 1
      ;;
  esac
}
expect "the shell" "dbsql $version (library $version)" "$prefix/bin/dbsql" --version
expect "the warehouse" "dbsql-warehouse $version" "$prefix/bin/dbsql-warehouse" --version

# The manual pages know every option that the programs tell of.
for program in dbsql dbsql-warehouse; do
  sed 's/\\-/-/g' "$prefix/share/man/man1/$program.1" >"$work/page"
  "$prefix/bin/$program" --help | grep -oE -e '--[a-z][a-z-]+' | sort -u | while IFS= read -r option; do
    grep -qE -e "$option([^a-z-]|\$)" "$work/page" || echo "$option"
  done >"$work/unknown"
  if [ -s "$work/unknown" ]; then
    echo "install: options that $program.1 lacks: $(tr '\n' ' ' <"$work/unknown")" >&2
    exit 1
  fi
  echo "install: $program.1: ok"
done

PKG_CONFIG_PATH=$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion dbsql)" = "$version" ] || {
  echo "install: dbsql.pc has another version than dbsql.h" >&2
  exit 1
}
cp -R examples/outside "$work/outside"
(cd "$work/outside" && make OUT="$work/by-pkg-config" >"$work/make.log" 2>&1) || {
  cat "$work/make.log" >&2
  exit 1
}
expect "outside, by pkg-config" "dbsql $version" env LD_LIBRARY_PATH="$libdir" "$work/by-pkg-config"

if ! { cmake -S "$work/outside" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$work/build"; } >"$work/cmake.log" 2>&1; then
  cat "$work/cmake.log" >&2
  exit 1
fi
expect "outside, by find_package, shared" "dbsql $version" "$work/build/outside-shared"
expect "outside, by find_package, static" "dbsql $version" "$work/build/outside-static"
