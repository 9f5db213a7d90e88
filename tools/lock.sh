#!/usr/bin/env bash
# Writes constraints.txt: names and versions of what `make` installs, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${1:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --upgrade pip
"$folder/bin/pip" install --quiet -e '.[all]' --group dev
{
    echo "# Made by 'make lock'. Every version that the checks and tests ran with."
    "$folder/bin/pip" list --format=freeze --exclude pennon --exclude setuptools | LC_ALL=C sort -f
} >constraints.txt
