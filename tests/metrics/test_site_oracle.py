"""The site metrics against a second, slow telling of the rules: sites are sets of cells, days are sets of days."""

from datetime import date, timedelta
from functools import cache
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import union_all
from shapely.geometry import Point
from support.smart_case import AC, NA, PC, SP, cells, region, scores

from geowatch.metrics.sites import Sweep
from geowatch.sites.model import Observation, Site

# Far from any share of small whole numbers, so that rounding decides nothing.
AT = {"tau": 0.213, "rho": 0.471, "tiop": 0.1037, "tiot": 0.2041}
R0, R1 = date(2015, 1, 1), date(2015, 3, 31)
LABELLED = {"positive_annotated", "positive_partial"}
CLASSES = {"positive": {"positive_annotated", "positive_partial", "positive_pending"}, "negative": {"negative"}}


def day(number):
    return R0 + timedelta(number)


PLACES = st.tuples(st.integers(5, 9), st.integers(5, 9), st.integers(2, 4), st.integers(2, 4))
VIEWS = st.lists(st.tuples(st.integers(-20, 110), PLACES, st.sampled_from([NA, SP, AC, PC])), min_size=1, max_size=4)
DAYS = st.tuples(st.integers(-20, 60), st.integers(0, 60)).map(lambda pair: (pair[0], pair[0] + pair[1]))
STATUSES = st.sampled_from(["positive_annotated", "positive_partial", "positive_pending", "negative", "ignore"])
TRUTHS = st.lists(st.tuples(STATUSES, DAYS, VIEWS), max_size=3)
PROPOSALS = st.lists(st.tuples(st.just("system_confirmed"), DAYS, VIEWS, st.sampled_from([0.2, 0.9])), max_size=4)


def make(number, status, days, views, score=1.0):
    seen = tuple(Observation(day(when), cells(*place), (phase,), source=f"s{k}")
                 for k, (when, place, phase) in enumerate(views))  # fmt: skip
    return Site(f"ZZ_R001_{number:04d}", seen[0].geometry, status, day(days[0]), day(days[1]), seen, score,
                originator="te" if number < 9000 else "acc")  # fmt: skip


class Slow:
    """A site, the slow way."""

    def __init__(self, site):
        self.site, self.key, self.status = site, site.key, site.status
        start, end = site.start, site.end
        self.start = start if end < R0 else max(start, R0)
        self.end = end if self.start > R1 else min(end, R1)
        order = sorted(site.observations, key=lambda o: (o.date, str(o.source)))
        labelled = site.status in LABELLED
        self.kept = [o for o in order if not labelled or R0 <= o.date <= R1]
        active = [o.date for o in order if o.phases[0] in (SP, AC)]
        marks = active if labelled else [o.date for o in order]
        before, inside, after = (
            any(d < R0 for d in marks),
            any(R0 <= d <= R1 for d in marks),
            any(d > R1 for d in marks),
        )
        late = {o.phases[0] for o in order if o.date > R1}
        ended = any(o.phases[0] == PC for o in order if R0 <= o.date <= R1)
        self.kind = -2 if before and not inside else -1 if before else 0 if not after else 1 if inside else 2
        if ended and late == {PC} and not any(d < R0 for d in active):
            self.kind = 0
        self.least = self.most = days_of(self.start, self.end)
        if labelled:
            self.least, self.most = self.activity(order, active)

    def activity(self, order, active):
        inside = [o for o in order if R0 <= o.date <= R1]
        begun = any(d < R0 for d in active) and any(o.phases[0] in (SP, AC, PC) for o in inside)
        firm = R0 if begun else min((o.date for o in inside if o.phases[0] in (SP, AC)), default=None)
        if firm is None:
            return set(), set()
        quiet = [o.date for o in order if o.date <= firm and o.phases[0] == NA]
        over = [o.date for o in inside if o.phases[0] == PC and o.date >= firm]
        end = min(over, default=R1)
        return days_of(firm, end), days_of(max([*quiet[-1:], R0]) if quiet else firm, end)

    def at(self, when):
        return next((o for o in reversed(self.kept) if o.date <= when), None)


def days_of(first, last):
    return {first + timedelta(k) for k in range((last - first).days + 1)}


@cache
def grid_of(geometry):
    """Return the cells whose middle lies in a geometry."""
    return {(x, y) for x, y in product(range(3, 14), range(3, 14))
            if geometry.contains(Point((x + 0.5) / 1000, (y + 0.5) / 1000))}  # fmt: skip


def effective(truth):
    unbounded = truth.status in CLASSES["positive"] and truth.kind not in (0, 1)
    return "positive_unbounded" if unbounded else truth.status


