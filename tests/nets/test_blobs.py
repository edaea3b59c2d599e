"""The blob detector finds spots by place and size, and leaves out what is long, faint or of the other kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geowatch.errors import ConfigError
from geowatch.nets.registry import build_net
from geowatch.package import load_package
from geowatch.package.packaging import NetSource, package_net
from geowatch.package.spec import ImportSpec


def image(*discs: tuple[float, float, float, float], side: int = 96) -> np.ndarray:
    """Ground of 0.2 with discs (row, column, radius, contrast), drawn finely: (1, 3, side, side)."""
    fine = np.full((side * 4, side * 4), 0.2)
    y, x = (np.mgrid[: side * 4, : side * 4] + 0.5) / 4
    for row, column, radius, contrast in discs:
        fine[(y - row) ** 2 + (x - column) ** 2 < radius**2] += contrast
    return np.repeat(fine.reshape(side, 4, side, 4).mean((1, 3))[None, None], 3, 1).astype(np.float32)


def found(x: np.ndarray, least: float = 0.3, **options: object) -> list[tuple[float, float, float, float, int]]:
    """Rows of (row, column, radius, score, label), the best first."""
    with torch.inference_mode():
        out = {name: each[0].numpy() for name, each in build_net("blobs", options)(torch.from_numpy(x)).items()}
    x0, y0, x1, y1 = out["boxes"].T
    rows = zip((y0 + y1) / 2, (x0 + x1) / 2, (x1 - x0) / 2, out["scores"], out["labels"], strict=True)
    return [tuple(map(float, row)) for row in rows if row[3] >= least]


@pytest.mark.parametrize("radius", [2, 3, 4, 6, 8])
def test_a_spot_is_found_at_its_place_in_its_size_with_its_contrast(radius):
    ((row, column, size, score, _),) = found(image((40.5, 50.5, radius, 0.1)))
    assert (row, column, size) == (40.5, 50.5, radius)
    assert score == pytest.approx(0.5, abs=0.06)


def test_dark_spots_are_asked_for_and_told_apart():
    x = image((30.5, 30.5, 4, 0.1), (60.5, 60.5, 4, -0.15))
    assert [each[0] for each in found(x, polarity="bright")] == [30.5]
    assert [each[0] for each in found(x, polarity="dark")] == [60.5]
    both = found(x, polarity="both")
    assert {each[0]: each[4] for each in both} == {30.5: 0.0, 60.5: 1.0}


def test_what_is_long_is_no_spot():
    stripe, shore = image(), image()
    stripe[:, :, 45:50] += 0.2
    shore[:, :, :, 70:] += 0.2
    assert found(stripe) == found(shore) == []


def test_an_even_surface_has_no_spots():
    assert found(image(), least=1e-3) == []


def test_where_a_window_stands_moves_nothing_but_the_place():
    x = image((40.5, 50.5, 3, 0.2), (20.5, 70.5, 4, 0.15), side=128)
    one, other = found(x[..., :100, :100]), found(x[..., 8:108, 16:116])
    assert [(r - 8, c - 16, s) for r, c, s, _, _ in one] == [(r, c, s) for r, c, s, _, _ in other]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"radii_px": (4, 2)}, "radii"),
        ({"polarity": "grey"}, "no spots are 'grey'"),
        ({"contrast": 0}, "contrast 0"),
        ({"most": 0}, "0 spots"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        build_net("blobs", options)


def test_it_describes_itself_and_is_packaged(tmp_path: Path):
    source = NetSource(net="blobs", options={"polarity": "dark", "radii_px": (2, 4), "most": 50})
    package = load_package(
        package_net(source, ImportSpec(bands=("nir",), window=(64, 64), min_score=0.4), tmp_path / "package").path
    )
    manifest = package.manifest
    assert manifest.boxes[0].objects == ("dark spot",)
    assert manifest.boxes[0].min_score == 0.4
    assert manifest.heads == ()
    assert manifest.bands == ("nir",)
    assert not manifest.window.fixed
    assert "untrained" in manifest.description
