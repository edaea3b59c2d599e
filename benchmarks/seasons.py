"""Seasons of vegetation in a real series: what tracking finds beside a method that has nothing in common with it.

    python -m benchmarks.seasons ../shared/data/eolearn PICTURE.svg

The series is Sentinel-2's, 68 dates of 2015 to 2017, 101 x 100 pixels, NDVI and cloud mask as they come. gw scores
how far each pixel stands between the low and the high of its year, every 10 days; what stands above the middle is
tracked over time and consolidated into sites, one a season. The other method fits, pixel by pixel, a double logistic
(Beck et al. 2006, https://doi.org/10.1016/j.rse.2005.10.021) to the cloud-free values of each calendar year, by least
squares with a soft loss; its start and end are the middles of its two slopes. Compared are the days when a pixel
enters and leaves a season.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "docs")]

from drawings import BLUE, FAINT, GREEN, GREY, ORANGE, Drawing  # noqa: E402
from support.eolearn_series import MASKED, EolearnSeries, write_eolearn  # noqa: E402

from geowatch.package.manifest import HeadSpec, InputSpec  # noqa: E402
from geowatch.package.packaging import NetSource, package_net  # noqa: E402
from geowatch.package.spec import ImportSpec  # noqa: E402
from geowatch.stages.binding.imagery import ImageryConfig  # noqa: E402
from geowatch.stages.consolidate import consolidate  # noqa: E402
from geowatch.stages.predict import PredictConfig, predict  # noqa: E402
from geowatch.stages.predicting.timing import TimeConfig  # noqa: E402
from geowatch.stages.sites.config import ConsolidateConfig  # noqa: E402
from geowatch.stages.tile import TileConfig, tile  # noqa: E402
from geowatch.stages.track import TrackConfig, track  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

YEARS = (2016, 2017)
SLOTS, SPAN_DAYS, STEP_DAYS, HALF = 37, 370, 10, 0.5
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Season:
    """One season of one pixel, as both methods date it (days since 1970-01-01)."""

    year: int
    found: tuple[float, float]
    fitted: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All seasons that both methods date."""

    seasons: tuple[Season, ...]

    def differences(self, end: int, year: int | None = None) -> Floats:
        """Days that gw is later than the fit, at starts (0) or ends (1) of seasons."""
        return np.array([s.found[end] - s.fitted[end] for s in self.seasons if year in {None, s.year}])

    @property
    def median_days(self) -> float:
        """Median of the absolute difference over all starts and ends."""
        return float(np.median(np.abs(np.concatenate([self.differences(0), self.differences(1)]))))


def package_season(folder: Path) -> Path:
    """Make the package: the season network of the registry, with dates spread over a year about each plane."""
    inputs = tuple(
        InputSpec(name=f"index.{k}", tensor="index", bands=("ndvi",), date=k, layout="NTCHW", fill=-9.0)
        for k in range(SLOTS)
    )
    head = HeadSpec(name="season", output="scores", classes=("dormant", "green"), activation="none")
    spec = ImportSpec(
        inputs=inputs, heads=(head,), window=(64, 64), overlap=0, blend="crop", name="season",
        series_sampling="uniform", series_span_days=SPAN_DAYS, series_anchor=0.5, series_step_days=STEP_DAYS,
    )  # fmt: skip
    return package_net(NetSource(net="season", options={"dates": SLOTS}), spec, folder).path


def track_seasons(series: EolearnSeries, folder: Path) -> Path:
    """Run the whole line on a series; return the run folder."""
    imagery = ImageryConfig(images=(str(series.folder),), **MASKED)
    run = folder / "run"
    model = str(package_season(folder / "season-package"))
    tile(TileConfig(run=str(run), imagery=imagery, model=model, tile_size=128))
    # Planes of one block share what they read: small as the region is, many fit.
    predict(PredictConfig(run=str(run), jit="onnxruntime", workers=1, time=TimeConfig(time_block=16)))
    track(TrackConfig(run=str(run), mode="linked", classes=("green",), low=HALF, high=0.75, workers=1))
    consolidate(ConsolidateConfig(run=str(run), min_area=9000, deliver=False))
    return run


