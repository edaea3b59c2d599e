"""Models of phases, heirs of earlier sites, and outlines that are simplified."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from support.consolidated import blobs, consolidated, outline_of, planes_of, search_for, terms_of
from support.tracked import track_tiles

from geowatch.consolidate.inherit import Shared, heirs
from geowatch.consolidate.phase_document import read_phases
from geowatch.consolidate.phases import LEAST_SCORE, PhaseModel, _evidence, likeliest
from geowatch.consolidate.tables import _binary
from geowatch.consolidate.terms import Rules
from geowatch.errors import ConfigError, InputError


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_the_likeliest_sequence_is_the_best_of_all(seed, lengths):
    rng = np.random.default_rng(seed)
    model = PhaseModel(("a", "b", "c"), (False, True, False), rng.random(3) + 0.01, rng.random((3, 3)) + 0.01)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    scores = rng.random((len(owner), 3))
    found = likeliest(owner, scores, model)
    for site in range(len(lengths)):
        mine, phases = scores[owner == site], found[owner == site].tolist()
        if len(mine):
            best = max(itertools.product(range(3), repeat=len(mine)), key=lambda way: chance(way, mine, model))
            assert chance(phases, mine, model) == pytest.approx(chance(best, mine, model))


def chance(way, scores, model) -> float:
    steps = [model.initial[way[0]], *(model.transition[a, b] for a, b in itertools.pairwise(way))]
    return float(np.log([*steps, *(max(scores[t, phase], LEAST_SCORE) for t, phase in enumerate(way))]).sum())


def test_a_finished_site_that_looks_like_nothing_keeps_what_it_was():
    built = [[0.9, 0.1, 0, 0], [0.1, 0.7, 0.2, 0], [0.1, 0.2, 0.7, 0], [0.2, 0.1, 0.7, 0]]
    seen = np.array([*built, *[[0.8, 0.1, 0.1, 0]] * 12])
    phases = likeliest(np.zeros(len(seen), int), seen, PhaseModel.of_construction()).tolist()
    assert phases == [0, 1, 2, 2, *[3] * 12]


def test_a_site_is_built_on_until_hardly_any_of_it_moves():
    moving = [0.02, 0.1, 0.6, 0.5, 0.4, 0.35, 0.15, 0.05, 0.02]
    seen = np.array([[0.95 - share, 0.01, share, 0.04] for share in moving])
    phases = likeliest(np.zeros(len(seen), int), seen, PhaseModel.of_construction()).tolist()
    assert phases == [0, 0, 2, 2, 2, 2, 3, 3, 3]


def test_years_of_rest_do_not_make_a_short_site_unseen():
    seen = np.array([[0.99, 0, 0.01, 0]] * 8 + [[0.3, 0.1, 0.6, 0]] * 3 + [[0.99, 0, 0, 0.01]] * 60)
    phases = likeliest(np.zeros(len(seen), int), seen, PhaseModel.of_construction()).tolist()
    assert phases == [0] * 8 + [2] * 3 + [3] * 60


def test_a_site_that_is_unsure_between_quiet_and_done_was_not_done_from_the_beginning():
    seen = np.array([[0.98, 0, 0, 0.02]] * 14 + [[0.2, 0.1, 0.5, 0.2]] * 3 + [[0.8, 0, 0.05, 0.15]] * 9)
    phases = likeliest(np.zeros(len(seen), int), seen, PhaseModel.of_construction()).tolist()
    assert phases == [0] * 14 + [2] * 3 + [3] * 9


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 400))
def test_phases_do_not_depend_on_how_many_sites_are_looked_at_together(seed, copies):
    rng = np.random.default_rng(seed)
    model = replace(PhaseModel.of_construction(), mix=rng.random((4, 4)) + 0.01)
    seen = rng.random((7, 4))
    evidence = _evidence(np.tile(seen, (copies, 1)), model.mix)
    assert evidence[-7:].tobytes() == _evidence(seen, model.mix).tobytes()
    shares = model.mix[2] / model.mix[2].sum()
    assert evidence[0, 2] == pytest.approx(sum(seen[0, k] * np.log(shares[k]) for k in range(4)))
    several = likeliest(np.repeat(np.arange(copies), 7), np.tile(seen, (copies, 1)), model)
    assert several.reshape(copies, 7).tolist() == [likeliest(np.zeros(7, int), seen, model).tolist()] * copies


def test_what_cannot_follow_never_does():
    seen = np.array([[0, 0, 0, 1.0], [1.0, 0, 0, 0], [1.0, 0, 0, 0]])
    phases = likeliest(np.zeros(3, int), seen, PhaseModel.of_construction()).tolist()
    assert phases == sorted(phases)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("[", "no model"),
        ("a: [", "no model"),
        (json.dumps({"phases": ["a"]}), "active: Field required"),
        (json.dumps({"phases": [], "active": [], "transitions": []}), "phases: "),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[float("nan")]]}), "finite number"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[1]], "look": 2}), "look: Extra inputs"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [["much"]]}), "transitions.0.0"),
        (json.dumps({"phases": ["a", "a"], "active": [], "transitions": [[1, 1], [1, 1]]}), "named twice"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[1]], "mix": [[1, 0]]}), "mix of 1 phases"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[1]], "resembles": {"b": ["a"]}}), "'b' is resem"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[1]], "mix": [[1], [1]]}), "mixes of shape"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[1]], "initial": [1, 1]}), "has \\(2,\\) first"),
        (json.dumps({"phases": ["a"], "active": ["b"], "transitions": [[1]]}), "'b' is active"),
        (json.dumps({"phases": ["a", "b"], "active": [], "transitions": [[1]]}), "rows of \\[1\\]"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[-1]]}), "transitions.0.0: .* or equal to 0"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[0]]}), "all 0"),
        (json.dumps({"phases": ["a"], "active": [], "transitions": [[1]], "looks": 0}), "looks: .* greater than 0"),
    ],
)
def test_models_that_are_none_are_refused(document, says):
    with pytest.raises(ConfigError, match=says):
        read_phases(document)


def test_a_model_of_other_classes_is_refused():
    with pytest.raises(ConfigError, match="no class 'No Activity'"):
        PhaseModel.of_construction().columns(("land", "water"))


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 9)), max_size=12, unique_by=lambda t: t[:2])
)
def test_every_earlier_site_goes_on_at_most_once(rows):
    new, earlier, px = (np.array(column, dtype=np.int64) for column in (zip(*rows, strict=True) if rows else ([],) * 3))
    age = np.array([3, 1, 0, 4, 2])
    found = heirs(Shared(new, earlier, px), 5, age)
    taken = found.earlier[found.earlier >= 0]
    assert len(set(taken.tolist())) == len(taken)
    for site in range(5):
        mine = earlier[new == site]
        if found.earlier[site] >= 0:
            assert age[found.earlier[site]] == age[mine].min()
        if found.split_from[site] >= 0:
            assert found.split_from[site] in taken
        assert (found.earlier[site] < 0) == (not len(mine) or found.split_from[site] >= 0)
    for old in range(5):
        if found.absorbed_by[old] >= 0:
            assert old not in taken
            assert age[found.earlier[found.absorbed_by[old]]] < age[old]


def test_simplified_outlines_are_valid_shorter_and_near():
    search, planes = search_for(), planes_of(blobs(3, (1, 1, 60, 60), 3.0))
    terms = terms_of(search, 1, [0])
    sharp, simple = (consolidated(track_tiles(search, planes, 16), terms, Rules(), simplify=by) for by in (0, 10.0))
    assert len(sharp) == len(simple) > 3
    corners = [0, 0]
    for site in range(len(sharp)):
        one, other = outline_of(sharp, site), outline_of(simple, site)
        assert other.is_valid
        assert shapely.hausdorff_distance(one, other) < 20
        corners[0] += shapely.get_num_coordinates(one)
        corners[1] += shapely.get_num_coordinates(other)
    assert corners[1] < corners[0] / 1.5


@pytest.mark.parametrize(
    "asked", [{"min_area_m2": -1}, {"link_overlap": 1.5}, {"min_score": 2}, {"min_area_m2": 5, "max_area_m2": 4}]
)
def test_rules_that_no_site_can_follow_are_refused(asked):
    with pytest.raises(ConfigError):
        Rules(**asked)


def test_the_model_that_the_docs_show_is_one():
    text = (Path(__file__).parents[2] / "docs/concepts/tracking.md").read_text()
    model = read_phases(text.split("```yaml")[1].split("```")[0])
    assert model.names == ("bare", "growing", "harvested")
    assert model.mix.tolist() == [[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.2, 0.05, 0.75]]
    assert model.resembles.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]


def test_outlines_that_a_table_cannot_hold_are_refused_and_not_cut_off():
    with pytest.raises(InputError, match="2147483648 bytes"):
        _binary(np.zeros(0, np.uint8), np.array([5, (1 << 31) + 5]))
