"""What an entry of the operator table is: how a torch function is built from a node, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geowatch.nets.onnx.node import Node

__all__ = ["Builder", "Kernel", "Operator", "integers", "plain"]

Kernel = Callable[..., Any]
"""Function of a node's inputs (None where left out) that returns its output, or a tuple of several."""
Builder = Callable[[Node], Kernel]
"""Reads a node's attributes once, refuses those it cannot do, and returns the kernel."""


@dataclass(frozen=True, slots=True)
class Operator:
    """How one operator of ONNX is done in torch."""

    build: Builder
    """Makes the kernel."""
    host: frozenset[int] = frozenset()
    """Inputs that must be known without running the network: constants, and what follows from shapes."""
    either: frozenset[int] = frozenset()
    """Inputs that are taken as arrays where known, else as tensors."""
    gives_host: bool = False
    """Whether the output follows from the inputs' shapes alone."""
    rest_host: int | None = None
    """From which input on all are as in ``host``."""

    def takes_host(self, index: int) -> bool:
        """Whether input ``index`` must be known without running the network."""
        return index in self.host or (self.rest_host is not None and index >= self.rest_host)


def plain(kernel: Kernel) -> Operator:
    """Return the entry of an operator without attributes."""
    return Operator(lambda _: kernel)


def integers(value: NDArray[Any]) -> list[int]:
    """Return the numbers of a shape, axes or the like; symbolic ones stay symbolic."""
    return [_whole(v) for v in np.ravel(value).tolist()]


def _whole(number: Any) -> Any:  # noqa: ANN401  # a symbol is no int to type checkers, and acts as one
    return number if isinstance(number, torch.SymInt) else int(number)
