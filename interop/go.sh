#!/bin/sh
# The unmodified Databricks SQL driver for Go (module github.com/databricks/databricks-sql-go) against our warehouse. Called by ./dev interop go.
set -eu
cd "$(dirname "$0")/.."
. interop/peers.sh
packages_install go
mkdir -p .deps
(cd interop/go && go build -mod=readonly -buildvcs=false -o ../../.deps/interop_go .) >&2
exec .deps/interop_go "$@"
