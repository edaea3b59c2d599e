"""Sites of an earlier run, read back with what goes on of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geowatch.consolidate.decided import EVENT, MERGE, RUN, SITE, SPLIT, Decided, seen_dtype, starts_of
from geowatch.consolidate.ongoing import read_ongoing
from geowatch.consolidate.succession import Earlier
from geowatch.consolidate.tables import Naming, footprint_schema
from geowatch.consolidate.terms import NO_DAY
from geowatch.errors import DamagedError, InputError
from geowatch.grid.wkb import Wkb
from geowatch.stages.sites.ongoing import AGAIN, OPTIONS, History, package_of
from geowatch.stages.sites.tables import FOOTPRINTS, OBSERVATIONS, ONGOING, SITES, stored_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints
    from geowatch.stages.tracking.tracked import TrackedRun
    from geowatch.store import Store
    from geowatch.track.document import Tracking

__all__ = ["read_earlier"]

_KEY = r"^.*-(?P<birth>\d{8}|undated)-r(?P<y>-?\d+)-c(?P<x>-?\d+)(?P<kind>-k\d+)?(?P<twin>-\d+)?$"
_MIB = 1 << 20


def read_earlier(store: Store, naming: Naming, tracked: TrackedRun) -> Earlier:
    """Read the sites of an earlier run.

    Raises:
        InputError: where there are none, or of another region, pixel grid, other classes, another tracking or package.
        DamagedError: where they cannot be read, or are not those that belong together.
    """
    if any(store.size(key) is None for key in (SITES, OBSERVATIONS, FOOTPRINTS)):
        raise InputError(f"{store.url} holds no sites", hint="gw consolidate makes them; name its run folder")
    history = History.read(store)
    _check_digests(store, history)
    tables = {key: stored_batches(store, key) for key in (SITES, OBSERVATIONS, FOOTPRINTS)}
    _check(tables[FOOTPRINTS].schema.metadata, footprint_schema(naming).metadata, store.url, tracked.tracking)
    _check_options(history, tracked.tracking, store.url)
    _check_package(history.package, package_of(tracked), store.url)
    try:
        sites, seen, runs = (pa.Table.from_batches(list(table), table.schema) for table in tables.values())
        found, site = read_ongoing(iter(stored_batches(store, ONGOING)), len(naming.terms.classes))
        number = _column(sites, "number").astype(np.int64)
        phases = _phases(seen, naming)
        decided = _decided(sites, seen, runs, replace(naming, phases=phases))
        order = np.array([naming.terms.grids.index(name) for name in history.days], dtype=np.int16)
        found = found.on_grids(order)
    except (pa.ArrowException, ValueError, KeyError, IndexError, OSError) as error:
        raise DamagedError(f"the sites in {store.url} cannot be read: {error}", hint=AGAIN) from error
    days, planes = history.axes(naming.terms.grids)
    last = tuple(history.last.get(name) for name in naming.terms.grids)
    return Earlier(decided, number, found, site, days, planes, history.frozen or 0, last, history.next_number, phases)


def _phases(seen: pa.Table, naming: Naming) -> tuple[str, ...]:
    """Return this run's phases and those that are told of earlier sites besides."""
    told = pc.unique(seen.column("phase").drop_null()).to_pylist()
    return (*naming.phases, *sorted(set(told) - set(naming.phases)))


def _check_options(history: History, tracking: Tracking, where: str) -> None:
    now = History.options_of(tracking)
    if history.options.get("algorithm") != now["algorithm"]:
        raise InputError(
            f"the sites in {where} were tracked by version {history.options.get('algorithm')} of gw track, these by "
            f"{now['algorithm']}",
            hint="run gw track and gw consolidate there again",
        )
    for name, option in OPTIONS.items():
        before = history.options.get(name)
        if before != now[name]:
            given = _given(option, before)
            raise InputError(
                f"the sites in {where} were tracked {given}, these {_given(option, now[name])}",
                hint=f"gw track {given.removeprefix('with ')}, or leave --previous out",
            )


