"""Normalisation by domain: imagery of one sensor is brighter than another's, and each has its own mean.

A domain is a name that imagery bears, by default its sensor. Statistics are kept by domain in a JSON document, as
``gw dataset stats`` writes it; a package takes those of its channels, and a frame is normalised by its own domain's.
They are of physical values, and normalising comes after a package's steps: scale and offset are applied to them, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import ImageryError, PackageError
from geowatch.package.manifest import InputSpec, Normalisation
from geowatch.package.steps import Log1p, Offset, Scale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geowatch.package.steps import Step

__all__ = ["normalised_for", "read_statistics"]


class _Statistics(BaseModel):
    """What is known of one domain."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    channels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float | None, ...]
    count: int | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: Literal["1"]
    domains: dict[str, _Statistics]


def read_statistics(path: Path, channels: Sequence[str], steps: Sequence[Step] = ()) -> dict[str, Normalisation]:
    """Return the normalisation of ``channels`` after ``steps`` by domain, for domains with statistics of all of them.

    Domains of which no pixel was valid have none, and are left out.

    Raises:
        PackageError: where the file is no such document, no domain has all channels, or a step changes values in a way
            that a mean and a deviation do not follow.
    """
    try:
        document = _Document.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise PackageError(
            f"{path} holds no statistics: {' '.join(str(error).split())[:160]}", hint="gw dataset stats writes them"
        ) from error
    seen = {name: each for name, each in document.domains.items() if each.count != 0}
    if document.domains and not seen:
        raise PackageError(
            f"{path} counted no valid pixel of {', '.join(document.domains)}: a mask or nodata hides all of them",
            hint="look at the imagery with gw dataset show, and at --mask and --nodata of gw dataset stats",
        )
    found = {name: each for name, each in seen.items() if set(channels) <= set(each.channels)}
    if not found:
        known = "; ".join(f"{name}: {', '.join(each.channels)}" for name, each in seen.items())
        raise PackageError(
            f"{path} has no domain with the channels {', '.join(channels)}, but {known or 'none at all'}",
            hint="make statistics of these channels with gw dataset stats",
        )
    return {name: _normalisation(name, each, channels, steps) for name, each in sorted(found.items())}


def _normalisation(name: str, each: _Statistics, channels: Sequence[str], steps: Sequence[Step]) -> Normalisation:
    if not len(each.channels) == len(each.mean) == len(each.std):
        raise PackageError(
            f"domain {name} has {len(each.channels)} channels, {len(each.mean)} means and {len(each.std)} deviations"
        )
    at = [each.channels.index(channel) for channel in channels]
    spread = [each.std[k] or 0.0 for k in at]
    factors, offsets = zip(*(_linear(channel, steps) for channel in channels), strict=True)
    try:
        return Normalisation(
            mean=tuple(each.mean[k] * f + o for k, f, o in zip(at, factors, offsets, strict=True)),
            std=tuple(std * abs(f) for std, f in zip(spread, factors, strict=True)),
        )
    except ValidationError as error:
        raise PackageError(
            f"domain {name} has the deviations {', '.join(f'{std:g}' for std in spread)}: none may be 0",
            hint="a channel that never changes tells nothing; leave it out",
        ) from error


def _linear(channel: str, steps: Sequence[Step]) -> tuple[float, float]:
    """Return (factor, offset) of what the steps do to a channel; a clip is taken to cut off little.

    >>> _linear("red", (Scale(factor=0.5), Offset(value=1), Scale(factor=2, channels=("nir",))))
    (0.5, 1.0)
    """
    factor, offset = 1.0, 0.0
    for step in steps:
        if not isinstance(step, Scale | Offset | Log1p) or (step.channels and channel not in step.channels):
            continue
        match step:
            case Scale():
                factor, offset = factor * step.factor, offset * step.factor
            case Offset():
                offset += step.value
            case Log1p():
                raise PackageError(
                    f"statistics are of physical values, and '{channel}' is normalised after a logarithm",
                    hint="give --mean and --std of the logarithms by hand",
                )
    return factor, offset


def normalised_for(spec: InputSpec, domain: str) -> InputSpec:
    """Return ``spec`` with the mean and standard deviation of ``domain``.

    Raises:
        ImageryError: for a domain that the package knows nothing of, unless it says that its own numbers serve.
    """
    if not spec.domains:
        return spec
    if domain in spec.domains:
        own = spec.domains[domain]
        return spec.model_copy(update={"mean": own.mean, "std": own.std, "domains": {}})
    if spec.unknown_domain == "refuse":
        raise ImageryError(
            f"the network has no mean and deviation for imagery of '{domain}', but for {', '.join(spec.domains)}",
            hint="say which to use with --domain, or give them by hand with --mean and --std",
        )
    return spec.model_copy(update={"domains": {}})
