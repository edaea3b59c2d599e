"""What a user says of a foreign network, and what follows from it for the network's tensors.

A graph knows the names and some sizes of its tensors; only the user knows which bands they are, and what the
classes are called. `ImportSpec` holds the user's part, in the words of the command line. For several inputs
or heads that differ, ``inputs`` and ``heads`` say each in full.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from geowatch.errors import ConfigError, PackageError
from geowatch.grid.timeline import Sampling
from geowatch.package.box_head import BoxesSpec, BoxFormat, BoxUnits
from geowatch.package.date_names import check_date_order
from geowatch.package.domains import read_statistics
from geowatch.package.graph import MAX_GRAPH_BYTES
from geowatch.package.manifest import Activation, HeadSpec, InputSpec, SeriesSpec
from geowatch.package.steps import Clip, Log1p, Offset, Scale, index_step, step_channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.package.graph import TensorInfo
    from geowatch.package.steps import Step

__all__ = ["ImportSpec", "chosen_outputs", "describe_inputs", "quota_of"]


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """What a network takes and gives, as far as its file does not say so."""

    bands: tuple[str, ...] = ()
    """Bands of each date in the order of the network's channels, by common name (``blue``, ``swir16``)."""
    classes: tuple[str, ...] = ()
    """Classes in the order of the output's channels."""
    window: tuple[int, int] | None = None
    """(height, width) of a window in pixels; None takes the graph's own size, or 256 where it is free."""
    dates: int = 1
    """Number of dates that the network sees at once."""
    mean: tuple[float, ...] = ()
    """Mean of each channel, subtracted after the steps; empty for none."""
    std: tuple[float, ...] = ()
    """Standard deviation of each channel, divided by after the mean; empty for none."""
    scale: float = 1.0
    """First step: multiply physical values by this."""
    offset: float = 0.0
    """Second step: add this."""
    clip: tuple[float, float] | None = None
    """Third step: limit to (low, high)."""
    log1p: bool = False
    """Fourth step: natural logarithm of 1 + x."""
    indices: tuple[str, ...] = ()
    """Last step: append these normalised differences as channels (``ndvi``, ``ndwi``, ``nbr`` ...)."""
    layout: Literal["auto", "NCHW", "NHWC", "NTCHW", "NCTHW", "NTHWC"] = "auto"
    """Order of the input's axes; auto finds the axis that has as many places as there are channels."""
    input_tensors: tuple[str, ...] = ()
    """Input tensors of the graph, that of the oldest date first; empty takes them in the graph's own order."""
    output_tensor: str | None = None
    """Output tensor of the graph to use, where it has several."""
    activation: Literal["auto"] | Activation = "auto"
    """How raw output becomes probabilities; auto finds it by running the network."""
    colors: tuple[str, ...] = ()
    """Colour of each class, ``#rrggbb`` or ``#rrggbbaa``; empty takes well-known ones."""
    overlap: float = 0.25
    """Default overlap of windows: a share below 1, else pixels."""
    blend: Literal["hann", "gaussian", "linear", "crop", "mean"] = "hann"
    """Default weights where windows overlap."""
    resolution_m: float | None = None
    """Size of a pixel in metres that the network was trained for."""
    name: str | None = None
    """Name of the model; None takes the file's."""
    version: str = "1"
    """The model's own version."""
    license: str | None = None
    """Licence of the weights, as an SPDX expression where there is one."""
    description: str = ""
    """One paragraph for people."""
    inputs: tuple[InputSpec, ...] = ()
    """Inputs in full, instead of bands, mean and steps, where they differ."""
    heads: tuple[HeadSpec, ...] = ()
    """Heads in full, instead of classes, where there are several."""
    boxes: tuple[BoxesSpec, ...] = ()
    """Heads of boxes in full, where there are several, or boxes beside heads."""
    boxes_tensor: str | None = None
    """Output tensor of boxes, for a network that gives objects."""
    scores_tensor: str | None = None
    """Output tensor of the boxes' scores; None where they stand beside the boxes in one tensor."""
    labels_tensor: str | None = None
    """Output tensor of the boxes' classes as numbers, where scores have no column for each class."""
    box_format: BoxFormat = "xyxy"
    """What the four numbers of a box are: two corners (xyxy, yxyx), corner and size (xywh), centre and size
    (cxcywh)."""
    box_units: BoxUnits = "px"
    """What they count: pixels of the window, or shares of its width and height."""
    background: str | None = None
    """Class that is no object."""
    min_score: float = 0.3
    """Boxes with a lower score are dropped, above 0."""
    max_overlap: float = 0.5
    """Of boxes of one class that overlap by this share of their union the best stays."""
    most_boxes: int | None = None
    """Objects that a window can have at most, for a network that gives as many as it finds; None is 300."""
    stats: Path | None = None
    """JSON file of means and standard deviations by domain, as ``gw dataset stats`` writes it."""
    unknown_domain: Literal["refuse", "default"] = "refuse"
    """What becomes of imagery of a domain without statistics: an error, or ``mean`` and ``std``."""
    series_sampling: Sampling | None = None
    """How the dates are picked out of a series: contiguous, uniform, hard-dilated, soft-dilated or multi-season."""
    series_span_days: int | None = None
    """Days of the series that one prediction looks at."""
    series_anchor: float = 1.0
    """Where in that span the prediction stands: 0 its first day, 1 its last."""
    series_step_days: int | None = None
    """Days from one prediction to the next; None for one at each frame."""
    series_keep: Literal["any", "all"] = "any"
    """Which pixels are scored: those that any date saw, or those that every date saw."""
    series_sensors: tuple[str, ...] = ()
    """Sensors whose frames are picked; empty for all."""
    series_quota: tuple[str, ...] = ()
    """Most dates of a sensor, each ``SENSOR=COUNT``."""
    max_bytes: int = MAX_GRAPH_BYTES
    """Largest file that is taken."""

    @property
    def series(self) -> SeriesSpec | None:
        """How the dates are picked out of a series, where a sampling is named. Raises PackageError for no such way."""
        if self.series_sampling is None:
            return None
        try:
            return SeriesSpec(
                sampling=self.series_sampling,
                span_days=self.series_span_days,
                anchor=self.series_anchor,
                step_days=self.series_step_days,
                keep=self.series_keep,
                sensors=self.series_sensors,
                quota=quota_of(self.series_quota),
            )
        except ValidationError as error:
            raise PackageError(f"the series does not fit: {complaint(error)}", hint="see --series-span") from error

    @property
    def steps(self) -> tuple[Step, ...]:
        """Preprocessing steps that these options ask for, in order."""
        steps: list[Step] = []
        if self.scale != 1:
            steps.append(Scale(factor=self.scale))
        if self.offset:
            steps.append(Offset(value=self.offset))
        if self.clip is not None:
            steps.append(Clip(low=self.clip[0], high=self.clip[1]))
        if self.log1p:
            steps.append(Log1p())
        steps.extend(index_step(name) for name in self.indices)
        return tuple(steps)


