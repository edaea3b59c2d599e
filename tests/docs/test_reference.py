"""The reference says what the code says."""

from __future__ import annotations

import importlib.util
import re
import shlex
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


def shown_commands():
    """Lines of the pages' blocks that are shown and not run, such as those that need a network."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if page.parent.name == "reference":
            continue
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```(?:text|bash|sh)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            yield from ((page.name, line) for line in lines if re.match(r"(\$ )?gw [a-z]", line))


@pytest.mark.parametrize(("page", "line"), [pytest.param(*each, id=": ".join(each)) for each in shown_commands()])
def test_commands_that_pages_show_and_do_not_run_have_the_options_they_name(generate, page, line):
    words = shlex.split(line.removeprefix("$ "), comments=True)[1:]
    command = dict(generate.commands())
    name = next(" ".join(words[:n]) for n in (2, 1) if f"gw {' '.join(words[:n])}" in command)
    known = {spelt for each in command[f"gw {name}"].params for spelt in (*each.opts, *each.secondary_opts)}
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= known | {"--help"}