def in_season(run: Path, series: EolearnSeries) -> tuple[NDArray[np.int64], Bools]:
    """Return the days of the planes, and which pixels (T, H, W) lie in a site then."""
    import pyarrow as pa
    import shapely
    from rasterio.features import geometry_mask

    def rows(name: str) -> list[dict[str, Any]]:
        with pa.OSFile(str(run / "sites" / name)) as file:
            return list(pa.ipc.open_file(file).read_all().to_pylist())

    whole = {site["site_id"]: site["geometry"] for site in rows("sites.arrow")}
    shape = series.ndvi.shape[1:]
    found: dict[int, Bools] = {}
    for seen in rows("observations.arrow"):
        outline = shapely.from_wkb(seen["geometry"] or whole[seen["site_id"]])
        day = (seen["date"] - _EPOCH).days
        mask = geometry_mask([outline], shape, series.affine, invert=True)
        found[day] = found.get(day, np.zeros(shape, bool)) | mask
    days = np.array(sorted(found), np.int64)
    return days, np.stack([found[int(day)] for day in days])


def double_logistic(day: Floats, *curve: float) -> Floats:
    """Return an index; ``curve`` is its low, its rise, and of rise and fall each the day and how long they take."""
    low, rise, up, climbing, down, falling = curve
    climbed, fallen = (1 / (1 + np.exp(-(day - at) / by)) for at, by in ((up, climbing), (down, falling)))
    return np.asarray(low + rise * (climbed - fallen), np.float64)


def fitted_season(days: Floats, index: Floats, year: int) -> tuple[float, float] | None:
    """Return start and end of a year's season of one pixel from its cloud-free values; None where there is none."""
    from scipy.optimize import curve_fit

    first = (date(year, 1, 1) - _EPOCH).days
    near = (days >= first - 30) & (days < first + 395) & np.isfinite(index)
    if near.sum() < 10:
        return None
    low, high = np.percentile(index[near], [5, 90])
    bounds = ([-0.3, 0.1, 20, 3, 180, 3], [0.6, 1.2, 200, 40, 380, 40])
    guess = np.clip([low, high - low, 100, 15, 290, 15], *bounds)
    try:
        curve, _ = curve_fit(
            double_logistic, days[near] - first, index[near], p0=guess, bounds=bounds, max_nfev=2000, loss="soft_l1",
            f_scale=0.05,
        )  # fmt: skip
    except RuntimeError:
        return None
    return first + float(curve[2]), first + float(curve[4])


def _found_season(days: NDArray[np.int64], inside: Bools, year: int) -> tuple[float, float] | None:
    """Return when a pixel enters and leaves the season that holds the summer: halfway between two planes."""
    summer = (date(year, 7, 19) - _EPOCH).days
    held = days[inside]
    if not len(held) or np.abs(held - summer).min() > STEP_DAYS:
        return None
    first = last = int(np.abs(held - summer).argmin())
    while first > 0 and held[first] - held[first - 1] <= STEP_DAYS:
        first -= 1
    while last < len(held) - 1 and held[last + 1] - held[last] <= STEP_DAYS:
        last += 1
    return held[first] - STEP_DAYS / 2, held[last] + STEP_DAYS / 2


def compare(run: Path, series: EolearnSeries, every_px: int = 6) -> Comparison:
    """Date the seasons of every so many pixels by both methods."""
    planes, inside = in_season(run, series)
    taken = np.array([(time.date() - _EPOCH).days for time in series.times], np.float64)
    clear = np.where(series.cloud, np.nan, series.ndvi).astype(np.float64)
    return Comparison(tuple(_seasons((planes, inside), (taken, clear), every_px)))


def _seasons(tracked: tuple[NDArray[np.int64], Bools], seen: tuple[Floats, Floats], every_px: int) -> Iterator[Season]:
    height, width = tracked[1].shape[1:]
    for year in YEARS:
        for y in range(2, height, every_px):
            for x in range(2, width, every_px):
                fitted = fitted_season(seen[0], seen[1][:, y, x], year)
                found = _found_season(tracked[0], tracked[1][:, y, x], year)
                if fitted is not None and found is not None:
                    yield Season(year, found, fitted)


_LEFT, _RIGHT, _TOP, _HIGH, _WIDTH = 64, 836, 92, 250, 860


def draw(comparison: Comparison, series: EolearnSeries) -> str:
    """Draw the observations, and which share of the pixels each method has in season day by day."""
    drawing = Drawing(_WIDTH, 466, "Seasons of vegetation, tracked and fitted")
    title = "Seasons of vegetation in 68 dates of Sentinel-2: tracked, and fitted by a double logistic"
    drawing.say(24, 32, title, anchor="start", font_size=16, font_weight="bold")
    days = np.array([(time.date() - _EPOCH).days for time in series.times])
    scale = _axes(drawing, int(days[0]), (date(2018, 1, 1) - _EPOCH).days)
    for day, index, cloud in zip(days, series.ndvi, series.cloud, strict=True):
        if cloud.mean() < HALF:
            low, middle, high = np.percentile(index[~cloud], [10, 50, 90])
            x = scale(int(day))
            drawing.line(x, _y(high), x, _y(low), stroke=GREEN, stroke_width=2, stroke_opacity=0.45)
            drawing.box(x - 2.5, _y(middle) - 2.5, 5, 5, fill=GREEN, stroke="none")
    _shares(drawing, comparison, scale)
    _legend(drawing, comparison)
    return drawing.svg()


