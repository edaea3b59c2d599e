"""What kind of image a file is, told by its first bytes and never by its name.

The shared Sentinel-2 files are called ``.jp2`` and are GeoTIFFs: a wrong suffix is worth a note, not an
error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from geowatch.errors import ImageryError, MalformedError

__all__ = ["IMAGE_SUFFIXES", "FileKind", "identify", "kind_of", "sniff", "sniff_file"]


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of image file that gw reads."""

    name: str
    """What people call it."""
    driver: str
    """GDAL's name for it."""
    suffixes: tuple[str, ...]
    """Endings that such files usually have."""

    def suffix_note(self, path: PurePath) -> str | None:
        """Return a sentence if the name of ``path`` promises something else than its content."""
        if path.suffix.lower() in self.suffixes:
            return None
        return f"'{path.name}' is a {self.name} by content; its suffix '{path.suffix}' says otherwise"


GEOTIFF = FileKind("GeoTIFF", "GTiff", (".tif", ".tiff", ".gtif", ".tf8"))
JP2 = FileKind("JPEG 2000", "JP2OpenJPEG", (".jp2", ".j2k", ".jpx", ".jpf"))
PNG = FileKind("PNG", "PNG", (".png",))
JPEG = FileKind("JPEG", "JPEG", (".jpg", ".jpeg", ".jpe"))
VRT = FileKind("VRT", "VRT", (".vrt",))

_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"II*\x00", GEOTIFF),
    (b"MM\x00*", GEOTIFF),
    (b"II+\x00", GEOTIFF),
    (b"MM\x00+", GEOTIFF),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JP2),
    (b"\xff\x4f\xff\x51", JP2),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
)
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_HEAD_BYTES = 1024
#: Endings that promise an image.
IMAGE_SUFFIXES = frozenset(s for kind in (GEOTIFF, JP2, PNG, JPEG, VRT) for s in kind.suffixes)


def sniff(head: bytes) -> FileKind | None:
    """Return the kind that a file's first bytes show, None if it is no image that gw reads."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return VRT if b"<VRTDataset" in text and text.startswith(b"<") else None


def sniff_file(path: Path) -> FileKind | None:
    """Return the kind of a file, None if it is no image or cannot be read."""
    try:
        with path.open("rb") as file:
            return sniff(file.read(_HEAD_BYTES))
    except OSError:
        return None


def identify(path: str | Path) -> FileKind:
    """Return the kind of the image file at ``path``.

    Raises:
        ImageryError: there is no such file, or it is no image that gw reads.
        MalformedError: the file is empty.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ImageryError(
            f"'{path}' cannot be read: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    return kind_of(head, str(path))


def kind_of(head: bytes, path: str) -> FileKind:
    """Return the kind of the image file at ``path`` with these first bytes; raises what `identify` does."""
    if not head:
        raise MalformedError(f"'{path}' is empty: 0 bytes", hint="fetch the file again")
    kind = sniff(head)
    if kind is None and head.startswith(_ARCHIVES):
        raise ImageryError(f"'{path}' is an archive", hint="unpack it and give the folder")
    if kind is None:
        raise ImageryError(
            f"'{path}' is no image that gw reads: it begins with {head[:8]!r}",
            hint="gw reads GeoTIFF, COG, JPEG 2000, VRT, PNG and JPEG",
        )
    return kind