def _check_package(before: str | None, now: str | None, where: str) -> None:
    if before is not None and now is not None and before != now:
        raise InputError(
            f"the sites in {where} are of scores that package {before[:12]} predicted, these of package {now[:12]}",
            hint="predict with the same --model, or predict all dates anew and leave --previous out",
        )


def _given(option: str, value: object) -> str:
    """Return how an option was given, in words.

    >>> _given("--low", 0.3), _given("--subpixel", True), _given("--split-days", None)
    ('with --low 0.3', 'with --subpixel', 'without --split-days')
    """
    if value is None or value is False:
        return f"without {option}"
    return f"with {option}" if value is True else f"with {option} {_shown(value)}"


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _check_digests(store: Store, history: History) -> None:
    for key, digest in history.files.items():
        sha256, size = hashlib.sha256(), store.size(key) or 0
        for start in range(0, size, _MIB):
            sha256.update(store.get(key, start, min(_MIB, size - start)))
        if sha256.hexdigest() != digest:
            raise DamagedError(f"'{key}' in {store.url} is not what its run left", hint=AGAIN)


def _check(found: dict[bytes, bytes], wanted: dict[bytes, bytes], where: str, tracking: Tracking) -> None:
    names = {b"region": "region", b"classes": "classes", b"mode": "mode of tracking"}
    same = "give a table with objects of" if tracking.boxes is not None else "predict with a network of"
    hints = {b"region": "give the same --region-id", b"classes": f"{same} the same classes"}
    for key, name in names.items():
        if found.get(key) != wanted.get(key):
            raise InputError(
                f"the sites in {where} are of {name} {_text(found, key)}, these of {_text(wanted, key)}",
                hint=hints.get(key, f"gw track --mode {_text(found, key)}") + ", or leave --previous out",
            )
    before, now = (json.loads(each[b"grids"]) for each in (found, wanted))
    if any(now.get(name) != lattice for name, lattice in before.items()):
        raise InputError(
            f"the sites in {where} lie on other pixels: {before}, these on {now}",
            hint="give the plan the same --resolution, --crs and --origin, or leave --previous out",
        )


def _text(metadata: dict[bytes, bytes], key: bytes) -> str:
    return metadata.get(key, b"nothing").decode()


def _decided(sites: pa.Table, seen: pa.Table, runs: pa.Table, naming: Naming) -> Decided:
    count = sites.num_rows
    number = _column(sites, "number")
    of_seen = _owners(seen.column("site_id"), sites.column("site_id"))
    observations = _observations(seen, naming)
    rows = _rows(sites, naming.terms)
    observations["time"] = _times(rows["grid"][of_seen], observations, naming.terms)
    shapes, shapes_start = _bytes(seen.column("geometry"))
    observations["shape_bytes"] = np.diff(shapes_start)
    seen_start = starts_of(of_seen, count)
    events, events_start = _events(sites.column("events").to_pylist())
    pixels = np.zeros(runs.num_rows, dtype=RUN)
    for name in ("y", "x0", "x1"):
        pixels[name] = _column(runs, name)
    order = json.loads(runs.schema.metadata[b"order"])
    pixels["grid"] = np.array([naming.terms.grids.index(name) for name in order])[_column(runs, "grid")]
    return Decided(
        rows=rows,
        outlines=Wkb(*_bytes(sites.column("geometry"))),
        runs=pixels,
        runs_start=starts_of(np.searchsorted(number, _column(runs, "number")), count),
        seen=observations,
        seen_start=seen_start,
        shapes=shapes,
        shapes_start=shapes_start[seen_start],
        events=events,
        events_start=events_start,
    )


def _times(grid: NDArray[Any], seen: NDArray[Any], terms: Terms) -> NDArray[Any]:
    """Return the places of observations on this run's time axes; -1 where they have none."""
    out = np.full(len(seen), -1)
    for number, days in enumerate(terms.days):
        mine = np.flatnonzero((grid == number) & (seen["day"] != NO_DAY))
        day, before = seen["day"][mine], seen["time"][mine]
        kept = (before >= 0) & (before < len(days))
        kept[kept] = days[before[kept]] == day[kept]
        first = np.searchsorted(days, day)
        there = np.isin(day, days)
        out[mine] = np.where(kept, before, np.where(there, first, -1))
    return out


