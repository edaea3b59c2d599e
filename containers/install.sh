#!/bin/sh
# install.sh WHEELS VENV: gw and the demo's network into VENV, from the folder of wheels, else from pip's registry.
set -eu
wheels=$1 venv=$2

python3 -m venv --without-pip "$venv"
if ls "$wheels"/*.whl >/dev/null 2>&1; then
    set -- --no-index --find-links "$wheels"
else
    set --
fi
pip() { python3 -m pip --python "$venv/bin/python" install --quiet --no-warn-script-location "$@"; }
pip "$@" --constraint /build/constraints.txt "gw-geowatch[view]"
pip "$@" --no-deps "ukis-csmask==1.0.0"
