"""What the HTML pages share: templates with one style, and the machine that they name."""

import os
import platform

from jinja2 import Environment, PackageLoader, Template


def page_template(name: str) -> Template:
    """Return a template of this folder."""
    loader = PackageLoader(__package__, "")
    pages = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    return pages.get_template(name)


def hardware() -> str:
    """Return the cores, the architecture and the version of Python."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