def quota_of(words: Sequence[str]) -> dict[str, int]:
    """Return counts by sensor from words ``SENSOR=COUNT``. Raises ConfigError for a word that is none.

    >>> quota_of(("landsat-8-l2=2",))
    {'landsat-8-l2': 2}
    """
    pairs = [(word, *word.rpartition("=")[::2]) for word in words]
    for word, sensor, count in pairs:
        if not sensor or not count.isdigit():
            raise ConfigError(f"'{word}' is no quota", hint="write SENSOR=COUNT, such as landsat-8-l2=2")
    return {sensor: int(count) for _, sensor, count in pairs}


def describe_inputs(graph: tuple[TensorInfo, ...], spec: ImportSpec) -> tuple[InputSpec, ...]:
    """Return the package's inputs from the graph's input tensors. Raises PackageError if they do not fit."""
    known = {t.name for t in graph}
    if spec.inputs:
        wanted = {i.tensor for i in spec.inputs}
        if wanted != known:
            raise PackageError(
                f"inputs are described for {sorted(wanted)}; the graph takes {sorted(known)}",
                hint="describe each of the graph's inputs, by `tensor`",
            )
        _check_axes(graph, spec.inputs)
        return tuple(_with_statistics(part, spec) for part in spec.inputs)
    if not spec.bands:
        raise PackageError(
            f"nothing says which bands the inputs {sorted(known)} are",
            hint="name them, such as --bands red,green,blue",
        )
    try:
        return _plain_inputs(graph, spec)
    except (ValidationError, ValueError) as error:
        raise PackageError(f"the inputs do not fit: {complaint(error)}") from error