def _y(value: float) -> float:
    return _TOP + _HIGH * (1 - value)


def _axes(drawing: Drawing, first: int, last: int) -> Any:  # noqa: ANN401 - a function of a day
    def scale(day: float) -> float:
        return _LEFT + (day - first) / (last - first) * (_RIGHT - _LEFT)

    for share in (0, 0.25, 0.5, 0.75, 1.0):
        drawing.line(_LEFT, _y(share), _RIGHT, _y(share), stroke=FAINT, stroke_width=1)
        drawing.say(_LEFT - 8, _y(share) + 4, f"{share:g}", anchor="end", font_size=12, fill=GREY)
    for year, month in ((y, m) for y in (2015, 2016, 2017, 2018) for m in (1, 4, 7, 10)):
        day = (date(year, month, 1) - _EPOCH).days
        if first <= day <= last:
            drawing.line(scale(day), _y(0), scale(day), _y(0) + 6, stroke=GREY, stroke_width=1)
            text = f"{year}" if month == 1 else f"{date(year, month, 1):%b}"
            drawing.say(scale(day), _y(0) + 21, text, font_size=12, fill=GREY)
    return scale


def _shares(drawing: Drawing, comparison: Comparison, scale: Any) -> None:  # noqa: ANN401 - a function of a day
    """Draw for each year which share of its seasons has begun and not ended."""
    for year in YEARS:
        dated = [s for s in comparison.seasons if s.year == year]
        first = (date(year, 1, 1) - _EPOCH).days
        for pick, colour in ((0, BLUE), (1, ORANGE)):
            spans = np.array([(s.found, s.fitted)[pick] for s in dated])
            days = np.arange(first - 20, first + 400, 2)
            held = ((spans[:, :1] <= days) & (days < spans[:, 1:])).mean(0)
            points = [(scale(day), _y(share)) for day, share in zip(days, held, strict=True) if scale(day) <= _RIGHT]
            for (x1, y1), (x2, y2) in pairwise(points):
                drawing.line(x1, y1, x2, y2, stroke=colour, stroke_width=2.2, stroke_linecap="round")


def _legend(drawing: Drawing, comparison: Comparison) -> None:
    keys = (
        (GREEN, "NDVI of clear pixels: median, 10 to 90%"),
        (BLUE, "in season, tracked"),
        (ORANGE, "in season, fitted"),
    )
    x = _LEFT
    for colour, text in keys:
        drawing.box(x, 54, 14, 14, fill=colour, stroke="none", rx=3)
        drawing.say(x + 20, 66, text, anchor="start", font_size=13)
        x += 60 + 7.4 * len(text)
    parts = [
        f"{name} of {year}: {np.median(np.abs(comparison.differences(end, year))):.0f} days"
        for year in YEARS
        for end, name in enumerate(("starts", "ends"))
    ]
    told = f"Median difference of {len(comparison.seasons)} seasons: {comparison.median_days:.0f} days"
    drawing.say(_LEFT, 406, told, anchor="start", font_weight="bold")
    gap = "From 23 September to 12 December 2016 no date is clear: the ends of that year are open to question."
    for line, y in (("; ".join(parts), 428), (gap, 447)):
        drawing.say(_LEFT, y, line, anchor="start", font_size=13, fill=GREY)


def main(source: str, picture: str) -> None:
    """Measure, draw, and say what was found."""
    with tempfile.TemporaryDirectory() as folder:
        series = write_eolearn(Path(source), Path(folder) / "series")
        found = compare(track_seasons(series, Path(folder)), series, every_px=4)
        Path(picture).write_text(draw(found, series))
    print(f"{len(found.seasons)} seasons, median difference {found.median_days:.1f} days")
    for year in YEARS:
        for end, name in enumerate(("starts", "ends")):
            apart = found.differences(end, year)
            print(f"{year} {name}: median {np.median(apart):+.1f}, median of size {np.median(np.abs(apart)):.1f} days")


if __name__ == "__main__":
    main(*sys.argv[1:])
