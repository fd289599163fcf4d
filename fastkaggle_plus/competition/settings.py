"""The sections of a competition.toml: split, images, text, sandbox."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator


def _as_tuple(value: Any) -> Any:
    """Turn one name, or a TOML list of names, into a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_tuple)]


class Facts(BaseModel):
    """Settings that cannot change and have no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Split(Facts):
    """How to split the rows for validation: the way the organisers split train and test."""

    kind: Literal["random", "stratified", "group", "stratified-group", "time"] = "random"
    column: str = ""  # the group or time column

    @model_validator(mode="after")
    def _has_column(self) -> Split:
        if self.kind in ("group", "stratified-group", "time") and not self.column:
            raise ValueError(f"kind = {self.kind!r} needs `column`, the group or time column")
        return self


class Images(Facts):
    """Where the images are, and how their files are named."""

    train_folder: str = "train_images"
    test_folder: str = "test_images"
    name: str = "{id}"  # file name made from columns of train.csv, as in "{label}/{image_id}"


class Text(Facts):
    """Which columns are read as text."""

    columns: Names = ()  # (): the columns that look like text
    context: str = ""  # column with the topic of the texts


class SandboxFacts(Facts):
    """Settings that only the sandbox uses."""

    rules_accepted: bool = True
    max_daily_submissions: int | None = Field(default=None, ge=0)
    deadline: str | None = None  # ISO 8601, UTC

    @field_validator("deadline")
    @classmethod
    def _is_a_date(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value


SECTIONS: dict[str, type[BaseModel]] = dict(
    split=Split, images=Images, text=Text, sandbox=SandboxFacts
)
