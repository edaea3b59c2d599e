"""The paragraphs of docs/benchmarks/README.md. Figures stand in tables alone, which are made from the results."""

from __future__ import annotations

__all__ = [
    "AGREEMENT",
    "CODECS",
    "CONSOLIDATE",
    "CUBE",
    "FLOORS",
    "MEMORY",
    "METHOD",
    "PEERS",
    "REPEAT",
    "SERIES",
    "STAGES",
    "TRACK",
    "WINDOWS",
]

REPEAT = """\
`make bench` takes all of it again and writes this page; `make bench-quick` shows in minutes that it runs.
"""

FLOORS = """\
The floors are the network alone (same backend, threads and windows, its best batch), decoding the raster, adding up
the windows and writing the heatmap, each alone with the best library known to us, on as many threads as the network.
End to end is `gw predict` in one process, at the batch that it takes by itself: stitched on disk, with markers and
lineage. *Steady* is the work without the start of the process; *whole* is everything from the start of `gw predict` to
its end. Seconds are medians, with the smallest and largest in brackets; ratios are taken round by round.
"""

PEERS = """\
Same torch weights, same raster, same threads, in the same rounds as above; windows of 256 px, overlap 64. The peers run
in eager torch at the layout, the batch and the way of joining windows that were fastest in a search (below); they read
the raster whole and write an uncompressed float32 GeoTIFF of logits, without a softmax. gw writes probabilities,
compressed. Start-up is left out for all; *whole* has it in.
"""

AGREEMENT = """\
Do they say the same? The share of pixels of a raster of {side}² whose most probable class is that of gw's `{against}`.
Peers differ near the raster's edge, where they pad otherwise, and average logits, not probabilities.
"""

MEMORY = """\
Peak resident memory of one worker; a network of two convolutions, windows of 256 px, each raster predicted once.
"""

WINDOWS = """\
fp32, raster of {side}², overlap of 64 px throughout. *Redundancy* is pixels computed for each pixel of output. *Windows
free* means the fastest of these.
"""

STAGES = """\
Raster of {side}². gw's reading is exact in any part and gives float32 and a mask; the bare library reads uint16 as it
lies. All add up the same windows, and write the same chunks with the same codec.
"""

CODECS = """\
Real heatmaps: a trained cloud network over real scenes, chunks of 512 x 512 px, one thread. Size in percent of the
values as they are, and MB a second to encode and to decode.

Scores of one byte take plain zstd 1: level 3 is a little smaller and markedly slower, lz4 is faster still and
much larger, and shuffling cannot help single bytes. Wider scores gain from a shuffle both ways, so they take
blosc. Differences of rows before zstd would save more than any level, but no core codec of Zarr v3 takes them, and a
heatmap must open everywhere.
"""

SERIES = """\
`gw predict` over made-up images of 500 x 500 px, one each 5 days, with the shipped network of seasons, which sees 37
dates of a year for a plane each 10 days. Time blocks that see the same images are computed in one pass where memory
allows; *block by block* is the same with little memory. Both give the same bytes. Seconds are the processor's, of the
whole process; one run each.
"""

TRACK = """\
`gw track` in one process over made-up heatmaps of 12 dates and three classes. Megapixels are those of planes: pixels
times dates. One run each; memory is that of the process at its peak.
"""

CONSOLIDATE = """\
`gw consolidate` in one process over made-up regions of about 100 polygons a tile, tracked over four dates, which cross
seams and corners; the tables alone are written. One run each.
"""

CUBE = """\
Windows of 256 px, 12 dates and 6 bands at random places: from images (COGs), and from the cube that `gw dataset align`
made of them. Both give the same bytes; medians over windows. The series is made of one real scene of each sensor.
The processor ratio is that of the processor time. What a cube holds in files is read by one thread, however many there
are: chunks are decoded in microseconds, and threads would hinder each other.
"""

METHOD = """\
- A session runs its cases in turns, A B C, A B C, so that all of them see the same machine; every case is a process of
  its own.
- The network is a small U-Net (width 8, depth 2; 4 bands, 3 classes; 0.80 GFLOP a window of 256 px). **It was
  trained for seconds** on a rule of brightness: it shows speed and nothing else.
- Rasters: 4 bands of uint16, deflate, blocks of 512 px, with the texture of the demo's Landsat scene, mirrored until it
  fills them; read once beforehand, so that no run pays for the disk.
- gw's cache of compiled networks is filled before the first round; the backend is the one that gw chose by itself.
- Every number of this page comes from [results.json](results.json); the session took {minutes:.0f} minutes.
"""
