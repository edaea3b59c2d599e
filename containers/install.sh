#!/bin/sh
# install.sh deps|gw WHEELS VENV: the wheels in the folder WHEELS into VENV, first all others, then gw's own.
set -eu
what=$1 wheels=$2 venv=$3

if ! ls "$wheels"/gw_geowatch-*.whl >/dev/null 2>&1; then
    echo "error: there are no wheels in the build context 'wheels'" >&2
    echo "hint: build the image with make image" >&2
    exit 2
fi
[ -d "$venv" ] || python3 -m venv --without-pip "$venv"
case $what in
    deps) set -- $(ls "$wheels"/*.whl | grep -v /gw_geowatch-) ;;
    gw) set -- "$wheels"/gw_geowatch-*.whl ;;
esac
python3 -m pip --python "$venv/bin/python" install --quiet --no-index --no-deps "$@"
