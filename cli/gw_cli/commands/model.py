"""``gw model``: what goes into a package, and what is in one."""

from __future__ import annotations

from gw_cli.lazy import LazyGroup

command = LazyGroup(
    name="model",
    commands_help={
        "import": "Make a package of an ONNX network.",
        "package": "Make a package of a torch network and its weights.",
        "compile": "Compile a package ahead, so that an image or a pod starts warm.",
        "quantise": "Add a form of the network in whole numbers of 8 bits.",
        "show": "Show what a package holds.",
        "verify": "Check every file of a package against its manifest.",
    },
    package="gw_cli.commands",
    help="Import, package, compile, show and verify models.",
)
