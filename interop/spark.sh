#!/bin/sh
# Our library and shell against a real Spark Thrift Server (PyPI package pyspark, over HTTP on loopback). Called by ./dev interop spark.
set -eu
cd "$(dirname "$0")/.."
. interop/peers.sh
packages_install java
peers_python pyspark==4.3.0
build_probe
exec "$PEERS_PYTHON" interop/spark.py "$@"
