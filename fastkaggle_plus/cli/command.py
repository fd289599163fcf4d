"""Command: a subcommand with an example in its help, and `-c SLUG` as another way to say SLUG."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from typer import Option, Typer
from typer.core import TyperCommand
from typer.main import get_command

from .completion import complete_slugs
from .examples import EXAMPLES

_FLAGS = ("-c", "--competition")


class Command(TyperCommand):
    """A subcommand of `fkp`."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.takes_slug = any(p.name == "slug" for p in self.params)
        if self.takes_slug:
            self.params.insert(1, _alias())

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and args and args[-1].startswith("-"):
            args = args[:-1]  # its value is being completed: click would stop at it
        return super().parse_args(ctx, _slug_first(args) if self.takes_slug else args)

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence or paragraph whole; click would cut it off at `limit`."""
        return " ".join((self.help or "").split("\n\n")[0].split())

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples as they are typed: a long one is not wrapped."""
        group = f"{ctx.parent.info_name} {self.name}" if ctx.parent else ""
        examples = EXAMPLES.get(group) or EXAMPLES[str(self.name)]
        with formatter.section("Examples" if len(examples) > 1 else "Example"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


def _slug_first(args: list[str]) -> list[str]:
    """Return the arguments with the value of `-c` as the first positional one."""
    for i, arg in enumerate(args):
        if arg == "--":
            break
        if arg in _FLAGS and i + 1 < len(args):
            return [args[i + 1], *args[:i], *args[i + 2 :]]
        name, has_value, value = arg.partition("=")
        if has_value and name == "--competition":
            return [value, *args[:i], *args[i + 1 :]]
    return args


@cache
def _alias() -> Any:
    """Return the option `-c`, for the help and the completion: it is replaced before parsing."""
    app = Typer(add_completion=False)

    @app.command()
    def command(
        competition: Annotated[
            str,
            Option(
                *reversed(_FLAGS), help="Another way to name SLUG.", autocompletion=complete_slugs
            ),
        ] = "",
    ) -> None: ...

    [option] = (p for p in get_command(app).params if p.name == "competition")
    option.expose_value = False
    return option
