# gw as an image: not root, no network needed, root may be read-only.
#
#     make image
#     podman run --rm --read-only --tmpfs /tmp --network none -v "$PWD:/work" gw run --images scenes/ --model pkg/
#
# The build context named `wheels` (containers/build.sh fills it) holds every wheel, so that nothing of the machine
# that builds (its certificates, its registry) gets into the image, and the build itself needs no network.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

# Stands in for the context of wheels where none is given; the build then ends with a hint.
FROM scratch AS wheels

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY containers/install.sh containers/slim.sh /build/
# The digests tell the builder's cache when wheels have changed; gw's own, which changes most, comes last.
ARG DEPS_DIGEST=none
RUN --mount=type=bind,from=wheels,target=/wheels \
    echo "$DEPS_DIGEST" && sh /build/install.sh deps /wheels /opt/gw && sh /build/slim.sh /opt/gw
ARG GW_DIGEST=none
RUN --mount=type=bind,from=wheels,target=/wheels \
    echo "$GW_DIGEST" && sh /build/install.sh gw /wheels /opt/gw \
    && echo 'gw:x:10001:10001:gw:/tmp:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'gw:x:10001:' >> /etc/group \
    && install -d -o 10001 -g 10001 /work

FROM ${BASE}
LABEL org.opencontainers.image.title="gw" \
      org.opencontainers.image.description="From a region, imagery and a model to maps" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/passwd /etc/group /etc/
COPY --from=build /opt/gw /opt/gw
COPY --from=build --chown=10001:10001 /work /work
# Everything that is written besides the results goes to /tmp, which may be a tmpfs.
ENV PATH=/opt/gw/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CPL_TMPDIR=/tmp \
    CPL_VSIL_USE_TEMP_FILE_FOR_RANDOM_WRITE=YES \
    DASK_TEMPORARY_DIRECTORY=/tmp \
    MALLOC_TRIM_THRESHOLD_=65536
USER 10001:10001
WORKDIR /work
# gw is PID 1: it takes SIGTERM itself, drains, and exits with 75.
STOPSIGNAL SIGTERM
# Says which code is in the image; containers/digest.sh computes it.
ARG SOURCE_DIGEST=unknown
LABEL gw.source="$SOURCE_DIGEST"
ENTRYPOINT ["gw"]
CMD ["--help"]
