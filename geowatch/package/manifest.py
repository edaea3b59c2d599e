"""The manifest of a package: what a network takes, what it gives, and the digest of every file beside it.

It is the schema of ``manifest.json``. Nothing in it is code: preprocessing is a list of known steps, the
network is a file that the manifest names. A document with unknown keys is refused, so that a key with a
meaning is never passed over.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from geowatch.grid.timeline import Sampling
from geowatch.package.box_head import BoxesSpec
from geowatch.package.document import ClassName, Color, Document, Identifier, PlainName, Sha256, Size
from geowatch.package.steps import Step, step_channels

__all__ = [
    "GRAPH_FILE",
    "INT8_FILE",
    "SCHEMA_VERSION",
    "WEIGHTS_FILE",
    "Activation",
    "FileRecord",
    "GateSpec",
    "HeadSpec",
    "InputSpec",
    "Manifest",
    "NetSpec",
    "Normalisation",
    "Origin",
    "SeriesSpec",
    "WindowSpec",
    "by_tensor",
    "graph_file",
]

#: Version of this schema; a package with a newer one is refused.
SCHEMA_VERSION = "1"
#: Name of the ONNX graph in a package.
GRAPH_FILE = "model.onnx"
#: Name of the same graph with whole numbers of 8 bits inside, where a package has one.
INT8_FILE = "model.int8.onnx"
#: Name of the weights of a registry network in a package.
WEIGHTS_FILE = "model.safetensors"

Activation = Literal["softmax", "sigmoid", "binary", "none", "labels"]
"""How raw output becomes probabilities; see `geowatch.package.activate`."""


class Normalisation(Document):
    """What is subtracted and divided by, channel by channel, for imagery of one domain."""

    mean: tuple[float, ...] = ()
    """Mean of each channel after the steps; empty for none."""
    std: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Standard deviation of each channel after the steps; empty for none."""


class InputSpec(Document):
    """What is fed from one date: bands, their preprocessing, and the graph's tensor that they go into."""

    later = frozenset({"domains", "unknown_domain"})

    name: Identifier
    """Key of this input in `Backend.run`; unique in the package."""
    tensor: str = Field(min_length=1)
    """Input tensor of the graph. Inputs that share one are joined in order: along C, or T in 5-D layouts."""
    bands: tuple[Identifier, ...] = Field(min_length=1)
    """Bands to read, by common name (``blue``, ``nir``, ``swir16`` ...), in order."""
    date: int = Field(default=0, ge=0)
    """Which of the frames of a prediction it shows, counted from 0, oldest first."""
    sensors: tuple[Identifier, ...] = ()
    """Sensors that the network was made for; empty means any."""
    layout: Literal["NCHW", "NHWC", "NTCHW", "NCTHW", "NTHWC"] = "NCHW"
    """Order of the tensor's axes: N window, T date, C channel, H row, W column."""
    dtype: Literal["float32", "float16", "float64", "uint8", "uint16"] = "float32"
    """Number type of the tensor; whole numbers are rounded and limited to their range."""
    steps: tuple[Step, ...] = ()
    """Preprocessing in order, on physical values (scale and offset of the imagery already applied)."""
    mean: tuple[float, ...] = ()
    """Mean of each channel after the steps, subtracted; empty for none."""
    std: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Standard deviation of each channel after the steps, divided by; empty for none."""
    fill: float = 0.0
    """Value after normalisation where nothing valid was seen; 0 is the mean."""
    domains: dict[Identifier, Normalisation] = Field(default_factory=dict)
    """Normalisation by domain of the imagery, by default its sensor; it wins over ``mean`` and ``std``."""
    unknown_domain: Literal["refuse", "default"] = "refuse"
    """What becomes of imagery of another domain, where there are domains: an error, or ``mean`` and ``std`` above."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that the network sees."""
        return step_channels(self.bands, self.steps)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.bands)) < len(self.bands):
            raise ValueError(f"input {self.name!r} names a band twice: {', '.join(self.bands)}")
        channels = self.channels  # raises where the steps do not fit
        numbers = [("mean", self.mean), ("std", self.std)]
        for domain, each in self.domains.items():
            numbers += [(f"mean of {domain}", each.mean), (f"std of {domain}", each.std)]
        for what, values in numbers:
            if values and len(values) != len(channels):
                raise ValueError(f"{what} has {len(values)} values for the channels {', '.join(channels)}")
        return self


