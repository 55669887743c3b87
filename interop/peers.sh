# What the judges share: where peers are installed (.deps/peers, which git ignores), and how. Sourced from the project's top.
# shellcheck shell=sh
. scripts/packages.sh
DBSQL_BUILD=${DBSQL_BUILD:-$(pwd)/build/release}
export DBSQL_BUILD

# peers_python PACKAGE==VERSION...: a virtual environment with those packages; its interpreter is $PEERS_PYTHON.
peers_python() {
  PEERS_PYTHON=$(pwd)/.deps/peers/bin/python
  stamp=.deps/peers/.installed
  if [ ! -x "$PEERS_PYTHON" ]; then
    command -v python3 >/dev/null 2>&1 || packages_install python
    mkdir -p .deps
    python3 -m venv .deps/peers 2>/dev/null || {
      packages_install python
      python3 -m venv .deps/peers
    }
  fi
  for package in "$@"; do
    if ! grep -qxF "$package" "$stamp" 2>/dev/null; then
      echo "installing $package into .deps/peers" >&2
      "$PEERS_PYTHON" -m pip install --quiet --disable-pip-version-check "$package" >&2
      printf '%s\n' "$package" >>"$stamp"
    fi
  done
}

# The C program that the judges drive: build/release/interop_probe.
build_probe() {
  PROBE=$DBSQL_BUILD/interop_probe
  export PROBE
  if [ ! -x "$PROBE" ] || [ interop/probe.c -nt "$PROBE" ] || [ "$DBSQL_BUILD/libdbsql.so" -nt "$PROBE" ]; then
    "${CC:-cc}" -std=c17 -D_GNU_SOURCE -O1 -Wall -Wextra -Iinclude interop/probe.c -o "$PROBE" -L"$DBSQL_BUILD" -ldbsql -lpthread \
      -Wl,-rpath,"$DBSQL_BUILD"
  fi
}
