"""VRTs are programs for GDAL: which files to open and what to compute. They are vetted before GDAL sees them.

What a mosaic needs is allowed: bands that copy or scale parts of image files that lie beside the VRT (or
under the roots that were given). The rest is refused: other places, the network, archives, code, inline
services, raw access, and warping or smoothing inside the VRT, whose values would depend on how a read is cut.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from geowatch.errors import ImageryError, MalformedError
from geowatch.read.identify import identify

__all__ = ["check_vrt"]

MAX_XML_BYTES = 64 * 1024**2
MAX_DEPTH = 4
_SOURCES = {"SimpleSource", "ComplexSource"}
_PLAIN = {
    "Approximate", "BlockXSize", "BlockYSize", "BucketCount", "Category", "CategoryNames", "Clamp",
    "ColorInterp", "ColorTable", "ColorTableComponent", "Description", "DstMax", "DstMin", "DstRect",
    "Entry", "Exponent", "GCP", "GCPList", "GeoTransform", "HideNoDataValue", "HistCounts", "HistItem",
    "HistMax", "HistMin", "Histograms", "IncludeOutOfRange", "LUT", "MDI", "MaskBand", "Metadata",
    "NODATA", "NoDataValue", "Offset", "Overview", "OverviewList", "SRS", "Scale", "ScaleOffset",
    "ScaleRatio", "SourceBand", "SourceFilename", "SourceProperties", "SrcMax", "SrcMin", "SrcRect",
    "UnitType", "UseMaskBand", "VRTDataset", "VRTRasterBand",
}  # fmt: skip
_ALLOWED = _PLAIN | _SOURCES


def check_vrt(path: Path, roots: tuple[Path, ...] = (), depth: int = 0) -> None:
    """Refuse the VRT at ``path`` unless it only copies local files under its own folder or ``roots``.

    Raises:
        ImageryError: it asks for something that is not allowed; the message names it.
        MalformedError: it is not well-formed.
    """
    if depth >= MAX_DEPTH:
        raise _refusal(path, f"it nests more than {MAX_DEPTH} VRTs")
    root = _parse(path)
    if root.tag != "VRTDataset":
        raise _refusal(path, f"its root element is <{root.tag}>")
    for element in root.iter():
        _check_element(element, path)
    inside = roots or (path.parent,)
    for name in root.iter("SourceFilename"):
        target = _target(name, path, inside)
        if identify(target).driver == "VRT":
            check_vrt(target, inside, depth + 1)


def _refusal(path: Path, what: str) -> ImageryError:
    return ImageryError(
        f"VRT '{path}' is refused: {what}",
        hint="gw reads VRTs that mosaic or stack image files of their own folder; give those files instead",
    )


def _parse(path: Path) -> ET.Element:
    size = path.stat().st_size
    if size > MAX_XML_BYTES:
        raise _refusal(path, f"it has {size} bytes, more than {MAX_XML_BYTES}")
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\x00" in text:
        raise _refusal(path, "it declares a document type or entities")
    try:
        return ET.fromstring(text)  # noqa: S314 - see the import
    except ET.ParseError as error:
        raise MalformedError(f"VRT '{path}' is not well-formed: {error}", hint="write it again") from error


def _check_element(element: ET.Element, path: Path) -> None:
    if element.tag not in _ALLOWED:
        raise _refusal(path, f"it holds <{element.tag}>")
    kind = element.get("subClass")
    if kind is not None:
        raise _refusal(path, f"it holds a {kind}")
    domain = element.get("domain", "IMAGE_STRUCTURE")
    if element.tag == "Metadata" and domain != "IMAGE_STRUCTURE":
        raise _refusal(path, f"it holds metadata of the domain '{domain}', which can name other files")
    if element.tag in _SOURCES and element.get("resampling", "nearest").lower() not in {"nearest", "near"}:
        raise _refusal(path, f"it resamples inside with '{element.get('resampling')}'")


def _target(name: ET.Element, path: Path, roots: tuple[Path, ...]) -> Path:
    text = (name.text or "").strip()
    if not text or text.startswith("<") or re.match(r"^/vsi|^[A-Za-z][\w+.-]+:", text):
        raise _refusal(path, f"its source '{text[:120]}' is no plain local file")
    if name.get("relativeToVRT", "0") == "1":
        target = path.parent / text
    else:
        target = Path(text)
        if not target.is_absolute():
            raise _refusal(path, f"its source '{text}' is relative to nothing; set relativeToVRT")
    real = target.resolve()
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise _refusal(path, f"its source '{text}' leads outside {', '.join(str(r) for r in roots)}")
    return real