def _check_axes(graph: tuple[TensorInfo, ...], inputs: tuple[InputSpec, ...]) -> None:
    """Raise PackageError where a layout has more or fewer axes than its tensor, as far as that declares any."""
    layouts = {part.tensor: part.layout for part in inputs}
    for tensor in graph:
        layout = layouts[tensor.name]
        if tensor.dims and len(tensor.dims) != len(layout):
            raise PackageError(
                f"input {tensor.name!r} is {_shape(tensor)}, and its layout is {layout}",
                hint="give each input of --spec the layout of its tensor: N window, T date, C channel",
            )


def _with_statistics(part: InputSpec, spec: ImportSpec) -> InputSpec:
    """Return an input that is described in full with the statistics of a file, unless it has its own."""
    if spec.stats is None or part.domains:
        return part
    found = read_statistics(spec.stats, part.channels, part.steps)
    return part.model_copy(update={"domains": found, "unknown_domain": spec.unknown_domain})


def complaint(error: ValueError) -> str:
    """Return the first complaint of a validation as one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False)[0]
        odd = f"{first['input']!r} is no name" if first["type"] == "string_pattern_mismatch" else first["msg"]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), odd)))
    return str(error)


def _plain_inputs(graph: tuple[TensorInfo, ...], spec: ImportSpec) -> tuple[InputSpec, ...]:
    graph = _in_order(graph, spec)
    if odd := [tensor for tensor in graph if len(tensor.dims) not in {4, 5}]:
        raise PackageError(
            f"input {odd[0].name!r} is {_shape(odd[0])}: that is no image",
            hint=_hint_odd(odd[0]),
        )
    if len(graph) == spec.dates:
        return tuple(_part(tensor, spec, date, 1) for date, tensor in enumerate(graph))
    if len(graph) == 1:
        return tuple(_part(graph[0], spec, date, spec.dates) for date in range(spec.dates))
    raise PackageError(
        f"the graph has {len(graph)} inputs ({', '.join(t.name for t in graph)}) for {spec.dates} date(s)",
        hint=f"say --dates {len(graph)} if each takes the same bands of one date, else use --spec",
    )


def _hint_odd(tensor: TensorInfo) -> str:
    if len(tensor.dims) == 3:
        return "windows come first: export it with an axis for them, such as 1 x channels x height x width"
    return "gw feeds images alone: export the network with the other inputs as constants, or without them"


def _in_order(graph: tuple[TensorInfo, ...], spec: ImportSpec) -> tuple[TensorInfo, ...]:
    """Return the graph's inputs, oldest date first. Raises PackageError where others are named than there are."""
    known = {tensor.name: tensor for tensor in graph}
    if not spec.input_tensors:
        check_date_order([tensor.name for tensor in graph])
        return graph
    if sorted(spec.input_tensors) != sorted(known):
        raise PackageError(
            f"inputs are named as {', '.join(spec.input_tensors)}; the graph takes {', '.join(known)}",
            hint="name each of them once with --input-tensors, oldest date first",
        )
    return tuple(known[name] for name in spec.input_tensors)


def _shape(tensor: TensorInfo) -> str:
    return " x ".join("?" if size is None else str(size) for size in tensor.dims)


