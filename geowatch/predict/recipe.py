"""The recipe: the numerics of a run, pinned by the first predict.

Within one recipe every pixel has one value, wherever and whenever it is computed. The first predict publishes
``recipe.json``, only if it is absent; every worker and every resume obeys it or is refused with the difference.
What does not change values (batch size, number of workers, order) is not in it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import DamagedError, RecipeMismatchError

if TYPE_CHECKING:
    from geowatch.store import Store

__all__ = ["ALGORITHM", "RECIPE", "BackendPin", "HeadPin", "Recipe", "pin_recipe", "read_recipe"]

#: Key of the recipe in a run folder.
RECIPE = "recipe.json"

#: Version of the numerics of predict and stitch; it changes when the same recipe would give other values.
ALGORITHM = "1"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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


class Recipe(_Document):
    """Everything that decides a pixel's value, beside the pixels."""

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
    """What is stored."""
    backend: BackendPin
    """What computes it."""

    @property
    def digest(self) -> str:
        """Return the sha256 of the canonical form, hex."""
        return sha256(self.model_dump_json().encode()).hexdigest()

    def differences(self, other: Recipe) -> list[str]:
        """Return lines ``field: ours, theirs`` where two recipes differ."""
        mine, theirs = self.model_dump(), other.model_dump()
        return [f"{name}: {mine[name]} here, {theirs[name]} in the run" for name in mine if mine[name] != theirs[name]]


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
