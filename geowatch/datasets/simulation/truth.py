"""What truly happened in a simulation, as SMART site and region models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geowatch.datasets.simulation.places import lonlat_of
from geowatch.datasets.simulation.scenario import day_of
from geowatch.sites.model import PHASES, Observation, RegionModel, Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.datasets.simulation.scenario import Scenario
    from geowatch.datasets.simulation.sensors import Overpass
    from geowatch.datasets.simulation.works import Work

__all__ = ["true_region", "true_sites"]

#: Words on every document of a simulation.
COMMENT = "simulation: made by gw, not observed"
#: Days from one observation of a true site to the next, at least, and how clear the sky must be.
_EVERY_DAYS, _CLOUDY_AT_MOST = 45, 0.5
_AUTHOR: dict[str, Any] = {"originator": "te", "version": "1.0.0", "model_content": "annotation"}


def true_region(scenario: Scenario, sites: Sequence[Site]) -> RegionModel:
    """Return the region model, with a summary of each site."""
    summaries = tuple(
        Site(s.id, s.geometry, s.status, s.start, s.end, comments=COMMENT, score=1.0, validated=True, **_AUTHOR)
        for s in sites
    )
    spec = scenario.spec
    return RegionModel(
        scenario.region_id, scenario.outline, spec.start, spec.end, summaries, comments=COMMENT, **_AUTHOR
    )


def true_sites(scenario: Scenario, overpasses: Sequence[Overpass]) -> tuple[Site, ...]:
    """Return a site model for everything that happens; building sites have a phase at each observation.

    They are observed on clear days: once before they begin, then every few weeks until they are done.
    """
    return tuple(_site(scenario, work, overpasses) for work in scenario.works)


def _site(scenario: Scenario, work: Work, overpasses: Sequence[Overpass]) -> Site:
    outline = lonlat_of(work.outline, scenario.geobox)
    if work.kind == "building":
        seen = _observed(work, overpasses)
        end = min(work.days[2], scenario.spec.days[1])
    else:
        seen, end = [], work.days[-1]
    observations = tuple(
        Observation(
            day_of(look.day), outline, (_phase(work, look.day),), f"simulation: {look.sensor.short} {day_of(look.day)}",
            (look.sensor.smart_name,), (False,), (True,), 1.0,
        )
        for look in seen
    ) or (Observation(day_of(work.days[0]), outline, source="simulation"),)  # fmt: skip
    start, last = observations[0].date or day_of(work.days[0]), observations[-1].date or day_of(end)
    return Site(
        work.id, outline, work.status, start, max(day_of(end), last), observations, 1.0,
        cache={"simulation": COMMENT, "kind": work.kind}, validated=True, **_AUTHOR,
    )  # fmt: skip


def _phase(work: Work, day: int) -> str:
    return PHASES[sum(day >= first for first in work.days)]


def _observed(work: Work, overpasses: Sequence[Overpass]) -> list[Overpass]:
    """Return the looks at a building site: the last before it, then some weeks apart until it is done."""
    clear = [look for look in overpasses if look.cloudy <= _CLOUDY_AT_MOST]
    found = [look for look in clear if look.day < work.days[0]][-1:]
    for look in clear:
        due = (
            not found
            or look.day >= found[-1].day + _EVERY_DAYS
            or _phase(work, look.day) != _phase(work, found[-1].day)
        )
        if look.day >= work.days[0] and due:
            found.append(look)
            if look.day >= work.days[2]:
                break
    return found
