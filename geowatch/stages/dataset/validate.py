"""Validate: is a bundle what it says, and are its files there?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.checks import document_problems, file_problems, schema_problems
from geowatch.datasets.scanning import Problem
from geowatch.stages.working.events import Events, Silent

__all__ = ["ValidateConfig", "Validated", "validate_dataset"]


@dataclass(frozen=True)
class ValidateConfig:
    """What validate is asked for."""

    bundle: str
    """Bundle to look at."""
    schema: bool = True
    """Check it against kwcoco's own schema, too."""
    files: bool = True
    """Open the files that it names."""


@dataclass(frozen=True, slots=True)
class Validated:
    """What validate found."""

    images: int
    """Images that were looked at."""
    annotations: int
    """Labels that were looked at."""
    problems: tuple[Problem, ...]
    """What is wrong."""


def validate_dataset(config: ValidateConfig, events: Events | None = None) -> Validated:
    """Look for what is wrong with a bundle.

    Raises:
        ImageryError: it is no bundle, or its ids contradict each other.
        CorruptImageError: it is no JSON.
    """
    events = events or Silent()
    bundle = read_bundle(config.bundle if "://" in config.bundle else Path(config.bundle))
    problems = list(schema_problems(bundle)) if config.schema else []
    problems += document_problems(bundle)
    if config.files:
        for number, image in enumerate(bundle.images, 1):
            problems += file_problems(bundle, image)
            events.progress("validate", number, len(bundle.images))
    return Validated(len(bundle.images), len(bundle.annotations), tuple(dict.fromkeys(problems)))