def _part(tensor: TensorInfo, spec: ImportSpec, date: int, joined: int) -> InputSpec:
    name = identifier(tensor.name, "input")
    channels = step_channels(spec.bands, spec.steps)
    part = InputSpec(
        name=name if joined == 1 else f"{name}.{date}",
        tensor=tensor.name,
        bands=spec.bands,
        date=date,
        dtype=_dtype(tensor),
        steps=spec.steps,
        mean=spec.mean,
        std=spec.std,
        domains={} if spec.stats is None else read_statistics(spec.stats, channels, spec.steps),
        unknown_domain=spec.unknown_domain,
    )
    layout = _layout(tensor, spec, len(part.channels), joined)
    return part.model_copy(update={"layout": layout})


def identifier(name: str, otherwise: str) -> str:
    """Return a tensor's name as a name for people."""
    kept = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_.-")[:100]
    return kept or otherwise


def _dtype(tensor: TensorInfo) -> Literal["float32", "float16", "float64", "uint8", "uint16"]:
    for name in ("float32", "float16", "float64", "uint8", "uint16"):
        if tensor.dtype == name:
            return name
    raise PackageError(f"input {tensor.name!r} takes {tensor.dtype}", hint="export it with float32 inputs")


#: Layouts and the axes of channels and dates in them; the first that fits is taken.
_AXES = {"NCHW": (1, None), "NHWC": (3, None), "NTCHW": (2, 1), "NCTHW": (1, 2), "NTHWC": (4, 1)}


def _layout(tensor: TensorInfo, spec: ImportSpec, channels: int, joined: int) -> str:
    """Return the layout of a tensor that has room for ``joined`` dates of ``channels``."""
    dims = tensor.dims
    wanted = [name for name in _AXES if len(name) == len(dims) and spec.layout in {"auto", name}]
    sizes = {name: _sizes(name, dims, channels, joined) for name in wanted}
    exact = [name for name, pairs in sizes.items() if all(have == want for have, want in pairs)]
    # A free axis may be anything: only the most common layout is taken without being said.
    free = [name for name, pairs in sizes.items() if all(have in {None, want} for have, want in pairs)]
    found = exact or [name for name in free if not name.endswith("C") or spec.layout == name]
    if not found:
        raise PackageError(
            f"input {tensor.name!r} is {_shape(tensor)}: no axis takes {joined} date(s) of {channels} channels",
            hint="the number of --bands (and --indices) times --dates is the number of channels; windows come first, "
            "and --layout names the other axes; inputs of different bands are described one by one in --spec",
        )
    if {"NTCHW", "NCTHW"} <= set(found) and joined > 1:
        raise PackageError(
            f"input {tensor.name!r} is {_shape(tensor)}: dates and channels are as many, and their order is not clear",
            hint="say --layout NTCHW (dates first) or NCTHW (channels first)",
        )
    return found[0]


def _sizes(layout: str, dims: tuple[int | None, ...], channels: int, joined: int) -> list[tuple[int | None, int]]:
    """Return pairs of declared and wanted size."""
    at_channels, at_dates = _AXES[layout]
    if at_dates is None:
        return [(dims[at_channels], channels * joined)]
    return [(dims[at_channels], channels), (dims[at_dates], joined)]


def chosen_outputs(graph: tuple[TensorInfo, ...], spec: ImportSpec) -> tuple[str, ...]:
    """Return the names of the output tensors in use. Raises PackageError where that is not clear."""
    names = [t.name for t in graph]
    if spec.boxes:
        wanted = [h.output for h in spec.heads] + [name for each in spec.boxes for name in each.tensors.values()]
    elif spec.heads:
        wanted = [h.output for h in spec.heads]
    elif spec.output_tensor is not None:
        wanted = [spec.output_tensor]
    elif len(names) == 1:
        wanted = names
    else:
        raise PackageError(
            f"the graph has {len(names)} outputs: {', '.join(names)}",
            hint="choose one with --output-tensor NAME, or describe each head with --spec",
        )
    if missing := [name for name in wanted if name not in names]:
        raise PackageError(f"the graph has no output {missing[0]!r}; it has {', '.join(names)}")
    if not spec.heads and not spec.boxes and not spec.classes:
        raise PackageError("nothing says what the classes are", hint="name them, such as --classes background,cloud")
    return tuple(dict.fromkeys(wanted))
