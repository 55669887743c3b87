#!/bin/sh
# The unmodified Databricks SDK for Python signs in at our warehouse in every way that both know. Called by ./dev interop sdk.
set -eu
cd "$(dirname "$0")/.."
. interop/peers.sh
peers_python databricks-sdk==0.162.0
exec "$PEERS_PYTHON" interop/sdk.py "$@"