def table(truth, group):
    found, over = {}, False
    for o in truth.kept:
        if o.phases[0] == NA or (o.phases[0] == PC and over):
            continue
        over |= o.phases[0] == PC
        views = [v for v in (one.at(o.date) for one in group) if v is not None]
        one, other = grid_of(o.geometry), set().union(*(grid_of(v.geometry) for v in views))
        both = len(one & other)
        row = (both / len(one | other), both / len(one), both / len(other)) if both else (0, 0, 0)
        rank = (round(row[0], 9), o.source)
        if o.date not in found or rank > found[o.date][0]:
            found[o.date] = (rank, row)
    return [row for _, (_, row) in sorted(found.items())]


def matches(truth, status, group):
    rows = table(truth, group)
    proposed = set().union(*(days_of(one.start, one.end) for one in group))
    ignored = status in ("ignore", "positive_unbounded")
    least, most = truth.least, truth.most
    if ignored or status not in LABELLED:
        least = most = days_of(truth.start, truth.end)
    if not rows or not least or not proposed:
        return False, 0
    if ignored:
        spatial = sum(row[2] >= AT["tau"] for row in (rows[0], rows[-1])) / 2
    else:
        spatial = sum(row[0] >= AT["tau"] for row in rows) / len(rows)
        if spatial < AT["rho"]:
            spatial = sum(row[1] >= AT["tau"] for row in rows) / len(rows)
    tiop, tiot = len(most & proposed) / len(proposed), len(least & proposed) / len(least)
    return spatial >= AT["rho"] and tiop >= AT["tiop"] and (ignored or tiot >= AT["tiot"]), spatial


def groups(truth, near):
    def perfect(group):
        rows = table(truth, group)
        return sum(row[0] >= 1 for row in rows) / len(rows) if rows else 0

    if not near:
        return []
    if len(near) == 1 or perfect(near) >= 1:
        return [near]
    order = sorted(near, key=lambda one: (perfect([one]), one.key))
    return [near, *([one] for one in near), *(order[k:] for k in range(1, len(near) - 1))]


def slowly(truths, proposals, min_score):
    """Return marks of truth, what each took, and the number of false alarms."""
    given = [one for one in map(Slow, proposals) if one.site.score >= min_score]
    given.sort(key=lambda one: one.key)
    marks, taken = {}, {}
    for truth in map(Slow, truths):
        status = effective(truth)
        interval = (min(truth.least), max(truth.least)) if truth.least else (truth.start, truth.end)
        near = [one for one in given if max(interval[0], one.start) <= min(interval[1], one.end)
                and any(o.geometry.intersects(v.geometry) for o in truth.kept for v in one.kept)]  # fmt: skip
        best = max(
            ((len(group), spatial, "_".join(sorted(one.key for one in group)), group)
             for group in groups(truth, near) for ok, spatial in [matches(truth, status, group)] if ok),
            key=lambda entry: entry[:3], default=None,
        )  # fmt: skip
        taken[truth.key] = sorted(one.key for one in best[3]) if best else []
        kind = next((name for name, among in CLASSES.items() if status in among), "ignore")
        marks[truth.key] = {"positive": ("fn", "tp"), "negative": ("tn", "fp"), "ignore": ("0", "0")}[kind][bool(best)]
    claimed = {key for keys in taken.values() for key in keys}
    alarms = sum(mark == "fp" for mark in marks.values()) + sum(one.key not in claimed for one in given)
    return marks, taken, alarms


@settings(max_examples=100, deadline=None)
@given(truths=TRUTHS, proposals=PROPOSALS, min_score=st.sampled_from([0.0, 0.5]))
def test_matches_are_those_of_the_slow_telling(truths, proposals, min_score):
    true = [make(k + 1, *each) for k, each in enumerate(truths)]
    found = [make(9001 + k, *each) for k, each in enumerate(proposals)]
    # Sites are larger than small ones and lie within, so statuses depend on types alone.
    sweep = Sweep(**{name: (value,) for name, value in AT.items()}, min_score=(min_score,))
    best = scores(true, found, region=region("2015-01-01", "2015-03-31"), sweep=sweep).subsets["overall"].best
    marks, taken, alarms = slowly(true, found, min_score)
    assert {each.truth.id: sorted(m.id for m in each.members) for each in best.detections} == taken
    assert {each.truth.id: each.mark for each in best.detections} == marks
    assert best.false_positives == alarms


def test_the_slow_telling_knows_cells():
    assert len(grid_of(cells(3, 4, 2, 3))) == 6
    assert len(grid_of(union_all([cells(3, 4, 2, 3), cells(4, 4, 2, 3)]))) == 9
