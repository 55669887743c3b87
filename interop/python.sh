#!/bin/sh
# The unmodified Databricks SQL connector for Python against our warehouse. Called by ./dev interop python.
set -eu
cd "$(dirname "$0")/.."
. interop/peers.sh
peers_python pyarrow==26.0.1 databricks-sql-connector==4.9.0
exec "$PEERS_PYTHON" interop/python.py "$@"
