"""The report: what its readers see, and what it never does."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
import shapely
from support.made_sites import made_tables, many_sites

from geowatch.consolidate.output.batches import Batches
from geowatch.consolidate.output.report.facts import Coverage, Frame, MapFacts, ReportFacts, Score, Step
from geowatch.consolidate.output.report.page import report_page
from geowatch.consolidate.output.report.pick import pick
from geowatch.consolidate.output.report.timeline import Axis, axis_of, draw_counts
from geowatch.consolidate.output.summary import counted

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
SITES, SEEN = made_tables(20)


def facts(sites=SITES, seen=SEEN, **given) -> ReportFacts:
    picked = pick(sites, seen)
    bounds = (479_000.0, 4_190_000.0, 491_000.0, 4_201_000.0)
    known = ReportFacts(
        title="ZZ_R001",
        start=date(2016, 1, 1),
        end=date(2018, 1, 1),
        steps=(Step("tile", "4 tiles"), Step("consolidate", "20 sites")),
        counts=counted(sites),
        sites=picked.sites,
        times=24,
        map=MapFacts(shapely.box(*bounds), bounds, "EPSG:32618", (1.0, 1.0), others=picked.others),
        observations=picked.observations,
        starts=picked.starts,
        ends=picked.ends,
    )
    return replace(known, **given)


class Page(HTMLParser):
    """What a browser would find: every tag with its attributes, and the text."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, kind):
        return [attrs for tag, attrs in self.tags if kind in (attrs.get("class") or "").split()]


def test_the_page_stands_alone():
    frame = Frame(PNG, "image/png", (479_000.0, 4_190_000.0, 491_000.0, 4_201_000.0), "imagery")
    content = report_page(facts(map=replace(facts().map, picture=frame)))
    page = Page(content)
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    asked = [attrs[key] for tag, attrs in page.tags for key in ("href", "src") if attrs.get(key) and tag != "a"]
    assert [address[:22] for address in asked] == ["data:image/png;base64,"]
    style = content.decode().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert {"prefers-color-scheme:dark", "@media print"} <= set(
        re.findall(r"prefers-color-scheme:dark|@media print", style)
    )


def test_every_tag_is_closed():
    text = report_page(facts(simulated="made up")).decode()
    body = text.partition("<body>")[2].partition("</body>")[0]
    ET.fromstring(f"<body>{body.replace('<br>', '<br/>')}</body>")


def test_every_site_has_an_outline_a_time_line_and_a_row():
    page = Page(report_page(facts()))
    assert len(page.of("site")) == 20
    assert len(page.of("timeline")) == 20
    assert len(page.of("thumb")) == 20
    for number in range(20):
        assert f"ZZ_R001_{number:04d}" in page.text


def test_the_largest_sites_come_first_and_the_rest_is_counted_not_dropped():
    page = Page(report_page(facts(time_lines=3)))
    areas = [site.area_m2 for site in facts().sites]
    assert areas == sorted(areas, reverse=True)
    assert len(page.of("timeline")) == 3
    assert "The 3 largest of 20 sites" in page.text


def test_many_sites_are_dots_on_a_page_that_stays_small():
    sites, seen = many_sites(9_000)
    wide = (480_000.0, 4_190_000.0, 581_000.0, 4_201_000.0)
    content = report_page(facts(sites, seen, map=replace(facts(sites, seen).map, bounds=wide, region=None)))
    assert len(content) < 1_500_000
    page = Page(content)
    assert "7,500 smaller sites are dots" in page.text
    assert 0 < len(page.of("other")) < 2_000
    assert "The 500 largest of 9,000" in page.text


def test_phases_are_bars_and_half_seen_observations_are_hollow():
    page = Page(report_page(facts()))
    seen = [each for site in facts().sites for each in site.sightings]
    assert len(page.of("dot")) == len(seen)
    assert len(page.of("hollow")) == sum(each.seen_share < 0.5 for each in seen)
    changes = sum(
        1 + sum(a.phase != b.phase for a, b in zip(site.sightings, site.sightings[1:], strict=False))
        for site in facts().sites
    )
    assert len(page.of("phase")) == changes


def test_few_events_have_their_days_and_of_many_the_number_is_told():
    known = facts()
    many = ";".join(f"{what}:2017-0{month}-01" for month in range(1, 6) for what in ("split", "merge"))
    told = ("split:2017-01-01;merge:2017-02-01", many, "")
    sites = tuple(replace(site, events=events) for site, events in zip(known.sites[:3], told, strict=True))
    text = Page(report_page(replace(known, sites=sites))).text
    assert text.count("split on 2017-01-01, merge on 2017-02-01") == 1
    assert text.count("5 splits, 5 merges") == 1
    assert text.count("merge") == 2


def test_an_image_without_a_date_among_others_is_left_out_of_the_time_lines():
    sites, seen = made_tables(3)
    rows = pa.Table.from_batches(seen, seen.schema)
    place = rows.schema.get_field_index("date")
    days = [None, *rows["date"].to_pylist()[1:]]
    undated = rows.set_column(place, "date", pa.array(days, pa.date32()))
    text = report_page(facts(sites, Batches.of_table(undated))).decode()
    assert "None" not in text
    assert text.count('class="dot') == report_page(facts(sites, seen)).decode().count('class="dot') - 1


