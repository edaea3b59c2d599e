"""Series that say in which order their images come, and not when: each image gets a day, so that order is kept.

kwcoco asks for ``frame_index`` in a video and leaves times free, and images of one place without a time would be taken
for parts of one picture. So a video none of whose images has a time counts days from `FIRST_DAY` by ``frame_index``;
one that dates some of its images, and several not, cannot be put in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from geowatch.errors import ImageryError

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Bundle, Json

__all__ = ["FIRST_DAY", "Undated", "undated_of"]

FIRST_DAY = date(1970, 1, 1)
"""Day of ``frame_index`` 0."""
_MOST_DAYS = (date.max - FIRST_DAY).days
_TIME_KEYS = ("timestamp", "datetime", "date_captured")


@dataclass(frozen=True)
class Undated:
    """What is known of images without a time, by their ids."""

    days: dict[int, date]
    """Days that images of undated series are taken to be of."""
    notes: dict[int, tuple[str, ...]]
    """What a user should know about them."""
    lacking: frozenset[int]
    """Images without a time, more than one of a series that has times."""

    def dated(self, image: Json, where: str) -> Json:
        """Return an image with the day that it is taken to be of, if it has no time of its own.

        Raises:
            ImageryError: it has none, though others of its video have.
        """
        if image["id"] in self.lacking:
            raise ImageryError(
                f"{where} has no time, nor has another of its video, whose other images have one",
                hint="write its date_captured or timestamp, or take it out of the video",
            )
        day = self.days.get(image["id"])
        return image if day is None else {**image, "date_captured": day.isoformat()}


def undated_of(bundle: Bundle) -> Undated:
    """Return what is known of a bundle's images that have no time."""
    members: dict[int, list[Json]] = {}
    for image in bundle.images:
        if image.get("video_id") is not None:
            members.setdefault(image["video_id"], []).append(image)
    found = Undated({}, {}, frozenset())
    for video in bundle.videos:
        images = members.get(video["id"], [])
        without = [image for image in images if all(image.get(key) in {None, ""} for key in _TIME_KEYS)]
        if 1 < len(without) < len(images):
            found = Undated(found.days, found.notes, found.lacking | {image["id"] for image in without})
        elif len(without) > 1:
            _count_days(found, video, images)
    return found


def _count_days(found: Undated, video: Json, images: Sequence[Json]) -> None:
    days = {image["id"]: _day_of(image) for image in images}
    known = {key: day for key, day in days.items() if day is not None}
    if len(known) == len(images):
        note = (
            f"the {len(images)} images of video '{video.get('name', video['id'])}' have no time: each is taken to be "
            f"of the day of its frame_index, counted from {FIRST_DAY}; read dates of results so"
        )
        found.days.update(known)
        found.notes.update(dict.fromkeys(known, (note,)))


def _day_of(image: Json) -> date | None:
    """Return the day that a ``frame_index`` stands for; None where there is none."""
    index = image.get("frame_index")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= _MOST_DAYS:
        return None
    return FIRST_DAY + timedelta(days=index)
