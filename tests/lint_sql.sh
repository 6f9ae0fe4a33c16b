#!/usr/bin/env bash
# Lint the SQL as the athena dialect sees it: the portability gate. `fix` as the argument mends what it can.
# sqlfluff compiles through dbt, which opens the local database, so it gets an empty lake of its own.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export DATALAKE_ROOT="$scratch"
datalake check > /dev/null
sqlfluff "${1:-lint}" --processes 1 models tests analyses
