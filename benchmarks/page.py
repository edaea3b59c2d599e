"""Writes docs/benchmarks: the page, its pictures, and the results that every number of it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks import prose
from benchmarks.charts import charts
from benchmarks.figures import Document, EndToEnd, PeerRun, Way, end_to_ends
from benchmarks.page_of_time import tables
from benchmarks.results import ROOT
from benchmarks.scale import QUICK
from benchmarks.session import WORK, Session
from benchmarks.spread import Spread, spread_of
from benchmarks.targets import targets

__all__ = ["FOLDER", "RESULTS", "files", "publish"]

FOLDER = ROOT / "docs" / "benchmarks"
"""Where the published page is."""

RESULTS = "results.json"


def publish(session: Session, *, keep: bool = False) -> Path:
    """Write the page of a session: a full one to docs, a quick one beside its results.

    ``keep`` leaves what is published of parts that the session has not measured; the page says which these are.
    """
    quick = session.scale.name == QUICK.name
    folder = WORK / QUICK.name / "page" if quick else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / RESULTS
    document = (json.loads(kept.read_text()) if keep and kept.exists() else {}) | session.results.parts()
    # In the order of the session: the first setup is the plain one.
    (folder / RESULTS).write_text(json.dumps(document, indent=1) + "\n")
    for name, text in files(document).items():
        (folder / name).write_text(text)
    return folder / "README.md"


def files(document: Document) -> dict[str, str]:
    """Return the page and its pictures by name."""
    pictures = charts(document)
    return {"README.md": _page(document, set(pictures)), **pictures}


def _page(document: Document, pictures: set[str]) -> str:
    sections: tuple[Callable[[Document], Iterator[str]], ...] = (
        _targets, _end_to_end, _peers, _memory, _windows, _stages, _codecs, _times, _others, _method,
    )  # fmt: skip
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `make bench` from results.json; do not edit. -->",
        "",
        *_machine(document),
    ]
    for section in sections:
        lines += section(document)
    kept = [line for line in lines if not _picture_of(line) or _picture_of(line) in pictures]
    return "\n".join(kept).rstrip() + "\n"


def _picture_of(line: str) -> str:
    return line.partition("](")[2].rstrip(")") if line.startswith("![") else ""


def _machine(document: Document) -> Iterator[str]:
    facts = document["machine"]["facts"]
    kind = "a virtual machine" if facts["virtual"] else "a machine"
    yield (
        f"Measured on {facts['date']} on {kind} with {facts['cores']} cores of {facts['processor']} "
        f"(family {facts['family']}; {', '.join(facts['isa'])}), {facts['memory_gb']} GB of memory, {facts['system']}, "
        f"Python {facts['python']}. State of the sources: `{document['machine']['state']}`."
    )
    yield ""
    yield from _earlier(document)
    yield "Libraries: " + ", ".join(f"{name} {version}" for name, version in facts["libraries"].items()) + "."
    yield ""
    yield from prose.REPEAT.splitlines()
    yield ""


def _earlier(document: Document) -> Iterator[str]:
    """Yield which parts were measured before, with other sources."""
    now = document["machine"]["state"]
    for state in sorted({part["state"] for part in document.values()} - {now}):
        names = sorted(name for name, part in document.items() if part["state"] == state)
        yield f"Measured before, with the sources `{state}`: {', '.join(names)}."
        yield ""


def _targets(document: Document) -> Iterator[str]:
    rows = [
        (t.name, f"{'at least' if t.at_least else 'at most'} {t.wanted:g}{t.unit}", f"{t.found:.3g}{t.unit}", t.verdict)
        for t in targets(document)
    ]
    yield from _section("Targets", rows, ("target", "wanted", "measured", ""))


def _end_to_end(document: Document) -> Iterator[str]:
    sizes = end_to_ends(document)
    if not sizes:
        return
    yield from ("## End to end over the floors", "")
    yield from prose.FLOORS.splitlines()
    yield from ("", "![Stacked floors beside end to end](floors.svg)", "")
    rows = [_way_row(size, way) for size in sizes for way in size.ways]
    head = ("raster", "setup", "backend", "network s", "decode s", "blend s", "write s", "steady s", "over floors",
            "over network", "outside s/Mpx", "whole s", "MB")  # fmt: skip
    yield from _table(head, rows)


def _way_row(size: EndToEnd, way: Way) -> tuple[str, ...]:
    pin = way.about["backend"]
    window = f"{way.about['window_px'][0]} px, alone in batches of {way.about['batch']}"
    about = f"{pin['name']} {pin['precision']}, {window}"
    return (
        f"{size.side_px}²", way.name, about, *(f"{way.floors[s]:.2f}" for s in ("network", "decode", "blend", "write")),
        _spread(way.steady), _spread(way.ratio), _spread(way.network_ratio), f"{way.outside.median:.3f}",
        _spread(way.whole), f"{way.peak_mb:,.0f}",
    )  # fmt: skip


def _peers(document: Document) -> Iterator[str]:
    sizes = [size for size in end_to_ends(document) if size.peers]
    if not sizes:
        return
    yield from ("## Beside the peers", "")
    yield from prose.PEERS.splitlines()
    yield from ("", "![Pixels a second of gw and the peers](peers.svg)", "")
    rows = []
    for size in sizes:
        rows += [_ours(size, way) for way in size.ways] + [_theirs(size, peer) for peer in size.peers]
    yield from _table(("raster", "", "Mpx/s", "over the fastest peer", "steady s", "Mpx/s whole", "MB"), rows)
    yield from _agreement(document)
    yield from _settings(document)


def _ours(size: EndToEnd, way: Way) -> tuple[str, ...]:
    over = size.over_fastest(way) or 0.0
    return (
        f"{size.side_px}²", f"**gw**, {way.name}", f"{way.mpx_s:.2f}", f"{over:.2f}", _spread(way.steady),
        f"{way.whole_mpx_s:.2f}", f"{way.peak_mb:,.0f}",
    )  # fmt: skip


def _theirs(size: EndToEnd, peer: PeerRun) -> tuple[str, ...]:
    over = peer.mpx_s / (size.fastest or peer).mpx_s
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in peer.parts.items())
    return (
        f"{size.side_px}²", peer.name, f"{peer.mpx_s:.2f}", f"{over:.2f}", f"{_spread(peer.steady)}: {parts}",
        f"{peer.whole_mpx_s:.2f}", f"{peer.peak_mb:,.0f}",
    )  # fmt: skip


def _agreement(document: Document) -> Iterator[str]:
    part = document.get("agreement")
    if not part or not part["done"]:
        return
    rows = [(n, f"{r[0]['agreement']:.3%}", f"{r[0]['inner_agreement']:.3%}") for n, r in part["cases"].items()]
    facts = part["facts"]
    yield from prose.AGREEMENT.format(side=facts["side_px"], against=facts["against"]).splitlines()
    yield ""
    yield from _table(("", "all pixels", "256 px off the edge"), rows)


def _settings(document: Document) -> Iterator[str]:
    facts = document["peers"]["facts"]
    rows = []
    for name, tried in facts.items():
        if not name.startswith("settings of "):
            continue
        fastest = min(tried, key=lambda run: float(run["steady_s"]))
        for run in tried:
            layout = "channels last" if run["channels_last"] else "contiguous"
            taken = "taken" if run is fastest else ""
            rows.append(
                (name.removeprefix("settings of "), run["mode"], run["batch"], layout, f"{run['steady_s']:.2f}", taken)
            )
    yield from ("Settings tried for the peers, one run each:", "")
    yield from _table(("peer", "joining", "batch", "layout", "s", ""), rows)


def _memory(document: Document) -> Iterator[str]:
    part = document.get("memory")
    if not part or not part["done"]:
        return
    yield from ("## Memory", "", *prose.MEMORY.splitlines(), "")
    yield from ("![Peak memory over the size of the raster](memory.svg)", "")
    rows = []
    for side, runs in part["cases"].items():
        mpx = int(side) ** 2 / 1e6
        steady = spread_of(runs, "steady_s").median
        rows.append((f"{side}²", f"{spread_of(runs, 'peak_mb').high:,.0f}", f"{steady:.1f}", f"{mpx / steady:.1f}"))
    yield from _table(("raster", "MB", "steady s", "Mpx/s"), rows)


def _windows(document: Document) -> Iterator[str]:
    part = document.get("windows")
    if not part or not part["done"]:
        return
    rows = []
    mpx = part["facts"]["side_px"] ** 2 / 1e6
    for name, runs in part["cases"].items():
        told, redundancy = runs[0], part["facts"]["counts"][name]["redundancy"]
        steady = spread_of(runs, "steady_s")
        rows.append((name, told["windows"], f"{redundancy:.2f}", _spread(steady), f"{mpx / steady.median:.2f}",
                     f"{mpx * redundancy / steady.median:.2f}", f"{max(r['peak_mb'] for r in runs):,.0f}"))  # fmt: skip
    told = prose.WINDOWS.format(side=part["facts"]["side_px"])
    yield from ("## Larger windows", "", *told.splitlines(), "")
    head = ("window", "windows", "redundancy", "steady s", "effective Mpx/s", "computed Mpx/s", "MB")
    yield from _table(head, rows)


def _stages(document: Document) -> Iterator[str]:
    part = document.get("stages")
    if not part or not part["done"]:
        return
    mpx = part["facts"]["side_px"] ** 2 / 1e6
    rows = []
    for stage, runs in part["cases"].items():
        ours = spread_of(runs, "gw_s")
        bare = {key[:-2]: spread_of(runs, key).median for key in runs[0] if key != "gw_s"}
        best = min(bare.values())
        said = ", ".join(f"{_BARE[name]} {seconds:.2f}" for name, seconds in bare.items())
        rows.append((stage, _spread(ours), said, f"{ours.median / best:.2f}", f"{ours.median / mpx * 1000:.1f}"))
    told = prose.STAGES.format(side=part["facts"]["side_px"])
    yield from ("## Stages on one thread", "", *told.splitlines(), "")
    yield from _table(("stage", "gw s", "bare libraries s", "over the best", "gw ms/Mpx"), rows)


_BARE = {
    "rasterio": "rasterio", "numpy": "numpy", "compiled": "compiled loop", "zarr": "zarr-python", "zarrs": "zarrs",
    "threads": "numcodecs",
}  # fmt: skip


def _codecs(document: Document) -> Iterator[str]:
    part = document.get("codecs")
    if not part or not part["done"]:
        return
    yield from ("## The codec of heatmaps", "", *prose.CODECS.splitlines())
    yield from ("", "![Size and speed of codecs on scores of one byte](codecs.svg)", "")
    rows = part["facts"]["rows"]
    heatmaps = list(dict.fromkeys(row["heatmap"] for row in rows))
    for stored in dict.fromkeys(row["stored"] for row in rows):
        mine = [row for row in rows if row["stored"] == stored]
        by_codec = {
            codec: {r["heatmap"]: r for r in mine if r["codec"] == codec}
            for codec in dict.fromkeys(r["codec"] for r in mine)
        }
        yield from (f"Scores as {stored}:", "")
        yield from _table(
            ("codec", *(f"{name}: %, enc, dec" for name in heatmaps)),
            [(codec, *(_codec_cell(found[name]) for name in heatmaps)) for codec, found in by_codec.items()],
        )


def _codec_cell(row: Document) -> str:
    return f"{row['share']:.1%}, {row['encode_mb_s']:.0f}, {row['decode_mb_s']:.0f}"


def _times(document: Document) -> Iterator[str]:
    for title, words, head, rows in tables(document):
        yield from (f"## {title}", "", *words.splitlines(), "")
        yield from _table(head, rows)


def _others(document: Document) -> Iterator[str]:
    yield from ("## Start, workers, plans", "")
    rows = []
    for name, key in (("start", "whole_s"), ("workers", "steady_s"), ("plans", "whole_s")):
        part = document.get(name)
        for case, runs in (part["cases"] if part and part["done"] else {}).items():
            figure = "first_s" if "first_s" in runs[0] else key
            said = f"{int(case):,} tiles" if name == "plans" else case
            more = f"{runs[0]['us_a_tile']:.2f} µs a tile, {runs[0]['peak_mb']:,.0f} MB" if name == "plans" else ""
            rows.append((name, said, _spread(spread_of(runs, figure)), more))
    yield from _table(("", "", "s", ""), rows)


def _method(document: Document) -> Iterator[str]:
    told = prose.METHOD.format(minutes=document["machine"]["facts"]["minutes"])
    yield from ("## How it is measured", "", *told.splitlines())


def _section(title: str, rows: Sequence[tuple[str, ...]], head: tuple[str, ...]) -> Iterator[str]:
    if rows:
        yield from (f"## {title}", "")
        yield from _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"
    yield ""


def _spread(spread: Spread) -> str:
    if spread.runs == 1:
        return f"{spread.median:.2f}"
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"