def _rows(sites: pa.Table, terms: Terms) -> NDArray[Any]:
    rows = np.zeros(sites.num_rows, dtype=SITE)
    parsed = pc.extract_regex(sites.column("key").combine_chunks(), _KEY)
    for name in ("y", "x"):
        rows[name] = _numpy(pc.struct_field(parsed, name).cast(pa.int32()))
    birth = pc.strptime(pc.struct_field(parsed, "birth"), format="%Y%m%d", unit="s", error_is_null=True)
    rows["birth"] = _day_numbers(birth.cast(pa.date32()))
    rows["grid"] = _places(sites.column("grid"), terms.grids)
    rows["kind"] = np.maximum(_places(sites.column("class"), terms.kinds), 0)
    for name in ("start", "end"):
        rows[name] = _day_numbers(sites.column(name).combine_chunks())
    for name in ("area_px", "area_m2", "score", "peak"):
        rows[name] = _column(sites, name)
    return rows


def _observations(seen: pa.Table, naming: Naming) -> NDArray[Any]:
    out = np.zeros(seen.num_rows, dtype=seen_dtype(len(naming.terms.classes)))
    out["day"] = _day_numbers(seen.column("date").combine_chunks())
    out["phase"] = _places(seen.column("phase"), naming.phases)
    for name in ("time", "score", "seen_share"):
        out[name] = _column(seen, name)
    scores = seen.column("scores").combine_chunks()
    out["scores"] = _numpy(scores.flatten()).reshape(len(out), len(naming.terms.classes))
    return out


def _places(words: pa.ChunkedArray, known: tuple[str | None, ...]) -> NDArray[Any]:
    found = pc.index_in(words, value_set=pa.array(known, pa.string()), skip_nulls=True)
    return _numpy(pc.fill_null(found, -1).combine_chunks())


def _owners(ids: pa.ChunkedArray, sites: pa.ChunkedArray) -> Ints:
    return _numpy(pc.index_in(ids, value_set=sites.combine_chunks()).combine_chunks()).astype(np.int64)


def _events(texts: list[str | None]) -> tuple[NDArray[Any], Ints]:
    found = [
        (site, SPLIT if name == "split" else MERGE, day)
        for site, text in enumerate(texts)
        for each in (text or "").split(";")
        if each
        for name, _, day in [each.partition(":")]
    ]
    events = np.zeros(len(found), dtype=EVENT)
    events["what"] = [what for _, what, _ in found]
    days = np.array([day for *_, day in found], dtype="datetime64[D]")
    events["day"] = days.astype(np.int64)
    return events, starts_of(np.array([site for site, *_ in found], dtype=np.int64), len(texts))


def _bytes(column: pa.ChunkedArray) -> tuple[NDArray[np.uint8], Ints]:
    """Return the bytes of a column of binary, and where each entry starts; nothing is empty."""
    parts, counts = [np.zeros(0, np.uint8)], [np.zeros(0, np.int64)]
    for chunk in column.chunks:
        _, offsets, content = chunk.buffers()
        start = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1].astype(np.int64)
        parts.append(np.frombuffer(content or b"", np.uint8)[start[0] : start[-1]])
        counts.append(np.diff(start))
    return np.concatenate(parts), np.concatenate([[0], np.cumsum(np.concatenate(counts))])


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    return _numpy(table.column(name).combine_chunks())


def _numpy(array: pa.Array) -> NDArray[Any]:
    # Not `to_numpy`, which imports pandas where it is installed.
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return np.from_dlpack(array) if len(array) else np.zeros(0, array.type.to_pandas_dtype())


def _day_numbers(days: pa.Array) -> NDArray[Any]:
    return _numpy(pc.fill_null(days.cast(pa.int32()), NO_DAY))
