"""What holds for every command: its help, its options and the configuration behind them agree."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import geowatch
import gw_cli
from gw_cli.configuration import field_paths, fields_of
from gw_cli.lazy import GwCommand, LazyGroup
from gw_cli.main import cli

SPEECH = {"config", "set", "as_json", "log_json", "debug"}
"""Parameters that are no key of a configuration."""


IN_FILES_ONLY = {
    "import": {"inputs", "heads", "boxes"},
    "package": {"inputs", "heads", "boxes"},
    "run": {"predict.shard", "stitch.parts"},
}
"""Keys that no option sets: documents in full, and what makes no sense for a whole run."""


def commands(group: LazyGroup = cli, above: str = "gw") -> Iterator[tuple[str, click.Command, str]]:
    """Every command with the words that call it and the line of it in its group's table."""
    for name, line in group.commands_help.items():
        command = group.get_command(click.Context(group), name)
        yield f"{above} {name}", command, line
        if isinstance(command, LazyGroup):
            yield from commands(command, f"{above} {name}")


EVERY = [pytest.param(command, line, id=words) for words, command, line in commands()]
CONFIGURED = [
    pytest.param(command, id=words)
    for words, command, _ in commands()
    if isinstance(command, GwCommand) and command.config
]


def options_of(command: click.Command) -> dict[str, click.Parameter]:
    return {parameter.name: parameter for parameter in command.params if parameter.name not in SPEECH}


@pytest.mark.parametrize(("command", "line"), EVERY)
def test_the_table_of_commands_says_what_the_command_says(command, line):
    assert command.help.splitlines()[0] == line


@pytest.mark.parametrize(("command", "line"), EVERY)
def test_every_command_has_examples_that_it_understands(command, line):
    if isinstance(command, LazyGroup):
        return
    words = [shlex.split(part) for part in re.findall(r"gw ([^&\n]+)", command.epilog)]
    assert words
    for example in words:
        found, rest = cli, example
        while isinstance(found, LazyGroup):
            found, rest = found.get_command(click.Context(found), rest[0]), rest[1:]
        found.make_context("gw", list(rest), obj=None)


@pytest.mark.parametrize(("command", "line"), EVERY)
def test_every_option_says_what_it_does(command, line):
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert not silent


@pytest.mark.parametrize("command", CONFIGURED)
def test_every_option_is_a_key_of_the_configuration(command):
    known = fields_of(command.config_class())
    for name in options_of(command):
        assert field_paths(known, name, "options")


@pytest.mark.parametrize("command", CONFIGURED)
def test_every_key_of_the_configuration_has_an_option(command):
    known = fields_of(command.config_class())
    reached = {path for name in options_of(command) for path in field_paths(known, name, "options")}
    leaves = {path for path in known if not any(other[: len(path)] == path != other for other in known)}
    assert {".".join(path) for path in leaves - reached} == IN_FILES_ONLY.get(command.name, set())


@pytest.mark.parametrize("command", CONFIGURED)
def test_the_help_repeats_the_default_of_the_configuration(command):
    kind = command.config_class()
    for name, parameter in options_of(command).items():
        said = re.search(r"\[default: (.+?)\]", getattr(parameter, "help", None) or "")
        if said:
            for path in field_paths(fields_of(kind), name, "options"):
                assert _default(kind, path) == said[1], name


def _default(kind: type, path: tuple[str, ...]) -> str:
    value: object = kind
    for name in path:
        owner = value if isinstance(value, type) else type(value)
        field = owner.__dataclass_fields__[name]
        made = field.default_factory() if callable(field.default_factory) else field.default
        value = getattr(value, name) if not isinstance(value, type) else made
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("command", CONFIGURED)
def test_every_command_takes_a_file_and_settings(command):
    assert {"config", "set"} <= {parameter.name for parameter in command.params}


@pytest.mark.parametrize(
    ("args", "jit", "rest"),
    [
        (["--jit", "region.geojson"], "auto", ("region.geojson",)),
        (["--jit", "eager", "region.geojson"], "eager", ("region.geojson",)),
        (["region.geojson", "--jit"], "auto", ("region.geojson",)),
        (["--jit=onnxruntime"], "onnxruntime", ()),
        ([], None, ()),
    ],
)
def test_a_bare_jit_takes_no_argument_for_its_value(args, jit, rest):
    from gw_cli import options
    from gw_cli.lazy import command

    @command("act", examples="gw act")
    @click.argument("rest", nargs=-1)
    @options.jit
    def act(rest, jit):
        """Act."""

    assert act.make_context("act", list(args)).params == {"rest": rest, "jit": jit}


def test_messages_name_options_that_there_are():
    """A hint that leads to an option of another name, or of an earlier day, leads nowhere."""
    known = {name for _, command, _ in commands() for p in command.params for name in (*p.opts, *p.secondary_opts)}
    named = {
        (option, path.name)
        for path in [*Path(geowatch.__file__).parent.rglob("*.py"), *Path(gw_cli.__file__).parent.rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "pip install" not in node.value
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", node.value)
    }
    assert len(named) > 100
    assert {each for each in named if each[0] not in known | {"--help"}} == set()
