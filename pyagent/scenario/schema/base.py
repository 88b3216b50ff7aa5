"""What all sections of a scenario share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from pyagent.files import is_file

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Position = tuple[float, float, float]
"""x, y, z in metres; z is up."""
Range = tuple[float, float]
"""[low, high]."""


class Section(BaseModel):
    """Base of all sections: no unknown fields, no NaN, no changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


def require_order(section: BaseModel, *names: str) -> None:
    """Raise ValueError unless each of these fields is [low, high] with low <= high."""
    for name in names:
        low, high = getattr(section, name)
        if low > high:
            raise ValueError(f"{name} is [low, high] and needs low <= high")


def _found(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    full = (folder / path if folder else path).resolve()
    if not is_file(full):
        raise ValueError(f"no such file; looked for {full}")
    return full


DataFile = Annotated[Path, AfterValidator(_found)]
"""A file beside the scenario's own (a relative path starts there); absolute after validation."""
