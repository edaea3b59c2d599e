"""In which ways windows are looked at, and what is stored beside their scores: options into recipe and packages.

Augmentation at test time, further packages that answer as well (an ensemble), how unsure all of them are, and the
activations of a layer. All of it decides values, so all of it is pinned in the recipe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from geowatch.errors import ConfigError, PackageError, PlanMismatchError
from geowatch.package import load_package
from geowatch.package.backends import BackendSpec, refusal_of
from geowatch.package.dropout import open_dropout
from geowatch.package.fused import fuse
from geowatch.package.layers import Layer, find_layer, with_layer
from geowatch.predict.augment import check_transforms, transforms_of
from geowatch.predict.recipe import Average, HeadPin, Kind, Vote
from geowatch.predict.scoring import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.package import Package
    from geowatch.package.dropout import DropoutNet
    from geowatch.package.manifest import Manifest
    from geowatch.predict.recipe import Recipe
    from geowatch.store import Store

__all__ = ["MEMBERS", "LooksConfig", "find_members", "noisy_net", "settle_looks", "shown_package"]

#: Key of the note that says which packages answer beside the run's first.
MEMBERS = "members.json"

#: Passes with dropout, where nobody says how many.
PASSES = 8


@dataclass(frozen=True)
class LooksConfig:
    """In which ways windows are looked at. None means: as the run's recipe says, else once and as they are."""

    tta: tuple[str, ...] | None = None
    """Augmentation at test time: hflip, vflip, rot90, d4, scale:FACTOR, time; they combine."""
    tta_vote: str | None = None
    """How answers are joined: soft (their mean) or hard (the share that names a class)."""
    tta_space: str | None = None
    """What a soft vote averages: probability or logit."""
    member: tuple[str, ...] = ()
    """Further packages that answer as well, with the same inputs and heads: an ensemble."""
    uncertainty: tuple[str, ...] | None = None
    """What tells how unsure the answer is: entropy, tta, ensemble, mc-dropout; each is a plane."""
    passes: int | None = None
    """Passes with dropout for mc-dropout; 8 where nobody says."""
    seed: int | None = None
    """What their noise is drawn from; 0 where nobody says."""
    features: str | None = None
    """Layer whose activations are stored, by the name of tensor, node or module."""


def find_members(store: Store, config: LooksConfig, package: Package) -> tuple[Package, ...]:
    """Return the packages that answer beside ``package``: those given, or those that the run has.

    Raises:
        PackageError: where one takes or gives something else.
        PlanMismatchError: where the run has others.
    """
    noted = json.loads(store.get(MEMBERS)) if store.size(MEMBERS) is not None else None
    paths = config.member or tuple(each["path"] for each in noted or ())
    members = tuple(load_package(path) for path in paths)
    for member in members:
        _check_alike(package.manifest, member.manifest)
    digests = [member.digest for member in members]
    if noted is not None and [each["digest"] for each in noted] != digests:
        raise PlanMismatchError(
            f"the run's members are {', '.join(each['digest'][:12] for each in noted)}, these are "
            f"{', '.join(digest[:12] for digest in digests)}",
            hint="give the same ones in the same order, or start another run with --run",
        )
    if members:
        note = [{"path": str(member.path), "digest": member.digest} for member in members]
        store.put_if_absent(MEMBERS, (json.dumps(note, indent=1) + "\n").encode())
    return members


def _check_alike(first: Manifest, other: Manifest) -> None:
    """Refuse a member that does not take and give what the first package does."""
    alike = {
        "inputs": ([i.model_copy(update={"tensor": ""}) for i in m.inputs] for m in (first, other)),
        "heads": (
            [(h.name, h.classes, h.activation == "sigmoid", h.layout == "NTCHW") for h in m.heads]
            for m in (first, other)
        ),
        "boxes": (
            [b.model_copy(update={"boxes": "", "scores": "", "labels": None}) for b in m.boxes] for m in (first, other)
        ),
        "series": (m.series for m in (first, other)),
        "window": ((m.window.size, m.window.fixed, m.window.multiple_of) for m in (first, other)),
    }
    for what, (mine, theirs) in alike.items():
        if mine != theirs:
            raise PackageError(
                f"{other.name} cannot answer beside {first.name}: its {what} differ",
                hint="members of an ensemble share bands, preprocessing, normalisation, classes and window",
            )


def settle_looks(
    config: LooksConfig,
    recipe: Recipe,
    pinned: Recipe | None,
    package: Package,
    members: Sequence[Package],
    tile_px: int,
) -> Recipe:
    """Return ``recipe`` with what the options, or the run's recipe, say of looks; tiles have a side of ``tile_px``.

    Raises:
        ConfigError: for what is unknown, contradicts itself or the network does not take.
    """
    asked = _asked(config, recipe if pinned is None else pinned)
    asked["members"] = tuple(member.digest for member in members)
    check_transforms(transforms_of(asked["augment"]), package.manifest, recipe.window_px)
    _check_uncertainty(asked)
    if asked["uncertainty"] and not package.manifest.heads:
        raise ConfigError(
            f"{package.manifest.name} gives boxes alone, whose scores say how sure it is",
            hint="leave out --uncertainty",
        )
    _check_average(asked, package.manifest)
    pins = list(recipe.heads) + _uncertainty_pins(recipe.heads, asked["uncertainty"])
    if "mc-dropout" in asked["uncertainty"]:
        asked["passes"] = asked["passes"] or PASSES
        asked["noise"] = open_dropout(package, asked["seed"]).identity
    if asked["features"] is not None:
        pin, asked["features"] = _features_pin(package, asked["features"], recipe, tile_px)
        pins.append(pin)
    settled = recipe.model_copy(update={**asked, "heads": tuple(pins)})
    _check_backend(package, settled)
    return settled


