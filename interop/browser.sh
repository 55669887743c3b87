#!/bin/sh
# A person signs in: the shell, the local warehouse's page, and Chromium without a window between them. Called by ./dev interop browser;
# pictures of the pages go to build/browser.
set -eu
cd "$(dirname "$0")/.."
. interop/peers.sh
packages_install browser
command -v python3 >/dev/null 2>&1 || packages_install python
exec python3 interop/browser.py "$@"
