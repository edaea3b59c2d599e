"""Consolidated tables that are made up: stand-ins for those of ``gw consolidate``, for tests of what is made of them.

Outlines run along the edges of 10 m pixels in UTM zone 18, phases follow a construction site's course, and scores are
noisy. Nothing here was observed anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import shapely

from geowatch.consolidate.output.batches import Batches

PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
CRS = "EPSG:32618"
ORIGIN = (480_000.0, 4_200_000.0)
PIXEL_M = 10.0

SITES = pa.schema(
    [
        ("site_id", pa.string()), ("key", pa.string()), ("number", pa.int32()), ("grid", pa.string()),
        ("class", pa.string()), ("start", pa.date32()), ("end", pa.date32()), ("area_m2", pa.float64()),
        ("area_px", pa.int64()), ("score", pa.float32()), ("peak", pa.float32()), ("n_observations", pa.int32()),
        ("status", pa.string()), ("events", pa.string()), ("geometry", pa.binary()),
    ]
)  # fmt: skip
OBSERVATIONS = pa.schema(
    [
        ("site_id", pa.string()), ("date", pa.date32()), ("time", pa.int32()), ("phase", pa.string()),
        ("score", pa.float32()), ("scores", pa.list_(pa.float32())), ("seen_share", pa.float32()),
        ("geometry", pa.binary()),
    ]
)  # fmt: skip


def made_tables(count=12, times=24, *, region="ZZ_R001", crs=CRS, seed=5) -> tuple[Batches, Batches]:
    """Return (sites, observations) of ``count`` made-up sites over ``times`` dates, 30 days apart."""
    rows = list(_rows(count, times, region, seed))
    metadata = {b"crs": (crs or "").encode()}
    sites = pa.Table.from_pylist([site for site, _ in rows], SITES).replace_schema_metadata(metadata)
    seen = [each for _, observations in rows for each in observations]
    return Batches.of_table(sites), Batches.of_table(
        pa.Table.from_pylist(seen, OBSERVATIONS).replace_schema_metadata(metadata)
    )


def many_sites(count: int, region="ZZ_R001") -> tuple[Batches, Batches]:
    """Return tables of any size whose batches are made while they are read: two observations a site."""

    def sites() -> Iterator[pa.RecordBatch]:
        for first in range(0, count, 10_000):
            yield _plain_sites(np.arange(first, min(count, first + 10_000)), region)

    def observations() -> Iterator[pa.RecordBatch]:
        for first in range(0, count, 10_000):
            yield _plain_observations(np.arange(first, min(count, first + 10_000)), region)

    metadata = {b"crs": CRS.encode()}
    return Batches(SITES.with_metadata(metadata), sites), Batches(OBSERVATIONS.with_metadata(metadata), observations)


def _rows(count, times, region, seed):
    rng = np.random.default_rng(seed)
    first = date(2016, 1, 12)
    dates = [first + timedelta(days=30 * k) for k in range(times)]
    for number in range(count):
        shape = _outline(rng, number)
        begin, ending = int(rng.integers(2, times // 2)), int(rng.integers(times // 2 + 1, times + 4))
        name = f"{region}_{number:04d}"
        observations = list(_observations(rng, name, dates, (begin, ending), shape))
        score = float(np.mean([each["score"] for each in observations[begin:ending]]))
        x, y = shape.bounds[0], shape.bounds[3]
        yield (
            {
                "site_id": name, "number": number, "grid": "utm18n", "class": None,
                "key": f"utm18n-{dates[begin]:%Y%m%d}-r{round(-y / 10)}-c{round(x / 10)}",
                "start": dates[begin], "end": dates[ending] if ending < times else None, "area_m2": shape.area,
                "area_px": round(shape.area / PIXEL_M**2), "score": score,
                "peak": max(each["score"] for each in observations), "n_observations": len(observations),
                "status": "system_confirmed" if score > 0.55 else "system_proposed",
                "events": f"split:{dates[begin]:%Y-%m-%d}" if number % 7 == 3 else None,
                "geometry": shapely.to_wkb(shape),
            },
            observations,
        )  # fmt: skip


def _outline(rng, number):
    """Return a blob of pixels; each fifth has a hole, each eleventh two parts that touch at a corner."""
    x0 = ORIGIN[0] + (number % 9) * 1100 + float(rng.integers(0, 30)) * PIXEL_M
    y0 = ORIGIN[1] - (number // 9) * 1000 - float(rng.integers(0, 30)) * PIXEL_M
    side = int(rng.integers(6, 36))
    yy, xx = np.mgrid[:side, :side] - side / 2 + 0.5
    angle = np.arctan2(yy, xx)
    reach = side / 2 * (0.75 + 0.2 * np.sin(angle * rng.integers(2, 5) + rng.uniform(0, 6)))
    rows, columns = np.nonzero(np.hypot(yy, xx) <= np.maximum(reach, 2))
    squares = shapely.box(x0 + columns * 10, y0 - rows * 10 - 10, x0 + columns * 10 + 10, y0 - rows * 10)
    shape = shapely.union_all(squares)
    if number % 5 == 4:
        at = shape.centroid.coords[0]
        corner = np.round(np.array(at) / 10) * 10
        shape = shape - shapely.box(corner[0] - 20, corner[1] - 20, corner[0] + 10, corner[1] + 10)
    if number % 11 == 10:
        east, north = shape.bounds[2:]
        apart = shapely.box(east + 30, north + 30, east + 90, north + 70)
        shape = shapely.MultiPolygon([max(shapely.get_parts(shape), key=lambda p: p.area), apart])
    return shapely.normalize(shape)


def _observations(rng, name, dates, span, shape):
    begin, ending = span
    for time, day in enumerate(dates):
        phase = 0 if time < begin else 1 if time < begin + (ending - begin) // 3 else 2 if time < ending else 3
        logits = rng.normal(0, 0.7, 4)
        logits[phase] += 2.6
        scores = np.exp(logits) / np.exp(logits).sum()
        seen = float(rng.choice([0.0, 0.4, 1.0], p=[0.25, 0.1, 0.65]))
        if seen == 0:
            continue
        grown = time % 9 == 4
        yield {
            "site_id": name, "date": day, "time": time, "phase": PHASES[phase], "score": float(scores[1:3].sum()),
            "scores": scores.tolist(), "seen_share": seen,
            "geometry": shapely.to_wkb(shapely.box(*shape.bounds)) if grown else None,
        }  # fmt: skip


def _plain_sites(numbers, region):
    x, y = ORIGIN[0] + numbers % 1000 * 100.0, ORIGIN[1] - numbers // 1000 * 100.0
    shapes = shapely.box(x, y, x + 50, y + 40)
    count = len(numbers)
    columns = {
        "site_id": [f"{region}_{n:04d}" for n in numbers], "key": [f"utm18n-20160112-r{n}-c{n}" for n in numbers],
        "number": numbers.astype(np.int32), "grid": ["utm18n"] * count, "class": [None] * count,
        "start": np.full(count, 17_000, np.int32).astype("datetime64[D]"), "end": [None] * count,
        "area_m2": np.full(count, 2000.0), "area_px": np.full(count, 20), "score": np.full(count, 0.7, np.float32),
        "peak": np.full(count, 0.9, np.float32), "n_observations": np.full(count, 2, np.int32),
        "status": ["system_confirmed"] * count, "events": [None] * count, "geometry": shapely.to_wkb(shapes),
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(columns, SITES)


def _plain_observations(numbers, region):
    names = [f"{region}_{n:04d}" for n in numbers for _ in range(2)]
    count = len(names)
    columns = {
        "site_id": names, "date": np.tile(np.array(["2016-01-12", "2017-01-12"], "datetime64[D]"), count // 2),
        "time": np.tile(np.array([0, 1], np.int32), count // 2), "phase": [PHASES[2]] * count,
        "score": np.full(count, 0.7, np.float32), "scores": [[0.1, 0.1, 0.7, 0.1]] * count,
        "seen_share": np.ones(count, np.float32), "geometry": [None] * count,
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(columns, OBSERVATIONS)
