"""The recipe: the numerics of a run, pinned by the first predict.

Within one recipe every pixel has one value, wherever and whenever it is computed. The first predict publishes
``recipe.json``, only if it is absent; every worker and every resume obeys it or is refused with the difference.
What does not change values (batch size, number of workers, order) is not in it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from geowatch.errors import DamagedError, RecipeMismatchError
from geowatch.grid.timeline import Sampling

if TYPE_CHECKING:
    from geowatch.store import Store

__all__ = [
    "ALGORITHM",
    "RECIPE",
    "Average",
    "BackendPin",
    "BoxesPin",
    "HeadPin",
    "Kind",
    "LayerKind",
    "NormPin",
    "Recipe",
    "SeriesPin",
    "Vote",
    "pin_recipe",
    "read_recipe",
]

#: Key of the recipe in a run folder.
RECIPE = "recipe.json"

#: Version of the numerics of predict and stitch; it changes when the same recipe would give other values.
ALGORITHM = "1"


LayerKind = Literal["scores", "uncertainty", "features", "seen"]
"""What an array of the heatmap holds."""
Vote = Literal["soft", "hard"]
"""How answers to one window are joined: by their mean, or by how many of them name a class."""
Average = Literal["probability", "logit"]
"""What is averaged: probabilities, or what they are made from."""
Kind = Literal["entropy", "tta", "ensemble", "mc-dropout"]
"""What uncertainty is told from; see `geowatch.predict.uncertainty`."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    later: ClassVar[frozenset[str]] = frozenset()
    """Fields that came after the first version: at their default they are not written, so that digests stay."""

    @model_serializer(mode="wrap")
    def _lean(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        fields = type(self).model_fields
        return {k: v for k, v in written.items() if k not in self.later or getattr(self, k) != fields[k].default}


class BackendPin(_Document):
    """What runs the network."""

    name: str
    """Backend, such as onnxruntime."""
    version: str
    """Version of its library."""
    precision: str
    """Arithmetic, such as fp32."""
    device: str
    """Device class, such as cpu-avx512."""
    threads: int | None
    """Threads that one network uses; None where values do not depend on them."""
    fixed_batch: int | None = None
    """Batch size, where results depend on it."""


class HeadPin(_Document):
    """One array of the heatmap."""

    later = frozenset({"kind", "reduction"})

    name: str
    """Name of the head."""
    classes: tuple[str, ...]
    """What its planes mean."""
    activation: str
    """What raw output went through."""
    colors: tuple[str, ...] = ()
    """Colour of each class on maps, #rrggbb or #rrggbbaa."""
    stored: str
    """Type on disk."""
    kind: LayerKind = "scores"
    """What the values are: scores, an uncertainty from 0 to 1, features, or 1 where there was valid imagery."""
    reduction: int = 1
    """Pixels of the lattice along a side of one of its own."""


class BoxesPin(_Document):
    """A head of boxes, and which of its boxes are kept."""

    name: str
    """Name of the head."""
    classes: tuple[str, ...]
    """Classes of its objects."""
    colors: tuple[str, ...] = ()
    """Colour of each class on pictures, #rrggbb or #rrggbbaa."""
    min_score: float
    """Least score."""
    max_overlap: float
    """Of boxes of one class that overlap by this share of their union the best stays."""
    margin_px: int
    """By how many pixels a window's cell is widened."""


class SeriesPin(_Document):
    """How planes stand in time, and what each of them sees of the series; see `geowatch.grid.timeline`."""

    sampling: Sampling
    """Which observations fill a plane's dates."""
    span_days: int | None
    """Days that a plane looks at."""
    anchor: float
    """Where in that span it stands: 0 its first day, 1 its last."""
    step_days: int | None
    """Days from one plane to the next, counted from 1970-01-01; None for planes at the days of frames."""
    keep: Literal["any", "all"]
    """Which pixels are scored."""
    quota: dict[str, int]
    """Most dates for frames of a sensor."""
    sensors: tuple[tuple[str, ...], ...]
    """Sensors that each date takes; none for all."""
    by_date: bool = False
    """Whether the network scores each date: planes are then the dates of windows of time that do not overlap."""
    block: int = 1
    """Planes that are stored as one. It changes no value, but where values lie."""


class NormPin(_Document):
    """Normalisation that was given by hand; what is None is as the package says."""

    domain: tuple[str, ...] = ()
    """Domains: ``SENSOR=DOMAIN`` for the imagery of a sensor, ``DOMAIN`` for all other."""
    mean: tuple[float, ...] | None = None
    """Mean of each channel."""
    std: tuple[float, ...] | None = None
    """Standard deviation of each channel."""

    def domain_of(self, sensor: str, own: str | None = None) -> str:
        """Return the domain of a sensor's imagery; where none was given by hand its ``own``, by default the sensor.

        >>> NormPin(domain=("l8=landsat", "all")).domain_of("l8"), NormPin(domain=("l8=landsat",)).domain_of("s2")
        ('landsat', 's2')
        """
        plain = [word for word in self.domain if "=" not in word]
        named = dict(word.split("=", 1) for word in self.domain if "=" in word)
        return named.get(sensor, plain[0] if plain else own or sensor)


class Recipe(_Document):
    """Everything that decides a pixel's value, beside the pixels."""

    later = frozenset(
        {"augment", "vote", "average", "uncertainty", "members", "passes", "seed", "noise", "features", "fused"}
        | {"series", "norm", "boxes"}
    )

    schema_version: Literal["1"] = "1"
    algorithm: str = ALGORITHM
    """Version of the numerics."""
    package: str
    """Digest of the package."""
    imagery: str
    """Digest of the pinned imagery: scenes, read plans, resampling, order of overlaps."""
    window_px: tuple[int, int]
    """(height, width) of a window."""
    stride_px: tuple[int, int]
    """(rows, columns) from one window to the next."""
    blend: str
    """Blend weights."""
    dates: int
    """Dates that the network looks at at once."""
    heads: tuple[HeadPin, ...]
    """What is stored of each pixel."""
    backend: BackendPin
    """What computes it."""
    augment: tuple[str, ...] = ()
    """Augmentation at test time, by name; see `geowatch.predict.augment`."""
    vote: Vote = "soft"
    """How answers to one window are joined."""
    average: Average = "probability"
    """What is averaged."""
    uncertainty: tuple[Kind, ...] = ()
    """Planes of the uncertainty array, in order."""
    members: tuple[str, ...] = ()
    """Digests of the packages that answer beside the first one."""
    passes: int = 0
    """Passes with dropout, where uncertainty is told from them."""
    seed: int = 0
    """What their noise is drawn from, beside the window's place."""
    noise: str | None = None
    """Library that runs them, its version and class of device."""
    features: str | None = None
    """Layer of the network that is stored as features."""
    fused: bool = False
    """Whether the network that runs gives probabilities itself: its activation is compiled with it."""
    series: SeriesPin | None = None
    """How dates are picked out of a series; None: planes are runs of consecutive frames."""
    norm: NormPin | None = None
    """Normalisation that was given by hand."""
    boxes: tuple[BoxesPin, ...] = ()
    """What is stored as objects."""

    @property
    def time_block(self) -> int:
        """Planes of the heatmap that are stored as one."""
        return 1 if self.series is None else self.series.block

    @property
    def digest(self) -> str:
        """Return the sha256 of the canonical form, hex."""
        return sha256(self.model_dump_json().encode()).hexdigest()

    def differences(self, other: Recipe) -> list[str]:
        """Return lines ``field: ours, theirs`` where two recipes differ."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in type(self).model_fields}
        return [
            f"{k}: {_said(mine)} here, {_said(theirs)} in the run"
            for k, (mine, theirs) in pairs.items()
            if mine != theirs
        ]


def _said(value: object) -> object:
    """Write a field as the document does."""
    if isinstance(value, tuple):
        return tuple(map(_said, value))
    return value.model_dump() if isinstance(value, BaseModel) else value


def read_recipe(store: Store) -> Recipe | None:
    """Return the run's recipe, or None before the first predict."""
    if store.size(RECIPE) is None:
        return None
    try:
        return Recipe.model_validate_json(store.get(RECIPE))
    except ValidationError as error:
        raise DamagedError(
            f"{RECIPE} in {store.url} is damaged: {error.errors()[0]['msg']}",
            hint="start another run with --run, or restore the file",
        ) from error


def pin_recipe(store: Store, recipe: Recipe) -> None:
    """Publish the recipe unless the run has one; then it must be the same.

    Raises:
        RecipeMismatchError: naming each difference.
    """
    if store.put_if_absent(RECIPE, (recipe.model_dump_json(indent=1) + "\n").encode()):
        return
    pinned = read_recipe(store)
    if pinned is not None and (lines := recipe.differences(pinned)):
        raise RecipeMismatchError(
            f"the run in {store.url} was begun with another recipe: {'; '.join(lines)}",
            hint="use the same options, or start another run with --run",
        )
