"""What the parts of a manifest have in common: unknown keys are refused, and names are of a few plain characters."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

__all__ = ["Color", "Document", "Identifier", "PlainName", "Sha256", "Size"]

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+ /-]{0,127}$")]
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
