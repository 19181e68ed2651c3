#!/bin/sh
# Installs the dependencies where they are missing or older than package-lock.json, among them the Node that every
# script here runs on. Plain sh, for before that there may be no Node that reads TypeScript.
set -eu
cd "$(dirname "$0")/.."

# npm writes this file last, so it also tells an installation that was cut off.
stamp=node_modules/.package-lock.json
if [ -f "$stamp" ] && [ -z "$(find package-lock.json -newer "$stamp")" ] && node_modules/.bin/node -e 0 2>/dev/null; then
  exit 0
fi
echo "Installing dependencies with npm ci (about a minute) ..." >&2
npm ci --no-audit --no-fund >&2
