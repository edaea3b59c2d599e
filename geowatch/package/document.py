"""What the parts of a manifest have in common: unknown keys are refused, and names are of a few plain characters.

Names of classes are for people, in any script; what would break a line or a list of them is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

__all__ = ["ClassName", "Color", "Document", "Identifier", "PlainName", "Sha256", "Size"]

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+ /-]{0,127}$")]
_FIRST, _WITHIN = r"[^\x00-\x20\x7f-\xa0,]", r"[^\x00-\x1f\x7f-\xa0,]"  # no control characters, no commas
ClassName = Annotated[str, Field(pattern=rf"^{_FIRST}(?:{_WITHIN}{{0,126}}{_FIRST})?$")]
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = tuple[Annotated[int, Field(ge=1, le=65536)], Annotated[int, Field(ge=1, le=65536)]]


class Document(BaseModel):
    """A part of a manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    later: ClassVar[frozenset[str]] = frozenset()
    """Fields that came after the first version: at their default they are not written, so that digests stay."""

    @model_serializer(mode="wrap")
    def _lean(self, write: SerializerFunctionWrapHandler, _info: SerializationInfo) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        fields = type(self).model_fields
        return {
            k: v for k, v in written.items()
            if k not in self.later or getattr(self, k) != fields[k].get_default(call_default_factory=True)
        }  # fmt: skip