def test_what_people_wrote_is_text_and_never_markup():
    nasty = '<script>alert("x")</script>&amp;'
    content = report_page(facts(title=nasty, simulated=nasty, steps=(Step(nasty, nasty),), lineage=((nasty, nasty),)))
    assert b"<script" not in content
    assert Page(content).text.count('alert("x")') >= 5


def test_gaps_are_said_plainly():
    coverage = Coverage(1000, 850, 100, 50, 3, missing=("utm18n/3_4", "utm18n/3_5"), bare=("utm17n",))
    text = Page(report_page(facts(coverage=coverage, left_out={"area": 4, "score": 0}))).text
    assert "85.0% has scores" in text
    assert "10.0% has no valid imagery" in text
    assert "5.0% lies in tiles that are missing: utm18n/3_4, utm18n/3_5" in text
    assert "No imagery at all on grid utm17n" in text
    assert "became no site: 4 for their area." in text
    assert "No tile of the heatmap is missing" not in text
    whole = Page(report_page(facts(coverage=Coverage(1000, 1000, 0, 0, 3)))).text
    assert "No tile of the heatmap is missing." in whole
    assert "was not counted" in Page(report_page(facts())).text


def test_a_simulation_is_called_one_first_of_all():
    body = report_page(facts(simulated="rendered")).decode().partition("<body>")[2]
    assert re.match(r'<main>\s*<p class="banner">Simulated: rendered</p>', body)
    assert "Simulated" not in Page(report_page(facts())).text


def test_scores_files_and_models_are_shown_where_there_are_some():
    page = Page(
        report_page(
            facts(
                scores=(Score("F1", "0.914", "mean"),),
                files=(("sites.gpkg", 170_000, "GeoPackage"),),
                models={"ZZ_R001_0003": "site_models/ZZ_R001_0003.geojson"},
            )
        )
    )
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == ["site_models/ZZ_R001_0003.geojson", "sites.gpkg"]
    assert "0.914" in page.text
    assert "Against the truth" not in Page(report_page(facts())).text


def test_a_region_without_sites_has_a_page_that_says_so():
    sites, seen = made_tables(1)
    empty = type(sites)(sites.schema, lambda: ()), type(seen)(seen.schema, lambda: ())
    text = Page(report_page(facts(*empty))).text
    assert "No site was found" in text
    assert "0 sites found" in text


def test_the_same_facts_are_the_same_page():
    assert report_page(facts()) == report_page(facts())


def test_starts_and_ends_are_counted_by_what_fits_their_time():
    day = date(2020, 5, 17)
    for last, period in ((date(2020, 6, 1), "day"), (date(2021, 1, 1), "month"), (date(2024, 1, 1), "quarter")):
        axis = Axis(date(2020, 5, 1), last)
        assert axis.period == period
        assert f"2 starts, {period} from" in draw_counts({day: 2}, {}, axis)


def test_an_axis_holds_all_that_was_seen_and_names_few_days():
    sites = facts().sites
    axis = axis_of(sites, None, None)
    days = [each.day for site in sites for each in site.sightings]
    assert axis.first < min(days)
    assert axis.last > max(days)
    for last in (date(2016, 1, 9), date(2016, 12, 31), date(2019, 1, 1), date(2090, 1, 1)):
        assert 1 <= len(Axis(date(2016, 1, 1), last).ticks()) <= 12
    assert axis_of((), None, None) is None


@pytest.mark.parametrize(("metres", "north"), [((1.0, 1.0), True), (None, False)])
def test_pixels_without_a_place_have_no_north_and_no_kilometres(metres, north):
    page = Page(report_page(facts(map=replace(facts().map, metres_per_unit=metres, region=None))))
    assert bool(page.of("north")) is north
    assert ("2 km" in page.text) is north


def test_areas_of_pixels_without_a_place_are_counted_in_pixels():
    known = facts()
    page = report_page(replace(known, map=replace(known.map, crs=None, metres_per_unit=None))).decode()
    assert "<small>px</small>" in page
    assert not any(f"<small>{unit}</small>" in page for unit in ("m²", "ha", "km²"))


def test_ids_classes_and_phases_of_any_letters_break_nothing():
    nasty = "<b id='x'>ö & \"建\"</b>"
    some = facts().sites[:3]
    sites = tuple(
        replace(
            site, id=f"{nasty}_000{at}", kind=nasty,
            sightings=tuple(replace(each, phase=nasty) for each in site.sightings),
        )
        for at, site in enumerate(some)
    )  # fmt: skip
    page = Page(report_page(replace(facts(title=nasty), sites=sites)))
    assert not [tag for tag, attrs in page.tags if attrs.get("id") == "x"]
    assert page.text.count(nasty) > 3 * 3


def test_areas_of_plain_pixels_are_no_hectares():
    text = Page(report_page(facts(map=replace(facts().map, crs=None)))).text
    assert re.search(r"ZZ_R001_\d{4}: [^\n]*\d px", text)
    assert not re.search(r"\d ha\b", text)
