"""What is made of an uncertainty array: a COG with one band for each kind, and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geowatch.stages.mapping.deliverables import backdrop, file_digest, picture_scale, put_object, score_spec, writable
from geowatch.stitch.cog import cog_writer
from geowatch.stitch.picture import PANEL_PX
from geowatch.stitch.thin import Thinner, thin_step
from geowatch.stitch.uncertainty_picture import Doubt, DoubtSheet, draw_doubts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.stages.mapping.deliverables import Plane
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.store import Store

__all__ = ["deliver_doubts"]

#: Value of a picture's pixel without scores; others are uncertainty in 254ths.
_NOTHING = 255


def deliver_doubts(store: Store, plane: Plane, *, quicklook: bool) -> dict[str, str]:
    """Write ``uncertainty.tif`` and, where asked, ``uncertainty.png``; return their sha256 by key."""
    key = plane.names.map
    step = thin_step(plane.grid.bounds, PANEL_PX)
    thins = [Thinner(plane.grid.bounds, step, _NOTHING) for _ in plane.head.classes]
    with store.stage(key) as path:
        with cog_writer(score_spec(plane, plane.head), path) as writer:
            for tile in plane.tiles:
                box = plane.grid.core(tile)
                stored = plane.mosaic.core(tile, plane.time, plane.head)
                writer.write(box, writable(stored))
                for thin, values in zip(thins, _in_steps(plane.head, stored), strict=True):
                    thin.put(box, values)
        digests = {key: file_digest(path)}
    if quicklook:
        digests[plane.names.quicklook] = put_object(store, plane.names.quicklook, _picture(plane, thins, step))
    return digests


def _in_steps(head: HeadLayout, stored: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = head.quantiser.decode(stored)
    steps: NDArray[np.uint8] = np.where(np.isnan(values), _NOTHING, np.rint(values * 254)).astype(np.uint8)
    return steps


def _picture(plane: Plane, thins: list[Thinner], step: int) -> bytes:
    doubts = tuple(
        Doubt(name, np.where(thin.picture == _NOTHING, np.nan, thin.picture / np.float32(254)).astype(np.float32))
        for name, thin in zip(plane.head.classes, thins, strict=True)
    )
    sheet = DoubtSheet(
        title=f"{plane.model}: {plane.region}",
        subtitle=f"{plane.frame.frame_id} · uncertainty, 0 to 1",
        doubts=doubts,
        scale=picture_scale(plane, step),
        imagery=backdrop(plane, thins[0].picture.shape, step),
    )
    return draw_doubts(sheet)
