"""Which images of a bundle are wanted: by time, sensor, place, cloud and channels. Masks stay with their images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from geowatch.datasets.anchors import assets_of, part_of
from geowatch.datasets.asset_numbers import MASK_LIKE
from geowatch.datasets.bundle import time_of
from geowatch.datasets.channels import channel_names
from geowatch.datasets.kwcoco_in import cloud_cover_of, may_be, sensor_of
from geowatch.datasets.places import image_footprint, rough_grid
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.build import center_lon, moment
from geowatch.read.options import SceneOptions
from geowatch.read.select import Selection
from geowatch.read.sensors import MASK_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Bundle, Json

__all__ = ["Choice", "chosen", "moment_of", "solar_day_of"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted; all of it must hold."""

    selection: Selection = field(default_factory=Selection)
    """Days, cloud and place."""
    sensors: tuple[str, ...] = ()
    """Names of sensors; all if none is given."""
    channels: tuple[str, ...] = ()
    """Files that hold one of these are kept, and those that hold masks; all if none is given."""

    @property
    def sensor_names(self) -> frozenset[str]:
        """The sensors in lower case, as they were written and as gw calls them: ``S2`` is sentinel-2, too."""
        return frozenset(name.lower() for said in self.sensors for name in (said, sensor_of({"sensor_coarse": said})))


def moment_of(bundle: Bundle, image: Json, options: SceneOptions) -> datetime | None:
    """Return when an image was taken (UTC); of a date alone noon by the sun."""
    time = time_of(image, bundle.where(image))
    if time is None or isinstance(time, datetime):
        return time
    return moment(time, center_lon(rough_grid(bundle, image, options)))


def solar_day_of(bundle: Bundle, image: Json, options: SceneOptions) -> date | None:
    """Return the day of an image by the sun in its middle."""
    time = moment_of(bundle, image, options)
    if time is None:
        return None
    lon = center_lon(rough_grid(bundle, image, options)) or 0.0
    return (time + timedelta(hours=lon / 15)).date()


def chosen(bundle: Bundle, choice: Choice, options: SceneOptions | None = None) -> Bundle:
    """Return the part of an anchored bundle that is wanted.

    Raises:
        ImageryError: it is empty; the message says which choice left nothing.
    """
    options, left = options or SceneOptions(), list(bundle.images)
    if not left:
        raise ImageryError(f"'{bundle.name}' has no images", hint="give a bundle that lists some")
    for what, kept in _steps(bundle, choice, options):
        after = [image for image in left if kept(image)]
        if not after:
            raise ImageryError(f"of {len(left)} images none {what}", hint="gw dataset scan shows what there is")
        left = after
    if choice.selection.latest:
        left = _latest(bundle, left, options)
    return part_of(bundle, [_with_channels(image, choice.channels) for image in left])


_Step = tuple[str, "Callable[[Json], bool]"]


def _steps(bundle: Bundle, choice: Choice, options: SceneOptions) -> Iterator[_Step]:
    """Yield what is asked in words, and as a condition on an image; those that open files come last."""
    wanted = choice.selection
    if choice.sensors:
        names = choice.sensor_names
        yield f"is of sensor {', '.join(choice.sensors)}", lambda image: sensor_of(image).lower() in names
    if wanted.max_cloud is not None:
        limit = wanted.max_cloud
        yield f"has at most {limit:g}% cloud", lambda image: (cloud_cover_of(image) or 0.0) <= limit
    if choice.channels:
        yield f"has channel {' or '.join(choice.channels)}", lambda image: _holds(image, choice.channels)
    if wanted.start or wanted.end or wanted.dates:
        yield "is of the days that are asked for", lambda image: _timely(bundle, image, options, wanted)
    if wanted.region is not None:
        region = wanted.region
        yield "overlaps the region", lambda image: _overlaps(image_footprint(bundle, image, options), region)


def _timely(bundle: Bundle, image: Json, options: SceneOptions, wanted: Selection) -> bool:
    # What no place on the Earth could put into these days needs no look at its file.
    if not may_be(image, replace(wanted, max_cloud=None), bundle.where(image)):
        return False
    day = solar_day_of(bundle, image, options)
    if wanted.dates and day not in wanted.dates:
        return False
    return day is None or (wanted.start or date.min) <= day <= (wanted.end or date.max)


def _overlaps(outline: BaseGeometry | None, region: BaseGeometry) -> bool:
    return outline is not None and outline.intersection(region).area > 0


def _latest(bundle: Bundle, images: list[Json], options: SceneOptions) -> list[Json]:
    days = [solar_day_of(bundle, image, options) for image in images]
    last = max((day for day in days if day is not None), default=None)
    if last is None:
        raise ImageryError(f"none of {len(images)} images has a date, so none is the latest", hint="leave it out")
    return [image for image, day in zip(images, days, strict=True) if day == last]


def _channels_of(asset: Json) -> set[str]:
    try:
        names = channel_names(str(asset["channels"])) if asset.get("channels") else ()
    except ConfigError:
        names = ()
    return {*names, *(str(band.get("name")) for band in asset.get("gw_bands") or ())}


def _holds(image: Json, channels: tuple[str, ...]) -> bool:
    wanted = {name.lower() for name in channels}
    return any({name.lower() for name in _channels_of(asset)} & wanted for asset in assets_of(image))


def _with_channels(image: Json, channels: tuple[str, ...]) -> Json:
    """Return an image without the assets that hold none of the channels and no mask."""
    if not channels:
        return image
    wanted = {name.lower() for name in channels}
    masks = MASK_LIKE | {name.lower() for name in MASK_KINDS}

    def kept(asset: Json) -> bool:
        return bool(asset.get("gw_masks") or {n.lower() for n in _channels_of(asset)} & (wanted | masks))

    lists = {key: [a for a in image[key] if kept(a)] for key in ("auxiliary", "assets") if image.get(key)}
    return {**image, **lists}
