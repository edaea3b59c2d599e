"""The reference says what the code says."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generate():
    """The script docs/generate.py."""
    spec = importlib.util.spec_from_file_location("gw_docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_generated_page_is_what_the_code_would_write_now(generate):
    stale = [
        str(path.relative_to(ROOT))
        for path, text in generate.pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run `make docs`"


def test_every_command_and_option_is_on_the_page(generate):
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for words, command in generate.commands():
        assert f"\n## {words}\n" in page
        section = page.split(f"\n## {words}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            shown = parameter.opts if isinstance(parameter, click.Option) else [parameter.make_metavar(None)]
            assert all(name in section for name in shown), f"{words} {parameter.name}"


def test_every_key_says_what_it_means(generate):
    for words, command in generate.commands():
        if getattr(command, "config", ""):
            silent = [key for key, _, _, meaning in generate.config_rows(command.config_class()) if not meaning]
            assert not silent, words


def test_links_between_pages_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in links_of(page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} -> {target}"


def links_of(text: str) -> list[str]:
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [link for link in found if not link.startswith(("http://", "https://", "mailto:"))]
