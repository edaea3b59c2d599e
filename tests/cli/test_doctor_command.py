"""``gw doctor`` prints the report, and never fails for what is missing."""

from __future__ import annotations

import json

from click.testing import CliRunner

from geowatch.stages.doctor import Report, Row
from gw_cli.main import cli

REPORT = Report((Row("extra", "view", "missing", "without xarray", "pip install 'gw-geowatch[view]'"),))


def test_a_missing_extra_is_no_failure(monkeypatch):
    monkeypatch.setattr("geowatch.stages.doctor.doctor", lambda cache: REPORT)
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0
    assert "pip install 'gw-geowatch[view]'" in result.output


def test_json_is_json(monkeypatch):
    monkeypatch.setattr("geowatch.stages.doctor.doctor", lambda cache: REPORT)
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    assert json.loads(result.output)["rows"][0]["name"] == "view"
