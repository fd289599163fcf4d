"""The course's lessons as notebooks: each file of the folder lessons is one."""

from dataclasses import dataclass
from pathlib import Path

from ..exceptions import ConfigError, UnknownName
from ..files import write_atomically
from .render import Rendered, make_notebook, read_cells

FOLDER = Path(__file__).parent / "lessons"


@dataclass(frozen=True)
class Lesson:
    """A notebook that needs no competition, in percent format."""

    name: str
    title: str  # the heading of its first cell
    file: Path


def all_lessons() -> list[Lesson]:
    """Return the lessons by name."""
    lessons = []
    for file in sorted(FOLDER.glob("*.py")):
        heading = read_cells(file)[0].source.partition("\n")[0]
        lessons.append(Lesson(file.stem, heading.strip("# "), file))
    return lessons


def write_lesson(
    name: str,
    dest: str | Path = ".",  # folder
) -> Path:
    """Write a lesson as NAME.ipynb, without outputs, and return the file.

    Raises UnknownName, and ConfigError if the file exists: it may have your changes.
    """
    lessons = {lesson.name: lesson for lesson in all_lessons()}
    if name not in lessons:
        raise UnknownName("lesson", name, lessons)
    file = Path(dest) / f"{name}.ipynb"
    if file.exists():
        raise ConfigError(
            f"Cannot write {file}: it exists and may have your changes. "
            "Rename it, or write to another folder."
        )
    cells = [(cell.cell_type, cell.source) for cell in read_cells(lessons[name].file)]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, Rendered(make_notebook(cells), {}).text)
    return file
