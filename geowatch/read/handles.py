"""Open image files, each opened once, and the decoded reads that go through them.

`Handles` counts the bytes and the requests that pass, and turns whatever breaks into `CorruptImageError` with
the file and the band. A partial array is never returned.
"""

from __future__ import annotations

from collections import OrderedDict
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geowatch.errors import CorruptImageError
from geowatch.read.gdal import GDAL_FAILURES, open_image
from geowatch.read.geometry import SourceWindow

__all__ = ["Handles"]

#: Files held open at once; a process may have 1,024 by default.
MAX_OPEN = 128


class Handles:
    """Image files opened on first use; the least recently used is closed when there are too many."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, int | None], DatasetReader] = OrderedDict()
        self.bytes_read = 0
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def shape(self, uri: str, overview: int | None) -> tuple[int, int]:
        """Return (rows, columns) of a file at a level."""
        rows, cols = self._dataset(uri, overview).shape
        return rows, cols

    def read(self, uri: str, index: int, window: SourceWindow, overview: int | None = None) -> NDArray[np.generic]:
        """Return stored numbers (H, W) of one band.

        Raises:
            CorruptImageError: the file breaks; the message names it and the band.
        """
        return self._pixels(uri, index, window, overview, mask=False)

    def read_valid(self, uri: str, index: int, window: SourceWindow, overview: int | None = None) -> NDArray[np.bool_]:
        """Return which pixels (H, W) the file's own mask or alpha channel calls valid."""
        valid: NDArray[np.bool_] = self._pixels(uri, index, window, overview, mask=True) != 0
        return valid

    def _pixels(
        self, uri: str, index: int, window: SourceWindow, overview: int | None, *, mask: bool
    ) -> NDArray[np.generic]:
        dataset = self._dataset(uri, overview)
        rect = Window(window.x0, window.y0, window.x1 - window.x0, window.y1 - window.y0)
        try:
            found = dataset.read_masks(index, window=rect) if mask else dataset.read(index, window=rect)
        except (*GDAL_FAILURES, MemoryError) as error:
            raise CorruptImageError(
                f"band {index} of '{uri}' breaks at rows {window.y0} to {window.y1}: {error}",
                hint="the file is truncated or damaged; fetch it again, or leave the scene out",
            ) from error
        pixels: NDArray[np.generic] = found
        if pixels.shape != window.shape:
            raise CorruptImageError(
                f"band {index} of '{uri}' gave {pixels.shape} pixels where {window.shape} were asked for",
                hint="the file changed since it was planned; plan again",
            )
        self.bytes_read += pixels.nbytes
        self.requests += 1
        return pixels

    def _dataset(self, uri: str, overview: int | None) -> DatasetReader:
        key = uri, overview
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = open_image(uri, overview=overview)
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return found