class HeadSpec(Document):
    """What one output of the network means."""

    name: Identifier
    """Key of this head's raw output from `Backend.run`; unique in the package."""
    output: str = Field(min_length=1)
    """Output tensor of the graph."""
    layout: Literal["NCHW", "NHWC", "NHW", "NTCHW"] = "NCHW"
    """Order of the tensor's axes; NHW has no class axis (labels, or one class); NTCHW scores each date by itself."""
    classes: tuple[ClassName, ...] = Field(min_length=1)
    """Classes in the order of the probabilities that `activate` returns."""
    activation: Activation = "softmax"
    """How raw output becomes probabilities."""
    reduction: Literal[1, 2, 4, 8] = 1
    """Input pixels per output pixel along a side; above 1 the output is enlarged, linearly interpolated."""
    colors: tuple[Color, ...] = ()
    """Colour of each class for maps and legends, ``#rrggbb`` or ``#rrggbbaa``."""

    @property
    def raw_channels(self) -> int:
        """Channels of the raw output."""
        return 1 if self.activation in {"binary", "labels"} else len(self.classes)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"head {self.name!r} names a class twice: {', '.join(self.classes)}")
        if self.colors and len(self.colors) != len(self.classes):
            raise ValueError(f"{len(self.colors)} colours for {len(self.classes)} classes of head {self.name!r}")
        if self.activation == "binary" and len(self.classes) != 2:
            raise ValueError(f"a binary head has two classes, not {', '.join(self.classes)}")
        if self.layout == "NHW" and self.raw_channels != 1:
            raise ValueError(f"layout NHW of head {self.name!r} has no room for {self.raw_channels} channels")
        return self


class WindowSpec(Document):
    """Sizes of window that the network takes, and how windows are laid."""

    size: Size
    """(height, width) in pixels."""
    fixed: bool = True
    """Whether this size is the only one."""
    multiple_of: int = Field(default=1, ge=1)
    """Where sizes are free: height and width must be multiples of this."""
    overlap: float = Field(default=0.25, ge=0)
    """Default overlap of neighbours: a share of the window below 1, else pixels."""
    blend: Literal["hann", "gaussian", "linear", "crop", "mean"] = "hann"
    """Default weights where windows overlap."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(side % self.multiple_of for side in self.size):
            raise ValueError(f"a window of {self.size} px is no multiple of {self.multiple_of} px")
        return self

    def accepts(self, size: tuple[int, int]) -> bool:
        """Whether the network takes windows of ``size`` (height, width) pixels."""
        if self.fixed:
            return size == self.size
        return all(side > 0 and side % self.multiple_of == 0 for side in size)


class SeriesSpec(Document):
    """How a network's dates are picked out of a series of images; see `geowatch.grid.timeline`.

    Without it a network of T dates sees each T consecutive frames, and scores where all of them have imagery. With
    it each plane of the heatmap has T slots, one for each ``InputSpec.date``; a slot without a frame, and a masked
    pixel, hold the input's ``fill``.
    """

    sampling: Sampling = "uniform"
    """Which observations of the span fill the slots."""
    span_days: int | None = Field(default=None, ge=1)
    """How many days a plane looks at; None for all there are, only with contiguous sampling."""
    anchor: float = Field(default=1.0, ge=0, le=1)
    """Where in the span the plane stands: 0 its first day, 1 its last (it sees the past alone)."""
    step_days: int | None = Field(default=None, ge=1)
    """Days from one plane to the next, counted from 1970-01-01; None for a plane at each frame."""
    keep: Literal["any", "all"] = "any"
    """Which pixels are scored: those that any slot saw, or those that every slot saw."""
    sensors: tuple[Identifier, ...] = ()
    """Sensors whose frames are picked; empty for all."""
    quota: dict[Identifier, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """Most slots that frames of a sensor may fill; sensors that are not named have no limit."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.span_days is None and self.sampling != "contiguous":
            raise ValueError(f"sampling {self.sampling} needs a span of days")
        return self


class FileRecord(Document):
    """Size and digest of one file of the package."""

    sha256: Sha256
    """SHA-256 of its bytes, hexadecimal."""
    bytes: int = Field(ge=0)
    """Its size."""


class GateSpec(Document):
    """How far a backend may be from the package's reference before it is refused.

    Compared are probabilities on real windows. Percentile and agreement rather than the maximum: one pixel on
    the edge of a decision says nothing about a map.
    """

    percentile: float = Field(default=99.99, gt=0, le=100)
    """Which percentile of the absolute difference of probabilities is limited."""
    max_difference: float = Field(default=1e-3, gt=0)
    """Largest difference of probability at that percentile, full precision."""
    agreement: float = Field(default=0.999, ge=0, le=1)
    """Smallest share of pixels with the same strongest class, full precision."""
    reduced_agreement: float = Field(default=0.995, ge=0, le=1)
    """The same at reduced precision (bf16, fp16, int8), where differences are not limited."""


class NetSpec(Document):
    """Network of the registry in `geowatch.nets` whose weights are ``model.safetensors``."""

    name: str
    """Name in the registry."""
    kwargs: dict[str, int | float | bool | str | tuple[int | float | str, ...] | dict[str, int]] = Field(
        default_factory=dict
    )
    """Fields of its configuration."""


class Origin(Document):
    """Where the package came from."""

    kind: Literal["onnx", "registry", "module"]
    """What was packaged: a foreign ONNX file, a registry network or a torch module."""
    source: str
    """File name, registry name or ``module:Class``."""
    source_sha256: Sha256 | None = None
    """Digest of the file that was imported."""
    weights_sha256: Sha256 | None = None
    """Digest of the weights file that was packaged."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of the libraries that made it."""