def _check_backend(package: Package, recipe: Recipe) -> None:
    """Refuse a layer of a graph that the chosen backend does not run."""
    if recipe.features is None:
        return
    pin = recipe.backend
    device = pin.device.partition("-")[0]
    refusal = refusal_of(shown_package(package, recipe), BackendSpec(pin.name, precision=pin.precision, device=device))  # type: ignore[arg-type]
    if refusal is not None:
        raise ConfigError(
            f"backend '{pin.name}' cannot give layer {recipe.features}: {refusal}", hint="choose --jit onnxruntime"
        )


def _asked(config: LooksConfig, standing: Recipe) -> dict[str, Any]:
    """Return the recipe's fields, as given or as they stand."""
    given = {
        "augment": config.tta,
        "vote": _one_of(config.tta_vote, Vote, "--tta-vote"),
        "average": _one_of(config.tta_space, Average, "--tta-space"),
        "uncertainty": config.uncertainty,
        "passes": config.passes,
        "seed": config.seed,
        "features": config.features,
    }
    for kind in config.uncertainty or ():
        _one_of(kind, Kind, "--uncertainty")
    return {name: getattr(standing, name) if value is None else value for name, value in given.items()}


def _one_of(value: str | None, choices: object, option: str) -> str | None:
    if value is not None and value not in get_args(choices):
        raise ConfigError(f"{option} got '{value}'", hint=f"choose from {', '.join(get_args(choices))}")
    return value


def _check_uncertainty(asked: dict[str, Any]) -> None:
    kinds = asked["uncertainty"]
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"--uncertainty names one twice: {', '.join(kinds)}", hint="name each once")
    if "tta" in kinds and len(transforms_of(asked["augment"])) == 1:
        raise ConfigError("uncertainty over augmentations needs some", hint="add --tta d4, for example")
    if "ensemble" in kinds and not asked["members"]:
        raise ConfigError("uncertainty over an ensemble needs members", hint="add --member PACKAGE, once for each")
    if asked["passes"] and "mc-dropout" not in kinds:
        raise ConfigError(f"{asked['passes']} passes of what?", hint="add --uncertainty mc-dropout")
    if asked["passes"] < 0 or asked["passes"] == 1:
        raise ConfigError(f"{asked['passes']} passes do not differ", hint="give --passes 2 or more")


def _check_average(asked: dict[str, Any], manifest: Manifest) -> None:
    if asked["average"] == "probability":
        return
    if asked["vote"] == "hard":
        raise ConfigError("a hard vote averages no logits", hint="leave out --tta-space or --tta-vote")
    bare = [head for head in manifest.heads if head.activation in {"none", "labels"}]
    if bare:
        raise ConfigError(
            f"head '{bare[0].name}' of {manifest.name} has activation {bare[0].activation}: there are no logits",
            hint="leave out --tta-space",
        )


def _uncertainty_pins(heads: Sequence[HeadPin], kinds: Sequence[Kind]) -> list[HeadPin]:
    """Return one array for each head, one plane for each kind."""
    if not kinds:
        return []
    return [
        HeadPin(
            name="uncertainty" if len(heads) == 1 else f"{head.name}_uncertainty",
            classes=tuple(kinds), activation="none", stored=head.stored, kind="uncertainty",
        )
        for head in heads
    ]  # fmt: skip


def _features_pin(package: Package, name: str, recipe: Recipe, tile_px: int) -> tuple[HeadPin, str]:
    """Return the array that holds a layer, and the name of the layer's tensor.

    Raises:
        ConfigError: where windows do not lie on the layer's own lattice.
    """
    if recipe.series is not None and recipe.series.by_date:
        raise ConfigError(
            f"{package.manifest.name} scores each date; its layers show all of them at once",
            hint="leave --features out",
        )
    layer = find_layer(package, name)
    step = layer.reduction
    if any(side % step for side in (*recipe.window_px, *recipe.stride_px)):
        raise ConfigError(
            f"layer {layer.name} has one place every {step} px; windows of {recipe.window_px[0]} px every "
            f"{recipe.stride_px[0]} px do not lie on them",
            hint=f"choose --window and --overlap in multiples of {step} px, or a finer layer: gw model show --layers",
        )
    if tile_px % step:
        raise ConfigError(
            f"layer {layer.name} has one place every {step} px, which does not divide tiles of {tile_px} px",
            hint=f"plan with --tile-size in multiples of {step} px, or choose a finer layer: gw model show --layers",
        )
    names = tuple(f"f{i}" for i in range(layer.channels))
    pin = HeadPin(
        name=FEATURES, classes=names, activation="none", stored="float32", kind="features", reduction=step
    )  # fmt: skip
    return pin, layer.name


def shown_package(package: Package, recipe: Recipe) -> Package:
    """Return the package that the first network is opened from: fused, or with the recipe's features, or as it is."""
    if recipe.fused:
        return fuse(package)
    pins = [pin for pin in recipe.heads if pin.kind == "features"]
    if recipe.features is None or not pins:
        return package
    layer = Layer(recipe.features, "", "", len(pins[0].classes), pins[0].reduction)
    return with_layer(package, layer, FEATURES)


def noisy_net(package: Package, recipe: Recipe) -> DropoutNet | None:
    """Return the network with its dropout on, where uncertainty is told from it.

    Raises:
        PlanMismatchError: where another library runs it here.
    """
    if recipe.noise is None:
        return None
    net = open_dropout(package, recipe.seed)
    if net.identity != recipe.noise:
        raise PlanMismatchError(
            f"dropout runs on {net.identity} here, on {recipe.noise} in the run",
            hint="run on machines of one kind with one image, or start another run",
        )
    return net
