"""GDAL's settings, all in one place, and the one door through which image files are opened.

Every setting stands in `SETTINGS` with its reason. `gdal_env` makes them hold for the calling thread;
`open_image` opens a file with the single driver that its content asked for, and turns what breaks into
`CorruptImageError`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from geowatch.errors import CorruptImageError
from geowatch.read.identify import identify

__all__ = ["CACHE_BYTES", "GDAL_FAILURES", "SETTINGS", "gdal_env", "open_image"]

#: Decoded source blocks kept by GDAL, for the whole process. Readers keep what they need again themselves, by plan
#: (`blocks`): GDAL needs room for the blocks of all bands that one stored block of a file holds, and for the sources
#: of a VRT whose blocks lie otherwise than its own. Measured: 4 to 80 MB make no difference to a pass.
CACHE_BYTES = 16 * 1024**2

#: Each setting with the reason for it.
SETTINGS: dict[str, object] = {
    # In bytes, as an integer: GDAL takes the bare number "512" as megabytes and rasterio the int 512 as
    # bytes. A fixed size keeps a worker's memory planned; GDAL's default of 5% of the machine does not.
    "GDAL_CACHEMAX": CACHE_BYTES,
    # A tile of reads is the unit of parallel work; threads inside GDAL would compete with other workers.
    "GDAL_NUM_THREADS": "1",
    # A VRT may carry Python code. Nothing that is loaded runs.
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    # Local imagery only: no file extension is ever fetched over the network, whatever a sidecar file says.
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    # A JPEG that ends early is an error. libjpeg fills the rest with grey and only warns.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    # The driver's short cut for whole PNGs gives part of the picture, and no error, where a file ends early.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    # Progressive JPEGs can ask for gigabytes of memory by their header alone.
    "GDAL_ALLOW_LARGE_LIBJPEG_MEM_ALLOC": "NO",
    # The georeference written in the file's own tags wins over a stray world file of the same name.
    "GDAL_GEOREF_SOURCES": "INTERNAL,PAM,WORLDFILE",
}

#: What rasterio raises when a file breaks.
GDAL_FAILURES = (RasterioError, CPLE_BaseError, OSError)


@contextmanager
def gdal_env() -> Iterator[None]:
    """Make `SETTINGS` hold in this thread for the time of the block."""
    with rasterio.Env(**SETTINGS):
        yield


def open_image(uri: str, *, overview: int | None = None) -> DatasetReader:
    """Open an image file for reading, at its ``overview`` level (0 is the first overview) or in full.

    Only the driver that the content asks for is tried. The caller closes the dataset.

    Raises:
        CorruptImageError: the file cannot be opened; the message names it.
    """
    options = {} if overview is None else {"overview_level": overview}
    try:
        with warnings.catch_warnings():
            # Pictures without georeference are welcome; the catalog's notes say what was found.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(uri, driver=identify(uri).driver, sharing=False, **options)
    except GDAL_FAILURES as error:
        raise CorruptImageError(
            f"'{uri}' cannot be opened: {error}",
            hint="the file may be truncated or damaged; fetch it again, or leave it out",
        ) from error