class Manifest(Document):
    """Everything that is known of a network without opening its files."""

    later = frozenset({"series", "boxes"})

    schema_version: Literal["1"] = "1"
    """Version of this schema."""
    name: PlainName
    """Short name of the model."""
    version: PlainName = "1"
    """The model's own version."""
    created: str | None = None
    """When it was packaged, UTC; not part of the digest."""
    license: str | None = None
    """Licence of the weights, as an SPDX expression where there is one."""
    description: str = ""
    """One paragraph for people."""
    inputs: tuple[InputSpec, ...] = Field(min_length=1)
    """What it takes."""
    window: WindowSpec
    """Window sizes."""
    resolution_m: float | None = Field(default=None, gt=0)
    """Size of a pixel in metres that it was trained for; None where unknown."""
    heads: tuple[HeadSpec, ...] = ()
    """What it gives for each pixel."""
    boxes: tuple[BoxesSpec, ...] = ()
    """What it gives as objects; a network has heads, boxes or both."""
    series: SeriesSpec | None = None
    """How its dates are picked out of a series; None for consecutive frames."""
    batch: int | None = Field(default=None, ge=1)
    """Number of windows that a run must hold, where the graph or its numerics demand one; None where free."""
    gate: GateSpec = GateSpec()
    """Limits for backends."""
    net: NetSpec | None = None
    """Registry network, where there is one; the graph alone otherwise."""
    gflop_per_window: float | None = Field(default=None, ge=0)
    """Billions of floating point operations for one window of ``window.size``."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Figures reported by whoever trained it."""
    origin: Origin | None = None
    """Where it came from."""
    files: dict[PlainName, FileRecord]
    """Every file of the package but the manifest."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        heads = [*(each.name for each in self.heads), *(each.name for each in self.boxes)]
        keys = [h.name for h in self.heads] + [key for each in self.boxes for key in each.tensors]
        for what, names in (("input", [i.name for i in self.inputs]), ("head", heads), ("head", keys)):
            if len(set(names)) < len(names):
                raise ValueError(f"two {what}s have the same name: {', '.join(names)}")
        if not heads:
            raise ValueError("the network gives nothing: it has neither heads nor boxes")
        if self.boxes and any(head.layout == "NTCHW" for head in self.heads):
            raise ValueError("heads that score each date do not go with boxes, which are of all dates at once")
        for tensor, parts in self.tensors.items():
            if len({(p.layout, p.dtype) for p in parts}) > 1:
                raise ValueError(f"the inputs of tensor {tensor!r} differ in layout or number type")
        dates = {i.date for i in self.inputs}
        if dates != set(range(len(dates))):
            raise ValueError(f"dates {sorted(dates)} are not counted from 0 without a gap")
        needed = {WEIGHTS_FILE} if self.net is not None else {GRAPH_FILE}
        if missing := needed - set(self.files):
            raise ValueError(f"the package has no {missing.pop()}")
        return self

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of all inputs, each once, in order of first use."""
        return tuple(dict.fromkeys(band for i in self.inputs for band in i.bands))

    def bands_of(self, sensor: str) -> tuple[str, ...]:
        """Bands that are read of a sensor's imagery: in a series, those of the inputs that take it."""
        if self.series is None:
            return self.bands
        taking = [i for i in self.inputs if not i.sensors or sensor in i.sensors]
        return tuple(dict.fromkeys(band for i in taking for band in i.bands))

    @property
    def dates(self) -> int:
        """Number of frames that one prediction takes."""
        return max(i.date for i in self.inputs) + 1

    @property
    def tensors(self) -> dict[str, tuple[InputSpec, ...]]:
        """Inputs by the graph's tensor that they go into, in order."""
        return by_tensor(self.inputs)

    @property
    def outputs(self) -> dict[str, str]:
        """Output tensors by the key under which a backend gives them: a head's name, ``<head>.boxes`` and its kin."""
        boxes = {key: tensor for head in self.boxes for key, tensor in head.tensors.items()}
        return {head.name: head.output for head in self.heads} | boxes

    def head(self, name: str) -> HeadSpec:
        """Return the head called ``name``; KeyError where there is none."""
        return {h.name: h for h in self.heads}[name]

    def canonical(self) -> bytes:
        """Return the bytes that the package's digest is taken of: sorted JSON, without ``created``."""
        document = self.model_dump(mode="json", exclude={"created"})
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of `canonical`; since it names every file's digest, it stands for the whole package."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def document(self) -> bytes:
        """Return ``manifest.json`` as it stands on disk."""
        return (json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()


def by_tensor(inputs: tuple[InputSpec, ...]) -> dict[str, tuple[InputSpec, ...]]:
    """Return inputs by the graph's tensor that they go into, in order."""
    names = dict.fromkeys(i.tensor for i in inputs)
    return {name: tuple(i for i in inputs if i.tensor == name) for name in names}


def graph_file(precision: str) -> str:
    """Return the name of the graph that backends run at ``precision``."""
    return INT8_FILE if precision == "int8" else GRAPH_FILE
