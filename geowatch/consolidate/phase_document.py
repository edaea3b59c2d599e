"""A model of phases as a file: which classes are phases, how they follow each other, and how each looks.

YAML, or JSON, which is YAML too.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geowatch.consolidate.phases import PhaseModel
from geowatch.errors import ConfigError

__all__ = ["PhaseDocument", "read_phases"]

_Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PhaseDocument(BaseModel):
    """Phases, and how they follow each other from one observation to the next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phases: tuple[str, ...] = Field(min_length=1)
    """Phases by their classes' names, in the order of the rows and columns below."""
    active: tuple[str, ...]
    """Phases that are activity: a site begins with its first and ends after its last."""
    transitions: tuple[tuple[_Share, ...], ...]
    """For each phase how likely each follows; a row need not add up to 1."""
    initial: tuple[_Share, ...] | None = None
    """How likely each phase comes first. Left out: all alike."""
    looks: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """How many independent looks an observation counts as; the more, the less phases cling to each other."""
    mix: tuple[tuple[_Share, ...], ...] | None = None
    """For each phase the share of a site that looks like each of the phases while it lasts; a row need not add up to 1.
    Left out: each phase is known by the score of its own class alone."""
    resembles: dict[str, tuple[str, ...]] = {}
    """Phases that may look as these others do as well."""

    def model(self) -> PhaseModel:
        """Return the model. Raises ConfigError for phases that are none, and for rows of another length."""
        self._check_names()
        size = len(self.phases)
        for what, rows in (("transitions", self.transitions), ("mix", self.mix or ())):
            if any(len(row) != size for row in rows):
                raise ConfigError(
                    f"{what} of {size} phases have rows of {[len(row) for row in rows]}",
                    hint=f"give {size} rows of {size} numbers",
                )
        like = np.eye(size, dtype=bool)
        for phase, others in self.resembles.items():
            like[self.phases.index(phase), [self.phases.index(name) for name in others]] = True
        return PhaseModel(
            self.phases,
            tuple(name in self.active for name in self.phases),
            np.array(self.initial or [1.0] * size),
            np.array(self.transitions, dtype=np.float64).reshape(len(self.transitions), -1),
            None if self.mix is None else np.array(self.mix, dtype=np.float64).reshape(len(self.mix), -1),
            like if self.resembles else None,
            self.looks,
        )

    def _check_names(self) -> None:
        if len(set(self.phases)) < len(self.phases):
            raise ConfigError(f"a phase is named twice among {', '.join(self.phases)}", hint="name each once")
        alike = {*self.resembles, *(name for each in self.resembles.values() for name in each)}
        for what, names in (("active", set(self.active)), ("resembled", alike)):
            if unknown := sorted(names - set(self.phases)):
                raise ConfigError(f"'{unknown[0]}' is {what} and no phase", hint=f"phases are {', '.join(self.phases)}")


def read_phases(text: str) -> PhaseModel:
    """Return the model that a YAML or JSON text states.

    >>> model = read_phases("{phases: [bare, green], active: [green], transitions: [[9, 1], [1, 9]]}")
    >>> model.names, model.active, model.looks
    (('bare', 'green'), (False, True), 1.0)

    Raises:
        ConfigError: For anything else.
    """
    try:
        document = PhaseDocument.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "all of it"
        raise ConfigError(
            f"no model of phases: {where}: {first['msg']}", hint="state phases, active and transitions; see --help"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"no model of phases: {' '.join(str(error).split())[:200]}", hint="write YAML, or JSON"
        ) from error
    return document.model()
