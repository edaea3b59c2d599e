#!/usr/bin/env bash
# build.sh IMAGE BASE: build the image with docker where its engine runs, else with buildah, which needs no daemon.
# Where BASE cannot be pulled, buildah gets a Debian made by mmdebstrap under BASE's name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=${1:?image name} base=${2:?base image}
work=${GW_IMAGE_WORK:-build/image}
python=${PYTHON:-python3}

say() { echo "image: $*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }

# Every wheel that the image needs, fetched here with this machine's own pip settings.
fetch_wheels() {
    local python_version=3.11 arch
    arch=$(uname -m)
    rm -rf "$work/wheels"
    mkdir -p "$work/wheels"
    say "building the wheel of gw"
    "$python" -m pip wheel -qq --no-deps --wheel-dir "$work/wheels" .
    say "fetching the wheels that it needs"
    local only=(--only-binary=:all: --python-version "$python_version" --implementation cp)
    for tag in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014; do
        only+=(--platform "${tag}_$arch")
    done
    "$python" -m pip download -qq "${only[@]}" --find-links "$work/wheels" --constraint constraints.txt \
        --dest "$work/wheels" "gw-geowatch[view,openvino] @ file://$(echo "$PWD/$work"/wheels/gw_geowatch-*.whl)"
    "$python" -m pip download -qq --no-deps --dest "$work/wheels" 'ukis-csmask==1.0.0'
}

# What the builder's cache goes by, since it does not look into the folder of wheels; and what the image is labelled by.
digests() {
    local deps gw source
    source=$(containers/digest.sh)
    deps=$(cd "$work/wheels" && ls | grep -v '^gw_geowatch-' | sha256sum | cut -c1-16)
    gw=$(cd "$work/wheels" && sha256sum gw_geowatch-*.whl | cut -c1-16)
    echo --build-arg "DEPS_DIGEST=$deps" --build-arg "GW_DIGEST=$gw" --build-arg "SOURCE_DIGEST=$source"
}

make_base() {
    if buildah inspect --type image "$base" >/dev/null 2>&1 || buildah pull --quiet "$base" >/dev/null 2>&1; then
        return
    fi
    have mmdebstrap || { echo "error: cannot pull $base, and there is no mmdebstrap" >&2; exit 2; }
    say "cannot pull $base; making a Debian under its name"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip bookworm \
        "$work/base.tar"
    podman import --quiet "$work/base.tar" "$base" >/dev/null
    rm -f "$work/base.tar"
}

if have docker && docker info >/dev/null 2>&1; then
    fetch_wheels
    say "building $image with docker"
    # shellcheck disable=SC2046  # the digests are several words
    docker build --build-arg BASE="$base" $(digests) --build-context wheels="$work/wheels" --tag "$image" .
elif have buildah; then
    fetch_wheels
    make_base
    say "building $image with buildah"
    # shellcheck disable=SC2046
    buildah bud --quiet --isolation chroot --pull-never --layers --format docker --network host \
        --build-arg BASE="$base" $(digests) --build-context wheels="$PWD/$work/wheels" --tag "$image" .
else
    echo "error: no engine that builds images: neither docker with its daemon nor buildah" >&2
    echo "hint: apt-get install buildah podman runc mmdebstrap" >&2
    exit 2
fi
say "built $image"
