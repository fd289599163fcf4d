"""Finding: one problem of a notebook, with the place where it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One problem of a notebook."""

    # syntax | secret | output | path | input | metadata | internet | weights | submission | runtime
    rule: str
    cell: int  # counted from 1 over all cells; 0: the metadata, or the whole notebook
    line: int  # within the cell, counted from 1; 0: no single line
    message: str  # what is wrong, and what to do

    def __str__(self) -> str:
        where = "the metadata" if self.rule == "metadata" else "the notebook"
        if self.cell:
            where = f"cell {self.cell}" + (f", line {self.line}" if self.line else "")
        return f"{where} ({self.rule}): {self.message}"
