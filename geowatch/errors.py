"""The whole error tree of gw.

Each error is a fact, the value that was got and a remedy. The shell prints the first two as ``error:`` and the
third as ``hint:``, and exits with the class's ``exit_code``; library users catch `GwError` or a branch of it::

    GwError                          exit 1   something failed; what was finished stays finished
    ├── InputError                   exit 2   what was asked for cannot be done as asked
    │   ├── RegionError                       a region that cannot be read or planned
    │   ├── ImageryError                      imagery that cannot be found, read or understood
    │   │   └── CorruptImageError    exit 1   a file that breaks while being read
    │   │       └── MalformedError   exit 2   a file that is not what it should be from its start on
    │   ├── PackageError                      a model package that cannot be trusted or used
    │   ├── PlanError                         a plan that contradicts itself or the request
    │   │   ├── PlanMismatchError             this run folder was planned with other options
    │   │   └── RecipeMismatchError           this run was begun with other numerics
    │   ├── MemoryBudgetError                 the work does not fit the memory given
    │   └── ConfigError                       an option or configuration value
    ├── BackendError                          a network that cannot be built or run here
    ├── StoreError                            bytes that cannot be read or published
    │   └── DamagedError                      bytes that are not what their record says
    ├── CoverageError                         the result has holes that were not allowed
    └── InterruptedRunError          exit 75  stopped on request; the same command resumes
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BackendError",
    "ConfigError",
    "CorruptImageError",
    "CoverageError",
    "DamagedError",
    "GwError",
    "ImageryError",
    "InputError",
    "InterruptedRunError",
    "MalformedError",
    "MemoryBudgetError",
    "PackageError",
    "PlanError",
    "PlanMismatchError",
    "RecipeMismatchError",
    "RegionError",
    "StoreError",
]


class GwError(Exception):
    """Something failed. ``fact`` names what and the value got; ``hint`` says what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, fact: str, *, hint: str | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders when Dask runs the work; keyword-only arguments need this.
        return (_rebuild, (type(self), self.fact, self.hint))

    def __str__(self) -> str:
        return self.fact if self.hint is None else f"{self.fact}\nhint: {self.hint}"


def _rebuild(kind: type[GwError], fact: str, hint: str | None) -> GwError:
    return kind(fact, hint=hint)


class InputError(GwError):
    """What was asked for cannot be done as asked; nothing was lost."""

    exit_code = 2


class RegionError(InputError):
    """A region that cannot be read or planned."""


class ImageryError(InputError):
    """Imagery that cannot be found, read or understood."""


class CorruptImageError(ImageryError):
    """A file that breaks while it is read; ``fact`` names file and band."""

    exit_code = 1


class MalformedError(CorruptImageError):
    """A file that was given and is empty, cut off, or of another kind than it should be."""

    exit_code = 2


class PackageError(InputError):
    """A model package that cannot be trusted or used."""


class PlanError(InputError):
    """A plan that contradicts itself or the request."""


class PlanMismatchError(PlanError):
    """The run folder was planned with other options; ``fact`` lists the difference."""


class RecipeMismatchError(PlanError):
    """The run was begun with other numerics; ``fact`` lists the difference."""


class MemoryBudgetError(InputError):
    """The work does not fit into the memory that was given."""


class ConfigError(InputError):
    """An option or a configuration value that cannot be used."""


class BackendError(GwError):
    """A network that cannot be built or run on this machine."""


class StoreError(GwError):
    """Bytes that cannot be read or published."""


class DamagedError(StoreError):
    """Stored bytes that are not what their record says."""


class CoverageError(GwError):
    """The result has holes that were not allowed."""


class InterruptedRunError(GwError):
    """Stopped on request; the same command resumes."""

    exit_code = 75
