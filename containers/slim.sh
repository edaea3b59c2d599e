#!/bin/sh
# slim.sh VENV: remove what no run of gw opens: headers, static libraries, other packages' own tests.
set -eu
site=$(echo "$1"/lib/python3*/site-packages)

rm -rf "$site"/torch/include "$site"/torch/test "$site"/pyarrow/include "$site"/pyarrow/src
find "$site" -name '*.a' -delete
for package in numpy scipy pandas pyarrow dask distributed shapely onnx zarr xarray numcodecs rasterio; do
    [ -d "$site/$package" ] || continue
    find "$site/$package" -type d -name tests -prune -exec rm -rf {} +
done

# The demo's network is one of four.
find "$site/ukis_csmask" -name '*.onnx' ! -name 'model_6b_l1c.onnx' -delete
