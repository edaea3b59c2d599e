import pytest

from geowatch.errors import DamagedError
from geowatch.lineage import Made, Source, dump, load

RECORD = Made(
    artifact="map.tif",
    stage="stitch",
    code="gw 1",
    made_at="2026-01-02T03:04:05+00:00",
    sources=(Source("scene.tif", 12, "etag:abc", "scene"),),
    recipe="ab" * 32,
    options={"run": "here", "allow_gaps": False},
    figures={"tiles": 3},
    sha256="cd" * 32,
)


def test_a_record_comes_back_as_it_was():
    assert load(dump(RECORD)) == RECORD


def test_the_same_record_has_the_same_bytes():
    assert dump(RECORD) == dump(load(dump(RECORD)))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"artifact": 1}', b'{"sources": [{"uri": "x", "extra": 1}]}'])
def test_a_damaged_record_is_said_to_be_one(content):
    with pytest.raises(DamagedError, match="no lineage record"):
        load(content)
