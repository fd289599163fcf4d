"""Small notebooks to push, and their copies in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

from fastkaggle_plus.kaggle_client import connect


def write_notebook(file: Path, *cells: str, **metadata: object) -> Path:
    """Write a notebook of code cells that have outputs; a cell that starts with # is Markdown."""
    made = [
        {"cell_type": "markdown", "metadata": {}, "source": [c]}
        if c.startswith("# ")
        else {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 7,
            "source": c.splitlines(keepends=True),
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["an old output"]}],
        }
        for c in cells
    ]
    file.write_text(
        json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4})
    )
    return file


def source_of(box, handle: str) -> str:
    owner, slug = handle.split("/")
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

    request = ApiGetKernelRequest()
    request.user_name, request.kernel_slug = owner, slug
    with connect(box.url, user=box.user, key=box.key).build_kaggle_client() as kaggle:
        return kaggle.kernels.kernels_api_client.get_kernel(request).blob.source


def versions(box, handle: str) -> int:
    """Count the versions of a notebook in the sandbox, with kaggle's own client."""
    owner, slug = handle.split("/")
    listed = connect(box.url, user=box.user, key=box.key).kernels_list(mine=True, page_size=100)
    return next((k.current_version_number for k in listed if k.ref == f"{owner}/{slug}"), 0)
