#!/usr/bin/env bash
# digest.sh: print what tells the code that an image is built from, so that an image of other code is known.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
find Dockerfile cli constraints.txt containers geowatch pyproject.toml -type f -not -path '*/__pycache__/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16
