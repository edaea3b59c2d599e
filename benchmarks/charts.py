"""Which pictures the page has, from the results alone."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Document, EndToEnd, Way, end_to_ends
from benchmarks.pictures import BLUE, GREEN, GREY, ORANGE, PURPLE, Bar, Line, Piece, Point, bars, lines, scatter
from benchmarks.spread import spread_of

__all__ = ["charts"]

_COLORS = {"network": BLUE, "decode": GREEN, "blend": PURPLE, "write": ORANGE}
_KEYS = {"network": "network", "decode": "decode", "blend": "blend", "write": "write"}


def charts(document: Document) -> dict[str, str]:
    """Return the pictures by file name; what was not measured has none."""
    sizes = end_to_ends(document)
    found = {}
    if sizes:
        title = f"End to end over the floors, {sizes[-1].side_px} x {sizes[-1].side_px} pixels"
        found["floors.svg"] = bars(title, "seconds", list(_floors(sizes[-1])))
    if sizes and sizes[-1].peers:
        title = f"Output of the same network, {sizes[-1].side_px} x {sizes[-1].side_px} pixels"
        found["peers.svg"] = bars(title, "megapixels a second", list(_speeds(sizes[-1])))
    if document.get("memory", {}).get("done"):
        found["memory.svg"] = _memory(document, sizes)
    if document.get("codecs", {}).get("done"):
        found["codecs.svg"] = _codecs(document)
    return found


def _floors(size: EndToEnd) -> Iterator[Bar]:
    for way in size.ways:
        pieces = tuple(Piece(way.floors[stage], color, _KEYS[stage]) for stage, color in _COLORS.items())
        yield Bar(way.name, pieces, f"floors {sum(way.floors.values()):.1f} s", gap=True)
        start = Piece(way.whole.median - way.steady.median, GREY, "start of the process", pale=True)
        yield Bar("end to end", (Piece(way.steady.median, GREY, "end to end"), start), _ratio(way))


def _ratio(way: Way) -> str:
    return f"{way.steady.median:.1f} s = {way.ratio.median:.2f}x"


def _speeds(size: EndToEnd) -> Iterator[Bar]:
    for way in size.ways:
        said = f"{way.mpx_s:.1f}, {size.over_fastest(way):.1f}x"
        yield Bar(f"gw, {way.name}", (Piece(way.mpx_s, BLUE, "gw"),), said)
    for peer in size.peers:
        yield Bar(peer.name, (Piece(peer.mpx_s, GREY, "peers, fp32, 256 px"),), f"{peer.mpx_s:.1f}")


def _memory(document: Document, sizes: list[EndToEnd]) -> str:
    cases = document["memory"]["cases"]
    points = tuple((float(side), spread_of(runs, "peak_mb").high) for side, runs in cases.items())
    rows = [Line("gw, small network", points, BLUE)]
    if sizes and sizes[-1].peers:
        plain = tuple((float(s.side_px), s.ways[0].peak_mb) for s in sizes)
        rows.append(Line("gw, U-Net", plain, GREEN, lift_px=-18))
        for number, peer in enumerate(sizes[-1].peers):
            theirs = tuple((float(s.side_px), s.peers[number].peak_mb) for s in sizes)
            rows.append(Line(f"{peer.name}, U-Net", theirs, (ORANGE, PURPLE)[number % 2]))
    return lines("Peak memory over the size of the raster", ("pixels", "MB"), rows, limit=(1000.0, "limit: 1 GB"))


def _codecs(document: Document) -> str:
    rows = [row for row in document["codecs"]["facts"]["rows"] if row["stored"] == "uint8"]
    heatmap = rows[0]["heatmap"]
    points = [
        Point(row["codec"], row["encode_mb_s"], 100 * row["share"], ORANGE if row["codec"] == "zstd 1" else BLUE)
        for row in rows
        if row["heatmap"] == heatmap and "blosc zstd 3" not in row["codec"] and "bytes" not in row["codec"]
    ]
    axes = ("MB a second encoded, one thread", "size, % of raw")
    return scatter(f"Codecs on scores of one byte: {heatmap}", axes, points)
